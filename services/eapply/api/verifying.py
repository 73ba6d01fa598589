"""Anybody who holds a notice finds out whether it is genuine. Nothing of what it says is shown."""

import hashlib
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import NotFound, TooLarge, say
from libs.common.web import Link
from services.eapply.api.shell import Form, Texts, base, form, reading, render, shown, to
from services.eapply.db import NoticeDocumentRow
from services.eapply.domain import mynumber
from services.eapply.domain.receipt import plain_code
from services.eapply.use_cases import cases, delivery

router = APIRouter()
VERIFY = "/t/{code}/eapply/verify"
TITLE = say("通知書を確かめる")
MAX_BYTES = 20 * 1024 * 1024


@router.get(VERIFY, include_in_schema=False)
def verify_page(request: Request, number: str = "", actor: Actor = access.public()) -> Response:
    mynumber.refuse_in(number)
    code = "".join(filter(str.isalnum, plain_code(number)))[:40]
    if code:
        return to(f"{base(request)}/verify/{code}")
    with reading(request, actor):
        pass
    if number:
        sentence = say("通知書にある確かめ番号を入力してください。")
        return _page(request, "verify.html", errors=Texts({"number": sentence}), status_code=422)
    return _page(request, "verify.html")


@router.get(f"{VERIFY}/{{notice_code}}", include_in_schema=False)
def verify_notice(request: Request, notice_code: str, actor: Actor = access.public()) -> Response:
    """When the notice was given and how it was signed. The file itself can be compared below."""
    return _notice_page(request, actor, notice_code)


@router.post(f"{VERIFY}/{{notice_code}}", include_in_schema=False)
def compare(request: Request, notice_code: str, actor: Actor = access.public(), sent: Form = form) -> Response:
    """Whether the file is, byte for byte, the one that was signed. It is not kept."""
    file = next((file for name, file in sent.uploads if name == "file"), None)
    content = file.file.read(MAX_BYTES + 1) if file else b""
    if len(content) > MAX_BYTES:
        raise TooLarge(say("ファイルが大きすぎます。"))
    return _notice_page(request, actor, notice_code, hashlib.sha256(content).hexdigest() if content else "none")


def _notice_page(request: Request, actor: Actor, notice_code: str, digest: str = "") -> Response:
    try:
        with reading(request, actor) as session:
            notice, row = delivery.by_code(session, notice_code)
            procedure = shown(request, cases.definition_of(session, row))
    except NotFound as refusal:
        return _page(request, "verify.html", errors=Texts({"number": refusal.message}), status_code=404)
    return _page(request, "verified.html", notice=notice, procedure=procedure, result=_result(notice, digest))


def _result(notice: NoticeDocumentRow, digest: str) -> str:
    """ "" (nothing compared) | none (no file) | same | different."""
    if digest in ("", "none"):
        return digest
    return "same" if digest == notice.sha256 else "different"


def _page(request: Request, template: str, status_code: int = 200, **context: Any) -> Response:
    context.setdefault("errors", Texts({}))
    return render(request, template, crumbs=(Link(TITLE, "", True),), title=TITLE, status_code=status_code, **context)
