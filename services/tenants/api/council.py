"""`/council/`: how many take part, on any day, by year and region; applications; the plan's indicators."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from markupsafe import Markup

from libs.common import access
from libs.common.actor import Actor
from libs.common.clock import fiscal_year
from libs.common.errors import Invalid, say
from libs.common.web import dates
from services.tenants import reference
from services.tenants.api import figures, view, words
from services.tenants.api.words import Reader
from services.tenants.db import past as past_db
from services.tenants.db import reasons as reasons_db
from services.tenants.db import registry as registry_db
from services.tenants.db import sharing as sharing_db
from services.tenants.db import usage as usage_db
from services.tenants.db.sharing import PopulationRow
from services.tenants.domain import catalogue
from services.tenants.domain.catalogue import SERVICES
from services.tenants.domain.history import believed, end_of_day
from services.tenants.domain.lives import changes, in_order
from services.tenants.domain.municipality import Municipality
from services.tenants.domain.size import CLASSES, UNKNOWN, size_of
from services.tenants.domain.subscriptions import counting_day
from services.tenants.domain.usage import online_rate
from services.tenants.use_cases import count, reasons, registry
from services.tenants.use_cases.count import Participation, YearCount
from services.tenants.use_cases.reasons import KINDS

router = APIRouter(include_in_schema=False)
Year = Annotated[int | None, Query(ge=2000, le=2100)]


@router.get("/council/")
def participation(
    request: Request,
    on: Annotated[str, Query()] = "",
    known: Annotated[str, Query()] = "",
    service: Annotated[str, Query()] = "",
    actor: Actor = access.staff("council.member"),
) -> Response:
    """The count of any day, as known on any day, for all services or one; beside it the years, regions, map and list."""
    today, reader = view.today_of(request), view.reader_of(request)
    errors: dict[str, str] = {}
    try:
        at, known_on = figures.read_day(on, "on") or today, figures.read_day(known, "known")
    except Invalid as error:
        at, known_on, errors = today, None, view.told(request, error.fields)
    chosen = catalogue.service(service) if service else None
    with view.service_of(request).database.reading() as session:
        found = count.on(session, at, known_on)
        years = count.years(session, today, known_on)
        populations = sharing_db.populations(session, at)
        parts = registry_db.parts(session)
    number = view.service_of(request).settings.prefecture
    return view.council_page(
        request,
        "council/participation.html",
        "/council/",
        status_code=422 if errors else 200,
        errors=errors,
        typed={"on": on or at.isoformat(), "known": known, "service": service},
        found=found,
        services=SERVICES,
        options=[("", reader(say("すべて"))), *((s.key, reader(s.name)) for s in SERVICES)],
        columns=[{"label": reader(s.short), "num": True} for s in SERVICES],
        chosen=chosen,
        published=_published(found),
        years=figures.chart_of_years({s: years[s.key] for s in SERVICES}, reader),
        during=_during(years, request),
        regions=_regions(found, reader),
        sizes=_sizes(found, populations, reader),
        map=figures.map_of_services(number, found, parts, reader, chosen),
        before_2010=at.year < 2010,
        query=f"on={at.isoformat()}" + (f"&known={known_on.isoformat()}" if known_on else ""),
    )


def _published(found: Participation) -> dict[str, int]:
    """The plan's figures, when the day lies in the month they were published for."""
    if (found.at.year, found.at.month) != (2018, 9):
        return {}
    by_name = reference.published_participation()
    return {s.key: by_name[s.name][1] for s in SERVICES if s.name in by_name}


def _during(counted: dict[str, list[YearCount]], request: Request) -> list[list[Any]]:
    """Per fiscal year: at its end, and (in brackets where it differs) on at least one day of it."""
    today = view.today_of(request)
    years = {key: {y.fiscal_year: y for y in own} for key, own in counted.items()}
    rows, reader = [], view.reader_of(request)
    for year in range(fiscal_year(today), min(s.since for s in SERVICES) - 1, -1):
        cells: list[Any] = [dates.fiscal(year, lang=reader.lang)]
        for s in SERVICES:
            one = years[s.key].get(year)
            if one is None or one.during == one.at_end:
                cells.append(one and one.at_end)
            else:
                cells.append(reader(say("%(at_end)s（%(during)s）"), at_end=one.at_end, during=one.during))
        rows.append(cells)
    return rows


