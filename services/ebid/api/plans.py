"""発注見通し: for everybody, and at the desk."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.clock import fiscal_year, local_date
from libs.common.errors import Invalid, say
from libs.common.web import Link, dates
from services.ebid.api.desk import DESK, OFFICER
from services.ebid.api.public import words
from services.ebid.api.shell import Form, base, changing, form, now_of, office, reading, render, spoken_all, to
from services.ebid.domain import procedure
from services.ebid.use_cases import plans
from services.ebid.use_cases.plans import Plan

router = APIRouter()
TITLE = say("発注見通し")
QUARTERS = {1: say("4月から6月"), 2: say("7月から9月"), 3: say("10月から12月"), 4: say("1月から3月")}
HEADER = ("年度", "四半期", "区分", "方法", "件名", "概要", "場所", "期間", "OCID")


@router.get("/t/{code}/ebid/plans", summary="What will be announced, by quarter")
def public_page(request: Request, actor: Actor = access.public()) -> Response:
    with reading(request, actor) as session:
        rows = plans.listed(session, _this_year(request))
    return render(
        request, "plans.html", title=TITLE, crumbs=(Link(TITLE, "", True),), rows=rows, words=words(request),
        quarters=spoken_all(request, QUARTERS),
    )  # fmt: skip


@router.get("/t/{code}/ebid/plans.csv", summary="The same as a table")
def table(request: Request, actor: Actor = access.public()) -> Response:
    with reading(request, actor) as session:
        rows = [
            (each.fiscal_year, each.quarter, str(procedure.CATEGORIES[each.category]), str(procedure.METHODS[each.method].name),
             each.title, each.summary, each.place, each.period, each.ocid)
            for each in plans.listed(session, _this_year(request))
        ]  # fmt: skip
    headers = {"Content-Disposition": csvout.attachment("plans.csv")}
    return Response(b"".join(csvout.rows(rows, header=HEADER)), media_type="text/csv; charset=utf-8", headers=headers)


def _this_year(request: Request) -> int:
    return fiscal_year(local_date(now_of(request)))


@router.get(f"{DESK}/plans", summary="発注見通し at the desk", tags=["desk"])
def page(request: Request, actor: Actor = access.staff(OFFICER)) -> Response:
    return _page(request, actor, {}, {})


@router.get(f"{DESK}/plans/{{plan_id}}", summary="Change a plan", tags=["desk"])
def edit_page(request: Request, plan_id: str, actor: Actor = access.staff(OFFICER)) -> Response:
    with reading(request, actor) as session:
        row = plans.load(session, plan_id)
        typed = {name: str(getattr(row, name)) for name in Plan.__slots__} | {
            "when": f"{row.fiscal_year}-{row.quarter}"
        }
    return _page(request, actor, typed, {}, plan_id)


@router.post(f"{DESK}/plans", include_in_schema=False)
def publish(request: Request, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    try:
        with changing(request, actor) as session:
            plans.publish(session, actor, _read(sent), office(request), now_of(request))
    except Invalid as refusal:
        return _page(request, actor, sent.typed, refusal.fields, status_code=422)
    return to(f"{base(request)}/desk/plans")


@router.post(f"{DESK}/plans/{{plan_id}}", include_in_schema=False)
def change(request: Request, plan_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    try:
        with changing(request, actor) as session:
            plans.load(session, plan_id)
            plans.change(session, actor, plan_id, _read(sent), now_of(request))
    except Invalid as refusal:
        return _page(request, actor, sent.typed, refusal.fields, plan_id, 422)
    return to(f"{base(request)}/desk/plans")


@router.post(f"{DESK}/plans/{{plan_id}}/withdraw", include_in_schema=False)
def withdraw(request: Request, plan_id: str, actor: Actor = access.staff(OFFICER)) -> Response:
    with changing(request, actor) as session:
        plans.withdraw(session, actor, plan_id, now_of(request))
    return to(f"{base(request)}/desk/plans")


def _read(sent: Form) -> Plan:
    year, _, quarter = sent.get("when").partition("-")
    known = year.isdigit() and quarter.isdigit()
    return Plan(
        title=sent.get("title").strip()[:200], summary=sent.get("summary").strip()[:2000], place=sent.get("place").strip()[:200],
        period=sent.get("period").strip()[:100], category=sent.get("category"), method=sent.get("method"),
        fiscal_year=int(year) if known else 0, quarter=int(quarter) if known else 0,
    )  # fmt: skip


def _page(
    request: Request,
    actor: Actor,
    typed: dict[str, str],
    errors: dict[str, str],
    plan_id: str = "",
    status_code: int = 200,
) -> Response:
    this, quarters, known = _this_year(request), spoken_all(request, QUARTERS), words(request)
    with reading(request, actor) as session:
        rows = plans.listed(session, this)
    whens = [
        (f"{year}-{number}", f"{dates.fiscal(year)}　{label}")
        for year in (this, this + 1)
        for number, label in quarters.items()
    ]
    return render(
        request, "desk/plans.html", desk=True, title=TITLE, crumbs=(Link(TITLE, "", True),), rows=rows, typed=typed, errors=errors,
        plan_id=plan_id, words=known, quarters=quarters, whens=whens, categories=list(known["categories"].items()),
        methods=list(known["methods"].items()), status_code=status_code,
    )  # fmt: skip
