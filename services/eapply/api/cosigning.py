"""連署: whom the applicant asks, and the page of those who are asked."""

import secrets
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, say
from libs.common.web import Link, i18n
from services.eapply.api.applications import APPLICATION
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
    spoken_all,
    to,
    worded,
)
from services.eapply.domain.states import OPEN
from services.eapply.use_cases import cases, cosign, who

router = APIRouter()
TITLE = say("ほかの方の確認（連署）")
SIGN = "/t/{code}/eapply/sign/{secret}"
CONFIRM = say("申請の確認のお願い")


@router.get(f"{APPLICATION}/cosigners", include_in_schema=False)
def cosigners_page(request: Request, application_id: str, actor: Actor = access.guest()) -> Response:
    return _page(request, actor, application_id, {}, {})


@router.post(f"{APPLICATION}/cosigners", include_in_schema=False)
def ask(request: Request, application_id: str, actor: Actor = access.guest(), sent: Form = form) -> Response:
    """The answer shows the link, once."""
    try:
        with changing(request, actor) as session:
            each, secret = cosign.ask(
                session, actor, application_id, sent.get("name"), sent.get("address"), now_of(request),
                site=site(request), language=_language(request, sent), once=sent.get("once"),
            )  # fmt: skip
            asked = {"name": each.name, "mailed": bool(each.address)}
    except Invalid as refusal:
        return _page(request, actor, application_id, refusal.fields, dict(sent.pairs), 422)
    return _page(request, actor, application_id, {}, {}, link=f"{site(request)}/sign/{secret}", asked=asked)


def _language(request: Request, sent: Form) -> str:
    chosen = sent.get("language")
    return chosen if chosen in i18n.LANGUAGES else language(request)


@router.post(f"{APPLICATION}/cosigners/{{cosigner_id}}/renew", include_in_schema=False)
def renew(request: Request, application_id: str, cosigner_id: str, actor: Actor = access.guest()) -> Response:
    now = now_of(request)
    with changing(request, actor) as session:
        each, secret = cosign.renew(session, actor, application_id, cosigner_id, now, site=site(request))
        asked = {"name": each.name, "mailed": bool(each.address)}
    return _page(request, actor, application_id, {}, {}, link=f"{site(request)}/sign/{secret}", asked=asked)


@router.post(f"{APPLICATION}/cosigners/{{cosigner_id}}/replace", include_in_schema=False)
def replace(request: Request, application_id: str, cosigner_id: str, actor: Actor = access.guest()) -> Response:
    with changing(request, actor) as session:
        cosign.replace(session, actor, application_id, cosigner_id, now_of(request))
    return to(f"{base(request)}/applications/{application_id}/cosigners")


def _page(
    request: Request,
    actor: Actor,
    application_id: str,
    errors: dict[str, str],
    typed: dict[str, str],
    status_code: int = 200,
    **more: Any,
) -> Response:
    with reading(request, actor) as session:
        row = who.own_application(session, actor, application_id, now_of(request), delegate=True)
        procedure, asked = shown(request, cases.definition_of(session, row)), cosign.asked(session, row.id)
    address = f"{base(request)}/applications/{application_id}"
    needed = row.cosigners_needed or 0
    free = needed - sum(each.state in ("waiting", "confirmed") for each in asked)
    return render(
        request, "cosigners.html", crumbs=(Link(STATUS, address), Link(TITLE, "", True)), title=TITLE, row=row,
        procedure=procedure, people=asked, needed=needed, free=free, address=address, errors=Texts(errors),
        typed=Texts(typed), words=spoken_all(request, cosign.STATES), still=row.state in OPEN, status_code=status_code,
        once=secrets.token_urlsafe(24), mail_languages=list(i18n.LANGUAGES.items()), mail_language=language(request),
        **({"link": "", "asked": None} | more),
    )  # fmt: skip


# ---- those who are asked


@router.get(SIGN, include_in_schema=False)
def sign_page(request: Request, secret: str, actor: Actor = access.guest()) -> Response:
    """Only asks: opening the link confirms nothing."""
    with reading(request, actor) as session:
        before = cosign.answered(session, actor, secret)
    return _answered_page(request, before.state) if before else _sign_page(request, actor, secret, {}, {})


@router.post(SIGN, include_in_schema=False)
def signed(request: Request, secret: str, actor: Actor = access.guest(), sent: Form = form) -> Response:
    now, answer = now_of(request), "refused" if sent.get("act") == "refuse" else "confirmed"
    try:
        with changing(request, actor) as session:
            if answer == "refused":
                cosign.refuse(session, actor, secret, sent.get("reason"), now, site=site(request))
            else:
                cosign.confirm(session, actor, secret, sent.get("name"), now, site=site(request))
    except Invalid as refusal:
        return _sign_page(request, actor, secret, refusal.fields, dict(sent.pairs), 422)
    except NotFound:  # pressed twice: the first press has answered
        with reading(request, actor) as session:
            before = cosign.answered(session, actor, secret)
        if before is None:
            raise
        return _answered_page(request, before.state)
    return _answered_page(request, answer)


def _answered_page(request: Request, state: str) -> Response:
    confirmed = state == "confirmed"
    return render(
        request, "cosigned.html", crumbs=(Link(CONFIRM, "", True),), confirmed=confirmed,
        title=say("確認しました") if confirmed else say("確認しないことを伝えました"),
    )  # fmt: skip


def _sign_page(
    request: Request,
    actor: Actor,
    secret: str,
    errors: dict[str, str],
    typed: dict[str, str],
    status_code: int = 200,
) -> Response:
    with reading(request, actor) as session:
        each, row = cosign.find(session, secret, now_of(request))
        definition, labels = cases.definition_of(session, row), cosign.corrected_since(session, row)
    procedure = shown(request, definition)
    corrected = worded(request, definition, {label: label for label in labels}).values()
    return render(
        request, "cosign.html", crumbs=(Link(CONFIRM, "", True),), title=CONFIRM, procedure=procedure, each=each, row=row,
        corrected=corrected,
        errors=Texts(errors), typed=Texts(typed), status_code=status_code,
    )  # fmt: skip
