"""The inventory's pages: the list with its numbers, one entry, spreadsheets in and out, what to put online first."""

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, say
from libs.common.web import Link
from services.eapply.api.builder.shared import LIST, PROCEDURES, list_address, soft
from services.eapply.api.desk.shared import MANAGER
from services.eapply.api.shell import Form, changing, form, now_of, reading, render, spoken, to
from services.eapply.db import InventoryRow
from services.eapply.domain.inventory import REASONS
from services.eapply.use_cases import inventory

router = APIRouter()
INVENTORY = say("手続きの棚卸し")
ALL = f"{LIST}/inventory"
FIRST = 10
Difference = tuple[str, str, str]
LABELS = {
    "name": say("手続きの名前"), "department": say("担当課"), "legal_basis": say("根拠の法令・条例"), "yearly_volume": say("年間の件数"),
    "working_days": say("標準処理期間"), "online": say("オンラインで申し込めますか"), "reason": say("オンラインでない理由"),
    "note": say("備考"),
}  # fmt: skip
REMOVED = say("ほかの人が、この手続きを表から消しました。もう一度保存すると、新しい行として足します。")
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
    return _entry(request, entry_id, row, _stored(row), {})


def _stored(row: InventoryRow | None) -> dict[str, str]:
    """The entry as a browser would send it."""
    stored = {name: getattr(row, name) for name in TYPED} if row else {}
    texts = {name: "" if value is None else str(value) for name, value in stored.items()}
    return texts | {"online": "yes" if row.online else "no"} if row else {}


def _entry(
    request: Request,
    entry_id: str,
    row: InventoryRow | None,
    typed: dict[str, str],
    errors: dict[str, str],
    problem: str = "",
    status_code: int = 200,
    changes: list[Difference] | None = None,
) -> Response:
    """`problem`: why what was typed has not been saved; what stands there now is shown beside it, and `changes` is what others did."""
    title = typed.get("name") or say("手続きを足す")
    return render(
        request, "desk/build/entry.html", desk=True, title=title, typed=soft(typed), errors=errors, entry_id=entry_id,
        reasons=list(REASONS.items()), version=row.version if row else 0, problem=spoken(request, problem), status_code=status_code,
        others=_differing(request, _stored(row), typed) if problem and row else [], changes=changes, was=_stored(row),
        crumbs=(Link(PROCEDURES, list_address(request)), Link(INVENTORY, f"{list_address(request)}/inventory"), Link(title, "", True)),
    )  # fmt: skip


def _differing(request: Request, one: dict[str, str], two: dict[str, str]) -> list[Difference]:
    """(what, in one, in the other) where these differ."""
    both = [(name, _in_words(one[name]), _in_words(two[name])) for name in TYPED]
    return [(spoken(request, LABELS[name]), here, there) for name, here, there in both if here != there]


def _in_words(value: str) -> str:
    text = _same_lines(value)
    if not text:  # nothing, and not the reason that nobody has decided yet
        return ""
    return {"yes": "はい", "no": "いいえ"}.get(text, REASONS.get(text, text))


def _same_lines(text: str) -> str:
    """Browsers send lines with ends of their own."""
    return text.replace("\r\n", "\n").strip()


def _second(request: Request, actor: Actor, entry_id: str, sent: Form, typed: dict[str, str], problem: str) -> Response:
    """Somebody changed the entry since the form was made: what was typed here is put into what stands there now, so that saving
    again takes nothing back that they did."""
    row = _row(request, actor, entry_id)
    was, now = {name: sent.get(f"was_{name}") for name in TYPED}, _stored(row)
    if sent.get("was_name"):
        typed = {n: now[n] if _same_lines(typed[n]) == _same_lines(was[n]) else typed[n] for n in TYPED}
    changes = _differing(request, was, now) if sent.get("was_name") else []
    return _entry(request, entry_id, row, typed, {}, problem, 409, changes)


@router.post(f"{ALL}/{{entry_id}}", include_in_schema=False)
def save(request: Request, entry_id: str, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    typed = {name: sent.get(name) for name in TYPED}
    seen, known = sent.number("version"), None if entry_id == "new" else entry_id
    try:
        with changing(request, actor) as session:
            if sent.get("act") == "remove":
                inventory.remove(session, actor, entry_id, seen, now_of(request))
            else:
                inventory.save(session, actor, known, seen, typed, now_of(request))
    except Invalid as refusal:
        row = _row(request, actor, known)
        return _entry(request, entry_id, row, typed, refusal.fields, "", 422)
    except Conflict as refusal:
        return _second(request, actor, entry_id, sent, typed, refusal.message)
    except NotFound:
        if seen < 0:  # not from the page of a line that was there
            raise
        return _entry(request, "new", None, typed, {}, REMOVED, 409)
    return to(f"{list_address(request)}/inventory")


def _row(request: Request, actor: Actor, entry_id: str | None) -> InventoryRow | None:
    with reading(request, actor) as session:
        return inventory.find(session, entry_id) if entry_id else None
