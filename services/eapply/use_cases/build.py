"""Making a procedure: a draft beside what is published, changed in small steps, and published when nothing is missing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, say
from services.eapply.db import ApplicationRow, ProcedureDraftRow, ProcedureRow, ProcedureVersionRow
from services.eapply.forms import document as files
from services.eapply.forms import edit
from services.eapply.forms.analysis import Finding
from services.eapply.forms.definition import Procedure
from services.eapply.forms.differences import Difference, differences
from services.eapply.use_cases import editions, procedures, who

Document = dict[str, Any]
CHANGED_MEANWHILE = "changed-meanwhile"
TAKEN = say("この名前の手続きは、もうあります。別の名前にしてください。")
NO_DRAFT = say("この手続きの下書きは見つかりません。手続きの一覧から開いてください。")


@dataclass(frozen=True, slots=True)
class Making:
    """A draft with what can be said of it: `procedure` is None while it does not even fit together."""

    row: ProcedureDraftRow
    procedure: Procedure | None
    findings: list[Finding]

    def page(self, finding: Finding) -> str:
        """Where in the builder the finding is mended, below the procedure's address; empty where no page is known."""
        pages = dict(_pages(self.row.document))
        names = (finding.place, *reversed(finding.place.split(".")))
        return next((pages[name] for name in names if name in pages), "")


