"""The library: templates to take, a template's new version joined with ours, sharing with others, many files at once."""

import io
import zipfile
from contextlib import suppress

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, say
from libs.common.web import Link
from services.eapply.api.builder.shared import (
    LIST,
    ONE,
    PROCEDURES,
    Second,
    address,
    came_second,
    crumbs,
    list_address,
    second,
)
from services.eapply.api.desk.shared import MANAGER
from services.eapply.api.shell import Form, changing, form, now_of, reading, render, spoken, to
from services.eapply.db import SharedProcedureRow
from services.eapply.domain import mynumber
from services.eapply.forms import document as files
from services.eapply.forms import words
from services.eapply.forms.differences import MISSING
from services.eapply.forms.text import narrow
from services.eapply.use_cases import build, procedures, templates

router = APIRouter()
TEMPLATES = say("ひな型から作る")
TEMPLATE = say("ひな型と共有")
MAX_FILES = 500
MAX_TEXT = 2 * 1024 * 1024
MAX_UNPACKED = 32 * 1024 * 1024
UTF_8 = 0x800
"""The bit of a ZIP's entry that says its name is UTF-8."""


@router.get(f"{LIST}/templates", include_in_schema=False)
def library(request: Request, q: str = "", actor: Actor = access.staff(MANAGER)) -> Response:
    mynumber.refuse_in(q)
    with reading(request, actor) as session:
        found = templates.offers(session)
    wanted = [each for each in found if all(word in _words(each) for word in q.split())]
    return _library(request, wanted, q[:100])


def _words(each: templates.Offer) -> str:
    procedure = each.procedure
    return " ".join(
        [procedure.title, procedure.kana, procedure.category, procedure.summary, *procedure.words, each.source_name]
    )


def _library(
    request: Request, found: list[templates.Offer], q: str, taken: list[templates.Taken] | None = None
) -> Response:
    return render(
        request, "desk/build/templates.html", desk=True, title=TEMPLATES, found=found, q=q, taken=taken,
        crumbs=(Link(PROCEDURES, list_address(request)), Link(TEMPLATES, "", True)), status_code=422 if taken and _failed(taken) else 200,
    )  # fmt: skip


def _failed(taken: list[templates.Taken]) -> bool:
    return all(each.faults for each in taken)


@router.post(f"{LIST}/templates", include_in_schema=False)
def adopt(request: Request, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    """Take one template (`take`: source:key), or every procedure of the files that were sent."""
    source, _, key = sent.get("take").partition(":")
    if key:
        with changing(request, actor) as session:
            made = templates.adopt(session, actor, source, key, now_of(request))
        return to(address(request, made))
    with changing(request, actor) as session:
        taken = templates.take_many(session, actor, _files(sent), now_of(request))
        found = templates.offers(session)
    return _library(request, found, "", taken)


def _files(sent: Form) -> list[tuple[str, bytes]]:
    """(name, content) of every file that was sent; a ZIP stands for the files in it."""
    found: list[tuple[str, bytes]] = []
    for _, upload in sent.uploads:
        name, content = upload.filename or "", upload.file.read(64 * 1024 * 1024)
        found += _unpacked(content) if content[:4] == b"PK\x03\x04" else [(name, content)]
    if not found:
        raise Invalid(say("取り込むファイルを選んでください。"))
    if len(found) > MAX_FILES:
        raise Invalid(say("一度に取り込めるのは%(most)s件までです。分けて取り込んでください。", most=MAX_FILES))
    return found


def _unpacked(content: bytes) -> list[tuple[str, bytes]]:
    """Never more of a file than a procedure can be, nor of all than `MAX_UNPACKED`, however much it would unfold to."""
    found, size = [], 0
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for info in [info for info in archive.infolist() if not info.is_dir()][: MAX_FILES + 1]:
                found.append((_name(info), archive.open(info).read(MAX_TEXT)))
                size += len(found[-1][1])
                if size > MAX_UNPACKED:
                    raise Invalid(say("ZIPの中身が大きすぎます。いくつかに分けて取り込んでください。"))
            return found
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError):
        raise Invalid(say("ZIPファイルを開けませんでした。作り直してから、もう一度選んでください。")) from None


