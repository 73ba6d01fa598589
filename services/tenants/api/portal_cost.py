"""What a municipality pays: an estimate with the plan of joining, the effect it expects, its invoices."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from libs.common import access, pdf
from libs.common.actor import Actor
from libs.common.errors import Invalid, say
from libs.common.web import dates
from services.tenants.api import figures, inputs, portal_papers, view, words
from services.tenants.api.council_sharing import UNITS
from services.tenants.db import invoices as invoices_db
from services.tenants.db import registry as registry_db
from services.tenants.db import sharing as sharing_db
from services.tenants.domain import catalogue, effect, joining, sharing, subscriptions
from services.tenants.domain.effect import FIELDS, Assumptions
from services.tenants.domain.history import believed
from services.tenants.domain.lives import in_order
from services.tenants.domain.municipality import Municipality
from services.tenants.use_cases import count, invoices
from services.tenants.use_cases import sharing as sharing_cases
from services.tenants.use_cases.sharing import Shared

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form()]
Asked = Annotated[str, Query()]


@dataclass(frozen=True)
class ThisYear:
    """What joining today costs until 31 March: yen, for so many months."""

    fiscal_year: int
    months: int
    amount: int


@dataclass(frozen=True)
class Quote:
    """What joining on `start` would cost `town`: of the rest of that fiscal year and of the whole next one. `shared` and
    `whole` None: no rule was decided."""

    town: Municipality
    start: date
    months: int
    shared: Shared | None
    whole: Shared | None

    @property
    def first_year(self) -> sharing.Share | None:
        return self.shared.shares.get(self.town.tenant_id) if self.shared else None

    @property
    def whole_year(self) -> sharing.Share | None:
        return self.whole.shares.get(self.town.tenant_id) if self.whole else None


def quote(request: Request, town: Municipality, service: str, start: date) -> Quote:
    year = subscriptions.fiscal_year(start)
    with view.service_of(request).database.reading() as session:
        register = count.read(session)
        shared, months = sharing_cases.for_newcomer(session, register, service, town.tenant_id, start)
        whole, _ = sharing_cases.for_newcomer(session, register, service, town.tenant_id, date(year + 1, 4, 1))
    return Quote(town, start, months, shared, whole)


def costs(
    request: Request, town: Municipality, services: Iterable[str], *, now: bool = False
) -> tuple[dict[str, str], dict[str, ThisYear]]:
    """What a whole year from next April costs this municipality: service → one sentence; and, with `now`, what joining today costs.
    Those that no rule speaks of are left out; the register is read once, and not where none does."""
    today = view.today_of(request)
    start, found, begun = subscriptions.next_april(today), {}, {}
    with view.service_of(request).database.reading() as session:
        decided = {row.service for row in sharing_db.rule_rows(session) if row.superseded_at is None}
        wanted = decided.intersection(services)
        register = count.read(session) if wanted else count.Register([], [])
        for service in wanted:
            shared, _ = sharing_cases.for_newcomer(session, register, service, town.tenant_id, start)
            if shared and town.tenant_id in shared.shares:
                found[service] = shared.shares[town.tenant_id].amount
            if now:
                shared, months = sharing_cases.for_newcomer(session, register, service, town.tenant_id, today)
                if shared and town.tenant_id in shared.shares:
                    amount = shared.shares[town.tenant_id].amount
                    begun[service] = ThisYear(shared.rule.fiscal_year, months, amount)
    sentence = say("%(year)sは、1年で%(amount)s円です（いまの決まりと、いまの参加市町村で計算）。")
    reader = view.reader_of(request)
    return {
        key: reader(sentence, year=dates.fiscal(start.year, lang=reader.lang), amount=f"{yen:,}")
        for key, yen in found.items()
    }, begun


@router.get("/portal/{code}/services/{service}/estimate")
def estimate(
    request: Request,
    code: str,
    service: str,
    start: Asked = "",
    own: Asked = "",
    more: Asked = "",
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    """見積書 with the plan of joining, to be printed and taken into the budget. `own`: yen a year if it were bought alone; `more`: so
    many others are thought to join as well."""
    town, today = view.municipality_of(request, actor), view.today_of(request)
    errors: dict[str, str] = {}
    day, alone, others = subscriptions.next_april(today), 0, 0
    try:
        alone, others = inputs.whole(own, "own", 0), inputs.whole(more, "more", 0)
        day = subscriptions.check_start(figures.read_day(start, "start") or day, today)
    except Invalid as error:
        fields = {"start" if name == "effective_from" else name: text for name, text in error.fields.items()}
        errors = view.told(request, fields)
    found = quote(request, town, service, day)
    return view.portal_page(
        request,
        "portal/estimate.html",
        town,
        f"/portal/{code}/",
        status_code=422 if errors else 200,
        errors=errors,
        service=catalogue.service(service),
        quote=found,
        typed={"start": start or day.isoformat(), "own": own, "more": more},
        together=_together(found, others) if others else None,
        needed=_needed(found, alone) if alone else None,
        own=alone,
        plan=joining.plan(day, today),
        plan_words=words.JOINING,
        unit=UNITS.get(service),
        council=view.council_name(view.service_of(request)),
        today=today,
    )


@router.get("/portal/{code}/services/{service}/estimate.pdf")
def estimate_pdf(
    request: Request, code: str, service: str, start: Asked = "", actor: Actor = access.staff("portal.admin")
) -> Response:
    town, today = view.municipality_of(request, actor), view.today_of(request)
    day = subscriptions.check_start(figures.read_day(start, "start") or subscriptions.next_april(today), today)
    found, offered = quote(request, town, service, day), catalogue.service(service)
    pairs = [(found.shared, found.first_year), (found.whole, found.whole_year)]
    problem = found.shared.problem.message if found.shared and found.shared.problem else offered.cost
    document = portal_papers.estimate(
        town.name,
        view.council_name(view.service_of(request)),
        offered,
        day,
        [(shared, share) for shared, share in pairs if shared and share],
        problem,
        joining.plan(day, today),
        view.now_of(request),
    )
    return pdf.answer(document, f"見積書-{offered.short}.pdf")


def _together(found: Quote, more: int) -> tuple[int, int] | None:
    """(how many others really can join, yen of a whole year with them): at most `more`, for the whole year, by code. None where it
    cannot be said."""
    if found.whole is None or found.whole.problem:
        return None
    parties, candidates = _with_others(found.whole, found.town.tenant_id)
    most = min(more, sharing.most_joining(found.whole.rule, parties, candidates))
    shares = sharing.shares(found.whole.rule, [*parties, *candidates[:most]])
    return most, next(one.amount for one in shares if one.tenant == found.town.tenant_id)


def _with_others(whole: Shared, tenant: str) -> tuple[list[sharing.Party], list[sharing.Party]]:
    """Who takes part if `tenant` does, and who may join besides, by code; without those whose population the rule needs and nobody
    knows."""
    basis = whole.basis
    candidates = [basis.party(other, sharing.MONTHS) for other in basis.not_yet() if other != tenant]
    known = [one for one in candidates if one.population is not None or not whole.rule.population]
    return basis.parties({tenant: sharing.MONTHS}), known


def _needed(found: Quote, own: int) -> int | None:
    """How many more must join until a whole year costs at most `own`; -1: not even with everybody, or not to be said."""
    if found.whole is None or found.whole.problem:
        return -1
    tenant = found.town.tenant_id
    parties, candidates = _with_others(found.whole, tenant)
    needed = sharing.joined_needed(found.whole.rule, parties, candidates, tenant, own)
    return -1 if needed is None else needed


@router.get("/portal/{code}/services/{service}/effect")
def show_effect(request: Request, code: str, service: str, actor: Actor = access.staff("portal.admin")) -> Response:
    """What the municipality assumes, and what follows from it, beside what it would pay."""
    with view.service_of(request).database.reading(tenant=actor.tenant) as session:
        given = sharing_db.assumptions(session, catalogue.service(service).key)
    return _effect_page(request, actor, service, given)


def _effect_page(
    request: Request,
    actor: Actor,
    service: str,
    given: Assumptions,
    error: Invalid | None = None,
    typed: dict[str, str] | None = None,
) -> Response:
    town, today = view.municipality_of(request, actor), view.today_of(request)
    found = quote(request, town, service, subscriptions.next_april(today))
    saved = effect.estimate(given)
    share = found.whole_year
    return view.portal_page(
        request,
        "portal/effect.html",
        town,
        f"/portal/{town.code}/",
        status_code=error.status if error else 200,
        errors=view.told(request, error.fields) if error else {},
        service=catalogue.service(service),
        typed=typed or {name: str(getattr(given, name)) for name in FIELDS},
        given=given,
        saved=saved,
        share=share,
        needed=sharing.uses_needed(share.amount, saved.per_use_yen) if share else None,
        hours=lambda value: figures.tenths(value),
    )


@router.post("/portal/{code}/services/{service}/effect")
def keep_effect(
    request: Request,
    code: str,
    service: str,
    uses: Text = "",
    paper_minutes: Text = "",
    online_minutes: Text = "",
    hourly_yen: Text = "",
    postage_yen: Text = "",
    travel_minutes: Text = "",
    travel_yen: Text = "",
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    cells = (uses, paper_minutes, online_minutes, hourly_yen, postage_yen, travel_minutes, travel_yen)
    typed = dict(zip(FIELDS, cells, strict=True))
    try:
        given = effect.check(Assumptions(**{name: inputs.whole(text, name, 0) for name, text in typed.items()}))
    except Invalid as error:
        return _effect_page(request, actor, service, Assumptions(), error, typed)
    with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
        key = catalogue.service(service).key
        sharing_db.keep_assumptions(session, key, given, actor.subject, view.now_of(request))
    return view.see_other(f"/portal/{code}/services/{service}/effect")


# ---- invoices -------------------------------------------------------------------------------------------------------


@router.get("/portal/{code}/invoices/")
def own_invoices(request: Request, code: str, actor: Actor = access.staff("portal.admin")) -> Response:
    town = view.municipality_of(request, actor)
    with view.service_of(request).database.reading() as session:
        rows = invoices.readable_by(session, town.tenant_id, view.today_of(request))
        names = {state.tenant_id: state.name for state in in_order(believed(registry_db.states(session)))}
    here, others = f"/portal/{code}/invoices/", {t: name for t, name in names.items() if t != town.tenant_id}
    states = words.INVOICES
    return view.portal_page(request, "portal/invoices.html", town, here, rows=rows, states=states, others=others)


def _find(request: Request, actor: Actor, invoice_id: str) -> tuple[invoices_db.InvoiceRow, str]:
    """The invoice and to whom it was sent, among those that the actor's municipality may read."""
    with view.service_of(request).database.reading() as session:
        return invoices.find_readable(session, actor.tenant or "", invoice_id, view.today_of(request))


