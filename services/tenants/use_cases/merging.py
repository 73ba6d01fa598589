"""新設合併 (地方自治法7条): several municipalities end and a new one begins on one day, recorded at once or not at all.

The facts stand in shared tables and are written in one transaction of the prefecture's session. What belongs to each
municipality alone — its record and the event about it — follows as a job per municipality, made in that transaction.
An absorption (編入合併) needs none of this: `registry.end` with the municipality that goes on as successor.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from libs.common import audit, jobs
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, say
from services.tenants.db import registry as db
from services.tenants.domain.codes import read_code
from services.tenants.domain.municipality import Municipality, existing_on, kind_of
from services.tenants.use_cases import registry

TOLD = "tenants.register-told"


@dataclass(frozen=True, slots=True)
class Merger:
    """`parts`: the tenants that end on `on`. `code` becomes the new municipality's unchanging id too."""

    parts: Sequence[str]
    code: str
    name: str
    kana: str
    region: str
    on: date


def merge(session: Session, actor: Actor, merger: Merger, reason: str, now: datetime) -> Municipality:
    """Record the merger; the new municipality goes on with every service that one of its parts used on that day.

    Raises Invalid for fewer than two parts or a wrong code, Conflict for a part that is not there on the day or a code
    that is taken.
    """
    present = existing_on(db.states(session), merger.on)
    parts = list(dict.fromkeys(merger.parts))
    if len(parts) < 2:
        sentence = say("合併する市町村を2つ以上選んでください。")
        raise Invalid(sentence, fields={"parts": sentence})
    if any(tenant not in present for tenant in parts):
        raise Conflict(say("この日に台帳にない市町村が選ばれています。日付と市町村を確かめてください。"))
    new = _new(merger, [present[tenant] for tenant in parts], now)
    carried = set[str]()
    for tenant in parts:
        carried |= {
            i.service for i in registry.close_life(session, tenant, merger.on, now, new.code) if i.kind == "joined"
        }
    registry.open_life(session, new, sorted(carried), now)
    detail = {"parts": parts, "code": new.code, "on": merger.on.isoformat(), "services": sorted(carried)}
    audit.record(session, actor, "municipality.merged", new.code, reason, detail, now=now)
    for tenant in parts:
        _tell_later(session, tenant, now, told="ended", by=actor.subject, reason=reason)
    _tell_later(session, new.code, now, told="established", by=actor.subject, reason=reason)
    return new


def _new(merger: Merger, parts: Sequence[Municipality], now: datetime) -> Municipality:
    """Its place on the map is the middle of its parts, until somebody corrects it."""
    code = read_code(merger.code)
    longitudes = [p.longitude for p in parts if p.longitude is not None]
    latitudes = [p.latitude for p in parts if p.latitude is not None]
    return Municipality(
        tenant_id=code,
        code=code,
        name=merger.name,
        kana=merger.kana,
        kind=kind_of(merger.name),
        region=merger.region,
        valid_from=merger.on,
        valid_until=None,
        recorded_at=now,
        longitude=sum(longitudes) / len(longitudes) if longitudes else None,
        latitude=sum(latitudes) / len(latitudes) if latitudes else None,
    )


def _tell_later(session: Session, tenant: str, now: datetime, **payload: Any) -> None:
    jobs.add(session, TOLD, payload, tenant=tenant, key=f"{payload['told']}:{now.isoformat()}", now=now)


def tell(session: Session, tenant: str, told: str, by: str, reason: str, now: datetime) -> None:
    """The municipality's own record and the event about it. The session is the tenant's."""
    actor = Actor(kind="operator", subject=by)
    if told == "ended":
        registry.tell_end(session, actor, tenant, reason, now)
    else:
        registry.tell_beginning(session, actor, tenant, reason, now)
