"""標準処理期間: counted by arithmetic here, day by day in the oracle."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.closures import closures
from services.eapply.domain.period import Pause, Transit, due_date, period, working_days

days = st.dates(date(2017, 1, 1), date(2032, 12, 31))


@st.composite
def histories(draw):
    """(arrived, pauses, today): pauses in any order, touching or overlapping, the last perhaps still open."""
    arrived = draw(days)
    moments = draw(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 40)), max_size=4))
    pauses = [Pause(at := arrived + timedelta(days=start), at + timedelta(days=length)) for start, length in moments]
    today = arrived + timedelta(days=draw(st.integers(0, 150)))
    if draw(st.booleans()):
        pauses.append(Pause(min(today, arrived + timedelta(days=draw(st.integers(0, 60))))))
    return arrived, pauses, today


def counts(day, pauses, today):
    """Does this one day count? Told in the words of the rule."""
    if day.weekday() >= 5 or day in own_closures(day, day):
        return False
    return not any(pause.asked < day <= (pause.answered or max(today, pause.asked)) for pause in pauses)


def due_by_hand(arrived, total, pauses, today):
    day = arrived
    while total:
        day += timedelta(days=1)
        total -= counts(day, pauses, today)
    return day


CLOSED = [date(2026, 5, 7), date(2027, 2, 1), date(2019, 5, 7)]
"""Days a municipality might close by itself."""


def own_closures(first, last):
    return {*closures(first, last), *(day for day in CLOSED if first <= day <= last)}


@st.composite
def cases(draw):
    """A history, with or without a way through a transit agency, arrived there or still on the way."""
    arrived, pauses, today = draw(histories())
    if not draw(st.booleans()):
        return arrived, pauses, today, None
    reached = arrived + timedelta(days=draw(st.integers(0, 60)))
    return arrived, pauses, today, Transit(draw(st.integers(1, 30)), reached if reached <= today else None)


def by_hand(arrived, total, pauses, today, transit):
    """(due, used, day from which the office counts), walking through the calendar one day after the other."""
    begun = arrived
    if transit is not None:
        begun, left = arrived, transit.days
        while begun != transit.reached if transit.reached else (left > 0 or begun < today):
            begun += timedelta(days=1)
            left -= counts(begun, pauses, today)
    day, due, used = begun, None, 0
    while due is None or day < today:
        day += timedelta(days=1)
        counted = counts(day, pauses, today)
        used += counted and day <= today
        total -= counted
        due = due or (day if total == 0 else None)
    return due, used, begun


def agrees(case, total):
    arrived, pauses, today, transit = case
    told = period(arrived, total, pauses, own_closures, today, transit)
    due, used, begun = by_hand(arrived, total, pauses, today, transit)
    assert (told.due, told.used, told.left, told.passed) == (due, used, total - used, today > due)
    assert told.paused == any(pause.answered is None for pause in pauses)
    if transit is not None:
        on_the_way = sum(
            counts(arrived + timedelta(days=n), pauses, today) for n in range(1, 1 + (begun - arrived).days)
        )
        if transit.reached:
            usual = due_by_hand(arrived, transit.days, pauses, today)
            assert told.transit.used == on_the_way and told.transit.passed == (transit.reached > usual)
        assert told.on_the_way == (transit.reached is None) and (not told.on_the_way or told.used == 0)


@settings(max_examples=300, deadline=None)
@given(cases(), st.integers(1, 90))
def test_a_case_stands_where_counting_day_by_day_puts_it(case, total):
    agrees(case, total)


@pytest.mark.slow
@settings(max_examples=100_000, deadline=None, database=None)
@given(cases(), st.integers(1, 90))
def test_a_hundred_thousand_cases_stand_where_counting_day_by_day_puts_them(case, total):
    agrees(case, total)


@settings(max_examples=1500, deadline=None)
@given(histories(), st.integers(1, 90))
def test_due_day_is_that_of_counting_day_by_day(history, total):
    arrived, pauses, today = history
    assert due_date(arrived, total, pauses, own_closures, today) == due_by_hand(arrived, total, pauses, today)


@settings(max_examples=500, deadline=None)
@given(histories(), st.integers(0, 120))
def test_days_used_are_those_counted_day_by_day(history, span):
    arrived, pauses, today = history
    last = arrived + timedelta(days=span)
    counted = sum(counts(arrived + timedelta(days=n), pauses, today) for n in range(1, span + 1))
    assert working_days(arrived + timedelta(days=1), last, pauses, own_closures, today) == counted


def test_prototype_fifteen_working_days_from_20_november_2026():
    assert due_date(date(2026, 11, 20), 15, [], closures, date(2026, 11, 20)) == date(2026, 12, 14)


def test_year_end_and_new_year_do_not_count():
    assert due_date(date(2026, 12, 28), 1, [], closures, date(2026, 12, 28)) == date(2027, 1, 4)


def test_ten_days_off_at_the_enthronement_of_2019_do_not_count():
    """2019-04-27 to 05-06: 天皇の即位の日及び即位礼正殿の儀の行われる日を休日とする法律."""
    assert due_date(date(2019, 4, 26), 1, [], closures, date(2019, 4, 26)) == date(2019, 5, 7)


def test_waiting_for_a_correction_stops_the_clock():
    arrived, today = date(2026, 11, 20), date(2026, 12, 1)
    stopped = period(arrived, 15, [Pause(date(2026, 11, 24))], closures, today)
    assert stopped.paused and stopped.used == 1 and stopped.left == 14
    assert stopped.due == due_by_hand(arrived, 15, [Pause(date(2026, 11, 24), today)], today)


def test_lateness_is_told_as_negative_days():
    assert period(date(2026, 11, 2), 2, [], closures, date(2026, 11, 9)).left == -2


def test_a_period_that_ended_on_friday_has_passed_on_saturday() -> None:
    """No working day is over since, but the day of the forecast is: nobody may read 'until today'."""
    friday, saturday = date(2026, 11, 20), date(2026, 11, 21)
    on_friday = period(date(2026, 11, 17), 3, [], closures, friday)
    on_saturday = period(date(2026, 11, 17), 3, [], closures, saturday)
    assert (on_friday.due, on_friday.left, on_friday.passed) == (friday, 0, False)
    assert (on_saturday.left, on_saturday.passed) == (0, True)


def test_the_way_through_a_transit_agency_is_counted_apart():
    """行政手続法6条: five days at the agency first, then ten of the office; the office's begin when it comes."""
    arrived = date(2026, 11, 2)
    waiting = period(arrived, 10, [], closures, date(2026, 11, 5), Transit(5))
    assert waiting.on_the_way and waiting.used == 0 and waiting.transit.due == date(2026, 11, 10)
    assert waiting.due == due_date(date(2026, 11, 10), 10, [], closures, date(2026, 11, 5))
    early = period(arrived, 10, [], closures, date(2026, 11, 9), Transit(5, date(2026, 11, 6)))
    assert not early.on_the_way and early.used == 1 and not early.transit.passed
    late = period(arrived, 10, [], closures, date(2026, 11, 20), Transit(5))
    assert late.transit.passed and not late.passed and late.due > date(2026, 11, 20)
