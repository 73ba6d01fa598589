"""HTTP and pages: in → use case → answer out. The transaction starts and ends here; the answer goes out after
COMMIT."""

from fastapi import FastAPI

from libs.common.http import create_app as create_service_app
from libs.common.room import carried
from libs.common.service import Service
from services.eapply.api import (
    applications,
    builder,
    citizen,
    cosigning,
    delegates,
    desk,
    drafting,
    exporting,
    fragments,
    internal,
    my_numbers,
    own_keys,
    paying_page,
    prints,
    programs,
    shell,
    telling,
    together,
    verifying,
    visiting,
)
from services.eapply.rooms.room import FORMAT, MAX_ARCHIVE

WATCHER = "tenants"
"""Whose operator's page may look into this service's queues, and who may take the snapshot."""


def create_app(service: Service) -> FastAPI:
    """`/t/<code>/eapply/…`. The procedures' own pages come last: their names must not hide the others'."""
    modules = (
        programs, exporting, fragments, desk, builder, telling, applications, visiting, verifying, paying_page, prints, my_numbers,
        delegates, own_keys, cosigning, together, drafting, citizen,
    )  # fmt: skip
    routers = [module.router for module in modules]
    archives = carried.router("eapply", WATCHER, FORMAT, limit=MAX_ARCHIVE)
    app = create_service_app(
        service, [internal.router(WATCHER), archives, *routers], watcher=WATCHER, error_page=shell.error_page
    )
    app.add_middleware(shell.BodyLimit, limit=shell.MAX_BODY, refusal=shell.too_large)
    return app
