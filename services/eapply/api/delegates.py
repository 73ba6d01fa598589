"""委任: made, handed over by a link, accepted, taken back; and a form begun in somebody's place."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid, say
from libs.common.web import Link
from services.eapply.api.shell import (
    STATUS,
    Form,
    Texts,
    base,
    changing,
    form,
    language,
    now_of,
    reading,
    render,
    shown,
    site,
    to,
    typed_date,
)
from services.eapply.use_cases import delegates, drafts, procedures

router = APIRouter()
DELEGATES = "/t/{code}/eapply/mine/delegates"
TITLE = say("代わりの人に任せる（委任）")


@router.get(DELEGATES, include_in_schema=False)
def delegates_page(request: Request, actor: Actor = access.person()) -> Response:
    return _page(request, actor, {}, {}, [])


@router.post(DELEGATES, include_in_schema=False)
def make(request: Request, actor: Actor = access.person(), sent: Form = form) -> Response:
    """The answer shows the link, once."""
    now, chosen = now_of(request), sent.all("procedures")
    try:
        last_day = typed_date(sent, "last")
        with changing(request, actor) as session:
            row, secret = delegates.make(session, actor, sent.get("label"), chosen, last_day, now, language(request))
            label, until = row.label, row.invite_until
    except Invalid as refusal:
        return _page(request, actor, refusal.fields, dict(reversed(sent.pairs)), chosen, 422)
    crumbs = (Link(STATUS, f"{base(request)}/mine"), Link(TITLE, f"{base(request)}/mine/delegates"))
    return render(
        request, "delegate_link.html", crumbs=(*crumbs, Link(say("リンクを渡す"), "", True)), title=say("リンクを渡してください"),
        link=f"{site(request)}/mine/delegates/accept/{secret}", label=label, until=until,
    )  # fmt: skip


@router.post(f"{DELEGATES}/{{delegation_id}}/revoke", include_in_schema=False)
def revoke(request: Request, delegation_id: str, actor: Actor = access.person()) -> Response:
    with changing(request, actor) as session:
        delegates.revoke(session, actor, delegation_id, now_of(request))
    return to(f"{base(request)}/mine/delegates")


@router.get(f"{DELEGATES}/accept/{{secret}}", include_in_schema=False)
def offer_page(request: Request, secret: str, actor: Actor = access.person()) -> Response:
    """Only asks: opening the link takes nothing on."""
    with reading(request, actor) as session:
        row = delegates.invited(session, secret, now_of(request))
        known = _titles(request, session)
    return render(
        request, "delegate_accept.html", crumbs=(Link(say("委任を引き受ける"), "", True),), title=say("委任を引き受ける"),
        row=row, titles=[known[key] for key in row.procedures if key in known], own=row.giver == actor.subject,
    )  # fmt: skip


@router.post(f"{DELEGATES}/accept/{{secret}}", include_in_schema=False)
def accept(request: Request, secret: str, actor: Actor = access.person()) -> Response:
    with changing(request, actor) as session:
        delegates.accept(session, actor, secret, now_of(request))
    return to(f"{base(request)}/mine/delegates")


@router.post("/t/{code}/eapply/{procedure}/start/{delegation_id}", include_in_schema=False)
def start_for(request: Request, procedure: str, delegation_id: str, actor: Actor = access.person()) -> Response:
    """Begin to fill in for somebody else."""
    now = now_of(request)
    with changing(request, actor) as session:
        row = delegates.may_file(session, actor, delegation_id, procedure, now)
        draft = drafts.start(session, actor, procedure, now)
        draft.row.delegation_id = row.id
    return to(f"{base(request)}/drafts/{draft.row.id}/{draft.row.step}")


@router.post("/t/{code}/eapply/mine/drafts/{draft_id}/take-back", include_in_schema=False)
def take_back(request: Request, draft_id: str, actor: Actor = access.person()) -> Response:
    """Go on with what a delegate was writing when the 委任 ended."""
    with changing(request, actor) as session:
        row = delegates.take_back(session, actor, draft_id, now_of(request))
    return to(f"{base(request)}/drafts/{row.id}/{row.step}")


def _titles(request: Request, session) -> dict[str, str]:  # type: ignore[no-untyped-def]
    return {each.key: shown(request, each).title for each in procedures.offered_definitions(session, "", "")}


def _page(
    request: Request,
    actor: Actor,
    errors: dict[str, str],
    typed: dict[str, str],
    chosen: list[str],
    status_code: int = 200,
) -> Response:
    now = now_of(request)
    with reading(request, actor) as session:
        given, received = delegates.given(session, actor), delegates.received(session, actor)
        titles = _titles(request, session)
    crumbs = (Link(STATUS, f"{base(request)}/mine"), Link(TITLE, "", True))
    return render(
        request, "delegates.html", crumbs=crumbs, title=TITLE, titles=titles, chosen=chosen, typed=Texts(typed),
        given=[(row, delegates.is_over(row, now)) for row in given],
        received=[(row, delegates.is_over(row, now)) for row in received],
        errors=Texts(errors), status_code=status_code,
    )  # fmt: skip