def _pages(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Key of a page or question → its page in the builder."""
    yield "handling", "handling"
    yield "", "rules"
    for step in document.get("steps", []):
        yield step["key"], f"pages/{step['key']}"
        for asked in (field for section in step.get("sections", []) for field in section.get("fields", [])):
            yield asked["key"], f"fields/{step['key']}.{asked['key']}"
            for inner in asked.get("fields", []):
                key = f"{asked['key']}.{inner['key']}"
                yield key, f"fields/{step['key']}.{key}"


def find(session: Session, key: str) -> Making:
    row = _draft(session, key)
    if row is None:
        raise NotFound(NO_DRAFT)
    return Making(row, *files.check(row.document))


def open_draft(session: Session, actor: Actor, key: str, now: datetime) -> ProcedureDraftRow:
    """The draft of a procedure; where there is none it begins from what is published."""
    published = _published(session, key, lock=True)  # so that two who begin at once get the same draft
    row = _draft(session, key)
    if row is not None:
        return row
    if published is None:
        raise NotFound(say("その手続きは見つかりません。"))
    document = procedures.definition(session, published.id, published.version).document
    return _begin(session, actor, key, document, published.version, now)


def create(
    session: Session, actor: Actor, key: str, title: str, kana: str, department: str, now: datetime
) -> ProcedureDraftRow:
    """A new, nearly empty procedure."""
    title = title.strip()
    errors = {} if title else {"title": say("手続きの名前を入力してください。")}
    if not department.strip():
        errors["department"] = say("担当課を入力してください。")
    errors |= _key_errors(session, key)
    if errors:
        raise Invalid(say("直していただくところがあります。"), fields=errors)
    document = edit.empty(key, title, kana.strip() or title, department.strip())
    try:
        return _begin(session, actor, key, document, 0, now)
    except Conflict:
        raise Invalid(say("直していただくところがあります。"), fields={"key": TAKEN}) from None


def take_in(session: Session, actor: Actor, document: Document, now: datetime, *, over: int = 0) -> ProcedureDraftRow:
    """A file becomes the draft: of its procedure where there is one, of a new one else. Raises Conflict where there is a draft,
    which is replaced only as it was seen (`over`: its number): somebody's work would be gone, and nobody would have seen it."""
    key = files.checked(document).key
    _published(session, key, lock=True)  # as everywhere: first what is published, then the draft
    row = _draft(session, key, lock=True)
    if row is not None and row.revision != over:
        raise _draft_exists(key)
    replace(session, actor, key, row.revision if row else 0, document, now)
    return find(session, key).row


def now_there(session: Session, key: str) -> Making:
    """The draft; where it was published or thrown away meanwhile, what is published, with `revision` 0: who saves that begins a
    new draft."""
    row = _draft(session, key)
    document = published_document(session, key) if row is None else None
    if document is not None:
        row = ProcedureDraftRow(key=key, document=document, title=document["title"], revision=0, base_version=0)
    return Making(row, *files.check(row.document)) if row is not None else find(session, key)


def change(
    session: Session, actor: Actor, key: str, seen: int, how: Callable[[Document], Document], now: datetime
) -> ProcedureDraftRow:
    """One change to the draft as it was when the page was made (`seen`; 0 begins one where there is none). Raises Conflict when
    somebody else changed it since."""
    row = _seen(session, key, seen) or open_draft(session, actor, key, now)
    _change(session, row, actor, edit.tidy(how(row.document)), now)
    return row


def replace(session: Session, actor: Actor, key: str, seen: int, document: Document, now: datetime) -> None:
    """Put a whole document in the draft's place (`seen` as in `change`), or begin one with it."""
    row = _seen(session, key, seen, anew=True)
    if row is not None:
        _change(session, row, actor, document, now)
    else:
        published = _published(session, key)
        _begin(session, actor, key, document, published.version if published else 0, now)


def refuse_unless_seen(session: Session, key: str, seen: int) -> None:
    """Lock the draft before it is read for a larger change. Raises Conflict unless it is as it was seen (0: not there)."""
    _seen(session, key, seen)


def keys_ever(session: Session, key: str) -> set[str]:
    """The keys of all questions that any published version of the procedure had."""
    published = _published(session, key)
    if published is None:
        return set()
    found = select(ProcedureVersionRow.definition).where(ProcedureVersionRow.procedure_id == published.id)
    return {where[-1] for document in session.scalars(found) for where, _ in edit.every_field(document)}


def has_draft(session: Session, key: str) -> bool:
    return _draft(session, key) is not None


def current_document(session: Session, key: str) -> Document:
    """The draft, or what is published where there is none."""
    row = _draft(session, key)
    document = row.document if row else published_document(session, key)
    if document is None:
        raise NotFound(say("その手続きは見つかりません。"))
    return document


def set_handling(session: Session, actor: Actor, key: str, handling: Document, now: datetime) -> None:
    """What was published of how applications are handled stands in the draft, too, where there is one."""
    row = _draft(session, key, lock=True)
    if row is not None and row.document.get("handling", {}) != handling:
        _change(session, row, actor, edit.tidy(row.document | {"handling": handling}), now)


def publish(session: Session, actor: Actor, key: str, seen: int, now: datetime) -> ProcedureRow:
    """Offer the draft to citizens. Applications and drafts of citizens in flight stay on the version they began with."""
    row = _there(session, key, seen)
    procedure = files.checked(row.document)
    published = procedures.publish(session, procedure, now)
    session.delete(row)
    audit.record(session, actor, "eapply.procedure.publish", key, detail={"version": published.version}, now=now)
    return published


def discard(session: Session, actor: Actor, key: str, seen: int, now: datetime) -> None:
    """Throw the draft away as it was when the page was made; what is published stays. Raises Conflict when it was changed since."""
    row = _there(session, key, seen)
    session.delete(row)
    audit.record(session, actor, "eapply.procedure.discard_draft", key, now=now)


def set_open(session: Session, actor: Actor, key: str, is_open: bool, now: datetime) -> None:
    """Stop taking applications, or take them again."""
    procedures.set_state(session, key, procedures.PUBLISHED if is_open else procedures.CLOSED, now)
    audit.record(session, actor, f"eapply.procedure.{'open' if is_open else 'close'}", key, now=now)


def drafts(session: Session) -> list[ProcedureDraftRow]:
    return list(session.scalars(select(ProcedureDraftRow).order_by(ProcedureDraftRow.title)))


def published_document(session: Session, key: str) -> Document | None:
    row = _published(session, key)
    return procedures.definition(session, row.id, row.version).document if row else None


def changes(session: Session, making: Making) -> list[Difference]:
    """What publishing the draft would change."""
    before = published_document(session, making.row.key)
    return list(differences(before or {}, making.row.document)) if before else []


@dataclass(frozen=True, slots=True)
class Version:
    """A published version, and how many applications are on it."""

    number: int
    published_at: datetime
    applications: int


def versions(session: Session, procedure: ProcedureRow) -> list[Version]:
    """Newest first."""
    counted = select(ApplicationRow.procedure_version, func.count()).where(ApplicationRow.procedure_id == procedure.id)
    counts = {number: count for number, count in session.execute(counted.group_by(ApplicationRow.procedure_version))}
    rows = session.scalars(select(ProcedureVersionRow).where(ProcedureVersionRow.procedure_id == procedure.id))
    found = [Version(row.version, row.published_at, counts.get(row.version, 0)) for row in rows]
    return sorted(found, key=lambda each: -each.number)


# ---- pieces


def _seen(session: Session, key: str, seen: int, *, anew: bool = False) -> ProcedureDraftRow | None:
    """The draft, locked, where it still is as it was seen; None where there was none (0) and still is none. Raises Conflict, and
    NotFound where nothing of that name is here, unless it may be made (`anew`)."""
    published = _published(session, key, lock=True)  # so that two who begin at once do not both
    row = _draft(session, key, lock=True)
    if row is None and published is None and not anew:
        raise NotFound(NO_DRAFT)
    if (row.revision if row else 0) != seen:
        raise _changed_meanwhile(row)
    return row


def _there(session: Session, key: str, seen: int) -> ProcedureDraftRow:
    """The same, of a draft that must be there."""
    row = _seen(session, key, seen)
    if row is None:
        raise NotFound(NO_DRAFT)
    return row


def _changed_meanwhile(row: ProcedureDraftRow | None) -> Conflict:
    if row is None:
        sentence = say("下書きは、その間に公開されたか、捨てられました。いまの変更は行いませんでした。")
        return Conflict(sentence, code=CHANGED_MEANWHILE)
    return Conflict(
        say(
            "%(name)sさんが先に変更したため、いまの変更は行いませんでした。新しい内容を見てから、もう一度変えてください。",
            name=row.updated_by_name,
        ),
        code=CHANGED_MEANWHILE,
    )


def _draft(session: Session, key: str, *, lock: bool = False) -> ProcedureDraftRow | None:
    statement = select(ProcedureDraftRow).where(ProcedureDraftRow.key == key)
    return session.scalar(statement.with_for_update() if lock else statement)


def _published(session: Session, key: str, *, lock: bool = False) -> ProcedureRow | None:
    statement = select(ProcedureRow).where(ProcedureRow.key == key)
    return session.scalar(statement.with_for_update() if lock else statement)


def _draft_exists(key: str) -> Conflict:
    return Conflict(
        say(
            "この手続き（%(key)s）には下書きがあるため、取り込んでいません。公開するか捨ててから、取り込んでください。",
            key=key,
        ),
        code="draft-exists",
    )


def _begin(session: Session, actor: Actor, key: str, document: Document, base: int, now: datetime) -> ProcedureDraftRow:
    """A new draft. Raises Conflict where somebody else began one of this name in the same moment: where nothing is published yet,
    there is no row to lock, and only the store knows of both."""
    row = ProcedureDraftRow(key=key, base_version=base, revision=editions.last_number(session, key))
    try:
        with session.begin_nested():
            _change(session, row, actor, document, now)
            session.add(row)
    except IntegrityError:
        raise _draft_exists(key) from None
    return row


def _change(session: Session, row: ProcedureDraftRow, actor: Actor, document: Document, now: datetime) -> None:
    row.document, row.title = document, str(document.get("title", ""))[:200]
    row.revision += 1
    row.updated_at, row.updated_by, row.updated_by_name = now, who.person(actor), actor.name
    editions.keep(session, row)


def _key_errors(session: Session, key: str) -> dict[str, str]:
    """A key that can stand in addresses, and that no procedure here has."""
    wrong = [finding for finding in files.check(edit.empty(key, "-", "-", "-"))[1] if finding.place in ("key", "")]
    if wrong:
        return {"key": say("英小文字で始まる、英小文字・数字・ハイフンの名前にしてください。例：kaigishitsu-riyou")}
    if _draft(session, key) is not None or _published(session, key) is not None:
        return {"key": TAKEN}
    return {}
