"""The inventory's pages: the list with its numbers, one entry, spreadsheets in and out, what to put online first."""

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.errors import Invalid, say
from libs.common.web import Link
from services.eapply.api.builder.shared import LIST, PROCEDURES, list_address, soft
from services.eapply.api.desk.shared import MANAGER
from services.eapply.api.shell import Form, changing, form, now_of, reading, render, to
from services.eapply.domain.inventory import REASONS
from services.eapply.use_cases import inventory

router = APIRouter()
INVENTORY = say("手続きの棚卸し")
ALL = f"{LIST}/inventory"
FIRST = 10
TYPED = ("name", "department", "legal_basis", "yearly_volume", "working_days", "online", "reason", "note")


@router.get(ALL, include_in_schema=False)
def inventory_page(request: Request, actor: Actor = access.staff(MANAGER)) -> Response:
    return _page(request, actor)


def _page(
    request: Request, actor: Actor, told: inventory.Told | None = None, error: str = "", status_code: int = 200
) -> Response:
    with reading(request, actor) as session:
        rows, state = inventory.entries(session), inventory.state(session)
    return render(
        request, "desk/build/inventory.html", desk=True, title=INVENTORY, rows=rows, counts=inventory.counts(rows), state=state,
        first=inventory.suggestions(rows)[:FIRST], reasons=REASONS, told=told, columns=inventory.COLUMNS, status_code=status_code,
        errors={"file": error} if error else {}, crumbs=(Link(PROCEDURES, list_address(request)), Link(INVENTORY, "", True)),
    )  # fmt: skip


@router.post(ALL, include_in_schema=False)
def import_sheet(request: Request, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    """A spreadsheet comes in (`act` import), the procedures online here are entered (take), or the state is said."""
    act = sent.get("act")
    try:
        with changing(request, actor) as session:
            if act == "take":
                inventory.take_published(session, actor, now_of(request))
            elif act in ("finish", "reopen"):
                inventory.set_finished(session, actor, act == "finish", now_of(request))
            else:
                told = inventory.import_sheet(session, actor, _content(sent), now_of(request))
    except Invalid as refusal:
        return _page(request, actor, None, refusal.message, 422)
    return (
        to(f"{list_address(request)}/inventory") if act in ("take", "finish", "reopen") else _page(request, actor, told)
    )


def _content(sent: Form) -> bytes:
    upload = next((file for _, file in sent.uploads), None)
    if upload is None:
        raise Invalid(say("ファイルを選んでください。"))
    return upload.file.read(20 * 1024 * 1024)


@router.get(f"{ALL}/file.csv", include_in_schema=False)
def export(request: Request, actor: Actor = access.staff(MANAGER)) -> Response:
    with reading(request, actor) as session:
        rows = inventory.entries(session)
    headers = {"Content-Disposition": csvout.attachment("手続きの棚卸し.csv")}
    data = csvout.rows(inventory.lines(rows), header=list(inventory.COLUMNS))
    return StreamingResponse(data, media_type=csvout.CONTENT_TYPES["utf-8"], headers=headers)


@router.get(f"{ALL}/{{entry_id}}", include_in_schema=False)
def entry_page(request: Request, entry_id: str, actor: Actor = access.staff(MANAGER)) -> Response:
    """`entry_id` new: an empty one."""
    with reading(request, actor) as session:
        row = None if entry_id == "new" else inventory.find(session, entry_id)
    typed = {name: getattr(row, name) for name in TYPED} if row else {}
    typed = {name: "" if value is None else value for name, value in typed.items()}
    return _entry(request, entry_id, typed, {})


def _entry(request: Request, entry_id: str, typed: dict, errors: dict[str, str], status_code: int = 200) -> Response:  # type: ignore[type-arg]
    title = typed.get("name") or say("手続きを足す")
    return render(
        request, "desk/build/entry.html", desk=True, title=title, typed=soft(typed), errors=errors, entry_id=entry_id,
        reasons=list(REASONS.items()), status_code=status_code,
        crumbs=(Link(PROCEDURES, list_address(request)), Link(INVENTORY, f"{list_address(request)}/inventory"), Link(title, "", True)),
    )  # fmt: skip


@router.post(f"{ALL}/{{entry_id}}", include_in_schema=False)
def save(request: Request, entry_id: str, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    typed = {name: sent.get(name) for name in TYPED}
    try:
        with changing(request, actor) as session:
            if sent.get("act") == "remove":
                inventory.remove(session, actor, entry_id, now_of(request))
            else:
                inventory.save(session, actor, None if entry_id == "new" else entry_id, typed, now_of(request))
    except Invalid as refusal:
        return _entry(request, entry_id, typed, refusal.fields, 422)
    return to(f"{list_address(request)}/inventory")
