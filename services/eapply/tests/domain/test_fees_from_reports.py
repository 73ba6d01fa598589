"""A charge's state follows from the set of its reports, whatever their order and however often each came."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import Invalid
from services.eapply.domain.fees import Charge, Report, paid, payment_numbers, reduced, state

amounts = st.integers(1, 1000)


@st.composite
def books(draw):
    """Reports with distinct ids: payments, and refunds of no more than was paid."""
    payments = [Report(f"p{n}", "paid", amount) for n, amount in enumerate(draw(st.lists(amounts, max_size=3)))]
    left, refunds = sum(report.amount for report in payments), []
    for number, amount in enumerate(draw(st.lists(amounts, max_size=2))):
        if amount <= left:
            refunds.append(Report(f"r{number}", "refunded", amount))
            left -= amount
    return payments + refunds


@given(books(), st.one_of(st.none(), st.integers(0, 2000)), st.booleans(), st.data())
def test_order_and_repetition_of_reports_change_nothing(reports, owed, cancelled, data):
    again = data.draw(st.lists(st.sampled_from(reports), max_size=5)) if reports else []
    mixed = data.draw(st.permutations(reports + again))
    assert state(owed, mixed, cancelled=cancelled) == state(owed, reports, cancelled=cancelled)
    assert paid(mixed) == paid(reports)


@given(books(), st.integers(0, 2000), st.booleans())
def test_the_state_says_what_the_sums_say(reports, owed, cancelled):
    held, due = sum(r.amount if r.kind == "paid" else -r.amount for r in reports), 0 if cancelled else owed
    found = state(owed, reports, cancelled=cancelled)
    assert (found is Charge.DUE) == (held < due)
    assert (found in (Charge.OVERPAID, Charge.REFUND_DUE)) == (held > due)
    assert (found is Charge.PAID) == (held == due > 0)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_payment_told_after_its_refund_is_a_refund(order):
    reports = [Report("p", "paid", 300), Report("r", "refunded", 300), Report("p", "paid", 300)]
    assert state(300, [reports[n] for n in order], cancelled=True) is Charge.REFUNDED


def test_a_reduction_stays_within_the_amount():
    assert reduced(300, 300) == 0 and state(reduced(300, 300), []) is Charge.EXEMPT
    for reduction in (-1, 301):
        with pytest.raises(Invalid):
            reduced(300, reduction)


def test_the_numbers_to_pay_by_have_the_lengths_that_pay_easy_asks_for():
    numbers = payment_numbers("402036", 2026, 12, 300)
    assert [len(numbers[name]) for name in ("institution", "payment", "confirmation", "category", "el")] == [
        5,
        18,
        6,
        3,
        20,
    ]
    assert payment_numbers("402036", 2026, 12, 300) == numbers != payment_numbers("402036", 2026, 13, 300)
