"""A person's own keys, made and ended on a page of their portfolio."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid, say
from libs.common.web import Link
from services.eapply.api.shell import STATUS, Form, Texts, base, changing, form, now_of, render, site, to
from services.eapply.use_cases import own_keys

router = APIRouter()
KEYS = "/t/{code}/eapply/mine/keys"
TITLE = say("自分のプログラムのためのキー")


@router.get(KEYS, include_in_schema=False)
def keys_page(request: Request, actor: Actor = access.person()) -> Response:
    return _page(request, actor)


@router.post(KEYS, include_in_schema=False)
def make(request: Request, actor: Actor = access.person(), sent: Form = form) -> Response:
    """The answer shows the key, once."""
    try:
        with changing(request, actor) as session:
            applies = sent.get("applies") == "yes"
            row, secret = own_keys.make(session, actor, sent.get("label"), now_of(request), applies=applies)
            made = {"label": row.label, "secret": secret, "until": row.good_until, "applies": applies}
    except Invalid as refusal:
        return _page(request, actor, errors=Texts(refusal.fields), status_code=422)
    return _page(request, actor, made=made)


@router.post(f"{KEYS}/{{key_id}}/end", include_in_schema=False)
def end(request: Request, key_id: str, actor: Actor = access.person()) -> Response:
    with changing(request, actor) as session:
        own_keys.end(session, actor, key_id, now_of(request))
    return to(f"{base(request)}/mine/keys")


def _page(request: Request, actor: Actor, *, status_code: int = 200, **context: Any) -> Response:
    with changing(request, actor) as session:
        kept = own_keys.kept(session, actor, now_of(request))
    crumbs = (Link(STATUS, f"{base(request)}/mine"), Link(TITLE, "", True))
    return render(
        request, "own_keys.html", crumbs=crumbs, title=TITLE, kept=kept, most=own_keys.MOST_A_DAY, api=f"{site(request)}/api/applications",
        status_code=status_code, **({"made": None, "errors": Texts({})} | context),
    )  # fmt: skip
