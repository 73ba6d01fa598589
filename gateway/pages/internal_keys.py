"""`/internal/gateway/machine-tokens`: a service has a key made for a program of its own, with scopes under its own name.

What the key opens inside the service is the service's own table to say; the gateway only knows whose key it is.
"""

from datetime import datetime

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session
from starlette.requests import Request

from gateway import db
from gateway.parts import Parts, parts_of
from gateway.use_cases import machine_tokens
from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Forbidden, NotFound, say

router = APIRouter(prefix="/internal/gateway/machine-tokens", include_in_schema=False)
ANY_SERVICE = Depends(access.Rule("service", frozenset({"service"})))


class KeyIn(BaseModel):
    """`by` is the person of staff in whose name it is made; the service has checked that this person may."""

    model_config = ConfigDict(extra="forbid")
    tenant: str = Field(pattern=r"[0-9]{6}")
    name: str = Field(max_length=100)
    scopes: tuple[str, ...] = Field(min_length=1, max_length=10)
    days: int
    by: str = Field(max_length=36)


class KeyOut(BaseModel):
    """`token` is shown to the person once; the service does not keep it."""

    id: str
    token: str
    expires_at: datetime


class EndIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    by: str = Field(max_length=36)


@router.post("", status_code=201)
def make_key(request: Request, wish: KeyIn, actor: Actor = ANY_SERVICE) -> KeyOut:
    """Forbidden for a scope of another service, NotFound for a municipality or person that is not known."""
    parts = parts_of(request)
    _require_own(wish.scopes, actor)
    if wish.tenant not in parts.snapshots.current.by_id:
        raise NotFound(say("この自治体は見つかりません。"))
    now = parts.clock.now()
    with parts.service.database.transaction(wish.tenant) as session:
        _require_known(session, wish.by)
        asked = machine_tokens.Wish(wish.tenant, wish.name, wish.scopes, wish.days)
        token = machine_tokens.make(session, asked, by=wish.by, tenants={wish.tenant}, now=now)
        row = session.get_one(db.MachineTokenRow, token.split("_")[1])
        return KeyOut(id=row.id, token=token, expires_at=row.expires_at)


class ChangeIn(BaseModel):
    """`overlap` days the earlier secret goes on; `days` from now the key ends, if given."""

    model_config = ConfigDict(extra="forbid")
    by: str = Field(max_length=36)
    overlap: int = Field(ge=0, le=30)
    days: int | None = None


@router.post("/{ident}/rotate", status_code=201)
def change_secret(request: Request, ident: str, change: ChangeIn, actor: Actor = ANY_SERVICE) -> KeyOut:
    """A new secret for a key of the service's own; the earlier one goes on for a while."""
    parts, now = parts_of(request), parts_of(request).clock.now()
    owner = _owner_of_own(parts, ident, actor)
    with parts.service.database.transaction(owner) as session:
        _require_known(session, change.by)
        asked = machine_tokens.Change(ident, change.overlap, change.days)
        token = machine_tokens.rotate(session, asked, by=change.by, tenants={owner}, now=now)
        expires_at = session.get_one(db.MachineTokenRow, ident).expires_at
    parts.callers.forget()
    return KeyOut(id=ident, token=token, expires_at=expires_at)


@router.post("/{ident}/revoke")
def end_key(request: Request, ident: str, end: EndIn, actor: Actor = ANY_SERVICE) -> dict[str, str]:
    """A service ends only keys whose scopes are its own. Twice is once."""
    parts = parts_of(request)
    owner = _owner_of_own(parts, ident, actor)
    with parts.service.database.transaction(owner) as session:
        machine_tokens.revoke(session, ident, by=end.by, tenants={owner}, now=parts.clock.now())
    parts.callers.forget()
    return {"status": "revoked"}


def _require_known(session: Session, person_id: str) -> None:
    if db.person(session, person_id) is None:
        raise NotFound(say("この人は見つかりません。"))


def _owner_of_own(parts: Parts, ident: str, actor: Actor) -> str:
    """Whose key this is. Raises NotFound for one that is not this service's."""
    with parts.service.database.reading() as session:
        row = session.get(db.MachineTokenRow, ident)
        if row is None or not _is_own(row.scopes, actor):
            raise NotFound(say("このキーは見つかりません。"))
        return row.for_tenant


def _is_own(scopes: tuple[str, ...] | list[str], actor: Actor) -> bool:
    return all(scope.startswith(f"{actor.subject}.") for scope in scopes)


def _require_own(scopes: tuple[str, ...], actor: Actor) -> None:
    if not _is_own(scopes, actor):
        raise Forbidden(say("ほかのサービスのキーは作れません。"), code="missing-right")
