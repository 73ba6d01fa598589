"""記録 and 利用状況 of one municipality: who did what; how many applications came."""

from datetime import date, datetime, time, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field, StringConstraints, field_validator

from libs.common import access, audit, csvout
from libs.common.actor import Actor
from libs.common.audit import AuditEntryRow
from libs.common.clock import JST, fiscal_year
from libs.common.errors import say
from services.tenants.api import view, words
from services.tenants.api.council_sharing import UNITS
from services.tenants.api.figures import FIRST_DAY, LAST_DAY
from services.tenants.db import backups as backups_db
from services.tenants.db import past as past_db
from services.tenants.db import plans as plans_db
from services.tenants.db import usage as usage_db
from services.tenants.domain import catalogue, own_pages
from services.tenants.domain.usage import Usage, online_rate, totals
from services.tenants.use_cases import own_usage, stock

router = APIRouter(include_in_schema=False)

PAGE = 50


class Search(BaseModel):
    """What is looked for in a record: words, and days in Japan, both included. `before`: where the page before ended."""

    q: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] = ""
    since: Annotated[date, Field(ge=FIRST_DAY, le=LAST_DAY)] | None = None
    until: Annotated[date, Field(ge=FIRST_DAY, le=LAST_DAY)] | None = None
    before: Annotated[str, StringConstraints(max_length=36)] = ""

    @field_validator("since", "until", mode="before")
    @classmethod
    def _nothing_typed(cls, typed: Any) -> Any:
        return typed or None

    def further(self, last: str) -> str:
        """The address of the page after the entry `last`, with the same search."""
        told = {name: str(value) for name, value in self.model_dump(exclude={"before"}).items() if value}
        return urlencode({**told, "before": last})