def _regions(found: Participation, reader: Reader) -> tuple[list[list[Any]], list[Any]]:
    """Rows (region, municipalities, each service) and the sum below them."""
    names = list(dict.fromkeys(m.region for m in found.municipalities.values()))
    if names == [""]:
        return [], []
    per_service = {s.key: found.regions(s.key) for s in SERVICES}
    rows = [
        [
            name or reader(say("（圏域なし）")),
            sum(1 for m in found.municipalities.values() if m.region == name),
            *(per_service[s.key].get(name, 0) for s in SERVICES),
        ]
        for name in names
    ]
    return rows, [reader(say("合計")), len(found.municipalities), *(found.count(s.key) for s in SERVICES)]


def _sizes(found: Participation, populations: Mapping[str, PopulationRow], reader: Reader) -> list[list[Any]]:
    """Rows (size class, municipalities, each service); without any population: by kind (市, 町, 村)."""
    groups: dict[str, list[str]] = {}
    if populations:
        groups = {size.name: [] for size in (*CLASSES, UNKNOWN)}
    for tenant, town in found.municipalities.items():
        known = populations.get(tenant)
        name = size_of(known.population if known else None).name if populations else words.TOWNS[town.kind]
        groups.setdefault(name, []).append(tenant)
    return [
        [reader(name), len(tenants), *(sum(t in found.joined[s.key] for t in tenants) for s in SERVICES)]
        for name, tenants in groups.items()
        if tenants
    ]


@router.get("/council/participation.csv")
def participation_csv(
    request: Request,
    on: Annotated[str, Query()] = "",
    known: Annotated[str, Query()] = "",
    charset: Annotated[str, Query()] = "utf-8",
    actor: Actor = access.staff("council.member"),
) -> Response:
    return figures.participation_csv(request, on, known, charset, actor)


@router.get("/council/not-yet")
def not_yet(
    request: Request,
    service: Annotated[str, Query()] = "eapply",
    on: Annotated[str, Query()] = "",
    actor: Actor = access.staff("council.member"),
) -> Response:
    """Whom to invite: municipalities that have not joined, with who nearby has."""
    chosen, reader = catalogue.service(service), view.reader_of(request)
    found = figures.participation_of(request, on, "")
    with view.service_of(request).database.reading() as session:
        told = reasons_db.present(session, chosen.key)
    rows = [
        _not_yet_row(town, chosen.key, found, told.get(town.tenant_id), reader) for town in found.not_yet(chosen.key)
    ]
    heard = [told[town.tenant_id].kind for town in found.not_yet(chosen.key) if town.tenant_id in told]
    return view.council_page(
        request,
        "council/not_yet.html",
        "/council/",
        chosen=chosen,
        services=SERVICES,
        rows=rows,
        found=found,
        heard=[(reader(words), heard.count(kind)) for kind, words in KINDS.items() if kind in heard],
    )


def _not_yet_row(town: Municipality, service: str, found: Participation, reason: Any, reader: Reader) -> list[Any]:
    near = [
        m for m in found.municipalities.values() if m.region == town.region and m.tenant_id in found.joined[service]
    ]
    names = (reader(say("、")).join(m.name for m in near) if town.region else "") or "－"
    link = Markup('<a class="tap" href="/council/not-yet/{}?service={}">{}</a>')
    why = (reader(KINDS[reason.kind]) + (f"：{reason.text}" if reason.text else "")) if reason else None
    return [link.format(town.tenant_id, service, town.name), town.region or "－", names, why]


@router.get("/council/not-yet/{tenant}")
def one_not_yet(
    request: Request,
    tenant: str,
    service: Annotated[str, Query()] = "eapply",
    actor: Actor = access.staff("council.member"),
) -> Response:
    """One municipality that has not joined: what it said why, with the form to note it."""
    return _one_not_yet(request, tenant, service)


def _one_not_yet(
    request: Request, tenant: str, service: str, error: Invalid | None = None, kind: str = "", text: str = ""
) -> Response:
    chosen = catalogue.service(service)
    with view.service_of(request).database.reading() as session:
        town = registry.present(session, tenant, view.today_of(request))
        heard = reasons_db.of_town(session, chosen.key, tenant)
    return view.council_page(
        request,
        "council/not_yet_town.html",
        "/council/",
        status_code=error.status if error else 200,
        errors=view.told(request, error.fields) if error else {},
        town=town,
        chosen=chosen,
        heard=heard,
        kind=kind or (heard[0].kind if heard else ""),
        text=text,
        kinds=KINDS,
    )


