"""The page on which a citizen gives the マイナンバー. What is typed goes into the vault and is never shown again."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, say
from libs.common.web import Link
from services.eapply import vault
from services.eapply.api.drafting import DRAFT, in_language
from services.eapply.api.shell import (
    Form,
    Texts,
    base,
    changing,
    form_of_answers,
    now_of,
    reading,
    render,
    service_of,
    to,
)
from services.eapply.use_cases import drafts, my_numbers
from services.eapply.use_cases.drafts import Draft

router = APIRouter()
NUMBER = f"{DRAFT}/my-number"
TITLE = say("マイナンバーの入力")


@router.get(NUMBER, include_in_schema=False)
def number_page(request: Request, draft_id: str, actor: Actor = access.guest()) -> Response:
    with reading(request, actor) as session:
        draft = drafts.find(session, actor, draft_id, now_of(request))
        given = my_numbers.given(session, draft.row.id)
    if draft.row.application_id:
        return to(f"{base(request)}/applications/{draft.row.application_id}")
    return _page(request, draft, given, {})


@router.post(NUMBER, include_in_schema=False)
def number_sent(
    request: Request, draft_id: str, actor: Actor = access.guest(), sent: Form = form_of_answers
) -> Response:
    now = now_of(request)
    with reading(request, actor) as session:
        draft = drafts.find(session, actor, draft_id, now)
        given = my_numbers.given(session, draft.row.id)
    try:
        with changing(request, actor) as session:
            held = drafts.open_for_change(session, actor, draft_id, now)
            if sent.get("act") == "forget":
                my_numbers.forget_of_drafts(session, [held.row.id])
            else:
                my_numbers.keep(session, vault.of(service_of(request)), held, sent.get("number")[:100], now)
    except Invalid as refusal:
        return _page(request, draft, given, refusal.fields, 422)
    return to(f"{base(request)}/drafts/{draft_id}/{'my-number' if sent.get('act') == 'forget' else 'confirm'}")


def _page(request: Request, draft: Draft, given: bool, errors: dict[str, str], status_code: int = 200) -> Response:
    if draft.procedure.handling.my_number is None:
        raise NotFound(say("この手続きでは、マイナンバーをお預かりしません。"))
    steps = draft.reading(now_of(request)).steps
    draft = in_language(request, draft)
    crumbs = (Link(draft.procedure.title, f"{base(request)}/{draft.procedure.key}/"), Link(TITLE, "", True))
    address = f"{base(request)}/drafts/{draft.row.id}"
    return render(
        request, "my_number.html", crumbs=crumbs, title=TITLE, procedure=draft.procedure, address=address, given=given,
        rule=draft.procedure.handling.my_number, errors=Texts(errors), last=steps[-1].key, status_code=status_code,
    )  # fmt: skip
