"""`/council/indicators`, `/council/plans/…`: the ledger of indicators, and the quarterly report for inside."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.clock import fiscal_year
from libs.common.errors import Invalid, NotFound, Refusal, say
from libs.common.web import dates
from services.tenants import reference
from services.tenants.api import figures, inputs, report_view, reports, view, words
from services.tenants.db import plans as plans_db
from services.tenants.db.plans import IndicatorRow
from services.tenants.domain.indicators import first_day, last_day
from services.tenants.use_cases import automatic, plans
from services.tenants.use_cases import reports as report_cases

router = APIRouter(include_in_schema=False)
HOME = "/council/indicators"
Text = Annotated[str, Form()]
Year = Annotated[int | None, Query(ge=1990, le=2100)]
Quarter = Annotated[int, Query(ge=0, le=4)]
TypedYear = Annotated[int, Form(ge=1990, le=2100)]


@router.get("/council/indicators")
def ledger(request: Request, actor: Actor = access.staff("council.member")) -> Response:
    """Every plan with its indicators as they stand; beside them what other prefectures published."""
    return _ledger(request)


def _own_prefecture(request: Request) -> str:
    return reference.prefecture(view.service_of(request).settings.prefecture).code


def _ledger(
    request: Request,
    error: Refusal | None = None,
    typed: dict[str, str] | None = None,
    adding: dict[str, str] | None = None,
    withdrawing: dict[str, str] | None = None,
) -> Response:
    """`adding`: what was typed for an indicator of the council's own; `withdrawing`: the plan to be withdrawn, and why."""
    today, reader = view.today_of(request), view.reader_of(request)
    own = _own_prefecture(request)
    with view.service_of(request).database.reading() as session:
        found = []
        for plan in sorted(plans_db.plans(session), key=lambda plan: plan.owner != own):
            year = min(plan.last_year, fiscal_year(today))
            made = report_cases.pillars(session, plan, year, 0, min(last_day(year, 0), today))
            found.append((plan, year, made, reports.years_of(plan, today)))
        gone = plans_db.withdrawn(session)
    held = {plan.name for plan, *_ in found}
    others: dict[str, list[reference.Indicator]] = {}
    for indicator in reference.indicators():
        if indicator.plan not in held:
            others.setdefault(indicator.plan, []).append(indicator)
    fields = (getattr(error, "fields", None) or {"file": error.message}) if error else {}
    return view.council_page(
        request,
        "council/indicators.html",
        HOME,
        status_code=error.status if error else 200,
        errors=view.told(request, fields),
        lines=[line | {"sentence": reader(line["sentence"])} for line in error.details.get("lines", [])]
        if error
        else [],
        typed=typed or dict.fromkeys(("name", "first_year", "last_year", "text"), "") | {"owner": own},
        adding=adding or dict.fromkeys(("plan", "better", plans.ADDS_UP, *plans.PLAN_COLUMNS), ""),
        withdrawing=withdrawing or {"plan": "", "why": ""},
        gone=gone,
        persons=view.neighbours_of(request).persons(sorted({row.withdrawn_by for row in gone if row.withdrawn_by})),
        own=own,
        prefectures={one.code: one.name for one in reference.prefectures()},
        found=found,
        others=others,
        lights=words.LIGHTS,
        sources=words.SOURCES,
        shown=report_view.shown,
        when=lambda text: report_view.when(text, reader),
        this_year=fiscal_year(today),
        example_day=today.isoformat(),
        number=report_view.number_or_text,
        rule=report_view.RULE,
        columns=", ".join(plans.PLAN_COLUMNS),
        figures={key: reader(figure.label) for key, figure in automatic.FIGURES.items()},
    )


@router.post("/council/plans")
def add_plan(
    request: Request,
    file: Annotated[UploadFile, File()],
    name: Text = "",
    first_year: Text = "",
    last_year: Text = "",
    text: Text = "",
    owner: Text = "",
    actor: Actor = access.staff("council.member"),
) -> Response:
    """A new plan with its table of pillars, measures and indicators; also one that another prefecture published, to compare with."""
    own = _own_prefecture(request)
    owner = owner if owner in {one.code for one in reference.prefectures()} else own
    try:
        years = [
            inputs.fiscal_year(year, field) for year, field in ((first_year, "first_year"), (last_year, "last_year"))
        ]
        new = plans.NewPlan(name, owner, years[0], years[1], text, counted=owner == own)
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            plans.add_plan(session, actor, new, inputs.text_of(file), view.now_of(request))
    except Refusal as error:
        typed = {"name": name, "first_year": first_year, "last_year": last_year, "text": text}
        return _ledger(request, error, typed | {"owner": owner})
    return view.see_other(HOME)


