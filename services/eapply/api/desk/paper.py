"""Applications on paper, entered at the desk."""

import re
from datetime import UTC, datetime, time

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.clock import JST, local_date
from libs.common.errors import Invalid, say
from libs.common.ids import new_id
from libs.common.web import Link
from services.eapply.api.desk.shared import DESK, RECEIVED, REVIEWER
from services.eapply.api.shell import (
    Form,
    Texts,
    base,
    changing,
    form,
    now_of,
    reading,
    render,
    site,
    typed_date,
    typed_time,
)
from services.eapply.domain import receipt
from services.eapply.use_cases import cases, paper, procedures

router = APIRouter()
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PAPER = say("紙の申請を入力する")


@router.get(f"{DESK}/paper", include_in_schema=False)
def paper_page(request: Request, actor: Actor = access.staff(REVIEWER)) -> Response:
    return _page(request, actor, {}, {})


@router.post(f"{DESK}/paper", include_in_schema=False)
def enter_paper(request: Request, actor: Actor = access.staff(REVIEWER), sent: Form = form) -> Response:
    now = now_of(request)
    try:
        written = _written(sent, now)
        with changing(request, actor) as session:
            row, key = paper.enter(session, actor, sent.get("procedure"), written, now, site=site(request))
            seen = cases.seen(session, row, now)
    except Invalid as refusal:
        errors = refusal.fields or {"name": refusal.message}
        return _page(request, actor, errors, dict(reversed(sent.pairs)), 422)
    return render(
        request, "desk/paper_entered.html", desk=True, crumbs=_crumbs(request), title=say("紙の申請を入力しました"),
        seen=seen, key=key,
    )  # fmt: skip


def _written(sent: Form, now: datetime) -> paper.Paper:
    if not sent.get("procedure"):
        sentence = say("手続きを選んでください。")
        raise Invalid(sentence, fields={"procedure": sentence})
    made = {name: sent.get(name)[:40] for name in ("id", "key") if sent.get(name)}
    if "id" in made and not _ID.fullmatch(made["id"]):
        raise Invalid(say("画面を開き直して、もう一度入力してください。"), code="stale-form")
    return paper.Paper(sent.get("name"), sent.get("kana"), _arrived(sent, now), sent.get("memo"), **made)


def _arrived(sent: Form, now: datetime) -> datetime:
    """The day and the time; where nobody knows the time, noon, or now where it is not noon yet."""
    day = typed_date(sent, "arrived")
    unknown = min(time(12), now.astimezone(JST).time()) if day == local_date(now) else time(12)
    return datetime.combine(day, typed_time(sent, "time", unknown), JST).astimezone(UTC)


def _page(
    request: Request, actor: Actor, errors: dict[str, str], typed: dict[str, str], status_code: int = 200
) -> Response:
    with reading(request, actor) as session:
        offered = procedures.all_procedures(session)
    return render(
        request, "desk/paper.html", desk=True, crumbs=_crumbs(request), title=PAPER, offered=offered,
        errors=Texts(errors), typed=Texts(typed), id=typed.get("id") or new_id(), key=typed.get("key") or receipt.new_enquiry_key(),
        today=now_of(request).astimezone(JST).date(), status_code=status_code,
    )  # fmt: skip


def _crumbs(request: Request) -> tuple[Link, ...]:
    return Link(RECEIVED, f"{base(request)}/desk/"), Link(PAPER, "", True)
