"""棚卸し: kept by hand or by spreadsheet, counted for the council, and what to put online first."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from libs.common import audit, heads, outbox
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, say
from libs.common.ids import new_id
from services.eapply import events
from services.eapply.db import InventoryRow, InventoryStateRow, ProcedureRow
from services.eapply.domain.inventory import BY_WORD, REASONS, Entry, first_online
from services.eapply.forms import sheet
from services.eapply.forms.text import narrow, search_key
from services.eapply.use_cases import procedures, templates

COLUMNS = ("手続名", "担当課", "根拠法令", "年間件数", "標準処理期間（開庁日）", "オンライン", "していない理由", "備考")
TWIN = say("この名前と担当課の手続きは、もう表にあります。表から開いて直してください。")
YES = frozenset({"○", "〇", "◯", "はい", "済", "可", "有", "yes", "1", "true", "対応"})
NO = frozenset({"", "×", "✕", "いいえ", "未", "不可", "無", "no", "0", "false", "未対応", "-", "－"})


@dataclass(frozen=True, slots=True)
class Counts:
    """`volume`: applications a year of all, `online_volume`: of those online; `uncounted`: entries without a number."""

    total: int
    online: int
    volume: int
    online_volume: int
    uncounted: int
    undecided: int


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a spreadsheet: how many lines were new and changed, line number → what is wrong with it, and columns that
    are none of ours."""

    added: int
    changed: int
    faults: dict[int, str]
    ignored: tuple[str, ...] = ()


@dataclass(slots=True)
class Values:
    """One entry as read; `errors`: input → sentence."""

    name: str
    department: str
    legal_basis: str = ""
    yearly_volume: int | None = None
    working_days: int | None = None
    online: bool = False
    reason: str = ""
    note: str = ""
    errors: dict[str, str] = field(default_factory=dict)


def entries(session: Session) -> list[InventoryRow]:
    return list(session.scalars(select(InventoryRow).order_by(InventoryRow.department, InventoryRow.name)))


def find(session: Session, entry_id: str) -> InventoryRow:
    row = session.scalar(select(InventoryRow).where(InventoryRow.id == entry_id))
    if row is None:
        raise NotFound(say("この手続きは棚卸しの表にありません。"))
    return row


def counts(rows: Iterable[InventoryRow]) -> Counts:
    rows = list(rows)
    online = [row for row in rows if row.online]
    return Counts(
        total=len(rows),
        online=len(online),
        volume=sum(row.yearly_volume or 0 for row in rows),
        online_volume=sum(row.yearly_volume or 0 for row in online),
        uncounted=sum(row.yearly_volume is None for row in rows),
        undecided=sum(not row.online and not row.reason for row in rows),
    )


def suggestions(rows: Iterable[InventoryRow]) -> list[tuple[InventoryRow, str]]:
    """What to put online first, with the key of a common template that fits, or ""."""
    waiting = {row.id: row for row in rows if not row.online}
    fitting = {row_id: _template_for(row) for row_id, row in waiting.items()}
    ranked = first_online(Entry(r.id, r.yearly_volume, r.reason, bool(fitting[r.id])) for r in waiting.values())
    return [(waiting[each.id], fitting[each.id]) for each in ranked]


def _template_for(row: InventoryRow) -> str:
    """The common template whose title or words the entry's name holds."""
    name = search_key(row.name)
    for template in templates.common():
        words = [template.title.split()[0], *template.words]
        if any(len(word) > 2 and search_key(word) in name for word in words):
            return template.key
    return ""


# ---- keeping it


def save(
    session: Session, actor: Actor, entry_id: str | None, seen: int, typed: dict[str, str], now: datetime
) -> InventoryRow:
    """One entry from a form; None makes a new one. `seen`: its version as the form had it. Raises Invalid beside the inputs,
    Conflict where somebody changed it since."""
    known = _as_seen(session, entry_id, seen) if entry_id else None
    values = read(typed)
    if values.errors:
        raise Invalid(say("直していただくところがあります。"), fields=values.errors)
    same = _by_name(session, values)
    if same is not None and same is not known:
        raise Invalid(TWIN, fields={"name": TWIN})
    row = known or InventoryRow(id=new_id(), procedure_key=None, version=0)
    _put(session, row, values, actor, now)
    audit.record(session, actor, "eapply.inventory.save", row.id, now=now)
    _counted(session, actor, now)
    return row


