"""`/council/invoices/`: issue a year's invoices, see who has paid, void a wrong one."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.clock import fiscal_year
from libs.common.errors import Invalid, Refusal, say
from services.tenants.api import figures, view, words
from services.tenants.db import invoices as invoices_db
from services.tenants.db import registry as registry_db
from services.tenants.domain.catalogue import service
from services.tenants.domain.history import believed
from services.tenants.domain.lives import in_order
from services.tenants.use_cases import invoices

router = APIRouter(include_in_schema=False)
HOME = "/council/invoices/"
Year = Annotated[int | None, Query(ge=2000, le=2100)]
Text = Annotated[str, Form()]


@router.get("/council/invoices/")
def show(request: Request, year: Year = None, actor: Actor = access.staff("council.member")) -> Response:
    return _page(request, year or fiscal_year(view.today_of(request)))


def _page(request: Request, year: int, error: Refusal | None = None, field: str = "", typed: str = "") -> Response:
    with view.service_of(request).database.reading() as session:
        rows = invoices_db.invoices(session, fiscal_year=year)
        years = {*invoices_db.years(session), year, fiscal_year(view.today_of(request))}
        shared = invoices.year_of(session, year)
        names = {s.tenant_id: s.name for s in in_order(believed(registry_db.states(session)))}
        waiting = invoices.waiting(session, shared, year, view.today_of(request))
        asked_shares = sum(row.amount for row in invoices_db.standing(session, year))
    counting = [row for row in rows if row.state != "void"]
    fields = (getattr(error, "fields", None) or {"due_on": error.message}) if error else {}
    return view.council_page(
        request,
        "council/invoices.html",
        HOME,
        status_code=error.status if error else 200,
        errors=view.told(request, {f"{name}{field}": text for name, text in fields.items()}),
        typed=typed,
        rows=rows,
        year=year,
        years=sorted(years, reverse=True),
        names=names,
        asked=sum(row.amount for row in counting),
        paid=sum(row.amount for row in counting if row.state == "paid"),
        waiting=len(waiting),
        asked_shares=asked_shares,
        to_share=sum(one.rule.shared for one in shared.values() if not one.problem),
        problems=[(service(key), one.problem.message) for key, one in shared.items() if one.problem],
        has_rule=bool(shared),
        today=view.today_of(request),
        states=words.INVOICES,
    )


@router.post("/council/invoices/issue")
def issue(
    request: Request,
    year: Annotated[int, Form(ge=2000, le=2100)],
    due_on: Text = "",
    actor: Actor = access.staff("council.member"),
) -> Response:
    """One invoice for each municipality that has none of the year yet."""
    try:
        day = figures.read_day(due_on, "due_on")
        if day is None:
            sentence = say("納期限を入力してください。")
            raise Invalid(sentence, fields={"due_on": sentence})
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            invoices.issue(session, actor, year, day, view.now_of(request))
    except Refusal as error:
        return _page(request, year, error)
    return view.see_other(f"{HOME}?year={year}")


@router.post("/council/invoices/{invoice_id}/paid")
def paid(
    request: Request, invoice_id: str, paid_on: Text = "", actor: Actor = access.staff("council.member")
) -> Response:
    year = _year_of(request, invoice_id)
    try:
        day = figures.read_day(paid_on, "paid_on") or view.today_of(request)
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            invoices.note_paid(session, actor, invoice_id, day, view.now_of(request))
    except Invalid as error:
        return _page(request, year, error, f"-{invoice_id}")
    return view.see_other(f"{HOME}?year={year}")


@router.post("/council/invoices/{invoice_id}/void")
def void(
    request: Request, invoice_id: str, reason: Text = "", actor: Actor = access.staff("council.member")
) -> Response:
    year = _year_of(request, invoice_id)
    try:
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            invoices.void(session, actor, invoice_id, reason, view.now_of(request))
    except Invalid as error:
        return _page(request, year, error, f"-{invoice_id}", reason)
    return view.see_other(f"{HOME}?year={year}")


def _year_of(request: Request, invoice_id: str) -> int:
    with view.service_of(request).database.reading() as session:
        return invoices_db.find_invoice(session, invoice_id).fiscal_year


@router.get("/council/invoices/lines.csv")
def lines_csv(
    request: Request,
    year: Year = None,
    charset: Annotated[str, Query()] = "utf-8",
    actor: Actor = access.staff("council.member"),
) -> Response:
    """Every line of the year's invoices, void ones too."""
    chosen = year or fiscal_year(view.today_of(request))
    with view.service_of(request).database.reading() as session:
        rows = invoices_db.invoices(session, fiscal_year=chosen)
        names = {s.tenant_id: s.name for s in in_order(believed(registry_db.states(session)))}
    data = [line for row in rows for line in figures.invoice_lines(row, names.get(row.tenant, row.tenant))]
    return figures.csv_answer(data, figures.INVOICE_HEADER, f"請求-{chosen}.csv", charset)
