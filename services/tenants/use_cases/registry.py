"""Municipalities: load, rename, merge, end, correct. Every change is dated and recorded; nothing is overwritten."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy.orm import Session

from libs.common import audit, outbox
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, Invalid, NotFound, say
from libs.common.ids import new_id
from services.tenants import reference
from services.tenants.db import registry as db
from services.tenants.db import subscriptions as subscriptions_db
from services.tenants.domain import catalogue
from services.tenants.domain.codes import read_code
from services.tenants.domain.history import believed
from services.tenants.domain.lives import check_life, in_order
from services.tenants.domain.municipality import Municipality, by_code, existing_on, kind_of
from services.tenants.domain.subscriptions import Interval, status_on
from services.tenants.events import MunicipalityChanged
from services.tenants.use_cases import capacity, saga


def load_reference(session: Session, prefecture: int, now: datetime) -> int:
    """Put the prefecture and its municipalities into an empty register; how many states that were (0: already there)."""
    if db.states(session):
        return 0
    found = reference.states(prefecture, now)
    for state in found:
        db.add_state(session, state)
    db.bump_version(session)
    return len(found)


def find(session: Session, typed: str, today: date) -> Municipality:
    """The municipality with this code, present or former, as it is today. Accepts five or six digits in any width."""
    code = read_code(typed)
    states = db.states(session)
    tenant = by_code(states, code)
    state = existing_on(states, today).get(tenant) if tenant else None
    if state is None:
        raise NotFound(
            say(
                "団体コード「%(code)s」の市町村は、この共同クラウドにありません。一覧か地図から選んでください。",
                code=code,
            ),
            code="unknown-municipality",
        )
    return state


def present(session: Session, tenant: str, today: date) -> Municipality:
    """The tenant as it is today; NotFound if it no longer exists or never did."""
    state = existing_on(db.states(session, tenant), today).get(tenant)
    if state is None:
        raise NotFound(say("この市町村は、いまの台帳にありません。一覧か地図から選んでください。"))
    return state


def rename(
    session: Session,
    actor: Actor,
    tenant: str,
    *,
    code: str,
    name: str,
    kana: str,
    on: date,
    now: datetime,
    reason: str | None = None,
) -> Municipality:
    """From `on` the municipality has this code and name (市制施行, 町制施行, 改称). The session is the tenant's."""
    states = db.states(session, tenant)
    before = existing_on(states, on).get(tenant)
    if before is None:
        raise NotFound(say("この日に、その市町村は台帳にありません。日付を確かめてください。"))
    code = read_code(code)
    owner = by_code(db.states(session), code)
    if owner not in (None, tenant):
        raise Conflict(say("団体コード「%(code)s」は、ほかの市町村が使っています。", code=code), code="code-taken")
    if before.valid_from == on and (before.code, before.name) == (code, name):
        return before
    after = replace(
        before, code=code, name=name, kana=kana, kind=kind_of(name), valid_from=on, recorded_at=now, superseded_at=None
    )
    others = [s for s in believed(states) if s != before]
    record_anew(session, tenant, [*others, replace(before, valid_until=on), after], now)
    _tell(session, after, on, now)
    _tell_rooms(session, after, on, now)
    detail = {"code": code, "on": on.isoformat()}
    audit.record(session, actor, "municipality.renamed", tenant, reason, detail, now=now)
    return after


def _tell_rooms(session: Session, state: Municipality, on: date, now: datetime) -> None:
    """Services in use learn the new name at once, if it holds already: asked to prepare a room that is there, a service
    only takes the name over. A name of a coming day is told by the timer of that day (`tell_new_names`)."""
    if on > local_date(now):
        return
    for service in catalogue.SERVICES:
        own = subscriptions_db.intervals(session, state.tenant_id, service.key)
        status = status_on(own, state.tenant_id, service.key, local_date(now)).status
        if service.delivery == "room" and service.opened and status != "none":
            saga.ask_room(session, state.tenant_id, service.key, "provision", new_id(), now)


def tell_new_names(session: Session, tenant: str, day: date, now: datetime) -> None:
    """On the day a new name begins: its services learn it. The session is the tenant's."""
    state = existing_on(db.states(session, tenant), day).get(tenant)
    if state is not None and state.valid_from == day:
        _tell_rooms(session, state, day, now)


def begins_on(session: Session, day: date) -> list[str]:
    """Tenants for which another code or name begins on `day`."""
    return [t for t, state in existing_on(db.states(session), day).items() if state.valid_from == day]


def end(
    session: Session,
    actor: Actor,
    tenant: str,
    on: date,
    now: datetime,
    *,
    successor: str | None = None,
    reason: str | None = None,
) -> list[Interval]:
    """The municipality exists no longer from `on` (`successor`: what it went into). Its services end that day.

    Returns the uses that would have gone on or begun, so that a merger can carry them on. The session is the tenant's.
    """
    ended = close_life(session, tenant, on, now, successor)
    capacity.pass_on(session, tenant, successor, on, now)
    tell_end(session, actor, tenant, reason, now)
    return [i for i in ended if i.kind == "joined"]