@router.post("/council/plans/{plan_id}/withdraw")
def withdraw_plan(
    request: Request, plan_id: str, why: Text = "", actor: Actor = access.staff("council.member")
) -> Response:
    """Take back a plan that was recorded wrongly."""
    try:
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            plans.withdraw_plan(session, actor, plan_id, why, view.now_of(request))
    except Invalid as error:
        return _ledger(request, error, withdrawing={"plan": plan_id, "why": why})
    return view.see_other(HOME)


@router.post("/council/plans/{plan_id}/restore")
def restore_plan(
    request: Request, plan_id: str, why: Text = "", actor: Actor = access.staff("council.member")
) -> Response:
    """A plan was withdrawn by mistake: it stands again."""
    try:
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            plans.restore_plan(session, actor, plan_id, why, view.now_of(request))
    except Invalid as error:
        return _ledger(request, error, withdrawing={"plan": plan_id, "why": why})
    return view.see_other(HOME)


@router.post("/council/indicators")
def add_indicator(
    request: Request,
    plan: Text = "",
    pillar: Text = "",
    measure: Text = "",
    indicator: Text = "",
    unit: Text = "",
    baseline: Text = "",
    baseline_date: Text = "",
    target: Text = "",
    target_date: Text = "",
    better: Text = "",
    owner: Text = "",
    automatic: Text = "",
    adds_up: Text = "",
    actor: Actor = access.staff("council.member"),
) -> Response:
    """One more indicator of the council's own."""
    cells = (pillar, measure, indicator, unit, baseline, baseline_date, target, target_date, owner, automatic)
    row = {name: " ".join(cell.split()) for name, cell in zip(plans.PLAN_COLUMNS, cells, strict=True)} | {
        plans.ADDS_UP: adds_up
    }
    try:
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            added = plans.add_indicator(session, actor, plan, row, better, view.now_of(request)).id
    except Invalid as error:
        return _ledger(request, error, adding=row | {"plan": plan, "better": better})
    return view.see_other(f"{HOME}/{added}")


@router.post("/council/indicators/{indicator_id}/owner")
def set_owner(
    request: Request, indicator_id: str, owner: Text = "", actor: Actor = access.staff("council.member")
) -> Response:
    try:
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            plans.set_owner(session, actor, indicator_id, owner, view.now_of(request))
    except Invalid as error:
        return _indicator(request, indicator_id, error)
    return view.see_other(f"{HOME}/{indicator_id}")


# ---- one indicator --------------------------------------------------------------------------------------------------


@router.get("/council/indicators/{indicator_id}")
def one_indicator(request: Request, indicator_id: str, actor: Actor = access.staff("council.member")) -> Response:
    """Chart, values with where they come from, forecast, what was found and done; the forms to add to them."""
    return _indicator(request, indicator_id)


