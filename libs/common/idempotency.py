"""A creating request that arrives twice has one effect and gets the same answer (`Idempotency-Key`, kept 48 h).

    result = idempotency.once(session, key, scope=f"{actor.subject}:submit", fingerprint=idempotency.fingerprint(body),
                              make=lambda: {"id": use_cases.submit(session, …)}, now=now)

The key's row is part of the caller's transaction: a refusal rolls both back, and the same key may try again. Rows
belong to the tenant (TenantTable): the same key in another municipality, or of another person, is another key. `make`
answers with what JSON can hold, ids for preference: it is given back to the same person only, but it is kept.
"""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.db import CommonBase, Json
from libs.common.errors import Invalid, say
from libs.common.jobs import Job, Jobs
from libs.common.tenancy import TenantTable

if TYPE_CHECKING:
    from libs.common.service import Service

KEPT = timedelta(hours=48)
_KEY = re.compile(r"[\x21-\x7e]{8,100}")


class IdempotencyRow(TenantTable, CommonBase):
    """One key of one asker, and the answer that was given. `scope` and `key` are kept as a hash: they are another's
    secret."""

    __tablename__ = "idempotency_keys"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    answer: Mapped[dict[str, Any] | None] = mapped_column(Json)
    at: Mapped[datetime] = mapped_column(index=True)


def once(
    session: Session,
    key: str,
    *,
    scope: str,
    fingerprint: str,
    make: Callable[[], dict[str, Any]],
    now: datetime,
) -> dict[str, Any]:
    """`make()`'s answer the first time, the same answer again for the same key; Invalid if the body differs.

    `scope`: who asks (the actor's subject, a guest's session) and for what; `fingerprint`: of everything that decides
    the effect. Of many at once one makes, the others wait for its transaction and get its answer.
    """
    if not _KEY.fullmatch(key):
        raise Invalid(
            say("Idempotency-Key は8文字以上100文字以内の英数字と記号で送ってください。"), code="bad-idempotency-key"
        )
    digest = hashlib.sha256(f"{scope}\x00{key}".encode()).hexdigest()
    if _first(session, digest, fingerprint, now):
        answer = make()
        row = _row(session, digest)
        row.answer = answer
        return answer
    row = _row(session, digest)
    if row.fingerprint != fingerprint or row.answer is None:
        raise Invalid(
            say("同じ送信番号で、内容のちがう送信がありました。画面を開き直して、もう一度お送りください。"),
            code="idempotency-key-reused",
        )
    return row.answer


def _first(session: Session, digest: str, fingerprint: str, now: datetime) -> bool:
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    session.execute(delete(IdempotencyRow).where(IdempotencyRow.digest == digest, IdempotencyRow.at < now - KEPT))
    statement = insert(IdempotencyRow).values(digest=digest, fingerprint=fingerprint, at=now)
    # On PostgreSQL this waits for another transaction that holds the same key; RETURNING tells who was first.
    return session.scalar(statement.on_conflict_do_nothing().returning(IdempotencyRow.digest)) is not None


def _row(session: Session, digest: str) -> IdempotencyRow:
    return session.scalars(select(IdempotencyRow).where(IdempotencyRow.digest == digest)).one()


def forget_old(session: Session, now: datetime) -> None:
    """Delete this tenant's keys that are older than 48 h."""
    session.execute(delete(IdempotencyRow).where(IdempotencyRow.at < now - KEPT))


def register(jobs: Jobs, tenants_of: Callable[[Session], list[str]]) -> None:
    """Let this service's worker forget old keys, tenant by tenant: `idempotency.register(jobs, room.rooms)`."""

    @jobs.every(seconds=3600, name="idempotency.forget-old")
    def forget(service: "Service", _job: Job) -> None:
        with service.database.reading() as session:
            tenants = tenants_of(session)
        for tenant in tenants:
            with service.database.transaction(tenant=tenant) as session:
                forget_old(session, service.clock.now())


def forget_all(session: Session) -> None:
    """Delete every key of this tenant: its room is removed."""
    session.execute(delete(IdempotencyRow))


def fingerprint(*parts: Any) -> str:
    """SHA-256 over what decides the effect: bytes, text, or anything JSON can hold."""
    digest = hashlib.sha256()
    for part in parts:
        raw = (
            part
            if isinstance(part, bytes)
            else json.dumps(part, sort_keys=True, ensure_ascii=False, default=str).encode()
        )
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()
