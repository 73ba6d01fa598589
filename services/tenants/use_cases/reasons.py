"""Note why a municipality has not joined: the council knows what to bring when it invites."""

from datetime import datetime

from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, Invalid, say
from services.tenants.db import reasons as db
from services.tenants.domain import catalogue, texts
from services.tenants.use_cases import count, registry

KINDS: dict[str, str] = {
    "own_system": say("独自のシステムがある"),
    "budget": say("予算がない"),
    "staff": say("人手が足りない"),
    "planned": say("参加を検討している"),
    "unneeded": say("必要がない"),
    "other": say("そのほか"),
}


def note(session: Session, actor: Actor, tenant: str, service: str, kind: str, text: str, now: datetime) -> None:
    """The reason that stands from now on. The session is the prefecture's."""
    offered = catalogue.service(service)
    town = registry.present(session, tenant, local_date(now))
    if tenant in count.on(session, local_date(now)).joined[offered.key]:
        raise Conflict(say("%(town)sは、もう参加しています。", town=town.name))
    if kind not in KINDS:
        raise Invalid(say("理由を選んでください。"), fields={"kind": say("理由を選んでください。")})
    said = texts.kept(text, "text")
    row = db.ReasonRow(tenant=tenant, service=service, kind=kind, text=said, heard_by=actor.subject, heard_at=now)
    db.replace(session, row)
    audit.record(session, actor, "not-yet.noted", f"{tenant}/{service}", detail={"kind": kind}, now=now)
