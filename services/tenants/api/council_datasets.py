"""`/council/datasets`: how many data sets are published, by whom, against the plan's targets."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from services.tenants.api import view
from services.tenants.db import datasets as datasets_db
from services.tenants.use_cases import count

router = APIRouter(include_in_schema=False)
BASE, TARGET = 8_000, 11_000
"""Data sets on the common site, 福岡県官民データ活用推進計画: at its beginning, and aimed at."""


@router.get("/council/datasets")
def datasets(request: Request, actor: Actor = access.staff("council.member")) -> Response:
    with view.service_of(request).database.reading() as session:
        found = count.on(session, view.today_of(request))
        told = datasets_db.all_of(session)
    rows = [(town, told.get(tenant)) for tenant, town in sorted(found.municipalities.items())]
    publishing = [row for _, row in rows if row and row.count]
    return view.council_page(
        request,
        "council/datasets.html",
        "/council/datasets",
        rows=sorted(rows, key=lambda pair: (-(pair[1].count if pair[1] else 0), pair[0].tenant_id)),
        joined=found.joined["opendata"],
        total=sum(row.count for row in publishing),
        publishing=len(publishing),
        base=BASE,
        target=TARGET,
    )
