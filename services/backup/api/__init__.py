"""The HTTP side: the data plane of machines, the pages of staff."""

from fastapi import FastAPI

from libs.common import http
from libs.common.room import carried
from libs.common.service import Service
from services.backup.api import allowances, desk, evidence, fragments, plane
from services.backup.api.exchange import SLOTS, Memory
from services.backup.api.turns import Turns
from services.backup.rooms.room import FORMAT, MAX_ARCHIVE
from services.backup.settings import settings_of


def create_app(service: Service) -> FastAPI:
    pages = service.extras["pages"]
    archives = carried.router("backup", "tenants", FORMAT, limit=MAX_ARCHIVE)
    routers = [fragments.router, evidence.router, archives, allowances.router, desk.router]
    app = http.create_app(service, routers, watcher="tenants", error_page=pages.refused)
    app.state.memory = Memory()
    app.state.turns = Turns(SLOTS, settings_of(service).backup_line_rate)
    routes = plane.routes()
    app.router.routes[:0] = routes
    app.add_middleware(plane.Shortcut, routes=routes, fastapi=app, service=service)
    app.at_once = plane.AtOnce(service, app.state)  # type: ignore[attr-defined]
    http.access.check_declared(app, exempt=lambda path: path.startswith(("/health/", "/static")))
    return app