def _indicator(
    request: Request,
    indicator_id: str,
    error: Invalid | None = None,
    typed: dict[str, str] | None = None,
    correcting: dict[str, str] | None = None,
) -> Response:
    """`correcting`: what was typed to mend the indicator itself."""
    today, reader = view.today_of(request), view.reader_of(request)
    year = fiscal_year(today)
    with view.service_of(request).database.reading() as session:
        row = plans_db.find_indicator(session, indicator_id)
        plan = plans_db.plan_of(session, row)
        values = plans_db.values(session, [row.id], old=True)
        reviews = plans_db.reviews(session, [row.id])
    present = [value for value in values if value.superseded_at is None]
    until = min(plan.last_year if row.last_year is None else row.last_year, year)
    line = report_cases.line(row, present, reviews, until, 0, min(last_day(until, 0), today))
    persons = view.neighbours_of(request).persons(
        sorted({r.written_by for r in reviews} | {v.recorded_by for v in values if v.source != "automatic"})
    )
    return view.council_page(
        request,
        "council/indicator.html",
        HOME,
        status_code=error.status if error else 200,
        errors=view.told(request, error.fields) if error else {},
        plan=plan,
        line=line,
        chart=report_view.chart_of(line, reader),
        values=[(v, persons[v.recorded_by].name if v.recorded_by in persons else "") for v in reversed(values)],
        reviews=[(r, persons[r.written_by].name if r.written_by in persons else "") for r in reversed(reviews)],
        typed={
            "year": str(until),
            "quarter": "0",
            "value": "",
            "note": "",
            "review_year": str(until),
            "review_quarter": "0",
            "kind": "check",
            "text": "",
            "why": "",
            "period": "",
        }
        | (typed or {}),
        years=[(str(y), dates.fiscal(y, lang=reader.lang)) for y in reports.years_of(plan, today) or [until]],
        lights=words.LIGHTS,
        sources=words.SOURCES,
        kinds=words.REVIEWS,
        shown=report_view.shown,
        when=lambda text: report_view.when(text, reader),
        this_year=fiscal_year(today),
        example_day=today.isoformat(),
        number=report_view.number_or_text,
        forecast=report_view.forecast_of(line),
        rule=report_view.RULE,
        automatic=reader(automatic.FIGURES[row.automatic].label) if row.automatic in automatic.FIGURES else "",
        adds_up=report_cases.adds_up(row),
        standing=[
            (f"{v.fiscal_year}-{v.quarter}", report_view.standing_value(v, reader))
            for v in present
            if v.source != "automatic"
        ],
        correcting=correcting or _as_it_is(row),
        correcting_open=correcting is not None,
        plan_years=[
            (str(y), dates.fiscal(y, lang=reader.lang)) for y in range(plan.first_year - 1, plan.last_year + 1)
        ],
        figures={key: reader(figure.label) for key, figure in automatic.FIGURES.items()}
        if plan.owner == _own_prefecture(request)
        else {},
    )


def _as_it_is(row: IndicatorRow) -> dict[str, str]:
    cells = {name: getattr(row, name) for name in (*plans.CORRECTED[1:], "better")}
    more = {plans.ADDS_UP: "1" if row.adds_up else "", "last_year": str(row.last_year or ""), "reason": ""}
    return cells | {"indicator": row.name} | more


@router.post("/council/indicators/{indicator_id}/values")
def record_value(
    request: Request,
    indicator_id: str,
    year: TypedYear,
    quarter: Annotated[int, Form()] = 0,
    value: Text = "",
    note: Text = "",
    actor: Actor = access.staff("council.member"),
) -> Response:
    try:
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            now = view.now_of(request)
            plans.record_value(session, actor, indicator_id, year, quarter, value, now, note=note)
    except Invalid as error:
        typed = {"year": str(year), "quarter": str(quarter), "value": value, "note": note}
        return _indicator(request, indicator_id, error, typed)
    return view.see_other(f"{HOME}/{indicator_id}")


@router.post("/council/indicators/{indicator_id}/reviews")
def add_review(
    request: Request,
    indicator_id: str,
    year: TypedYear,
    quarter: Annotated[int, Form()] = 0,
    kind: Text = "",
    text: Text = "",
    actor: Actor = access.staff("council.member"),
) -> Response:
    try:
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            plans.review(session, actor, indicator_id, year, quarter, kind, text, view.now_of(request))
    except Invalid as error:
        about = {"review_year": str(year), "review_quarter": str(quarter)}
        return _indicator(request, indicator_id, error, {"kind": kind, "text": text} | about)
    return view.see_other(f"{HOME}/{indicator_id}")


@router.post("/council/indicators/{indicator_id}/values/withdraw")
def withdraw_value(
    request: Request,
    indicator_id: str,
    period: Text = "",
    why: Text = "",
    actor: Actor = access.staff("council.member"),
) -> Response:
    """`period`: fiscal year and quarter, 2019-0."""
    known = re.fullmatch(r"([0-9]{4})-([0-4])", period)
    try:
        if not known:
            raise Invalid(say("一覧から選んでください。"), fields={"period": say("一覧から選んでください。")})
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            year, quarter = int(known[1]), int(known[2])
            plans.withdraw_value(session, actor, indicator_id, year, quarter, why, view.now_of(request))
    except Invalid as error:
        return _indicator(request, indicator_id, error, {"period": period, "why": why})
    return view.see_other(f"{HOME}/{indicator_id}")


