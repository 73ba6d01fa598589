"""The rows of the audit record, and what may be done with them: append, read, verify, export, forget by rule."""

import json
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Integer, String, Text, UniqueConstraint, delete, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.actor import Actor
from libs.common.audit import chain
from libs.common.db import CommonBase
from libs.common.errors import Conflict, say
from libs.common.ids import new_id
from libs.common.tenancy import SharedTable, TenantTable

_Position = BigInteger().with_variant(Integer, "sqlite")


class AuditEntryRow(TenantTable, CommonBase):
    """One entry. `position`, `previous`, `hash` are empty until `work` chains it, then never change again."""

    __tablename__ = "audit_entries"
    __table_args__ = (UniqueConstraint("tenant_id", "position"), Index(None, "tenant_id", "subject"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    at: Mapped[datetime]
    actor_kind: Mapped[str] = mapped_column(String(20))
    actor: Mapped[str] = mapped_column(String(100))
    action: Mapped[str] = mapped_column(String(100))
    subject: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str | None] = mapped_column(Text)
    detail: Mapped[str | None] = mapped_column(Text)  # JSON text: exactly the bytes that were hashed
    position: Mapped[int | None] = mapped_column(BigInteger)
    previous: Mapped[str | None] = mapped_column(String(64))
    hash: Mapped[str | None] = mapped_column(String(64))


class AuditHeadRow(TenantTable, CommonBase):
    """Where a tenant's chain ends, and where it begins since older entries were forgotten by rule."""

    __tablename__ = "audit_heads"

    position: Mapped[int] = mapped_column(BigInteger, default=0)
    hash: Mapped[str] = mapped_column(String(64), default=chain.START)
    forgotten_to: Mapped[int] = mapped_column(BigInteger, default=0)
    forgotten_hash: Mapped[str] = mapped_column(String(64), default=chain.START)


class AuditMarkRow(SharedTable, CommonBase):
    """Says that a tenant has entries to be chained: how `work`, which reads no tenant's rows at large, finds them."""

    __tablename__ = "audit_marks"
    __shared_because__ = "the worker must know which tenants have entries to chain; it says nothing else"

    position: Mapped[int] = mapped_column(_Position, primary_key=True, autoincrement=True)
    tenant: Mapped[str] = mapped_column(String(6))


def record(
    session: Session,
    actor: Actor,
    action: str,
    subject: str,
    reason: str | None = None,
    detail: dict[str, Any] | None = None,
    *,
    now: datetime,
) -> None:
    """Append an entry to the record of the session's tenant, in this transaction."""
    entry = AuditEntryRow(
        id=new_id(),
        at=now,
        actor_kind=actor.kind,
        actor=actor.subject,
        action=action,
        subject=subject,
        reason=_clean(reason),
        detail=None if detail is None else _as_text(detail),
    )
    session.add(entry)
    session.flush()  # refuses here when the session has no tenant
    session.add(AuditMarkRow(tenant=session.info["tenant"]))


def _clean(text: str | None) -> str | None:
    return None if text is None else text.replace("\x00", "")


def _as_text(detail: dict[str, Any]) -> str:
    return json.dumps(detail, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def document(entry: AuditEntryRow) -> dict[str, Any]:
    """An entry in the form that is hashed and exported; see `chain.py`."""
    return {
        "tenant": entry.tenant_id,
        "position": entry.position,
        "id": entry.id,
        "at": entry.at.isoformat(timespec="microseconds"),
        "actor_kind": entry.actor_kind,
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "reason": entry.reason,
        "detail": entry.detail,
        "previous": entry.previous,
        "hash": entry.hash,
    }


def entries(
    session: Session,
    *,
    subject: str | None = None,
    before: str | None = None,
    limit: int = 50,
    words: str = "",
    codes: Collection[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[AuditEntryRow]:
    """The latest entries first, of one subject or of all; `before` is the id where the page before ended.

    `words` is looked for, as it is written, in action, subject, reason and the actor's id; entries whose action, subject or actor is one
    of `codes` are found with it: what pages show other words for. `since` and `until` (not included) bound when.
    """
    statement = select(AuditEntryRow).order_by(AuditEntryRow.id.desc()).limit(min(limit, 100))
    if subject is not None:
        statement = statement.where(AuditEntryRow.subject == subject)
    if before is not None:
        statement = statement.where(AuditEntryRow.id < before)
    if words:
        coded = (AuditEntryRow.action, AuditEntryRow.subject, AuditEntryRow.actor)
        found = [column.contains(words, autoescape=True) for column in (*coded, AuditEntryRow.reason)]
        statement = statement.where(or_(*found, *(column.in_(list(codes)) for column in coded)))
    if since is not None:
        statement = statement.where(AuditEntryRow.at >= since)
    if until is not None:
        statement = statement.where(AuditEntryRow.at < until)
    return list(session.scalars(statement))


def codes(session: Session, most: int = 1000) -> tuple[set[str], set[str]]:
    """(actions, actors that are persons) of this tenant's entries: what a page gives names to before it looks for words."""
    actions = session.scalars(select(AuditEntryRow.action).distinct().limit(most))
    persons = select(AuditEntryRow.actor).where(AuditEntryRow.actor_kind != "service").distinct().limit(most)
    return set(actions), set(session.scalars(persons))


def head(session: Session) -> tuple[int, str]:
    """Position and hash of the last chained entry: worth noting elsewhere, it proves later that the end is not cut
    off."""
    row = session.scalar(select(AuditHeadRow))
    return (row.position, row.hash) if row else (0, chain.START)


def verify(session: Session, known_head: tuple[int, str] | None = None) -> int | None:
    """The first position of this tenant's chain that does not fit, or None. `known_head`: noted earlier, elsewhere."""
    row = session.scalar(select(AuditHeadRow))
    start = (row.forgotten_to, row.forgotten_hash) if row else (0, chain.START)
    verdict = chain.verify_entries((document(entry) for entry in _chained(session)), start, known_head)
    if verdict.bad is None and verdict.head != head(session):
        return verdict.head[0] + 1  # the end is gone
    return verdict.bad


def export_lines(session: Session) -> Iterator[str]:
    """The chained entries of this tenant as JSON lines, for a file that anybody can verify."""
    for entry in _chained(session):
        yield json.dumps(document(entry), ensure_ascii=False, separators=(",", ":")) + "\n"


def _chained(session: Session) -> Iterator[AuditEntryRow]:
    statement = select(AuditEntryRow).where(AuditEntryRow.position.is_not(None)).order_by(AuditEntryRow.position)
    return iter(session.scalars(statement.execution_options(yield_per=500)))


def forget_until(session: Session, position: int, actor: Actor, reason: str, *, now: datetime) -> int:
    """Delete the entries up to `position` because their time of keeping is over; how many they were.

    The only way to delete: the database lets go only what `audit_heads.forgotten_to` says, and that only grows. The
    chain keeps its meaning: it now begins after the last hash that was forgotten. The forgetting is itself recorded.
    """
    row = session.scalar(select(AuditHeadRow).with_for_update())
    last = session.scalar(select(AuditEntryRow).where(AuditEntryRow.position == position))
    if row is None or last is None or last.hash is None:
        raise Conflict(say("この位置の記録は見つかりません。"))
    row.forgotten_to, row.forgotten_hash = position, last.hash
    session.flush()
    session.expunge(last)
    removed = session.scalars(
        delete(AuditEntryRow).where(AuditEntryRow.position <= position).returning(AuditEntryRow.id)
    ).all()
    record(session, actor, "audit.forgotten", f"audit:{position}", reason, {"entries": len(removed)}, now=now)
    return len(removed)
