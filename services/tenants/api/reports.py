"""`/reports/…`: the yearly public report of a plan, as a page, a document and open data."""

from datetime import date
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from fastapi.responses import Response

from libs.common import access, csvout, pdf
from libs.common.actor import Actor
from libs.common.clock import fiscal_year
from libs.common.errors import NotFound, say
from services.tenants import reference
from services.tenants.api import figures, report_view, view, words
from services.tenants.db import plans as plans_db
from services.tenants.db.plans import PlanRow
from services.tenants.domain.indicators import first_day
from services.tenants.use_cases import reports
from services.tenants.use_cases.reports import Report

router = APIRouter()
TEMPLATE = Path(__file__).parents[1] / "templates" / "reports" / "report.typ"
Year = Annotated[int, InPath(ge=1990, le=2100)]


@router.get("/reports/", include_in_schema=False)
def index(request: Request, _actor: Actor = access.public()) -> Response:
    """Every plan with the years there are reports of, the latest first."""
    with view.service_of(request).database.reading() as session:
        plans = plans_db.plans(session, reference.prefecture(view.service_of(request).settings.prefecture).code)
    today = view.today_of(request)
    found = [(plan, years_of(plan, today)) for plan in plans]
    return view.public_page(request, "reports/index.html", found=found)


def years_of(plan: PlanRow, today: date) -> list[int]:
    """Fiscal years with a report: the one before the plan (its starting point) to the last that has begun."""
    return list(range(min(plan.last_year, fiscal_year(today)), plan.first_year - 2, -1))


def published(request: Request, plan_id: str, year: int) -> Report:
    """The yearly report of a plan of this prefecture: those of others are only for comparing, inside."""
    own = reference.prefecture(view.service_of(request).settings.prefecture).code
    report = report_of(request, plan_id, year)
    if report.plan.owner != own:
        raise NotFound(say("この計画は見つかりません。一覧から選び直してください。"))
    return report


def report_of(request: Request, plan_id: str, year: int, quarter: int = 0) -> Report:
    today = view.today_of(request)
    with view.service_of(request).database.reading() as session:
        if year not in years_of(plans_db.find_plan(session, plan_id), today):
            raise NotFound(say("この年度の報告書はありません。"))
        if first_day(year, quarter) > today:
            raise NotFound(say("この四半期は、まだ始まっていません。"))
        return reports.make(session, plan_id, year, quarter, today)


@router.get("/reports/{plan_id}/{year}/", include_in_schema=False)
def show(request: Request, plan_id: str, year: Year, _actor: Actor = access.public()) -> Response:
    report = published(request, plan_id, year)
    return view.public_page(request, "reports/report.html", **page_context(request, report))


def page_context(request: Request, report: Report) -> dict[str, Any]:
    """What the page of a report needs, the public one and that for inside."""
    reader = view.reader_of(request)
    return {
        "report": report,
        "period": report_view.period(report, reader),
        "charts": {line.indicator.id: report_view.chart_of(line, reader) for line in report.lines},
        "overview": report_view.overview(report, reader),
        "lights": words.LIGHTS,
        "origin_of": lambda line: report_view.origin(line, report, reader),
        "review_words": words.REVIEWS,
        "rule": report_view.RULE,
        "shown": report_view.shown,
        "when": lambda text: report_view.when(text, reader),
        "forecast_of": report_view.forecast_of,
        "council": view.council_name(view.service_of(request)),
    }


@router.get("/reports/{plan_id}/{year}/report.json", summary="The yearly report of a plan as open data")
def as_json(request: Request, plan_id: str, year: Year, _actor: Actor = access.public()) -> dict[str, Any]:
    return report_view.document(published(request, plan_id, year))


@router.get("/reports/{plan_id}/{year}/indicators.csv", summary="Its indicators as CSV")
def as_csv(
    request: Request,
    plan_id: str,
    year: Year,
    charset: Annotated[str, Query()] = "utf-8",
    _actor: Actor = access.public(),
) -> Response:
    report = published(request, plan_id, year)
    return figures.csv_answer(report_view.csv_rows(report), report_view.CSV_HEADER, f"指標-{year}.csv", charset)


@router.get("/reports/{plan_id}/{year}/report.pdf", include_in_schema=False)
def as_pdf(request: Request, plan_id: str, year: Year, _actor: Actor = access.public()) -> Response:
    return pdf_answer(request, published(request, plan_id, year), inside=False)


def pdf_answer(request: Request, report: Report, *, inside: bool) -> Response:
    """The report as PDF. `inside`: with the comments that are not for the public."""
    title = f"{report.plan.name} {report_view.period(report, report_view.PLAIN)} 報告書"
    data = report_view.printed(report, view.council_name(view.service_of(request)), inside=inside)
    document = pdf.render(
        TEMPLATE, data, title=title, at=view.now_of(request), stand_in=pdf.GETA, files=report_view.drawings(report)
    )
    headers = {"Content-Disposition": csvout.attachment(f"{title}.pdf")}
    return Response(document, media_type="application/pdf", headers=headers)
