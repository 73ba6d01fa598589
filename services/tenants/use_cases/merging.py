"""新設合併 (地方自治法7条): several municipalities end and a new one begins on one day, recorded at once or not at all.

The facts stand in shared tables and are written in one transaction of the prefecture's session. What belongs to each
municipality alone — its record and the event about it — follows as a job per municipality, made in that transaction.
An absorption (編入合併) needs none of this: `registry.end` with the municipality that goes on as successor.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from libs.common import audit, jobs
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, Invalid, say
from services.tenants.db import registry as db
from services.tenants.db import subscriptions as subscriptions_db
from services.tenants.domain import mergers
from services.tenants.domain.codes import read_code
from services.tenants.domain.history import believed, is_empty
from services.tenants.domain.lives import check_life, in_order
from services.tenants.domain.municipality import Municipality, existing_on, kind_of
from services.tenants.domain.subscriptions import Interval
from services.tenants.use_cases import capacity, registry

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
    """Record the merger; the new municipality goes on with every use that one of its parts would have gone on with or begun.

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
    ended = [i for tenant in parts for i in registry.close_life(session, tenant, merger.on, now, new.code)]
    carried = mergers.carried(ended, new.tenant_id, merger.on, now)
    registry.open_life(session, new, carried, now)
    for tenant in parts:
        capacity.pass_on(session, tenant, new.tenant_id, merger.on, now)
    services = sorted({one.service for one in carried})
    detail = {"parts": parts, "code": new.code, "on": merger.on.isoformat(), "services": services}
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
    """Under no key: two things recorded in one moment are both told."""
    jobs.add(session, TOLD, payload, tenant=tenant, now=now)


def tell(session: Session, tenant: str, told: str, by: str, reason: str, now: datetime) -> None:
    """The municipality's own record and the event about it. The session is the tenant's."""
    actor = Actor(kind="operator", subject=by)
    if told == "ended":
        registry.tell_end(session, actor, tenant, reason, now)
    elif told == "goes-on":
        registry.tell_going_on(session, actor, tenant, reason, now)
    else:
        registry.tell_beginning(session, actor, tenant, reason, now)


# ---- a merger that was recorded wrongly, or that does not come -------------------------------------------------------


def correct(session: Session, actor: Actor, tenant: str, on: date | None, reason: str, now: datetime) -> None:
    """The merger that made `tenant` was, or will be, on another day; None: it does not come at all. What its parts used, and the
    servers they reserved, are cut and carried anew; what was believed before stays readable.

    Raises Invalid where no merger made it or the day cannot be, Conflict for calling off one that has begun or whose municipality
    merged again. The session is the prefecture's.
    """
    states = db.states(session)
    parts, life = mergers.parts_of(states, tenant), in_order(s for s in believed(states) if s.tenant_id == tenant)
    if not parts:
        raise Invalid(say("この市町村は、合併でできた市町村ではありません。"))
    _check_correctable(life, on, local_date(now))
    capacity.take_back(session, tenant, now)
    ended = [i for part in parts for i in _cut_anew(session, states, part, on, now)]
    if on is None:
        _forget_beginning(session, tenant, now)
    else:
        _begin_anew(session, life, on, mergers.carried(ended, tenant, on, now), now)
        for part in parts:
            capacity.pass_on(session, part.tenant_id, tenant, on, now)
    detail = {"parts": [part.tenant_id for part in parts], "on": on.isoformat() if on else None}
    audit.record(session, actor, "municipality.merger.corrected", tenant, reason, detail, now=now)
    for part in parts:
        told = "ended" if on else "goes-on"
        _tell_later(session, part.tenant_id, now, told=told, by=actor.subject, reason=reason)
    if on is not None:
        _tell_later(session, tenant, now, told="established", by=actor.subject, reason=reason)


def _check_correctable(life: Sequence[Municipality], on: date | None, today: date) -> None:
    since, until = life[0].valid_from, life[-1].valid_until
    if on is None and since is not None and since <= today:
        raise Conflict(say("この合併は、もう始まっています。取りやめにはできません。日付だけを訂正できます。"))
    if on is None and until is not None:
        raise Conflict(say("この市町村は、そのあとの合併も記録されています。先に、あとの合併を訂正してください。"))


def _cut_anew(
    session: Session, states: Sequence[Municipality], part: Municipality, on: date | None, now: datetime
) -> list[Interval]:
    """The part's life and its uses end on `on` instead, or go on. Returns the uses that would have gone on or begun."""
    tenant = part.tenant_id
    own = [s for s in states if s.tenant_id == tenant]
    closed = {s.recorded_at for s in own if s.successor == part.successor}
    successor = part.successor if on else None
    life = [s for s in believed(own) if s != part] + [replace(part, valid_until=on, successor=successor)]
    registry.record_anew(session, tenant, check_life(life), now)
    subscriptions_db.reopen_all(session, tenant, closed, now, subscriptions_db.ENDED)
    return subscriptions_db.close_all(session, tenant, on, now, subscriptions_db.ENDED) if on else []


def _forget_beginning(session: Session, tenant: str, now: datetime) -> None:
    registry.record_anew(session, tenant, [], now)
    for service in {i.service for i in subscriptions_db.intervals(session, tenant)}:
        subscriptions_db.supersede(session, tenant, service, now)


def _begin_anew(
    session: Session, life: Sequence[Municipality], on: date, carried: Sequence[Interval], now: datetime
) -> None:
    """What the municipality itself changed since then stays, from its new first day on; the rest is carried anew."""
    tenant, was = life[0].tenant_id, life[0].valid_from
    registry.record_anew(session, tenant, check_life([replace(life[0], valid_from=on), *life[1:]]), now)
    present = list(believed(subscriptions_db.intervals(session, tenant)))
    untouched = subscriptions_db.of_origin(session, tenant, subscriptions_db.ESTABLISHED)
    own = {i.service for i in subscriptions_db.intervals(session, tenant)} - untouched
    moved = [
        replace(i, valid_from=on if i.valid_from == was else max(i.valid_from, on), recorded_at=now)
        for i in present
        if i.service in own
    ]
    for service in {i.service for i in present}:
        subscriptions_db.supersede(session, tenant, service, now)
    found = [*(i for i in carried if i.service not in own), *(i for i in moved if not is_empty(i))]
    subscriptions_db.add_intervals(session, [i for i in found if i.service not in own], subscriptions_db.ESTABLISHED)
    subscriptions_db.add_intervals(session, [i for i in found if i.service in own], "municipality.merger.corrected")
