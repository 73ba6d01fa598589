"""The office around the cases: procedures on offer, the calendar, how periods were kept, what staff are told."""

from datetime import date, timedelta
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from libs.common import access, csvout, notices
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Invalid, say
from libs.common.web import Link
from services.eapply.api.desk.shared import DESK, MANAGER, RECEIVED, REVIEWER
from services.eapply.api.shell import Form, Texts, base, changing, form, now_of, reading, render, to, typed_date
from services.eapply.use_cases import assign, calendar, clock

router = APIRouter()


@router.get(f"{DESK}/calendar", include_in_schema=False)
def calendar_page(request: Request, actor: Actor = access.staff(REVIEWER)) -> Response:
    return _calendar_page(request, actor, {}, {})


@router.post(f"{DESK}/calendar", include_in_schema=False)
def close_office(request: Request, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    now = now_of(request)
    try:
        first = typed_date(sent, "first")
        last = typed_date(sent, "last") if sent.get("last_year") else first
        with changing(request, actor) as session:
            calendar.close(session, actor, first, last, sent.get("name"), now)
    except Invalid as refusal:
        return _calendar_page(request, actor, refusal.fields, dict(sent.pairs), 422)
    return to(f"{base(request)}/desk/calendar")


@router.post(f"{DESK}/calendar/open", include_in_schema=False)
def reopen_office(request: Request, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    day = date.fromisoformat(sent.get("day")) if _is_day(sent.get("day")) else None
    if day is not None:
        with changing(request, actor) as session:
            calendar.reopen(session, actor, day, now_of(request))
    return to(f"{base(request)}/desk/calendar")


def _calendar_page(
    request: Request, actor: Actor, errors: dict[str, str], typed: dict[str, str], status_code: int = 200
) -> Response:
    today = local_date(now_of(request))
    with reading(request, actor) as session:
        rows = calendar.own_closures(session, today - timedelta(days=365), today + timedelta(days=730))
    return render(
        request, "desk/calendar.html", desk=True, title=say("閉庁日"), rows=rows, may_change=MANAGER in actor.roles,
        errors=Texts(errors), typed=Texts(typed), status_code=status_code,
    )  # fmt: skip


@router.get(f"{DESK}/members", include_in_schema=False)
def members_page(request: Request, placed: str = "", actor: Actor = access.staff(MANAGER)) -> Response:
    """`placed`: the subject whose section was just set, to say so."""
    with reading(request, actor) as session:
        rows, sections = assign.members(session, now_of(request)), assign.sections(session)
    done = next((row for row in rows if row.subject == placed), None)
    crumbs = (Link(RECEIVED, f"{base(request)}/desk/"), Link(say("職員と課"), "", True))
    return render(
        request, "desk/members.html", desk=True, crumbs=crumbs, title=say("職員と課"), rows=rows, sections=sections, done=done
    )  # fmt: skip


@router.post(f"{DESK}/members", include_in_schema=False)
def place_member(request: Request, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    with changing(request, actor) as session:
        assign.place(session, actor, sent.get("subject"), sent.get("section"), now_of(request))
    return to(f"{base(request)}/desk/members?{urlencode({'placed': sent.get('subject')})}")


@router.get(f"{DESK}/period", include_in_schema=False)
def period_page(request: Request, month: str = "", actor: Actor = access.staff(REVIEWER)) -> Response:
    shown = _month(month, local_date(now_of(request)))
    with reading(request, actor) as session:
        rates = clock.monthly(session, shown)
    return render(
        request, "desk/period.html", desk=True, title=say("標準処理期間を守れた割合"), rates=rates, month=shown,
        whole=clock.whole(rates), before=(shown - timedelta(days=1)).replace(day=1),
        after=(shown + timedelta(days=31)).replace(day=1), today=local_date(now_of(request)),
    )  # fmt: skip


_RATES = [
    "手続き",
    "決定した件数",
    "うち期間の定めがある件数",
    "期間内の件数",
    "平均日数（開庁日）",
    "最長日数（開庁日）",
]


@router.get(f"{DESK}/period.csv", include_in_schema=False)
def period_csv(request: Request, month: str = "", actor: Actor = access.staff(REVIEWER)) -> Response:
    shown = _month(month, local_date(now_of(request)))
    with reading(request, actor) as session:
        rates = clock.monthly(session, shown)
    lines = [[r.title, r.decided, r.counted, r.within, r.average and round(r.average, 1), r.longest] for r in rates]
    headers = {"Content-Disposition": csvout.attachment(f"標準処理期間_{shown:%Y%m}.csv")}
    return StreamingResponse(
        csvout.rows(lines, header=_RATES), media_type=csvout.CONTENT_TYPES["utf-8"], headers=headers
    )


@router.get(f"{DESK}/notices", include_in_schema=False)
def notices_page(request: Request, actor: Actor = access.staff(REVIEWER)) -> Response:
    """What the desk told this member of staff. Looking at the page is reading it."""
    with changing(request, actor) as session:
        rows = notices.inbox(session, actor.subject)
        unread = {row.id for row in rows if row.read_at is None}
        for notice_id in unread:
            notices.mark_read(session, actor.subject, notice_id, now_of(request))
    return render(request, "desk/notices.html", desk=True, title=say("自分へのお知らせ"), rows=rows, unread=unread)


def _month(text: str, today: date) -> date:
    """The first day of the month asked for (2026-11), of this month when nothing sensible was."""
    return date.fromisoformat(f"{text}-01") if _is_day(f"{text}-01") else today.replace(day=1)


def _is_day(text: str) -> bool:
    try:
        return 2000 <= date.fromisoformat(text).year < 2200
    except ValueError:
        return False