def close_life(session: Session, tenant: str, on: date, now: datetime, successor: str | None) -> list[Interval]:
    """The facts of an end, without telling anybody. Returns the uses that would have gone on or begun. Raises Conflict also
    where another end is recorded already: it would be lost whom that one made."""
    states = db.states(session, tenant)
    last = existing_on(states, on).get(tenant)
    if last is None:
        raise Conflict(say("この日に、その市町村はもう台帳にありません。"), code="already-ended")
    final = in_order(believed(states))[-1].valid_until
    if final is not None:
        sentence = say(
            "この市町村は、%(until)s に終わると、もう記録されています。先に、その記録を訂正してください。",
            until=final.isoformat(),
        )
        raise Conflict(sentence, code="already-ended")
    if successor == tenant:
        raise Conflict(say("市町村は、自分自身に編入できません。"), code="own-successor")
    others = [s for s in believed(states) if s != last and (s.valid_from or date.min) < on]
    record_anew(session, tenant, [*others, replace(last, valid_until=on, successor=successor)], now)
    return subscriptions_db.close_all(session, tenant, on, now, subscriptions_db.ENDED)


def tell_end(session: Session, actor: Actor, tenant: str, reason: str | None, now: datetime) -> None:
    """The event and the record of an end that stands in the register. The session is the tenant's."""
    last = in_order(believed(db.states(session, tenant)))[-1]
    assert last.valid_until is not None
    event = MunicipalityChanged(
        code=last.code, name=last.name, from_date=last.valid_until, ended=True, successor=last.successor
    )
    outbox.add(session, event, subject=tenant, now=now)
    detail = {"on": last.valid_until.isoformat(), "successor": last.successor}
    audit.record(session, actor, "municipality.ended", tenant, reason, detail, now=now)


def establish(
    session: Session,
    actor: Actor,
    state: Municipality,
    *,
    carried: Sequence[Interval] = (),
    now: datetime,
) -> None:
    """A municipality made by merger (新設合併) or otherwise begins; it goes on with the uses in `carried`."""
    open_life(session, state, carried, now)
    tell_beginning(session, actor, state.tenant_id, None, now)


def open_life(session: Session, state: Municipality, carried: Sequence[Interval], now: datetime) -> None:
    """The facts of a beginning, without telling anybody."""
    if by_code(db.states(session), state.code) is not None:
        raise Conflict(say("団体コード「%(code)s」は、もう台帳にあります。", code=state.code), code="code-taken")
    if state.valid_from is None:
        raise Invalid(say("いつからの市町村か、日付を入力してください。"), code="no-date")
    db.add_state(session, replace(state, valid_until=None, successor=None, recorded_at=now, superseded_at=None))
    subscriptions_db.add_intervals(session, carried, subscriptions_db.ESTABLISHED)
    db.bump_version(session)
    session.flush()


def tell_beginning(session: Session, actor: Actor, tenant: str, reason: str | None, now: datetime) -> None:
    """The event and the record of a beginning that stands in the register; its services prepare their rooms, now or on
    the day. The session is the tenant's."""
    first = in_order(believed(db.states(session, tenant)))[0]
    assert first.valid_from is not None
    _tell(session, first, first.valid_from, now)
    _tell_rooms(session, first, first.valid_from, now)
    audit.record(session, actor, "municipality.established", tenant, reason, {"code": first.code}, now=now)


def tell_going_on(session: Session, actor: Actor, tenant: str, reason: str | None, now: datetime) -> None:
    """The event and the record of an end that does not come after all. The session is the tenant's."""
    last = in_order(believed(db.states(session, tenant)))[-1]
    _tell(session, last, local_date(now), now)
    audit.record(session, actor, "municipality.corrected", tenant, reason, now=now)


def correct(
    session: Session, actor: Actor, tenant: str, states: Sequence[Municipality], reason: str, now: datetime
) -> None:
    """What is believed about the tenant becomes `states`. Reports made before still show what was known then."""
    today = local_date(now)
    if not reason.strip():
        raise Invalid(say("訂正の理由を入力してください。"), fields={"reason": say("訂正の理由を入力してください。")})
    if any(state.tenant_id != tenant for state in states):
        raise ValueError("a correction speaks of one tenant")
    ordered, everybody = check_life(states), db.states(session)
    for state in ordered:
        if by_code(everybody, state.code) not in (None, tenant):
            raise Conflict(
                say("団体コード「%(code)s」は、ほかの市町村が使っています。", code=state.code), code="code-taken"
            )
    before = existing_on(everybody, today).get(tenant)
    record_anew(session, tenant, ordered, now)
    after = existing_on(db.states(session, tenant), today).get(tenant)
    if before and after and (before.code, before.name) != (after.code, after.name):
        _tell(session, after, today, now)
        _tell_rooms(session, after, today, now)
    audit.record(session, actor, "municipality.corrected", tenant, reason, now=now)


def record_anew(session: Session, tenant: str, states: Sequence[Municipality], now: datetime) -> None:
    """The old belief is closed at `now` and the new one opened at `now`: every moment has exactly one."""
    db.supersede_states(session, tenant, now)
    for state in states:
        db.add_state(session, replace(state, recorded_at=now, superseded_at=None))
    db.bump_version(session)
    session.flush()


def _tell(session: Session, state: Municipality, on: date, now: datetime) -> None:
    event = MunicipalityChanged(code=state.code, name=state.name, from_date=on)
    outbox.add(session, event, subject=state.tenant_id, now=now)
