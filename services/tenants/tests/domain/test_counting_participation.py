"""The council's count against an oracle that walks day by day."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.errors import Invalid
from services.tenants import reference
from services.tenants.domain.history import end_of_day
from services.tenants.domain.municipality import Municipality
from services.tenants.domain.subscriptions import (
    Interval,
    check_disjoint,
    check_start,
    counting_day,
    fiscal_year_span,
    next_april,
    participating,
    participating_during,
    status_on,
)
from services.tenants.domain.usage import online_rate

EPOCH = date(2018, 1, 1)
DAYS = 60
RECORDED = datetime(2018, 1, 1, tzinfo=UTC)


def joined(tenant: str, since: date, until: date | None = None, kind: str = "joined") -> Interval:
    return Interval(tenant, "eapply", kind, since, until, RECORDED)  # type: ignore[arg-type]


def town(tenant: str, since: date | None, until: date | None) -> Municipality:
    return Municipality(tenant, tenant, "町", "まち", "町", "東", since, until, RECORDED)


days = st.integers(0, DAYS - 1)
spans = st.tuples(days, st.none() | days)
beliefs = st.tuples(st.integers(0, 5), st.none() | st.integers(1, 6))
tenants = st.sampled_from(["404004", "404012", "404021"])


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Municipality], list[Interval]]:
    towns = [
        Municipality(t, t, "町", "まち", "町", "東", _day(a), _day(b), *_belief(k))
        for t, (a, b), k in draw(st.lists(st.tuples(tenants, spans, beliefs), max_size=6))
    ]
    intervals = [
        Interval(t, "eapply", "joined", _day(a) or EPOCH, _day(b), *_belief(k))
        for t, (a, b), k in draw(st.lists(st.tuples(tenants, spans, beliefs), max_size=8))
    ]
    return towns, intervals


def _day(offset: int | None) -> date | None:
    return None if offset is None else EPOCH + timedelta(days=offset)


def _belief(span: tuple[int, int | None]) -> tuple[datetime, datetime | None]:
    at, gone = span
    return RECORDED + timedelta(days=at), None if gone is None else RECORDED + timedelta(days=gone)


def oracle(towns: list[Municipality], intervals: list[Interval], day: date, known: datetime | None) -> set[str]:
    """One day, everybody asked: does it exist today, has it joined today, did we know it then?"""
    found = set()
    for t in towns:
        for i in intervals:
            if t.tenant_id != i.tenant_id or not (_known(t, known) and _known(i, known)):
                continue
            days_of_town = {EPOCH + timedelta(n) for n in range(-1, DAYS + 2)}
            days_of_town = {d for d in days_of_town if (t.valid_from or date.min) <= d < (t.valid_until or date.max)}
            if day in days_of_town and i.valid_from <= day and not (i.valid_until and i.valid_until <= day):
                found.add(t.tenant_id)
    return found


def _known(fact: Municipality | Interval, known: datetime | None) -> bool:
    if known is None:
        return fact.superseded_at is None
    return fact.recorded_at <= known and not (fact.superseded_at and fact.superseded_at <= known)


@settings(max_examples=150, deadline=None)
@given(histories(), st.none() | st.integers(0, 6))
def test_the_count_of_any_day_agrees_with_a_walk_through_the_days(
    history: tuple[list[Municipality], list[Interval]], known_on: int | None
) -> None:
    towns, intervals = history
    known = None if known_on is None else RECORDED + timedelta(days=known_on)
    walked: set[str] = set()
    for n in range(DAYS):
        day = EPOCH + timedelta(days=n)
        expected = oracle(towns, intervals, day, known)
        assert set(participating(towns, intervals, "eapply", day, known)) == expected
        walked |= expected
    last = EPOCH + timedelta(days=DAYS - 1)
    assert participating_during(towns, intervals, "eapply", EPOCH, last, known) == walked


def test_one_that_joined_and_left_inside_a_year_counts_in_that_year_and_not_at_its_end() -> None:
    towns = [town("404004", None, None)]
    history = [joined("404004", date(2018, 6, 1), date(2018, 9, 1))]
    first, last = fiscal_year_span(2018)
    assert set(participating(towns, history, "eapply", date(2018, 8, 31))) == {"404004"}
    assert participating(towns, history, "eapply", last) == {}
    assert participating_during(towns, history, "eapply", first, last) == {"404004"}
    assert participating_during(towns, history, "eapply", *fiscal_year_span(2019)) == set()


def test_a_correction_made_later_leaves_the_earlier_report_reproducible() -> None:
    noticed = datetime(2019, 5, 10, 3, tzinfo=UTC)
    wrong = Interval("404004", "eapply", "joined", date(2018, 4, 1), None, RECORDED, noticed)
    right = Interval("404004", "eapply", "joined", date(2018, 10, 1), None, noticed)
    towns = [town("404004", None, None)]
    day = date(2018, 9, 30)
    assert participating(towns, [wrong, right], "eapply", day) == {}
    assert set(participating(towns, [wrong, right], "eapply", day, end_of_day(date(2019, 5, 9)))) == {"404004"}


def test_suspended_use_counts_as_joined_but_is_not_active() -> None:
    history = [joined("404004", date(2018, 4, 1)), joined("404004", date(2018, 6, 1), date(2018, 7, 1), "suspended")]
    june = date(2018, 6, 15)
    assert status_on(history, "404004", "eapply", june).status == "suspended"
    assert status_on(history, "404004", "eapply", date(2018, 7, 1)).status == "active"
    assert set(participating([town("404004", None, None)], history, "eapply", june)) == {"404004"}


def test_a_service_from_next_april_is_scheduled_until_that_day() -> None:
    history = [joined("404004", date(2027, 4, 1))]
    before = status_on(history, "404004", "eapply", date(2027, 3, 31))
    assert (before.status, before.start) == ("scheduled", date(2027, 4, 1))
    assert status_on(history, "404004", "eapply", date(2027, 4, 1)).status == "active"
    assert next_april(date(2026, 11, 20)) == next_april(date(2027, 3, 31)) == date(2027, 4, 1)
    assert next_april(date(2026, 4, 1)) == date(2027, 4, 1)


@pytest.mark.parametrize("start", [date(2026, 11, 19), date(2029, 4, 1)])
def test_a_first_day_in_the_past_or_too_far_ahead_is_refused(start: date) -> None:
    with pytest.raises(Invalid):
        check_start(start, today=date(2026, 11, 20))


def test_overlapping_membership_is_refused_and_named() -> None:
    with pytest.raises(Invalid, match="2018-05-01"):
        check_disjoint([joined("404004", date(2018, 4, 1)), joined("404004", date(2018, 5, 1))])
    check_disjoint([joined("404004", date(2018, 4, 1), date(2018, 5, 1)), joined("404004", date(2018, 5, 1))])


def test_a_running_year_is_counted_today() -> None:
    assert counting_day(2026, date(2026, 11, 20)) == date(2026, 11, 20)
    assert counting_day(2018, date(2026, 11, 20)) == date(2019, 3, 31)


def test_the_published_online_rates() -> None:
    assert online_rate(278_970, 269_950) == Decimal("50.8")
    printed = [row for row in reference.published_applications() if row.rate]
    assert len(printed) == 3
    for row in printed:
        assert str(online_rate(row.online or 0, row.paper or 0)) == row.rate
    assert online_rate(0, 0) is None
    assert online_rate(1, 1999) == Decimal("0.1"), "0.05 % rounds half up"
