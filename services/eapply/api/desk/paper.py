"""Applications on paper, entered at the desk."""

from datetime import UTC, datetime, time

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.clock import JST
from libs.common.errors import Invalid, say
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
from services.eapply.use_cases import cases, paper, procedures

router = APIRouter()
PAPER = say("紙の申請を入力する")


@router.get(f"{DESK}/paper", include_in_schema=False)
def paper_page(request: Request, actor: Actor = access.staff(REVIEWER)) -> Response:
    return _page(request, actor, {}, {})


@router.post(f"{DESK}/paper", include_in_schema=False)
def enter_paper(request: Request, actor: Actor = access.staff(REVIEWER), sent: Form = form) -> Response:
    now = now_of(request)
    try:
        written = paper.Paper(sent.get("name"), sent.get("kana"), _arrived(sent), sent.get("memo"))
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


def _arrived(sent: Form) -> datetime:
    return datetime.combine(typed_date(sent, "arrived"), typed_time(sent, "time", time(12)), JST).astimezone(UTC)


def _page(
    request: Request, actor: Actor, errors: dict[str, str], typed: dict[str, str], status_code: int = 200
) -> Response:
    with reading(request, actor) as session:
        offered = procedures.offered(session)
    return render(
        request, "desk/paper.html", desk=True, crumbs=_crumbs(request), title=PAPER, offered=offered,
        errors=Texts(errors), typed=Texts(typed), today=now_of(request).astimezone(JST).date(), status_code=status_code,
    )  # fmt: skip


def _crumbs(request: Request) -> tuple[Link, ...]:
    return Link(RECEIVED, f"{base(request)}/desk/"), Link(PAPER, "", True)
