"""`/council/sharing/…`: how a service's cost of a year is shared, what each pays, and what it would be if others joined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.clock import fiscal_year
from libs.common.errors import Invalid, Refusal, say
from services.tenants.api import figures, inputs, view
from services.tenants.db import sharing as sharing_db
from services.tenants.domain import catalogue
from services.tenants.domain.catalogue import SERVICES
from services.tenants.domain.sharing import Rule, check
from services.tenants.domain.size import CLASSES
from services.tenants.use_cases import count, populations, sharing
from services.tenants.use_cases.sharing import Basis, BreakEven, Shared

router = APIRouter(include_in_schema=False)
HOME = "/council/sharing/"
Year = Annotated[int | None, Query(ge=2000, le=2100)]
Text = Annotated[str, Form()]
Asked = Annotated[str, Query()]
UNITS: Mapping[str, str] = {
    "eapply": say("申請1件"),
    "backup": say("保管1GB"),
    "ebid": say("入札1件"),
    "opendata": say("データセット1件"),
    "cloud": say("サーバー1台1日"),
}
"""What a use of each service is; the others report none."""
PUBLISHED_EXAMPLE = {"total": "143000000", "equal": "100", "population": "0", "use": "0"}
"""福島県 2005年度: 64 bodies shared an e-application system of 143 million yen a year. The only cost that a plan's sources name."""


@router.get("/council/sharing/")
def overview(request: Request, year: Year = None, actor: Actor = access.staff("council.member")) -> Response:
    """Each service of one fiscal year: cost, who shares it, cost per use."""
    chosen = year or fiscal_year(view.today_of(request))
    with view.service_of(request).database.reading() as session:
        register = count.read(session)
        found = [(s, sharing.of_year(session, register, s.key, chosen)) for s in SERVICES]
        years = {row.fiscal_year for row in sharing_db.rule_rows(session)}
        tables = sharing_db.population_tables(session)
    return view.council_page(
        request,
        "council/sharing.html",
        HOME,
        found=found,
        year=chosen,
        years=sorted(years | {chosen, chosen + 1, fiscal_year(view.today_of(request))}, reverse=True),
        tables=tables,
        units=UNITS,
    )


@dataclass(frozen=True, slots=True)
class Wish:
    """Who is thought to join, as typed. `alone`: yen a year of one municipality by itself."""

    more: str = ""
    month: str = "4"
    order: str = "code"
    size: str = ""
    alone: str = ""
    town: Sequence[str] = ()


@router.get("/council/sharing/{service}")
def one_service(
    request: Request,
    service: str,
    year: Year = None,
    total: Asked = "",
    subsidy: Asked = "",
    minimum: Asked = "",
    equal: Asked = "",
    population: Asked = "",
    use: Asked = "",
    more: Asked = "",
    month: Asked = "4",
    order: Asked = "code",
    size: Asked = "",
    alone: Asked = "",
    town: Annotated[list[str] | None, Query()] = None,
    actor: Actor = access.staff("council.member"),
) -> Response:
    """The rule and the shares. With numbers in the address: what they would be; nothing is kept."""
    chosen = year or fiscal_year(view.today_of(request))
    typed = {
        "total": total,
        "subsidy": subsidy,
        "minimum": minimum,
        "equal": equal,
        "population": population,
        "use": use,
    }
    return _service_page(request, service, chosen, typed, Wish(more, month, order, size, alone, town or []))


def _service_page(
    request: Request,
    key: str,
    year: int,
    typed: dict[str, str],
    wish: Wish,
    error: Refusal | None = None,
    note: str = "",
) -> Response:
    offered = catalogue.service(key)
    with view.service_of(request).database.reading() as session:
        basis = sharing.basis(session, count.read(session), key, year)
        decided = sharing_db.rule_of(session, key, year)
        rows = sharing_db.rule_rows(session, key)
    trial, joining, even = decided, {}, None
    try:
        trial = _rule(key, year, typed) if any(typed.values()) else decided
        joining = _joining(basis, wish)
        even = _break_even(trial, basis, wish)
    except Invalid as refused:
        error = error or refused
    now = sharing.follow(decided, basis) if decided else None
    then = sharing.follow(trial, basis, joining) if trial and (trial != decided or joining) else None
    return view.council_page(
        request,
        "council/sharing_service.html",
        HOME,
        status_code=error.status if error else 200,
        errors=view.told(request, getattr(error, "fields", None) or {"total": error.message}) if error else {},
        service=offered,
        year=year,
        basis=basis,
        decided=decided,
        now=now,
        then=then,
        shown=then or now,
        joining=joining,
        even=even,
        orders=sharing.ORDERS,
        sizes=CLASSES,
        waiting=[(tenant, basis.towns[tenant].name) for tenant in basis.not_yet()],
        joined_names=[basis.towns[tenant].name for tenant in joining],
        typed=_typed(decided, typed),
        wish=wish,
        note=note,
        rows=rows,
        unit=UNITS.get(key),
        months=[(str(m), m) for m in (*range(4, 13), 1, 2, 3)],
        example=PUBLISHED_EXAMPLE if key == "eapply" else None,
    )


def _typed(decided: Rule | None, typed: dict[str, str]) -> dict[str, str]:
    """What stands in the form: as typed, else the decided rule."""
    if any(typed.values()) or decided is None:
        return typed if any(typed.values()) else typed | {"equal": "50", "population": "50"}
    return {name: str(getattr(decided, name)) for name in typed}