def _name(info: zipfile.ZipInfo) -> str:
    """The name in the ZIP. Windows writes Japanese ones in Shift_JIS without saying so; they are read as the old American page."""
    if info.flag_bits & UTF_8:
        return info.filename
    with suppress(UnicodeError):
        return info.orig_filename.encode("cp437").decode("cp932")
    return info.filename


# ---- one procedure: its template's news, and whom it is shared with


@router.get(f"{ONE}/template", include_in_schema=False)
def template_page(request: Request, procedure: str, actor: Actor = access.staff(MANAGER)) -> Response:
    return _template(request, actor, procedure, Form([], []))


def _template(
    request: Request,
    actor: Actor,
    procedure: str,
    typed: Form,
    meanwhile: Second | None = None,
    problem: str = "",
    status_code: int = 200,
) -> Response:
    """`typed`: what was chosen already, on a page that has changed since."""
    with reading(request, actor) as session:
        row = procedures.named(session, procedure)
        origin = templates.origin(session, procedure)
        there = build.now_there(session, procedure)
        news = templates.update(session, procedure) if origin else None
        gone = origin is not None and not templates.is_offered(session, origin)
        shared = templates.shared_row(session, procedure)
    changes, collisions = _told(news) if news else ([], [])
    title = row.title if row else there.row.title
    return render(
        request, "desk/build/template.html", desk=True, title=TEMPLATE, origin=origin, news=news, gone=gone, shared=shared, row=row,
        changes=changes, collisions=collisions, key=procedure, address=address(request, procedure), making=there,
        crumbs=crumbs(request, procedure, title, Link(TEMPLATE, "", True)), chosen=typed.all("theirs"),
        to=typed.get("to") or _audience(shared), codes=typed.get("codes") or " ".join(shared.audience if shared else []),
        meanwhile=meanwhile, problem=spoken(request, problem), status_code=status_code,
    )  # fmt: skip


def _audience(shared: SharedProcedureRow | None) -> str:
    return "nobody" if shared is None else "some" if shared.audience else "all"


def _told(news: templates.Update) -> tuple[list[tuple[str, str, str]], list[dict[str, str]]]:
    """The changes as (place, now, then), and the places both sides changed."""
    theirs = news.offer.procedure
    ours = files.check(news.ours)[0]
    changes = [words.told(each, ours, theirs) for each in news.changes]
    collisions = [
        {
            "name": templates.place_of(each),
            "place": words.place(each.path, theirs if each.ours is MISSING else ours),
            "base": words.shown(each.base, theirs, each.path),
            "ours": words.shown(each.ours, ours, each.path),
            "theirs": words.shown(each.theirs, theirs, each.path),
        }
        for each in news.collisions
    ]
    return changes, collisions


@router.post(f"{ONE}/template", include_in_schema=False)
def take_news(request: Request, procedure: str, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    try:
        with changing(request, actor) as session:
            templates.take_update(
                session,
                actor,
                procedure,
                sent.all("theirs"),
                sent.get("digest"),
                sent.number("revision"),
                now_of(request),
            )
    except Conflict as refusal:
        came_second(refusal)
        _, meanwhile = second(request, actor, procedure, sent, lambda document: document)
        return _template(request, actor, procedure, sent, meanwhile, refusal.message, 409)
    return to(address(request, procedure))


@router.post(f"{ONE}/share", include_in_schema=False)
def share(request: Request, procedure: str, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    """`to`: all · some (codes in `codes`) · nobody."""
    codes = narrow(sent.get("codes")).replace(",", " ").replace("、", " ").split()
    try:
        with changing(request, actor) as session:
            templates.refuse_unless_shared(session, procedure, sent.get("shared"))
            if sent.get("to") == "nobody":
                templates.unshare(session, actor, procedure, now_of(request))
            elif sent.get("to") == "some" and not codes:
                raise Invalid(say("共有する市町村の番号（6桁）を入力してください。"))
            else:
                templates.share(session, actor, procedure, codes if sent.get("to") == "some" else [], now_of(request))
    except (Conflict, Invalid) as refusal:
        return _template(request, actor, procedure, sent, None, refusal.message, refusal.status)
    return to(f"{address(request, procedure)}/template")