@router.post("/council/not-yet/{tenant}")
def note_reason(
    request: Request,
    tenant: str,
    service: Annotated[str, Form()],
    kind: Annotated[str, Form()] = "",
    text: Annotated[str, Form()] = "",
    actor: Actor = access.staff("council.member"),
) -> Response:
    try:
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            reasons.note(session, actor, tenant, service, kind, text, view.now_of(request))
    except Invalid as error:
        return _one_not_yet(request, tenant, service, error, kind, text)
    return view.see_other(f"/council/not-yet?service={service}")


@router.get("/council/applications")
def applications(request: Request, year: Year = None, actor: Actor = access.staff("council.member")) -> Response:
    """Applications per municipality, as they were at the year's end, who had real use in it, and the plan's published table."""
    today = view.today_of(request)
    chosen = year or fiscal_year(today)
    with view.service_of(request).database.reading() as session:
        found = count.on(session, counting_day(chosen, today))
        use = count.real_use(session, "eapply", chosen, today)
        past = past_db.of_year(session, chosen)
        names = {state.tenant_id: state.name for state in in_order(believed(registry_db.states(session)))}
        counted = {u.fiscal_year for u in usage_db.usage(session)} | past_db.years(session)
        years = sorted(counted | {fiscal_year(today)}, reverse=True)
        comparison = usage_db.latest_comparison(session, "eapply")
    reader = view.reader_of(request)
    rows = [_use_row(m, use, found, reader) for m in found.municipalities.values()]
    return view.council_page(
        request,
        "council/applications.html",
        "/council/applications",
        use=use,
        year=chosen,
        years=years,
        rows=sorted(rows, key=lambda r: -r[3]),
        joined=found.count("eapply"),
        rate=online_rate(use.online, use.paper),
        past=[[names[tenant], c["online"], c["paper"]] for tenant, c in past.items() if tenant in names],
        published=reference.published_applications(),
        comparison=comparison,
    )


def _use_row(town: Any, use: count.RealUse, found: Participation, reader: Reader) -> list[Any]:
    counts = use.by_tenant.get(town.tenant_id, {"online": 0, "paper": 0})
    all_ = counts["online"] + counts["paper"]
    rate = online_rate(counts["online"], counts["paper"])
    joined = reader(say("参加")) if town.tenant_id in found.joined["eapply"] else "－"
    return [town.name, counts["online"], counts["paper"], all_, f"{rate}％" if rate is not None else "－", joined]


@router.get("/council/applications.csv")
def applications_csv(
    request: Request,
    year: Year = None,
    charset: Annotated[str, Query()] = "utf-8",
    actor: Actor = access.staff("council.member"),
) -> Response:
    today = view.today_of(request)
    chosen = year or fiscal_year(today)
    with view.service_of(request).database.reading() as session:
        found = count.on(session, counting_day(chosen, today))
        use = count.real_use(session, "eapply", chosen, today)
    header = ["団体コード", "市町村", "年度", "オンライン", "紙", "合計", "実績"]
    data = []
    for tenant, town in found.municipalities.items():
        counts = use.by_tenant.get(tenant, {"online": 0, "paper": 0})
        real = int(tenant in use.with_real_use)
        data.append(
            [town.code, town.name, chosen, counts["online"], counts["paper"], counts["online"] + counts["paper"], real]
        )
    return figures.csv_answer(data, header, f"申請の実績-{chosen}.csv", charset)


@router.get("/council/municipalities")
def municipalities(
    request: Request, known: Annotated[str, Query()] = "", actor: Actor = access.staff("council.member")
) -> Response:
    """What became of whom and when, as known on any day: why a past count has the names it has."""
    errors: dict[str, str] = {}
    try:
        known_on = figures.read_day(known, "known")
    except Invalid as error:
        known_on, errors = None, view.told(request, error.fields)
    with view.service_of(request).database.reading() as session:
        states = registry_db.states(session)
    return view.council_page(
        request,
        "council/municipalities.html",
        "/council/municipalities",
        status_code=422 if errors else 200,
        errors=errors,
        typed=known,
        happened=words.happened(
            changes(states, end_of_day(known_on) if known_on else None), states, view.reader_of(request)
        ),
    )
