"""Which repository a machine's key opens, and how far."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from libs.common import room
from libs.common.actor import Actor
from libs.common.errors import NotFound, say
from libs.common.room.table import OPEN
from services.backup.db import repositories as db
from services.backup.domain.modes import Mode, scope_of


@dataclass(frozen=True, slots=True)
class Door:
    """An open repository. `mode` is what the key allows; `closing`: it shall be disposed of, so it is only read."""

    tenant: str
    repository_id: str
    mode: Mode
    closing: bool = False


def admit(session: Session, actor: Actor, repository_name: str, now: datetime, *, to_change: bool = False) -> Door:
    """The repository, for a key made for it. Everything else looks as if it were not there: another repository, one that
    does not exist, a key that was revoked. Forbidden while the municipality's room is not in use. `to_change`: it is held."""
    found = (db.hold_by_key if to_change else db.key_and_repository)(session, actor.subject)
    if found is None:
        raise _unknown()
    key, repository, room_state = found
    mode: Mode = key.mode  # type: ignore[assignment]
    ended = key.revoked_at is not None or key.expires_at <= now or repository.disposed_at is not None
    if ended or repository.name != repository_name or not actor.has(scope_of(mode)):
        raise _unknown()
    if room_state != OPEN:
        room.check_open(session)  # says why
    return Door(repository.tenant_id, repository.id, mode, closing=repository.closing_at is not None)


def _unknown() -> NotFound:
    return NotFound(
        say("この保管庫は見つかりません。キーと保管庫の名前をお確かめください。"), code="unknown-repository"
    )
