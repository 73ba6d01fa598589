"""HTTP and pages: in → use case → answer out. Answers go out after COMMIT."""

from fastapi import FastAPI

from libs.common import http
from libs.common.room import carried
from libs.common.service import Service
from services.opendata.api import (
    answers,
    charts,
    ckan,
    data,
    desk,
    embed,
    feeds,
    fragments,
    gathering,
    heads,
    packages,
    public,
    quality,
    sensors,
    shell,
    tables,
    telling,
    things,
    voices,
)
from services.opendata.domain.visitors import Voters
from services.opendata.rooms.room import FORMAT, MAX_ARCHIVE
from services.opendata.settings import settings_of
from services.opendata.use_cases.usage import Uses

WATCHER = "tenants"
FORM = 1024 * 1024
"""Bytes of a form around its file."""


def create_app(service: Service) -> FastAPI:
    """`/opendata/…` for everybody, `/t/<code>/opendata/…` for one municipality and its staff."""
    modules = (
        ckan,
        feeds,
        data,
        fragments,
        gathering,
        desk,
        quality,
        charts,
        things,
        sensors,
        telling,
        voices,
        tables,
        packages,
        embed,
        public,
    )
    routers = [carried.router("opendata", WATCHER, FORMAT, limit=MAX_ARCHIVE), *(module.router for module in modules)]
    app = http.create_app(service, routers, watcher=WATCHER, error_page=service.extras["pages"].refused)
    app.state.uses = Uses(service.database)
    app.state.voters = Voters()
    app.add_middleware(shell.BodyLimit, limit=settings_of(service).opendata_file_limit + FORM, refusal=shell.too_large)
    app.add_middleware(heads.Heads)
    app.add_middleware(answers.KeptAnswers, service=service, uses=app.state.uses)
    return app
