"""The list of procedures and one procedure: what is published, what is being made, and what publishing would change."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access, csvout
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
from services.eapply.api.desk.shared import MANAGER, year_of
from services.eapply.api.shell import Form, Texts, changing, form, now_of, reading, render, to
from services.eapply.forms import document as files
from services.eapply.forms import words
from services.eapply.forms.differences import differences
from services.eapply.use_cases import build, procedures

router = APIRouter()
NEW = say("新しい手続きを作る")
MAX_FILE = 2 * 1024 * 1024


@router.get(LIST, include_in_schema=False)
def procedures_page(request: Request, year: str = "", actor: Actor = access.staff("eapply.reviewer")) -> Response:
    with reading(request, actor) as session:
        rows = procedures.all_procedures(session)
        known = procedures.definitions(session, {(row.id, row.version) for row in rows})
        making = build.drafts(session)
    listed = [(row, known[row.id, row.version]) for row in rows]
    published = {row.key for row in rows}
    return render(
        request, "desk/procedures.html", desk=True, title=PROCEDURES, listed=listed, year=year_of(request, year),
        this_year=year_of(request, ""), may_manage=MANAGER in actor.roles,
        making={row.key: row for row in making}, unpublished=[row for row in making if row.key not in published],
    )  # fmt: skip


@router.get(f"{LIST}/new", include_in_schema=False)
def new_page(request: Request, actor: Actor = access.staff(MANAGER)) -> Response:
    with reading(request, actor):
        pass
    return _new(request, {}, {})


@router.post(f"{LIST}/new", include_in_schema=False)
def create(request: Request, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    typed = {name: sent.get(name)[:200] for name in ("title", "kana", "department", "key")}
    try:
        with changing(request, actor) as session:
            row = build.create(
                session, actor, typed["key"], typed["title"], typed["kana"], typed["department"], now_of(request)
            )
    except Invalid as refusal:
        return _new(request, typed, refusal.fields, 422)
    return to(f"{address(request, row.key)}/edit")


@router.post(f"{LIST}/import", include_in_schema=False)
def import_file(request: Request, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    """A procedure's file (YAML) becomes a draft, to be looked at before it is published. A draft that is there is replaced only
    after it was shown what would be gone (`replace`: the draft's number as it was shown)."""
    try:
        text = _uploaded(sent)
        with changing(request, actor) as session:
            row = build.take_in(
                session, actor, files.read_yaml(text), now_of(request), over=max(0, sent.number("replace"))
            )
    except Conflict as refusal:
        return _new(request, {}, {"file": refusal.message}, 409, held=_held(request, actor, text))
    except Invalid as refusal:
        places = [f"{place}：{sentence}" for place, sentence in refusal.fields.items()]
        return _new(request, {}, {"file": "\n".join([refusal.message, *places])}, 422)
    return to(address(request, row.key))


def _held(request: Request, actor: Actor, text: str) -> dict[str, Any]:
    """The draft that is in the way, and what would become of it."""
    document = files.read_yaml(text)
    with reading(request, actor) as session:
        there = build.now_there(session, document["key"])
    after = files.check(document)[0]
    changes = [words.told(each, there.procedure, after) for each in differences(there.row.document, document)]
    return {"row": there.row, "text": text, "changes": changes, "address": address(request, there.row.key)}


def _uploaded(sent: Form) -> str:
    upload = next((file for name, file in sent.uploads if name == "file"), None)
    if upload is None and sent.get("text"):
        return sent.get("text")[: files.MAX_FILE + 1]
    if upload is None:
        raise Invalid(say("ファイルを選んでください。"))
    try:
        return upload.file.read(MAX_FILE).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid(say("文字を読めませんでした。UTF-8で保存したYAMLのファイルを選んでください。")) from None


def _new(
    request: Request,
    typed: dict[str, str],
    errors: dict[str, str],
    status_code: int = 200,
    *,
    held: dict[str, Any] | None = None,
) -> Response:
    return render(
        request, "desk/build/new.html", desk=True, title=NEW, typed=Texts(typed), errors=errors, status_code=status_code,
        held=held,
        crumbs=(Link(PROCEDURES, list_address(request)), Link(NEW, "", True)),
    )  # fmt: skip


@router.get(ONE, include_in_schema=False)
def procedure_page(request: Request, procedure: str, actor: Actor = access.staff(MANAGER)) -> Response:
    return _procedure(request, actor, procedure)


def _procedure(
    request: Request, actor: Actor, procedure: str, meanwhile: Second | None = None, status_code: int = 200
) -> Response:
    with reading(request, actor) as session:
        row = procedures.named(session, procedure)
        draft = next((each for each in build.drafts(session) if each.key == procedure), None)
        making = build.find(session, procedure) if draft or row is None else None
        published = procedures.definition(session, row.id, row.version) if row else None
        versions = build.versions(session, row) if row else []
        changes = build.changes(session, making) if making else []
    title = making.row.title if making else (row.title if row else procedure)
    told = [words.told(each, published, making.procedure if making else None) for each in changes]
    return render(
        request, "desk/build/procedure.html", desk=True, title=title, row=row, making=making, published=published,
        versions=versions, changes=told, crumbs=crumbs(request, procedure, title), address=address(request, procedure), key=procedure,
        meanwhile=meanwhile, status_code=status_code,
    )  # fmt: skip


@router.post(f"{ONE}/draft", include_in_schema=False)
def begin(request: Request, procedure: str, actor: Actor = access.staff(MANAGER)) -> Response:
    with changing(request, actor) as session:
        build.open_draft(session, actor, procedure, now_of(request))
    return to(f"{address(request, procedure)}/edit")


@router.post(f"{ONE}/publish", include_in_schema=False)
def publish(request: Request, procedure: str, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    try:
        with changing(request, actor) as session:
            build.publish(session, actor, procedure, sent.number("revision"), now_of(request))
    except Conflict as refusal:
        return _looked_at_again(request, actor, procedure, sent, refusal)
    return to(address(request, procedure))


def _looked_at_again(request: Request, actor: Actor, procedure: str, sent: Form, refusal: Conflict) -> Response:
    """The page as it is now, with what others changed since the button was shown."""
    came_second(refusal)
    _, meanwhile = second(request, actor, procedure, sent, lambda document: document)
    return _procedure(request, actor, procedure, meanwhile, 409)


@router.post(f"{ONE}/discard", include_in_schema=False)
def discard(request: Request, procedure: str, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    try:
        with changing(request, actor) as session:
            build.discard(session, actor, procedure, sent.number("revision"), now_of(request))
            left = procedures.named(session, procedure)
    except Conflict as refusal:
        return _looked_at_again(request, actor, procedure, sent, refusal)
    return to(address(request, procedure) if left else list_address(request))


@router.post(f"{ONE}/state", include_in_schema=False)
def set_state(request: Request, procedure: str, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    with changing(request, actor) as session:
        build.set_open(session, actor, procedure, sent.get("open") == "yes", now_of(request))
    return to(address(request, procedure))


@router.get(f"{ONE}/file.yaml", include_in_schema=False)
def file(request: Request, procedure: str, which: str = "published", actor: Actor = access.staff(MANAGER)) -> Response:
    """The definition as a file: `which` is published or draft."""
    with reading(request, actor) as session:
        published = build.published_document(session, procedure)
        document = build.find(session, procedure).row.document if which == "draft" or published is None else published
    headers = {"Content-Disposition": csvout.attachment(f"{procedure}.yaml")}
    return Response(files.to_yaml(document), media_type="application/yaml; charset=utf-8", headers=headers)
