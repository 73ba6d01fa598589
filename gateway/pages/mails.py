"""`/mail/`: what the sample's post office has caught. Exists only in the sample, which is reached only on loopback."""

import re

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.mail_catcher import MailBox, mailbox
from gateway.pages.common import page
from gateway.parts import parts_of
from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import NotFound, say

router = APIRouter(prefix="/mail", include_in_schema=False)

_LINK = re.compile(r"(https?://[^\s<>\"]+)")


@router.get("/")
def show_all(request: Request, actor: Actor = access.public()) -> Response:
    return page(parts_of(request), request, "mails.html", mails=_box(request).newest())


@router.get("/{ident}")
def show_one(request: Request, ident: str, actor: Actor = access.public()) -> Response:
    mail = _box(request).find(ident)
    if mail is None:
        raise NotFound(say("このメールは見つかりません。"))
    lines = [_with_links(line) for line in mail.body.splitlines() if line.strip()]
    return page(parts_of(request), request, "mail.html", mail=mail, lines=lines)


def _box(request: Request) -> MailBox:
    settings = parts_of(request).settings
    if not settings.sample or not settings.public_on_loopback:
        raise NotFound(say("お探しのページはありません。"))
    return mailbox(settings)


def _with_links(line: str) -> list[tuple[str, str]]:
    return [(part, part if _LINK.fullmatch(part) else "") for part in _LINK.split(line) if part]
