"""HTTP and pages: in → use case → answer out. The transaction starts and ends here; the answer goes out after
COMMIT."""

from fastapi import FastAPI

from libs.common.http import create_app as create_service_app
from libs.common.room import carried
from libs.common.service import Service
from services.ebid.api import (
    announcing,
    bidder,
    company,
    contract,
    delegates,
    desk,
    desk_companies,
    desk_documents,
    desk_letters,
    fragments,
    open_data,
    outages,
    papers,
    plans,
    prints,
    profile,
    public,
    publication,
    qualifications,
    register,
    results,
    scoring,
    shell,
    suspensions,
    tools,
    ventures,
    watching,
)
from services.ebid.rooms.room import FORMAT, MAX_ARCHIVE

WATCHER = "tenants"
"""Whose operator's page may look into this service's queues, and who may fetch archives."""


def create_app(service: Service) -> FastAPI:
    """`/t/<code>/ebid/…`, and `/ebid/…` for what all municipalities share."""
    modules = (
        fragments,
        results,
        watching,
        papers,
        contract,
        plans,
        scoring,
        profile,
        desk_letters,
        prints,
        desk,
        desk_documents,
        desk_companies,
        register,
        qualifications,
        suspensions,
        announcing,
        bidder,
        ventures,
        delegates,
        company,
        open_data,
        outages,
        tools,
        publication,
        public,
    )
    routers = [carried.router("ebid", WATCHER, FORMAT, limit=MAX_ARCHIVE), *(module.router for module in modules)]
    return create_service_app(service, routers, watcher=WATCHER, error_page=shell.error_page)