@router.post("/council/indicators/{indicator_id}/correct")
def correct_indicator(
    request: Request,
    indicator_id: str,
    indicator: Text = "",
    unit: Text = "",
    baseline: Text = "",
    baseline_date: Text = "",
    target: Text = "",
    target_date: Text = "",
    better: Text = "",
    automatic: Text = "",
    adds_up: Text = "",
    last_year: Text = "",
    reason: Text = "",
    actor: Actor = access.staff("council.member"),
) -> Response:
    """Mend what is said of the indicator, or end it after a year."""
    cells = (indicator, unit, baseline, baseline_date, target, target_date, automatic)
    row = {name: " ".join(cell.split()) for name, cell in zip(plans.CORRECTED, cells, strict=True)} | {
        plans.ADDS_UP: adds_up
    }
    try:
        last = inputs.whole(last_year, "last_year") if last_year.strip() else None
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            plans.correct_indicator(session, actor, indicator_id, row, better, last, reason, view.now_of(request))
    except Invalid as error:
        return _indicator(
            request, indicator_id, error, correcting=row | {"better": better, "last_year": last_year, "reason": reason}
        )
    return view.see_other(f"{HOME}/{indicator_id}")


# ---- the report for inside ------------------------------------------------------------------------------------------


@router.get("/council/plans/{plan_id}")
def quarterly(
    request: Request,
    plan_id: str,
    year: Year = None,
    quarter: Quarter = 0,
    actor: Actor = access.staff("council.member"),
) -> Response:
    """The report of a quarter (or year) with comments, and the form to import values."""
    return _quarterly(request, plan_id, year, quarter)


def _quarterly(
    request: Request,
    plan_id: str,
    year: int | None,
    quarter: int,
    error: Refusal | None = None,
    imported: int | None = None,
    note: str = "",
) -> Response:
    today, reader = view.today_of(request), view.reader_of(request)
    with view.service_of(request).database.reading() as session:
        plan = plans_db.find_plan(session, plan_id)
    years = reports.years_of(plan, today)
    if not years:
        raise NotFound(say("この計画は、まだ始まっていません。始まる前の年度から報告書ができます。"))
    report = reports.report_of(request, plan_id, year or years[0], quarter)
    fields = (getattr(error, "fields", None) or {"file": error.message}) if error else {}
    context: dict[str, Any] = reports.page_context(request, report)
    return view.council_page(
        request,
        "council/plan_report.html",
        HOME,
        status_code=error.status if error else 200,
        errors=view.told(request, fields),
        lines=[line | {"sentence": reader(line["sentence"])} for line in error.details.get("lines", [])]
        if error
        else [],
        imported=imported,
        note=note,
        years=[(one, quarter if first_day(one, quarter) <= today else 0) for one in years],
        quarters=[one for one in range(5) if first_day(report.year, one) <= today],
        own=plan.owner == _own_prefecture(request),
        columns=", ".join(plans.VALUE_COLUMNS),
        **context,
    )


@router.get("/council/plans/{plan_id}/report.pdf")
def quarterly_pdf(
    request: Request,
    plan_id: str,
    year: Annotated[int, Query(ge=1990, le=2100)],
    quarter: Quarter = 0,
    actor: Actor = access.staff("council.member"),
) -> Response:
    return reports.pdf_answer(request, reports.report_of(request, plan_id, year, quarter), inside=True)


@router.get("/council/plans/{plan_id}/indicators.csv")
def quarterly_csv(
    request: Request,
    plan_id: str,
    year: Annotated[int, Query(ge=1990, le=2100)],
    quarter: Quarter = 0,
    charset: Annotated[str, Query()] = "utf-8",
    actor: Actor = access.staff("council.member"),
) -> Response:
    report = reports.report_of(request, plan_id, year, quarter)
    name = f"指標-{year}-{quarter}.csv" if quarter else f"指標-{year}.csv"
    return figures.csv_answer(report_view.csv_rows(report), report_view.CSV_HEADER, name, charset)


@router.post("/council/plans/{plan_id}/values")
def import_values(
    request: Request,
    plan_id: str,
    file: Annotated[UploadFile, File()],
    note: Text = "",
    actor: Actor = access.staff("council.member"),
) -> Response:
    """Values of many indicators from a CSV: all lines, or none with each wrong one named."""
    try:
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            text, now = inputs.text_of(file), view.now_of(request)
            lines = plans.import_values(session, actor, plan_id, text, note, now)
    except Refusal as error:
        return _quarterly(request, plan_id, None, 0, error, note=note)
    return _quarterly(request, plan_id, None, 0, imported=lines)