@router.get("/portal/{code}/invoices/{invoice_id}")
def one_invoice(request: Request, code: str, invoice_id: str, actor: Actor = access.staff("portal.admin")) -> Response:
    """The invoice as it was issued, to be printed."""
    town, (row, sent_to) = view.municipality_of(request, actor), _find(request, actor, invoice_id)
    return view.portal_page(
        request,
        "portal/invoice.html",
        town,
        f"/portal/{code}/invoices/",
        row=row,
        sent_to=sent_to,
        lines=invoice_table(row, view.reader_of(request)),
        states=words.INVOICES,
        council=view.council_name(view.service_of(request)),
    )


def invoice_table(row: invoices_db.InvoiceRow, reader: words.Reader) -> list[list[Any]]:
    names = ("equal", "by_population", "by_use", "adjustment", "amount")
    return [[words.line_of(line, reader), line["months"], *(f"{line[name]:,}" for name in names)] for line in row.lines]


@router.get("/portal/{code}/invoices/{invoice_id}/lines.csv")
def invoice_csv(
    request: Request,
    code: str,
    invoice_id: str,
    charset: Asked = "utf-8",
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    row, sent_to = _find(request, actor, invoice_id)
    data = list(figures.invoice_lines(row, sent_to))
    return figures.csv_answer(data, figures.INVOICE_HEADER, f"請求-{row.label}.csv", charset)


@router.get("/portal/{code}/invoices/{invoice_id}/invoice.pdf")
def invoice_pdf(request: Request, code: str, invoice_id: str, actor: Actor = access.staff("portal.admin")) -> Response:
    row, sent_to = _find(request, actor, invoice_id)
    document = portal_papers.invoice(row, sent_to, view.council_name(view.service_of(request)))
    return pdf.answer(document, f"請求書-{row.label}.pdf")
