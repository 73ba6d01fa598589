"""`/council/backups`: protected municipalities, how much they keep, what it costs, and the evidence of restores."""

from datetime import datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from libs.common import access, csvout, pdf
from libs.common.actor import Actor
from libs.common.errors import NotFound, say
from services.tenants.api import view
from services.tenants.db import backups as backups_db
from services.tenants.db.backups import BackupRow
from services.tenants.domain.municipality import Municipality
from services.tenants.use_cases import backups, count

router = APIRouter(include_in_schema=False)
FRESH, PROVEN = timedelta(days=2), timedelta(days=35)
"""A recovery point of the last two days protects; drills are made every 30 days."""


@router.get("/council/backups")
def overview(request: Request, actor: Actor = access.staff("council.member")) -> Response:
    now = view.service_of(request).clock.now()
    with view.service_of(request).database.reading() as session:
        found = count.on(session, view.today_of(request))
        told = backups_db.all_of(session)
        growth = backups.growth(session, view.today_of(request))
    towns = [found.municipalities[tenant] for tenant in sorted(found.joined["backup"])]
    rows = [(town, told.get(town.tenant_id)) for town in towns]
    stored = sum(row.stored for row in told.values())
    return view.council_page(
        request,
        "council/backups.html",
        "/council/backups",
        rows=sorted(rows, key=_by_need),
        stored=stored,
        growth=growth,
        grown=sum(growth.values()),
        yen_per_gb=backups.cost_of_a_gigabyte(view.service_of(request).settings.backup_yearly_cost, stored),
        protected=sum(1 for _, row in rows if row and _within(row.last_point_at, FRESH, now)),
        proven=sum(1 for _, row in rows if row and _within(row.proven_at, PROVEN, now)),
    )


@router.get("/council/backups/{town}")
def of_one(request: Request, town: str, actor: Actor = access.staff("council.member")) -> Response:
    """A municipality's restore drills, youngest first."""
    with view.service_of(request).database.reading() as session:
        found = count.on_day(count.read(session), view.today_of(request)).municipalities.get(town)
        if found is None:
            raise NotFound(say("この市町村は見つかりません。"))
        proofs = backups_db.proofs(session, town)
    return view.council_page(request, "council/backup_proofs.html", "/council/backups", of=found, proofs=proofs)


@router.get("/council/backups/{town}/{drill_id}.pdf")
def as_pdf(request: Request, town: str, drill_id: str, actor: Actor = access.staff("council.member")) -> Response:
    with view.service_of(request).database.reading() as session:
        backups_db.proof(session, town, drill_id)
    document = view.neighbours_of(request).drill_document(town, drill_id)
    return pdf.answer(document, f"restore-drill-{drill_id}.pdf")


@router.get("/council/backups/{town}/{drill_id}.json")
def as_json(request: Request, town: str, drill_id: str, actor: Actor = access.staff("council.member")) -> Response:
    """What the backup service signed, as it told it: nothing here can have changed it unnoticed."""
    with view.service_of(request).database.reading() as session:
        row = backups_db.proof(session, town, drill_id)
    headers = {"Content-Disposition": csvout.attachment(f"restore-drill-{drill_id}.json")}
    return JSONResponse({"evidence": row.evidence, "signature": row.signature}, headers=headers)


def _within(moment: datetime | None, span: timedelta, now: datetime) -> bool:
    return moment is not None and now - moment <= span


def _by_need(pair: tuple[Municipality, BackupRow | None]) -> tuple[bool, str]:
    """Those without any recovery point first."""
    town, row = pair
    return row is not None and row.last_point_at is not None, town.tenant_id
