"""手数料: what is owed, and what a charge's reports say of it - whatever their order, and however often each arrives.

A report is a fact from the payment provider: so much was paid, or paid back. The state of a charge is read from the set
of its reports and the office's own decisions, never stepped from one to the next: a report twice, late or before its
turn leads to the same state.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Literal

from libs.common.errors import Invalid, say
from services.eapply.domain.period import Closures, open_days

Kind = Literal["paid", "refunded"]
MAX_YEN = 10_000_000


class Charge(StrEnum):
    """How a charge stands, in the order in which the later counts more."""

    UNFIXED = "unfixed"
    DUE = "due"
    PAID = "paid"
    OVERPAID = "overpaid"
    REFUND_DUE = "refund_due"
    REFUNDED = "refunded"
    EXEMPT = "exempt"
    CANCELLED = "cancelled"


WORDS = {
    Charge.UNFIXED: say("金額を確かめています"),
    Charge.DUE: say("納付待ち"),
    Charge.PAID: say("納付済み"),
    Charge.OVERPAID: say("納め過ぎ"),
    Charge.REFUND_DUE: say("還付待ち"),
    Charge.REFUNDED: say("還付済み"),
    Charge.EXEMPT: say("免除"),
    Charge.CANCELLED: say("納付不要"),
}


@dataclass(frozen=True, slots=True)
class Report:
    """`id` is the provider's own for this fact: the same id is the same fact. `amount` in yen."""

    id: str
    kind: Kind
    amount: int


def paid(reports: Iterable[Report]) -> int:
    """Yen received and not paid back."""
    known = {report.id: report for report in reports}.values()
    return sum(report.amount if report.kind == "paid" else -report.amount for report in known)


def state(amount: int | None, reports: Iterable[Report], *, cancelled: bool = False) -> Charge:
    """`amount`: what is owed in yen after 減免 (None: not fixed yet). `cancelled`: nothing is owed any more (withdrawn)."""
    reports = list(reports)
    held = paid(reports)
    owed = 0 if cancelled else amount
    if owed is None:
        return Charge.UNFIXED
    if held > owed:
        return Charge.REFUND_DUE if owed == 0 else Charge.OVERPAID
    if held == owed and owed > 0:
        return Charge.PAID
    if owed > 0:
        return Charge.DUE
    if any(report.kind == "refunded" for report in reports):
        return Charge.REFUNDED
    return Charge.CANCELLED if cancelled else Charge.EXEMPT


def last_day(start: date, days: int, closures: Closures) -> date:
    """納付期限: `days` calendar days after `start`, or the next day on which the office is open (民法142条)."""
    last = start + timedelta(days=days)
    while not open_days(last, last, closures):
        last += timedelta(days=1)
    return last


def overdue(charge_state: str, due_on: date | None, today: date) -> bool:
    """Whether something is owed and its 納付期限, which counts to its end, is over."""
    return charge_state == Charge.DUE and due_on is not None and due_on < today


SETTLED = frozenset({Charge.PAID, Charge.OVERPAID, Charge.EXEMPT})
"""The first of these is when the matter of the money was settled."""
OPEN = frozenset({Charge.UNFIXED, Charge.DUE})
"""Something has to be paid, or fixed, before the case goes on."""


def reduced(amount: int, reduction: int) -> int:
    """What is left after a 減免 of `reduction` yen. Raises Invalid outside 0 to the amount."""
    if not 0 <= reduction <= amount:
        raise Invalid(
            say("減免する額は、0円から手数料の額までにしてください。"),
            fields={"reduction": say("減免する額を確かめてください。")},
        )
    return amount - reduction


def payment_numbers(code: str, fiscal_year: int, serial: int, amount: int) -> dict[str, str]:
    """What Pay-easy (収納機関番号 5 digits, 納付番号, 確認番号, 納付区分) and eL-QR (eL番号) ask for, as data. Their lengths and the
    check digits are ours, not checked against the specifications, which are not public.

    The number of the collecting institution comes from the agreement with its bank, and is 00000 until that is made. The
    others are ours: they follow from the municipality and the application, so the same charge always has the same ones.
    """
    number = f"{code}{fiscal_year % 100:02d}{serial:010d}"
    check = f"{(int(number) * 97 + amount) % 1_000_000:06d}"
    return {
        "institution": "00000",
        "payment": number,
        "confirmation": check,
        "category": "001",
        "el": f"{number}{check[:2]}",
    }
