"""`/council/tenders`: tenders per municipality and fiscal year, as the e-bidding service published them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.clock import fiscal_year
from services.tenants.api import view
from services.tenants.db import tenders as tenders_db
from services.tenants.use_cases import count, tenders

router = APIRouter(include_in_schema=False)


@router.get("/council/tenders")
def council_tenders(
    request: Request,
    year: Annotated[int | None, Query(ge=1990, le=2100)] = None,
    actor: Actor = access.staff("council.member"),
) -> Response:
    today = view.today_of(request)
    chosen = year if year is not None else fiscal_year(today)
    with view.service_of(request).database.reading() as session:
        towns = count.on(session, today)
        told = tenders.figures(session, chosen)
        years = tenders_db.years(session)
    joined = [towns.municipalities[tenant] for tenant in sorted(towns.joined["ebid"])]
    rows = [(town, told.get(town.tenant_id)) for town in joined]
    return view.council_page(
        request, "council/tenders.html", "/council/tenders", rows=rows, year=chosen, years=years,
        published=sum(each.published for each in told.values()), awarded=sum(each.awarded for each in told.values()),
        amount=sum(each.amount for each in told.values()),
    )  # fmt: skip
