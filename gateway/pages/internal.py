"""`/internal/gateway/…`: what services ask of the gateway. Served on a port people do not reach."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from gateway import db
from gateway.parts import parts_of
from gateway.use_cases import accounts
from libs.common import access
from libs.common.actor import Actor

router = APIRouter(prefix="/internal/gateway", include_in_schema=False)

MOST = 500
MOST_INVITED = 100
"""In one request, whose answer the caller waits for."""
ANY_SERVICE = Depends(access.Rule("service", frozenset({"service"})))


class InvitationIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    email: str = Field(max_length=300)
    display_name: str = Field(max_length=100)
    tenant_name: str = Field(max_length=100)
    roles_text: str = Field(max_length=200)


class InvitationOut(BaseModel):
    person_id: str


class InvitationsIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    invitations: list[InvitationIn] = Field(max_length=MOST_INVITED)


class InvitationsOut(BaseModel):
    person_ids: list[str]
    """In the order of the invitations."""


class PersonOut(BaseModel):
    id: str
    display_name: str
    email: str
    active: bool
    """Whether this person has a password or another way to sign in."""


class ClosureOut(BaseModel):
    service: str | None
    """None: every service."""
    mode: str
    """maintenance (closed) or read-only."""


class AddressOut(BaseModel):
    email: str | None
    """None: nobody, or somebody who cannot sign in."""


@router.post("/invitations", status_code=201)
def invite(request: Request, wish: InvitationIn, actor: Actor = access.service("tenants")) -> InvitationOut:
    """Invite a person; somebody who has an account keeps it and is told by mail."""
    parts = parts_of(request)
    with parts.service.database.transaction(parts.home) as session:
        invitation = accounts.Invitation(**wish.model_dump())
        person_id = accounts.invite(session, invitation, by=actor, now=parts.clock.now())
    return InvitationOut(person_id=person_id)


@router.post("/invitations/many", status_code=201)
def invite_many(request: Request, wish: InvitationsIn, actor: Actor = access.service("tenants")) -> InvitationsOut:
    """As `invite`, all of them or none: the staff of an April."""
    parts = parts_of(request)
    with parts.service.database.transaction(parts.home) as session:
        now = parts.clock.now()
        wanted = [accounts.Invitation(**each.model_dump()) for each in wish.invitations]
        return InvitationsOut(person_ids=[accounts.invite(session, each, by=actor, now=now) for each in wanted])


@router.get("/persons")
def persons(
    request: Request, ids: Annotated[str, Query()] = "", actor: Actor = access.service("tenants")
) -> list[PersonOut]:
    """Those of `ids` (separated by commas) that exist."""
    wanted = [ident for ident in ids.split(",") if ident][:MOST]
    parts = parts_of(request)
    with parts.service.database.reading() as session:
        return [
            PersonOut(
                id=row.id,
                display_name=row.display_name,
                email=row.email,
                active=db.can_sign_in(session, row.id),
            )
            for row in db.persons(session, wanted)
        ]


@router.get("/closures")
def closures(request: Request, actor: Actor = access.service("tenants")) -> list[ClosureOut]:
    """What operators keep closed now, to all municipalities."""
    parts = parts_of(request)
    now = parts.clock.now()
    with parts.service.database.reading() as session:
        held = [row for row in db.closures(session, now) if row.for_tenant is None and row.begins_at <= now]
    return [ClosureOut(service=row.service, mode=row.mode) for row in held]


@router.get("/addresses")
def address(request: Request, person: Annotated[str, Query()], actor: Actor = ANY_SERVICE) -> AddressOut:
    """Where a service sends a notice to a person whose id it has. One at a time, and no name: it needs no more."""
    parts = parts_of(request)
    with parts.service.database.reading() as session:
        found = next((row.email for row in db.persons(session, [person]) if db.can_sign_in(session, row.id)), None)
    return AddressOut(email=found)
