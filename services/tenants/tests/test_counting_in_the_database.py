"""What the database counts is what a walk through the days counts: under random joins, leaves, corrections and mergers."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event
from sqlalchemy.orm import Session

from libs.common.db import Database
from libs.common.testing.service import NOW
from services.tenants.db import IntervalRow, MunicipalityRow
from services.tenants.db import registry as registry_db
from services.tenants.domain.history import end_of_day
from services.tenants.domain.municipality import Municipality
from services.tenants.domain.subscriptions import Interval
from services.tenants.tests.domain.test_counting_participation import DAYS, EPOCH, RECORDED, histories, oracle
from services.tenants.tests.people import ADMIN, OOKI, load_fukuoka
from services.tenants.use_cases import count, subscribe

TODAY = EPOCH + timedelta(days=DAYS - 1)


def put(session: Session, towns: list[Municipality], intervals: list[Interval]) -> None:
    session.execute(delete(IntervalRow))
    session.execute(delete(MunicipalityRow))
    for town in towns:
        registry_db.add_state(session, town)
    session.add_all(
        IntervalRow(
            tenant=i.tenant_id, service=i.service, kind=i.kind, valid_from=i.valid_from, valid_until=i.valid_until,
            recorded_at=i.recorded_at, superseded_at=i.superseded_at, origin="test",
        )
        for i in intervals
    )  # fmt: skip
    session.flush()


def walked(towns: list[Municipality], intervals: list[Interval], days: list[date], known: datetime | None) -> set[str]:
    return set().union(*(oracle(towns, intervals, day, known) for day in days))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories(), st.none() | st.integers(0, 6))
def test_every_day_and_year_as_known_on_any_day(
    database: Database, history: tuple[list[Municipality], list[Interval]], known_on: int | None
) -> None:
    towns, intervals = history
    known_day = None if known_on is None else (RECORDED + timedelta(days=known_on)).date()
    known = end_of_day(known_day) if known_day else None
    with database.transaction() as session:
        put(session, towns, intervals)
        for n in (0, 1, DAYS // 2, DAYS - 1):
            day = EPOCH + timedelta(days=n)
            assert count.on(session, day, known_day).joined["eapply"] == oracle(towns, intervals, day, known)
        [*_, year] = count.years(session, TODAY, known_day)["eapply"]
        since = [EPOCH + timedelta(days=n) for n in range(DAYS)]  # nothing begins before
        assert year.at_end == len(oracle(towns, intervals, TODAY, known))
        assert year.during == len(walked(towns, intervals, since, known))
        session.rollback()


@pytest.mark.parametrize(
    ("until", "at_end", "during"), [(date(2018, 4, 1), 0, 0), (date(2018, 4, 2), 0, 1), (None, 1, 1)]
)
def test_the_edges_of_a_fiscal_year(database: Database, until: date | None, at_end: int, during: int) -> None:
    """Left on 1 April: not in that year. Left on 2 April: on one day of it."""
    town = Municipality("404004", "404004", "町", "まち", "町", "東", None, None, RECORDED)
    with database.transaction() as session:
        put(session, [town], [Interval("404004", "eapply", "joined", date(2017, 6, 1), until, RECORDED)])
        years = {y.fiscal_year: y for y in count.years(session, date(2018, 12, 1))["eapply"]}
        assert (years[2018].at_end, years[2018].during) == (at_end, during)
        assert (years[2017].at_end, years[2016].during) == (1, 0)
        session.rollback()


def test_what_was_counted_is_kept_until_the_history_changes(database: Database) -> None:
    load_fukuoka(database)

    def counted(known: date | None = None) -> count.YearCount:
        with database.reading() as session:
            return count.years(session, NOW.date(), known)["eapply"][-1]

    assert counted().at_end == 0
    with database.reading() as session:
        first = count.years(session, NOW.date())
    with database.reading() as session:
        assert count.years(session, NOW.date()) is first, "nothing changed: not counted again"
    with database.transaction(tenant=OOKI) as session:
        found = [Interval(OOKI, "eapply", "joined", date(2018, 4, 1), None, NOW)]
        subscribe.correct_history(session, ADMIN, OOKI, "eapply", found, "検査", NOW)
    assert counted().at_end == 1
    assert counted(NOW.date() - timedelta(days=1)).at_end == 0, "as known the day before"


def test_no_question_makes_the_database_put_two_tables_together(database: Database) -> None:
    """Of a register just imported PostgreSQL has no statistics: the years of the whole nation then took it a hundred seconds, each
    line of the history looked for in a list that was made anew for it."""
    load_fukuoka(database)
    asked: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    with database.reading() as session:
        count.years(session, NOW.date())
        count.on(session, NOW.date())
    tables = ("subscription_intervals", "municipalities")
    assert all(any(table in one for one in asked) for table in tables), "the listener hears what is asked"
    assert not [one for one in asked if all(table in one for table in tables)]