def remove(session: Session, actor: Actor, entry_id: str, seen: int, now: datetime) -> None:
    session.delete(_as_seen(session, entry_id, seen))
    session.flush()
    audit.record(session, actor, "eapply.inventory.remove", entry_id, now=now)
    _counted(session, actor, now)


def _as_seen(session: Session, entry_id: str, seen: int) -> InventoryRow:
    """The entry, locked, as the form had it. Raises Conflict when it was changed since, NotFound when it is there no more."""
    session.execute(select(InventoryRow.id).where(InventoryRow.id == entry_id).with_for_update())
    row = find(session, entry_id)
    if row.version != seen:
        raise Conflict(
            say("%(name)sさんが先に変更したため、まだ保存していません。", name=row.changed_by_name or "ほかの人")
        )
    return row


def import_sheet(session: Session, actor: Actor, content: bytes, now: datetime) -> Told:
    """Every line that can be read is taken, by name and section; each that cannot is named. What a sheet has no column for stays
    as it was."""
    added = changed = 0
    faults: dict[int, str] = {}
    read_lines = list(sheet.rows(content))
    for number, line in read_lines or [(0, {})]:
        if COLUMNS[0] not in line:
            raise Invalid(say("1行目に列の名前がありません。「%(names)s」にしてください。", names="、".join(COLUMNS)))
        row = _named(session, line.get(COLUMNS[0], ""), line.get(COLUMNS[1], ""))
        values = read((_as_typed(row) if row else {}) | _by_columns(line))
        if values.errors:
            faults[number] = " ".join(values.errors.values())
            continue
        try:
            _put(session, row or InventoryRow(id=new_id(), procedure_key=None, version=0), values, actor, now)
        except Invalid as refusal:
            faults[number] = refusal.message
            continue
        added, changed = (added + 1, changed) if row is None else (added, changed + 1)
    audit.record(session, actor, "eapply.inventory.import", "inventory", detail={"lines": added + changed}, now=now)
    _counted(session, actor, now)
    ignored = tuple(name for name in read_lines[0][1] if name and name not in COLUMNS) if read_lines else ()
    return Told(added, changed, faults, ignored)


def take_published(session: Session, actor: Actor, now: datetime) -> int:
    """Enter every procedure that is online here and not in the inventory as such; how many."""
    known = {row.procedure_key: row for row in entries(session) if row.procedure_key}
    online = {key for key, row in known.items() if row.online}
    published = [row for row in procedures.all_procedures(session) if row.key not in online]
    for each in published:
        definition = procedures.definition(session, each.id, each.version)
        values = Values(
            each.title, definition.department, definition.legal.basis, None, definition.standard.working_days, True
        )
        row = known.get(each.key) or _by_name(session, values) or InventoryRow(id=new_id(), version=0)
        volume, values.note = row.yearly_volume, row.note or ""
        _put(session, row, values, actor, now)
        row.procedure_key, row.yearly_volume = each.key, volume
        session.flush()
    audit.record(session, actor, "eapply.inventory.take_published", "inventory", now=now)
    _counted(session, actor, now)
    return len(published)


def set_finished(session: Session, actor: Actor, finished: bool, now: datetime) -> None:
    """Say that the inventory is complete, or that it is not any more. Complete needs a reason for everything not online."""
    rows = entries(session)
    if finished and (not rows or counts(rows).undecided):
        raise Invalid(
            say("オンラインでない手続きに、理由が決まっていないものがあります。理由を入れてから完了にしてください。")
        )
    row = heads.locked(session, InventoryStateRow, {"one": 1}, {"finished_by_name": ""})
    if finished == (row.finished_at is not None):  # somebody else said so in the same moment: it is theirs
        return
    row.finished_at, row.finished_by_name = (now, actor.name) if finished else (None, "")
    session.flush()
    audit.record(
        session,
        actor,
        "eapply.inventory.finish",
        "inventory",
        detail={"finished": "yes" if finished else "no"},
        now=now,
    )
    _counted(session, actor, now)


def state(session: Session) -> InventoryStateRow | None:
    return session.scalar(select(InventoryStateRow))