@router.get("/portal/{code}/records/")
def portal_records(
    request: Request,
    code: str,
    asked: Annotated[Search, Query()],
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    town = view.municipality_of(request, actor)
    context = _records(request, actor, asked, f"/portal/{code}/records/")
    return view.portal_page(request, "portal/records.html", town, f"/portal/{code}/records/", **context)


@router.get("/portal/{code}/records/lines")
def portal_record_lines(request: Request, code: str, actor: Actor = access.staff("portal.admin")) -> Response:
    """The chained record as JSON lines: `python -m libs.common.audit verify` checks it anywhere."""
    return _lines(request, actor)


@router.get("/operator/records")
def operator_records(request: Request, asked: Annotated[Search, Query()], actor: Actor = access.operator()) -> Response:
    """The cloud's own record (the prefecture's); each municipality's is its own."""
    context = _records(request, actor, asked, "/operator/records")
    return view.operator_page(request, "portal/records.html", "/operator/records", **context)


@router.get("/operator/records/lines")
def operator_record_lines(request: Request, actor: Actor = access.operator()) -> Response:
    return _lines(request, actor)


def _records(request: Request, actor: Actor, asked: Search, address: str) -> dict[str, Any]:
    with view.service_of(request).database.reading(tenant=actor.tenant) as session:
        actions, actors = audit.codes(session) if asked.q else (set(), set())
    meant = _meant(request, asked.q, actions, actors) if asked.q else set()
    with view.service_of(request).database.reading(tenant=actor.tenant) as session:
        rows = audit.entries(
            session, before=asked.before or None, limit=PAGE, words=asked.q, codes=meant,
            since=asked.since and midnight(asked.since),
            until=asked.until and midnight(asked.until + timedelta(days=1)),
        )  # fmt: skip
        bad = audit.verify(session) if not asked.before else None
        named = plans_db.names(session, {row.subject for row in rows})
    persons = view.neighbours_of(request).persons(sorted(_people(rows)))
    return {
        "rows": [_entry(row, persons, named, view.reader_of(request)) for row in rows],
        "next": f"{address}?{asked.further(rows[-1].id)}" if len(rows) == PAGE else None,
        "lines": f"{address.rstrip('/')}/lines",
        "first": not asked.before,
        "asked": asked,
        "bad": bad,
    }


def midnight(day: date) -> datetime:
    """When this day begins in Japan."""
    return datetime.combine(day, time(), JST)


def _meant(request: Request, words_asked: str, actions: set[str], actors: set[str]) -> set[str]:
    """Actions, services and persons that this page shows under words which hold those asked for."""
    read = view.reader_of(request)
    shown = {action: words.audit_words(action, read) for action in actions}
    shown |= {service.key: read(service.name) for service in catalogue.SERVICES}
    shown |= {ident: person.name for ident, person in view.neighbours_of(request).persons(sorted(actors)).items()}
    return {code for code, word in shown.items() if words_asked in word}


def _people(rows: list[AuditEntryRow]) -> set[str]:
    """Ids that may be persons: who acted, and whose roles were changed."""
    return {r.actor for r in rows if r.actor_kind != "service"} | {
        r.subject for r in rows if r.action.startswith(("member.", "delegation."))
    }


def _entry(row: AuditEntryRow, persons: dict[str, Any], named: dict[str, str], reader: words.Reader) -> dict[str, Any]:
    unnamed = reader(say("自動")) if row.actor_kind == "service" else row.actor
    who = persons[row.actor].name if row.actor in persons else unnamed
    names = named | {service.key: reader(service.name) for service in catalogue.SERVICES}
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
    year: Annotated[int | None, Query(ge=1990, le=2100)] = None,
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    """What was used of each service and what the year costs; applications by procedure, tenders, backups by month."""
    town = view.municipality_of(request, actor)
    this_year = fiscal_year(view.today_of(request))
    tenant, shown = town.tenant_id, year or this_year
    with view.service_of(request).database.reading(tenant=actor.tenant) as session:
        lines = own_usage.of_year(session, tenant, shown, this_year)
        tenders = own_usage.tenders(session, tenant, shown)
        months = backups_db.months_of(session, tenant, shown)
        years = own_usage.years(session, tenant, this_year)
        usage = usage_db.usage(session, tenant)
        outcomes = usage_db.outcomes(session, "eapply")
        names = usage_db.procedure_names(session, "eapply")
        past = [total for total in past_db.totals(session, tenant) if total.fiscal_year == shown]
    counts = totals(usage, "eapply", shown).get(tenant, {"online": 0, "paper": 0})
    return view.portal_page(
        request,
        "portal/usage.html",
        town,
        f"/portal/{code}/usage/",
        year=shown,
        years=years,
        lines=lines,
        used_words=own_usage.USED,
        units=UNITS,
        tenders=tenders,
        months=[(month, stock.whole_gigabytes(stored)) for month, stored in months.items()],
        paid=sum(known) if (known := [line.share for line in lines if line.share is not None]) else None,
        counts=counts,
        rate=online_rate(counts["online"], counts["paper"]),
        procedures=_by_procedure(usage, shown, names),
        outcomes=outcomes,
        past=_brought(past),
    )


def _brought(totals: list[past_db.Total]) -> list[list[Any]]:
    """Rows by procedure of what was taken in from the system of before."""
    found: dict[str, dict[str, int]] = {}
    for total in totals:
        found.setdefault(total.procedure, {"online": 0, "paper": 0})[total.channel] += total.applications
    return [[name, c["online"], c["paper"], c["online"] + c["paper"]] for name, c in sorted(found.items())]


def _by_procedure(usage: list[Usage], year: int, names: dict[str, str]) -> list[list[Any]]:
    """Rows by the procedure's name; versions of one procedure are one row."""
    found: dict[str, dict[str, int]] = {}
    for row in usage:
        if row.service == "eapply" and row.fiscal_year == year:
            word = names.get(row.procedure, row.procedure)
            found.setdefault(word, {"online": 0, "paper": 0})[row.channel] += row.applications
    return [[name, c["online"], c["paper"], c["online"] + c["paper"]] for name, c in sorted(found.items())]
