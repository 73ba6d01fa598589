"""What comes after the decision: numbers for the council, retention."""

from datetime import date

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from sqlalchemy.orm import Session

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.clock import fiscal_year, local_date
from libs.common.errors import Invalid, say
from services.eapply.api.desk.certificates import RETENTION
from services.eapply.api.desk.shared import CASE, DESK, MANAGER, REVIEWER, do, year_of
from services.eapply.api.shell import (
    Form,
    Texts,
    base,
    changing,
    form,
    now_of,
    reading,
    render,
    to,
)
from services.eapply.domain.retention import month_of
from services.eapply.use_cases import numbers, retention

router = APIRouter()
NUMBERS = say("件数と利用率")


# ---- numbers


@router.get(f"{DESK}/numbers", include_in_schema=False)
def numbers_page(request: Request, year: str = "", actor: Actor = access.staff(REVIEWER)) -> Response:
    return _numbers(request, actor, year_of(request, year), {}, {})


@router.post(f"{DESK}/numbers", include_in_schema=False)
def count_paper(request: Request, actor: Actor = access.staff(REVIEWER), sent: Form = form) -> Response:
    month = _month(sent.get("month"))
    try:
        if month is None or not sent.get("procedure"):
            raise _unsaid(sent, month)
        with changing(request, actor) as session:
            numbers.count_paper(
                session, actor, sent.get("procedure"), month, sent.number("applications"), now_of(request)
            )
    except Invalid as refusal:
        typed = dict(reversed(sent.pairs))
        return _numbers(request, actor, year_of(request, ""), refusal.fields, typed, 422)
    return to(f"{base(request)}/desk/numbers?year={fiscal_year(month)}")


def _unsaid(sent: Form, month: date | None) -> Invalid:
    """Nobody's count lands under the first procedure of the list by chance."""
    faults: dict[str, str] = {}
    if not sent.get("procedure"):
        faults["procedure"] = say("手続きを選んでください。")
    if month is None:
        faults["month"] = say("月は、今月までの月を「2026-11」のように入力してください。")
    return Invalid(say("直していただくところがあります。"), fields=faults)


def _numbers(
    request: Request,
    actor: Actor,
    year: int,
    errors: dict[str, str],
    typed: dict[str, str],
    status_code: int = 200,
) -> Response:
    with reading(request, actor) as session:
        lines = numbers.of_year(session, year)
        counted = numbers.paper_counts(session, year)
    return render(
        request, "desk/numbers.html", desk=True, title=NUMBERS, lines=lines, counted=counted, year=year,
        whole=numbers.whole(lines), this_year=year_of(request, ""), errors=Texts(errors), typed=Texts(typed),
        status_code=status_code,
    )  # fmt: skip


_COLUMNS = ["年度", "手続き", "オンライン", "紙", "合計", "オンライン利用率（%）"]


@router.get(f"{DESK}/numbers.csv", include_in_schema=False)
def numbers_csv(request: Request, year: str = "", actor: Actor = access.staff(REVIEWER)) -> Response:
    shown = year_of(request, year)
    with reading(request, actor) as session:
        lines = numbers.of_year(session, shown)
    data = [[shown, line.title, line.count.online, line.count.paper, line.count.all, line.count.rate] for line in lines]
    headers = {"Content-Disposition": csvout.attachment(f"申請件数_{shown}年度.csv")}
    pieces = csvout.rows(data, header=_COLUMNS)
    return StreamingResponse(pieces, media_type=csvout.CONTENT_TYPES["utf-8"], headers=headers)


# ---- retention


@router.get(f"{DESK}/retention", include_in_schema=False)
def retention_page(request: Request, actor: Actor = access.staff(REVIEWER)) -> Response:
    last = month_of(local_date(now_of(request)))[1]
    with reading(request, actor) as session:
        context = {
            "going": retention.going(session, last), "listed": retention.going_applications(session, last),
            "owed": retention.kept_for_money(session, last), "held": retention.held(session),
            "certificates": retention.certificates(session),
        }  # fmt: skip
    return render(request, "desk/retention.html", desk=True, title=RETENTION, last=last, **context)


@router.post(f"{CASE}/hold", include_in_schema=False)
def hold(request: Request, application_id: str, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    def step(session: Session) -> None:
        if sent.get("act") == "release":
            retention.release(session, actor, application_id, now_of(request))
        else:
            retention.hold(session, actor, application_id, sent.get("hold"), now_of(request))

    return do(request, actor, application_id, sent, step)


def _month(text: str) -> date | None:
    try:
        return date.fromisoformat(f"{text.strip()}-01")
    except ValueError:
        return None
