"""What the municipality that a recorded merger will make goes on with, told anew when one of its parts decides something before that
day: begins a use, agrees to leave, calls one off, or stays after all."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy.orm import Session

from services.tenants.db import registry as registry_db
from services.tenants.db import subscriptions as db
from services.tenants.domain import mergers
from services.tenants.domain.history import believed
from services.tenants.domain.lives import in_order
from services.tenants.domain.municipality import Municipality
from services.tenants.domain.subscriptions import Interval


def tell_anew(session: Session, tenant: str, service: str, now: datetime) -> None:
    """Nothing where no merger will end `tenant`, or where what that makes has decided about the service itself."""
    states = registry_db.states(session)
    last = in_order(s for s in believed(states) if s.tenant_id == tenant)[-1]
    parts = mergers.parts_of(states, last.successor) if last.successor else []
    if last.successor is None or last.valid_until is None or last not in parts:
        return
    session.flush()
    heir, everything = last.successor, db.intervals(session, last.successor, service)
    if everything and service not in db.of_origin(session, heir, db.ESTABLISHED):
        return
    wished = [i for part in parts for i in _would_go_on(session, part, service)]
    carried = mergers.carried(wished, heir, last.valid_until, now)
    if _days(carried) != _days(i for i in believed(everything) if i.kind == "joined"):
        db.supersede(session, heir, service, now)
        db.add_intervals(session, carried, db.ESTABLISHED)


def take_back_beneath(session: Session, tenant: str, service: str, origin: str, now: datetime) -> None:
    """The end that `origin` agreed is believed no longer because the municipality's own end has cut it: it is taken back beneath that,
    and the municipality ends anew. Nothing where it was not so."""
    own = registry_db.states(session, tenant)
    life = in_order(believed(own))
    end = life[-1].valid_until
    closed = {s.recorded_at for s in own if s.valid_until is not None and s.successor == life[-1].successor}
    if end is None or not db.cut_of(session, tenant, service, origin, closed):
        return
    registry_db.supersede_states(session, tenant, now)
    for state in life:
        registry_db.add_state(session, replace(state, recorded_at=now, superseded_at=None))
    session.flush()
    db.reopen_all(session, tenant, closed, now, db.ENDED)
    db.take_back(session, tenant, service, origin, now)
    db.close_all(session, tenant, end, now, db.ENDED)


def _would_go_on(session: Session, part: Municipality, service: str) -> list[Interval]:
    """The part's uses as they would be without the merger: what its record cut off counts with its days of before."""
    found = [i for i in db.intervals(session, part.tenant_id, service) if i.kind == "joined"]
    cut = {i.valid_from: i for i in found if i.superseded_at == part.recorded_at}
    decided = any(max(i.recorded_at, i.superseded_at or i.recorded_at) > part.recorded_at for i in found)
    only_later = [i for start, i in cut.items() if part.valid_until and start >= part.valid_until and not decided]
    return [*(_uncut(i, cut, part.valid_until) for i in believed(found)), *only_later]


def _uncut(one: Interval, cut: Mapping[date, Interval], on: date | None) -> Interval:
    before = cut.get(one.valid_from)
    return replace(one, valid_until=before.valid_until) if before and one.valid_until == on else one


def _days(found: Iterable[Interval]) -> set[tuple[date, date | None]]:
    return {(i.valid_from, i.valid_until) for i in found}
