"""Operators switch a function of a service, or of the door, off for a municipality, and on again; the service hears of it within seconds
(the door by the snapshot it asks for every second), the municipality's administrators by a notice."""

from datetime import datetime

from sqlalchemy.orm import Session

from libs.common import audit, outbox, room
from libs.common.actor import Actor
from libs.common.errors import Forbidden, say
from services.tenants.db import registry as registry_db
from services.tenants.db import switches as db
from services.tenants.db.switches import SwitchRow
from services.tenants.domain import texts
from services.tenants.domain.catalogue import DOOR
from services.tenants.events import SwitchesSet
from services.tenants.use_cases import telling

LONGEST = 500
"""Letters of the reason, which stands in the notice to the municipality."""


def turn(session: Session, actor: Actor, service: str, name: str, on: bool, reason: str, now: datetime) -> None:
    """For the session's municipality. Raises Invalid without a reason; what is so already stays as it is."""
    given = texts.kept(reason, "reason", most=LONGEST, need=say("理由を入力してください。記録に残ります。"))
    tenant = session.info["tenant"]
    registry_db.version(session, lock=True)  # pressed twice at once: the second finds it done
    if db.of(session, tenant, service).get(name, True) == on:
        return
    row = SwitchRow(tenant=tenant, service=service, name=name, on=on, reason=given, set_by=actor.subject, set_at=now)
    session.merge(row)
    session.flush()
    action = "switch.on" if on else "switch.off"
    audit.record(session, actor, action, f"{service}/{name}", given, now=now)
    if service == DOOR:
        registry_db.bump_version(session)
    else:
        tell(session, service, now)
    key, page = f"{service}/{name}/{now.isoformat()}", "" if service == DOOR else f"services/{service}"
    telling.tell(session, tenant, "switched", key, page, now, service=service, good=on)


def check(session: Session, switch: room.switches.Switch) -> None:
    """Of a function of the registry's own. Raises Forbidden where it is off for the session's municipality."""
    if not db.of(session, session.info["tenant"], switch.service).get(switch.name, True):
        raise Forbidden(room.switches.OFF, code="switched-off")


def tell(session: Session, service: str, now: datetime) -> None:
    """Everything that is set for the session's municipality; nothing where nothing ever was."""
    tenant = session.info["tenant"]
    if found := db.of(session, tenant, service):
        outbox.add(
            session,
            SwitchesSet.model_validate({"service": service, "on": found}),
            subject=f"switches:{tenant}/{service}",
            now=now,
        )
