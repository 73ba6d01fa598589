"""A payment provider for samples and tests: it takes no money, and its callbacks come late, twice, in the wrong order or
not at all."""

import random
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import jobs
from libs.common.ids import new_id
from services.eapply.db import SimulatedPaymentRow
from services.eapply.domain.fees import Kind
from services.eapply.payments import Send, Told, Trouble, deliver

CALLBACKS = "eapply.simulated-callbacks"
RECONCILE = "eapply.reconcile-soon"
LATE = timedelta(minutes=10)
"""How long callbacks are held back that come late: the comparison of the books has found the payment long before."""


class Simulator:
    """The provider of one municipality, in the session of whoever asks."""

    def __init__(self, session: Session, now: datetime) -> None:
        self._session, self._now = session, now

    def pay_address(self, site: str, charge_id: str) -> str:
        return f"{site}/pay/{charge_id}"

    def qr(self, numbers: Mapping[str, str], amount: int) -> str:
        """Of the form and size of a real one, but begins with a word that no payer's app takes for one."""
        return f"MIHON{numbers['el']}{numbers['confirmation']}{numbers['category']}{amount:010d}"

    def pay(self, charge_id: str, amount: int) -> None:
        """The applicant has paid on the simulator's page."""
        self._book(f"sim-{new_id()}", charge_id, "paid", amount)

    def held(self, charge_id: str) -> int:
        """Yen paid for this charge and not paid back, by these books: callbacks may not have told of it yet."""
        found = select(SimulatedPaymentRow).where(SimulatedPaymentRow.charge_id == charge_id)
        return sum(row.amount if row.report_kind == "paid" else -row.amount for row in self._session.scalars(found))

    def ask_refund(self, charge_id: str, amount: int, key: str) -> None:
        self._book(f"sim-refund-{key}"[:100], charge_id, "refunded", amount)

    def statement(self, since: datetime, until: datetime) -> Iterator[Told]:
        found = select(SimulatedPaymentRow).where(SimulatedPaymentRow.happened_at.between(since, until))
        return (_told(row) for row in self._session.scalars(found))

    def deliver(self, charge_id: str, trouble: Trouble, chance: random.Random, secret: str, send: Send) -> int:
        """Send the callbacks of everything that happened to a charge."""
        found = select(SimulatedPaymentRow).where(SimulatedPaymentRow.charge_id == charge_id)
        return deliver([_told(row) for row in self._session.scalars(found)], trouble, chance, secret, send)

    def hold_back(self, charge_id: str) -> None:
        """Send this charge's callbacks later."""
        payload = {"charge": charge_id, "late": True}
        jobs.add(self._session, CALLBACKS, payload, now=self._now, at=self._now + LATE)

    def _book(self, report_id: str, charge_id: str, kind: Kind, amount: int) -> None:
        known = select(SimulatedPaymentRow).where(SimulatedPaymentRow.report_id == report_id)
        if self._session.scalar(known) is not None:
            return
        row = SimulatedPaymentRow(
            report_id=report_id, charge_id=charge_id, report_kind=kind, amount=amount, happened_at=self._now
        )
        self._session.add(row)
        # The callback comes seconds later, if it comes; what was lost is found by the comparison.
        jobs.add(self._session, CALLBACKS, {"charge": charge_id}, now=self._now, at=self._now + timedelta(seconds=3))
        jobs.add(self._session, RECONCILE, {}, now=self._now, at=self._now + timedelta(seconds=90))


def _told(row: SimulatedPaymentRow) -> Told:
    return Told(row.report_id, row.charge_id, row.report_kind, row.amount, row.happened_at)  # type: ignore[arg-type]
