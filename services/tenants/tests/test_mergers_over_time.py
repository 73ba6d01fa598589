"""Mergers, two in one year, corrected or called off later: each day's count, as known at any time, against a walk through the days."""

from datetime import date, datetime, timedelta

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from libs.common.db import Database
from libs.common.testing.service import NOW
from services.tenants.db import registry as registry_db
from services.tenants.db import subscriptions as db
from services.tenants.domain.municipality import counted_on
from services.tenants.domain.subscriptions import Interval, participating
from services.tenants.tests.people import ADMIN, KURUME, OOKI, OPERATOR, PREFECTURE, load_fukuoka
from services.tenants.use_cases import merging, subscribe

TACHIARAI = "405035"
TOWNS = (OOKI, TACHIARAI, KURUME)
FIRST, SECOND = "405248", "405256"
EPOCH = date(2027, 4, 1)
DAYS = 30
SERVICES = ("eapply", "center")

offsets = st.integers(1, DAYS - 1)
spans = st.tuples(st.integers(0, DAYS - 2), st.none() | st.integers(1, DAYS)).filter(
    lambda s: s[1] is None or s[1] > s[0]
)
uses = st.dictionaries(st.tuples(st.sampled_from(TOWNS), st.sampled_from(SERVICES)), spans)


def day(offset: int) -> date:
    return EPOCH + timedelta(days=offset)


def merger(parts: list[str], code: str, on: date) -> merging.Merger:
    return merging.Merger(parts, code, "合併市", "がっぺいし", "筑後", on)


def oracle(
    held: dict[tuple[str, str], tuple[int, int | None]], first: int | None, second: int | None, at: int
) -> dict[str, set[str]]:
    """One day: everybody asked who it is by then, and whether it would use the service."""

    def now_called(town: str) -> str:
        code = FIRST if first is not None and at >= first and town in (OOKI, TACHIARAI) else town
        return SECOND if second is not None and at >= second and code in (FIRST, KURUME) else code

    found: dict[str, set[str]] = {service: set() for service in SERVICES}
    for (town, service), (start, until) in held.items():
        if start <= at and (until is None or at < until):
            found[service].add(now_called(town))
    return found


def counted(session: Session, at: int, known: datetime) -> dict[str, set[str]]:
    states, intervals = registry_db.states(session), db.intervals(session)
    return {s: set(participating(states, intervals, s, day(at), known)) for s in SERVICES}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(uses, offsets, offsets, offsets | st.none(), st.booleans())
def test_every_day_of_two_mergers_agrees_with_a_walk_through_the_days(
    database: Database,
    held: dict[tuple[str, str], tuple[int, int | None]],
    a: int,
    b: int,
    redated: int | None,
    twice: bool,
) -> None:
    """`redated`: the first merger is corrected to this day (None: called off), `twice`: once more. With a later second merger the
    correction is one of the second's day."""
    first, second = min(a, b), max(a, b)
    with database.reading() as session:
        loaded = bool(registry_db.states(session))
    if not loaded:
        load_fukuoka(database)
    with database.transaction(tenant=PREFECTURE) as session:
        rows = [Interval(t, s, "joined", day(x), None if y is None else day(y), NOW) for (t, s), (x, y) in held.items()]
        db.add_intervals(session, rows, "test")
        session.flush()
        moment, told = NOW, [(NOW, None, None)]
        moment += timedelta(days=1)
        merging.merge(session, OPERATOR, merger([OOKI, TACHIARAI], FIRST, day(first)), "告示", moment)
        told.append((moment, first, None))
        if second > first:
            moment += timedelta(days=1)
            merging.merge(session, OPERATOR, merger([FIRST, KURUME], SECOND, day(second)), "告示", moment)
            told.append((moment, first, second))
        for on in [redated, a if redated is None else redated + 1][: 1 + twice]:
            known_first, known_second = told[-1][1:]
            if known_first is None:
                break
            moment += timedelta(days=1)
            if known_second is not None:
                on = None if on is None else max(on, known_first + 1)
                merging.correct(session, OPERATOR, SECOND, None if on is None else day(on), "訂正", moment)
                told.append((moment, known_first, on))
                if on is None:
                    break
            else:
                merging.correct(session, OPERATOR, FIRST, None if on is None else day(on), "訂正", moment)
                told.append((moment, on, None))
        for known, one, two in told:
            towns = 60 - (one is not None) - (two is not None)
            assert len(counted_on(registry_db.states(session), day(DAYS + 2), known)) == towns
            for at in range(DAYS + 2):
                assert counted(session, at, known) == oracle(held, one, two, at), (known, at)
        session.rollback()


acts = st.one_of(
    st.tuples(st.sampled_from(["merge", "correct", "leave"]), offsets),
    st.tuples(st.sampled_from(["withdraw", "never"]), st.just(0)),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(acts, min_size=2, max_size=7), st.booleans())
@example([("leave", 2), ("merge", 1), ("withdraw", 0)], False)
@example([("leave", 2), ("merge", 1), ("never", 0), ("withdraw", 0)], False)
@example([("leave", 2), ("merge", 1), ("withdraw", 0), ("correct", 4), ("never", 0)], False)
@example([("leave", 1), ("merge", 2), ("correct", 1), ("withdraw", 0), ("correct", 3)], False)
def test_leaving_and_staying_after_all_around_a_merger_that_is_corrected(
    database: Database, told: list[tuple[str, int]], other: bool
) -> None:
    """大木町 uses the service, 大刀洗町 where `other`; in any order the merger is recorded, put to another day or called off, and 大木町
    agrees to leave on a day and takes that back. Each day is that of a town leaving then and a merger coming then, whatever came first."""
    with database.reading() as session:
        loaded = bool(registry_db.states(session))
    if not loaded:
        load_fukuoka(database)
    users = [OOKI, TACHIARAI] if other else [OOKI]
    with database.transaction(tenant=PREFECTURE) as session:
        begun = [Interval(town, "eapply", "joined", date(2010, 4, 1), None, NOW) for town in users]
        db.add_intervals(session, begun, "test")
        session.flush()
        moment, merged, leaves, asked = NOW, None, None, ""
        for act, offset in told:
            moment += timedelta(hours=1)
            if act == "merge" and merged is None:
                merging.merge(session, OPERATOR, merger([OOKI, TACHIARAI], FIRST, day(offset)), "告示", moment)
                merged = offset
            elif act in ("correct", "never") and merged is not None:
                merged = offset if act == "correct" else None
                on = None if merged is None else day(merged)
                merging.correct(session, OPERATOR, FIRST, on, "訂正", moment)
            elif act == "leave" and leaves is None and (merged is None or offset <= merged):
                row = subscribe.request(session, ADMIN, OOKI, "eapply", "leave", effective_from=day(offset), now=moment)
                leaves, asked = offset, row.id
            elif act == "withdraw" and leaves is not None:
                subscribe.withdraw(session, ADMIN, OOKI, asked, moment)
                leaves = None
        held = {(town, "eapply"): (0, leaves if town == OOKI else None) for town in users}
        for at in range(DAYS + 2):
            assert counted(session, at, moment) == oracle(held, merged, None, at), at
        session.rollback()