def _rule(service: str, year: int, typed: dict[str, str]) -> Rule:
    needed = {name: inputs.whole(typed[name], name) for name in ("total",)}
    others = {name: inputs.whole(text, name, 0) for name, text in typed.items() if name != "total"}
    return check(Rule(service, year, **needed, **others))


def _joining(basis: Basis, wish: Wish) -> dict[str, int]:
    """Those named and the next `more` in the order wished, from `month` on: tenant → months they pay for."""
    more = inputs.whole(wish.more, "more", 0)
    month = inputs.whole(wish.month, "month", 4)
    if not 1 <= month <= 12:
        sentence = say("月は、1から12までで選んでください。")
        raise Invalid(sentence, fields={"month": sentence})
    months = 12 - (month - 4) % 12
    return dict.fromkeys(sharing.next_to_join(basis, wish.town, wish.size, wish.order, more), months)


def _break_even(rule: Rule | None, basis: Basis, wish: Wish) -> BreakEven | None:
    alone = inputs.whole(wish.alone, "alone") if wish.alone.strip() else None
    order = sharing.next_to_join(basis, wish.town, wish.size, wish.order, len(basis.towns))
    return sharing.break_even(rule, basis, order, alone) if rule else None


@router.post("/council/sharing/{service}/rule")
def decide(
    request: Request,
    service: str,
    year: Annotated[int, Form(ge=2000, le=2100)],
    total: Text = "",
    subsidy: Text = "",
    minimum: Text = "",
    equal: Text = "",
    population: Text = "",
    use: Text = "",
    note: Text = "",
    actor: Actor = access.staff("council.member"),
) -> Response:
    """The rule of one fiscal year; what held before stays readable below."""
    typed = {
        "total": total,
        "subsidy": subsidy,
        "minimum": minimum,
        "equal": equal,
        "population": population,
        "use": use,
    }
    try:
        rule = _rule(service, year, typed)
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            sharing.set_rule(session, actor, rule, note, view.now_of(request))
    except Invalid as error:
        return _service_page(request, service, year, typed, Wish(), error, note)
    return view.see_other(f"{HOME}{service}?year={year}")


@router.get("/council/sharing/{service}/shares.csv")
def shares_csv(
    request: Request,
    service: str,
    year: Year = None,
    charset: Annotated[str, Query()] = "utf-8",
    actor: Actor = access.staff("council.member"),
) -> Response:
    """What each pays by the decided rule."""
    chosen = year or fiscal_year(view.today_of(request))
    offered = catalogue.service(service)
    with view.service_of(request).database.reading() as session:
        shared = sharing.of_year(session, count.read(session), service, chosen)
    if shared is None or shared.problem is not None:
        raise (
            shared.problem
            if shared and shared.problem
            else Invalid(say("この年度の割り勘の決まりが、まだありません。"))
        )
    header = [
        "団体コード",
        "市町村",
        "年度",
        "サービス",
        "月数",
        "均等割",
        "人口割",
        "利用割",
        "最低額の調整",
        "負担額",
    ]
    data = [_csv_row(shared, tenant, chosen, offered.name) for tenant in shared.shares]
    return figures.csv_answer(data, header, f"負担額-{service}-{chosen}.csv", charset)


def _csv_row(shared: Shared, tenant: str, year: int, name: str) -> list[Any]:
    town, share = shared.basis.towns[tenant], shared.shares[tenant]
    cells = (share.months, share.equal, share.by_population, share.by_use, share.adjustment, share.amount)
    return [town.code, town.name, year, name, *cells]


# ---- populations ----------------------------------------------------------------------------------------------------


@router.get("/council/populations")
def show_populations(request: Request, actor: Actor = access.staff("council.member")) -> Response:
    """Which tables were imported, who is missing, and the form to import one."""
    return _populations(request)


def _populations(request: Request, error: Refusal | None = None, **more: Any) -> Response:
    today = view.today_of(request)
    with view.service_of(request).database.reading() as session:
        found = count.on(session, today)
        known = sharing_db.populations(session, today)
        tables = sharing_db.population_tables(session)
    reader = view.reader_of(request)
    fields = getattr(error, "fields", None) or ({"file": error.message} if error else {})
    lines = error.details.get("lines", []) if error else []
    context: dict[str, Any] = {"typed": {"as_of": "", "source": ""}, "imported": None, **more}
    return view.council_page(
        request,
        "council/populations.html",
        HOME,
        status_code=error.status if error else 200,
        errors=view.told(request, fields),
        lines=[line | {"sentence": reader(line["sentence"])} for line in lines],
        tables=tables,
        rows=[(town, known.get(tenant)) for tenant, town in found.municipalities.items()],
        missing=[town.name for tenant, town in found.municipalities.items() if tenant not in known],
        **context,
    )


@router.post("/council/populations")
def import_populations(
    request: Request,
    file: Annotated[UploadFile, File()],
    as_of: Text = "",
    source: Text = "",
    actor: Actor = access.staff("council.member"),
) -> Response:
    """All lines of the table, or none with each wrong one named."""
    now = view.now_of(request)
    try:
        text, day = inputs.text_of(file), _day(as_of)
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            table = populations.import_table(session, actor, text, day, source, now)
    except Refusal as error:
        return _populations(request, error, typed={"as_of": as_of, "source": source})
    return _populations(request, imported=table)


def _day(text: str) -> date:
    day = figures.read_day(text, "as_of")
    if day is None:
        sentence = say("いつの人口かを入力してください。")
        raise Invalid(sentence, fields={"as_of": sentence})
    return day