def _counted(session: Session, actor: Actor, now: datetime) -> None:
    """The numbers as an event, for the council's count. Complete ends where a line comes in of which nobody has said why it is not
    online."""
    now_counts, current = counts(entries(session)), state(session)
    if current is not None and current.finished_at is not None and (now_counts.undecided or not now_counts.total):
        current.finished_at, current.finished_by_name = None, ""
        audit.record(session, actor, "eapply.inventory.finish", "inventory", detail={"finished": "no"}, now=now)
    fact = events.InventoryCounted(
        procedures=now_counts.total,
        online=now_counts.online,
        yearly_volume=now_counts.volume,
        online_yearly_volume=now_counts.online_volume,
        finished_at=current.finished_at if current else None,
        counted_at=now,
    )
    outbox.add(session, fact, subject="inventory", now=now)


def lines(rows: Iterable[InventoryRow]) -> Iterator[list[Any]]:
    """As a spreadsheet, in the columns that come in again."""
    for row in rows:
        online = "○" if row.online else "×"
        reason = REASONS[row.reason] if row.reason else ""
        yield [row.name, row.department, row.legal_basis, row.yearly_volume, row.working_days, online, reason, row.note]


# ---- reading


NAMES = ("name", "department", "legal_basis", "yearly_volume", "working_days", "online", "reason", "note")


def _by_columns(line: sheet.Row) -> dict[str, str]:
    """Only what the sheet has a column for."""
    return {name: line[column] for name, column in zip(NAMES, COLUMNS, strict=True) if column in line}


def _as_typed(row: InventoryRow) -> dict[str, str]:
    """What stands in the entry, as it would be typed."""
    values = {name: getattr(row, name) for name in NAMES}
    texts = {name: "" if value is None else str(value) for name, value in values.items()}
    return texts | {"online": "○" if row.online else "×"}


def read(typed: dict[str, str]) -> Values:
    values = Values(typed.get("name", "").strip()[:200], typed.get("department", "").strip()[:100])
    if not values.name:
        values.errors["name"] = say("手続きの名前を入力してください。")
    if not values.department:
        values.errors["department"] = say("担当課を入力してください。")
    values.legal_basis, values.note = typed.get("legal_basis", "").strip()[:300], typed.get("note", "").strip()[:1000]
    values.yearly_volume = _number(typed, "yearly_volume", say("年間件数"), values.errors)
    values.working_days = _number(typed, "working_days", say("標準処理期間"), values.errors)
    values.online = _is_online(typed.get("online", ""), values.errors)
    reason = typed.get("reason", "").strip()
    values.reason = "" if values.online else BY_WORD.get(reason, reason if reason in REASONS else "other")
    if values.reason == "other" and reason not in ("other", REASONS["other"]):
        values.note = f"{reason} {values.note}".strip()
    return values


def _number(typed: dict[str, str], name: str, label: str, errors: dict[str, str]) -> int | None:
    text = narrow(typed.get(name, "")).replace(",", "").removesuffix(".0").removesuffix("件").removesuffix("日")
    if not text or text in ("-", "不明"):
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        errors[name] = say("%(label)sは数字で入力してください。", label=label)
        return None
    return int(text)


def _is_online(typed: str, errors: dict[str, str]) -> bool:
    word = narrow(typed).casefold()
    if word not in YES | NO and typed.strip() not in YES | NO:
        errors["online"] = say("オンラインは○か×で入力してください。")
    return word in YES or typed.strip() in YES


def _by_name(session: Session, values: Values) -> InventoryRow | None:
    return _named(session, values.name, values.department)


def _named(session: Session, name: str, department: str) -> InventoryRow | None:
    name, department = name.strip()[:200], department.strip()[:100]
    same = select(InventoryRow).where(InventoryRow.name == name, InventoryRow.department == department)
    return session.scalar(same)


def _put(session: Session, row: InventoryRow, values: Values, actor: Actor, now: datetime) -> None:
    """Raises Invalid where somebody else entered the same in the same moment: only the store knows of both."""
    try:
        with session.begin_nested():
            _fill(session, row, values, actor, now)
            session.add(row)
    except IntegrityError:
        raise Invalid(TWIN, fields={"name": TWIN}) from None


def _fill(session: Session, row: InventoryRow, values: Values, actor: Actor, now: datetime) -> None:
    row.name, row.department, row.legal_basis = values.name, values.department, values.legal_basis
    row.yearly_volume, row.working_days, row.online = values.yearly_volume, values.working_days, values.online
    row.reason, row.note, row.updated_at = values.reason, values.note, now
    row.version, row.changed_by_name = row.version + 1, actor.name
    here = select(ProcedureRow.key).where(ProcedureRow.title == values.name)
    row.procedure_key = session.scalar(here) or row.procedure_key
