"""HTTP and pages of the registry: each file one room people enter, `internal` what the gateway asks."""

from pathlib import Path

from fastapi import FastAPI

from libs.common.http import create_app as create_common_app
from libs.common.service import Service
from libs.common.web import Pages, static_app
from services.tenants.api import (
    calendars,
    capacity,
    council,
    council_backups,
    council_datasets,
    council_invoices,
    council_plans,
    council_sharing,
    council_tenders,
    departments,
    figures,
    first_admins,
    home,
    incidents,
    internal,
    maintenance,
    members,
    notice_settings,
    operator,
    own_pages,
    participation,
    past,
    portal,
    portal_cost,
    records,
    register,
    reports,
    running,
    service_level,
    status,
    support,
    switches,
    takein,
    takeout,
    transfer,
    view,
)
from services.tenants.neighbours import Neighbours

TEMPLATES = Path(__file__).parents[1] / "templates"


def create_app(service: Service) -> FastAPI:
    """The app of one process. `service.extras` gets `pages` and, unless a test put its own there, `neighbours`."""
    service.extras["pages"] = Pages(TEMPLATES, brand=view.brand(service), sample=service.settings.sample)
    service.extras.setdefault("neighbours", Neighbours(service))
    routers = [
        home.router, figures.router, portal_cost.router, portal.router, members.router, transfer.router,
        records.router, council.router, operator.router, register.router, internal.router,
        council_backups.router, council_tenders.router, council_datasets.router,
        council_sharing.router, council_invoices.router, council_plans.router, reports.router,
        capacity.router, takeout.router, takein.router, maintenance.router, own_pages.router, departments.router,
        support.router, switches.router, notice_settings.router, service_level.router, running.router, participation.router,
        calendars.router, past.router, first_admins.router, status.router, incidents.router,
    ]  # fmt: skip
    app = create_common_app(service, routers, watcher="tenants", error_page=view.error_page)
    app.mount("/static", static_app())
    return app
