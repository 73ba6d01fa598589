"""Procedures a municipality offers: published from a definition, found by words, read at any version."""

from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import outbox
from libs.common.errors import Invalid, NotFound, say
from libs.common.ids import new_id
from services.eapply import events
from services.eapply.db import ProcedureRow, ProcedureVersionRow
from services.eapply.forms.definition import Procedure, from_document
from services.eapply.forms.text import search_key

PUBLISHED, CLOSED = "published", "closed"
NOT_NOW = say("この手続きは、いまオンラインでは受け付けていません。窓口にお問い合わせください。")


def publish(session: Session, procedure: Procedure, now: datetime) -> ProcedureRow:
    """Offer `procedure` from now on. The same content again changes nothing; a new one becomes the next version.

    Versions count per municipality; applications in flight stay on theirs. One that is closed (休止) gets its new version and
    stays closed: only a person opens it again (`set_state`).
    """
    row = session.scalar(select(ProcedureRow).where(ProcedureRow.key == procedure.key).with_for_update())
    if row is not None and _version(session, row.id, row.version).digest == procedure.digest:
        return row
    if row is None:
        row = ProcedureRow(id=new_id(), key=procedure.key, version=0, state=PUBLISHED)
        session.add(row)
    row.version = (row.version or 0) + 1
    row.title, row.category = procedure.title, procedure.category
    row.search, row.updated_at = _words(procedure), now
    session.flush()
    session.add(
        ProcedureVersionRow(
            procedure_id=row.id,
            version=row.version,
            definition=procedure.document,
            digest=procedure.digest,
            published_at=now,
        )
    )
    session.flush()
    fact = events.ProcedurePublished(
        procedure_id=row.id, key=row.key, version=row.version, published_at=now, title=row.title
    )
    outbox.add(session, fact, subject=row.id, now=now)
    return row


def set_state(session: Session, key: str, state: str, now: datetime) -> None:
    """PUBLISHED, or CLOSED: no new applications, whenever they were begun; those that have arrived go on."""
    row = find(session, key)
    row.state, row.updated_at = state, now


def offered(session: Session, words: str = "", category: str = "") -> list[ProcedureRow]:
    """Procedures open for applications whose title, kana or other words hold every one of `words`, by category and
    title."""
    statement = select(ProcedureRow).where(ProcedureRow.state == PUBLISHED)
    for word in words.split()[:10]:
        statement = statement.where(ProcedureRow.search.contains(search_key(word), autoescape=True))
    if category:
        statement = statement.where(ProcedureRow.category == category)
    return list(session.scalars(statement.order_by(ProcedureRow.category, ProcedureRow.title)))


def offered_definitions(session: Session, words: str = "", category: str = "") -> list[Procedure]:
    """The definitions of the procedures that `offered` finds, in its order."""
    rows = offered(session, words, category)
    known = definitions(session, {(row.id, row.version) for row in rows})
    return [known[row.id, row.version] for row in rows]


def lock(session: Session, key: str) -> None:
    """Whoever changes something of this procedure waits for the one who is at it."""
    session.execute(select(ProcedureRow.id).where(ProcedureRow.key == key).with_for_update())


def all_procedures(session: Session) -> list[ProcedureRow]:
    return list(session.scalars(select(ProcedureRow).order_by(ProcedureRow.title)))


def open_procedure(session: Session, key: str) -> tuple[ProcedureRow, Procedure]:
    """A procedure and its published definition. Raises NotFound, Invalid when it takes no applications now."""
    row = find(session, key)
    if row.state != PUBLISHED:
        raise Invalid(NOT_NOW, code="closed")
    return row, definition(session, row.id, row.version)


def is_open(session: Session, procedure_id: str) -> bool:
    """Whether the procedure takes applications now."""
    return session.scalar(select(ProcedureRow.state).where(ProcedureRow.id == procedure_id)) == PUBLISHED


def named(session: Session, key: str) -> ProcedureRow | None:
    return session.scalar(select(ProcedureRow).where(ProcedureRow.key == key))


def published(session: Session, procedure_id: str) -> tuple[ProcedureRow, Procedure]:
    """A procedure by its id, with its published definition. Raises NotFound."""
    row = session.scalar(select(ProcedureRow).where(ProcedureRow.id == procedure_id))
    if row is None:
        raise NotFound(say("その手続きは見つかりません。"))
    return row, definition(session, row.id, row.version)


def definition(session: Session, procedure_id: str, version: int) -> Procedure:
    return _definition_of(_version(session, procedure_id, version))


def version_seen(session: Session, row: ProcedureRow, typed: str) -> Procedure | None:
    """The version whose number a form says it was made from; None where there is no such one."""
    number = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 6 else 0
    return definitions(session, {(row.id, number)}).get((row.id, number))


def definitions(session: Session, wanted: set[tuple[str, int]]) -> dict[tuple[str, int], Procedure]:
    """Many versions in one query: (procedure id, version) → definition."""
    if not wanted:
        return {}
    ids = {procedure_id for procedure_id, _ in wanted}
    rows = session.scalars(select(ProcedureVersionRow).where(ProcedureVersionRow.procedure_id.in_(ids)))
    return {
        (row.procedure_id, row.version): _definition_of(row)
        for row in rows
        if (row.procedure_id, row.version) in wanted
    }


class _Document:
    """Hashable by content, so that one parsed definition serves every request that needs it."""

    def __init__(self, digest: str, document: dict[str, Any]) -> None:
        self.digest, self.document = digest, document

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Document) and other.digest == self.digest


@lru_cache(maxsize=512)
def _parsed(document: _Document) -> Procedure:
    return from_document(document.document)


def _definition_of(row: ProcedureVersionRow) -> Procedure:
    return _parsed(_Document(row.digest, row.definition))


def find(session: Session, key: str) -> ProcedureRow:
    row = session.scalar(select(ProcedureRow).where(ProcedureRow.key == key))
    if row is None:
        raise NotFound(say("その手続きは見つかりません。手続きの一覧から探してください。"))
    return row


def _version(session: Session, procedure_id: str, version: int) -> ProcedureVersionRow:
    row = session.scalar(
        select(ProcedureVersionRow).where(
            ProcedureVersionRow.procedure_id == procedure_id, ProcedureVersionRow.version == version
        )
    )
    if row is None:
        raise NotFound(say("その手続きは見つかりません。"))
    return row


def _words(procedure: Procedure) -> str:
    shown = (procedure, *procedure.spoken.values())
    texts = [procedure.kana, *procedure.words]
    texts += [text for each in shown for text in (each.title, each.category, each.summary)]
    return "\n".join(map(search_key, texts))
