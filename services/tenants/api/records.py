"""記録 and 利用状況 of one municipality: who did what; how many applications came."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from libs.common import access, audit, csvout
from libs.common.actor import Actor
from libs.common.audit import AuditEntryRow
from libs.common.clock import fiscal_year
from libs.common.errors import say
from services.tenants.api import view, words
from services.tenants.db import usage as usage_db
from services.tenants.domain import catalogue, own_pages
from services.tenants.domain.usage import Usage, online_rate
from services.tenants.use_cases import count

router = APIRouter(include_in_schema=False)

PAGE = 50


@router.get("/portal/{code}/records/")
def portal_records(
    request: Request, code: str, before: Annotated[str, Query()] = "", actor: Actor = access.staff("portal.admin")
) -> Response:
    town = view.municipality_of(request, actor)
    context = _records(request, actor, before, f"/portal/{code}/records/")
    return view.portal_page(request, "portal/records.html", town, f"/portal/{code}/records/", **context)


@router.get("/portal/{code}/records/lines")
def portal_record_lines(request: Request, code: str, actor: Actor = access.staff("portal.admin")) -> Response:
    """The chained record as JSON lines: `python -m libs.common.audit verify` checks it anywhere."""
    return _lines(request, actor)


@router.get("/operator/records")
def operator_records(
    request: Request, before: Annotated[str, Query()] = "", actor: Actor = access.operator()
) -> Response:
    """The cloud's own record (the prefecture's); each municipality's is its own."""
    context = _records(request, actor, before, "/operator/records")
    return view.operator_page(request, "portal/records.html", "/operator/records", **context)


@router.get("/operator/records/lines")
def operator_record_lines(request: Request, actor: Actor = access.operator()) -> Response:
    return _lines(request, actor)


def _records(request: Request, actor: Actor, before: str, address: str) -> dict[str, Any]:
    with view.service_of(request).database.reading(tenant=actor.tenant) as session:
        rows = audit.entries(session, before=before or None, limit=PAGE)
        bad = audit.verify(session) if not before else None
    persons = view.neighbours_of(request).persons(sorted(_people(rows)))
    return {
        "rows": [_entry(row, persons, view.reader_of(request)) for row in rows],
        "next": f"{address}?before={rows[-1].id}" if len(rows) == PAGE else None,
        "lines": f"{address.rstrip('/')}/lines",
        "first": not before,
        "bad": bad,
    }


def _people(rows: list[AuditEntryRow]) -> set[str]:
    """Ids that may be persons: who acted, and whose roles were changed."""
    return {r.actor for r in rows if r.actor_kind != "service"} | {
        r.subject for r in rows if r.action.startswith(("member.", "delegation."))
    }


def _entry(row: AuditEntryRow, persons: dict[str, Any], reader: words.Reader) -> dict[str, Any]:
    unnamed = reader(say("自動")) if row.actor_kind == "service" else row.actor
    who = persons[row.actor].name if row.actor in persons else unnamed
    names = {service.key: reader(service.name) for service in catalogue.SERVICES}
    names |= {kind: reader(name) for kind, name in own_pages.KINDS.items()}
    subject = names.get(row.subject) or (persons[row.subject].name if row.subject in persons else row.subject)
    what = words.audit_words(row.action, reader)
    return {"at": row.at, "who": who, "what": what, "subject": subject, "reason": row.reason}


def _lines(request: Request, actor: Actor) -> Response:
    service = view.service_of(request)

    def lines() -> Any:
        with service.database.reading(tenant=actor.tenant) as session:
            yield from audit.export_lines(session)

    headers = {"Content-Disposition": csvout.attachment(f"record-{actor.tenant}.jsonl"), "Cache-Control": "no-store"}
    return StreamingResponse(lines(), media_type="application/jsonl", headers=headers)


@router.get("/portal/{code}/usage/")
def portal_usage(
    request: Request,
    code: str,
    year: Annotated[int | None, Query()] = None,
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    """Applications by procedure and year, and the share that came online."""
    town = view.municipality_of(request, actor)
    this_year = fiscal_year(view.today_of(request))
    with view.service_of(request).database.reading(tenant=actor.tenant) as session:
        use = count.real_use(session, "eapply", year or this_year, actor.tenant)
        usage = usage_db.usage(session, actor.tenant)
        outcomes = usage_db.outcomes(session, "eapply")
        names = usage_db.procedure_names(session, "eapply")
    counts = use.by_tenant.get(actor.tenant or "", {"online": 0, "paper": 0})
    years = sorted({row.fiscal_year for row in usage} | {this_year}, reverse=True)
    return view.portal_page(
        request,
        "portal/usage.html",
        town,
        f"/portal/{code}/usage/",
        year=year or this_year,
        years=years,
        counts=counts,
        rate=online_rate(counts["online"], counts["paper"]),
        procedures=_by_procedure(usage, year or this_year, names),
        outcomes=outcomes,
    )


def _by_procedure(usage: list[Usage], year: int, names: dict[str, str]) -> list[list[Any]]:
    """Rows by the procedure's name; versions of one procedure are one row."""
    found: dict[str, dict[str, int]] = {}
    for row in usage:
        if row.service == "eapply" and row.fiscal_year == year:
            word = names.get(row.procedure, row.procedure)
            found.setdefault(word, {"online": 0, "paper": 0})[row.channel] += row.applications
    return [[name, c["online"], c["paper"], c["online"] + c["paper"]] for name, c in sorted(found.items())]
