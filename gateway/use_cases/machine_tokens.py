"""Keys for programs: made by an administrator of a tenant, for that tenant only, shown once, ended by any of them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from gateway import db, domain, trail
from libs.common.errors import Forbidden, Invalid, NotFound, say

OWNER_ROLE = "portal.admin"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a new key shall be. `days` from now it ends."""

    tenant: str
    name: str
    scopes: tuple[str, ...]
    days: int


def make(session: Session, wish: Wish, *, by: str, tenants: Collection[str], now: datetime) -> str:
    """The key, to be shown this once. `tenants` are those `by` administers."""
    _require(wish.tenant, tenants)
    name = _name(wish.name)
    if not wish.scopes or not all(domain.SCOPE.fullmatch(scope) for scope in wish.scopes):
        sentence = say("このキーでできることを、1つ以上選んでください。")
        raise Invalid(sentence, fields={"scopes": sentence})
    ident, secret, token = domain.new_machine_token()
    session.add(
        db.MachineTokenRow(
            id=ident,
            hash=domain.digest(secret),
            person_id=by,
            for_tenant=wish.tenant,
            name=name,
            scopes=sorted(set(wish.scopes)),
            created_at=now,
            expires_at=domain.expires(now, wish.days),
        )
    )
    trail.note(session, trail.oneself(by), "machine-token.made", ident, now)
    return token


@dataclass(frozen=True, slots=True)
class Change:
    """A new secret for the key `ident`: the earlier one goes on for `overlap` days; `days` from now the key ends (None: as before)."""

    ident: str
    overlap: int
    days: int | None = None


def rotate(session: Session, change: Change, *, by: str, tenants: Collection[str], now: datetime) -> str:
    """The key with its new secret, to be shown this once. Of two earlier secrets only the last one lives on.

    Whoever makes the secret holds the key from now on: so it outlives the account of the one before. If that one was stopped or closed,
    the earlier secret does not go on: it is what somebody may have taken away.
    Raises NotFound for a key that is none of theirs or has ended.
    """
    row = session.get(db.MachineTokenRow, change.ident, with_for_update=True)
    if row is None or row.for_tenant not in tenants or row.revoked_at is not None or row.expires_at <= now:
        raise NotFound(say("このキーは見つからないか、もう終わっています。"))
    until = now + domain.overlap(change.overlap) if db.has_holder(session, row) else now
    secret, token = domain.new_secret_of(row.id)
    row.old_hash, row.old_until, row.old_last_used_at = row.hash, until, row.last_used_at
    row.hash, row.last_used_at, row.person_id = domain.digest(secret), None, by
    if change.days is not None:
        row.expires_at = domain.expires(now, change.days)
    trail.note(session, trail.oneself(by), "machine-token.rotated", row.id, now)
    return token


def revoke(session: Session, ident: str, *, by: str, tenants: Collection[str], now: datetime) -> None:
    """This key opens nothing any more. Twice is once."""
    row = session.get(db.MachineTokenRow, ident)
    if row is None or row.for_tenant not in tenants:
        raise NotFound(say("このキーは見つかりません。"))
    if row.revoked_at is None:
        row.revoked_at, row.revoked_by = now, by
        trail.note(session, trail.oneself(by), "machine-token.revoked", ident, now)


def tenant_of(session: Session, ident: str) -> str | None:
    """Whose key this is; None when there is none."""
    row = session.get(db.MachineTokenRow, ident)
    return row.for_tenant if row else None


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name or len(name) > 100:
        sentence = say("キーの名前を100文字までで入力してください。")
        raise Invalid(sentence, fields={"name": sentence})
    return name


def _require(tenant: str, tenants: Collection[str]) -> None:
    if tenant not in tenants:
        raise Forbidden(say("この自治体のキーを作る権限がありません。"), code="missing-right")
