"""手数料 through the life of an application: owed, fixed, reduced, paid, paid back, and compared with the provider."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from libs.common import audit, jobs
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, say
from libs.common.ids import new_id
from services.eapply.db import ApplicationRow, ChargeRow, PaymentReportRow
from services.eapply.domain import fees
from services.eapply.domain.fees import Charge, Report
from services.eapply.domain.history import What
from services.eapply.forms.definition import Procedure
from services.eapply.forms.text import cleaned
from services.eapply.payments import Told
from services.eapply.use_cases import cases

REFUND = "eapply.refund"
"""The job that asks the provider to pay back."""


def charge_of(session: Session, application_id: str, *, lock: bool = False) -> ChargeRow | None:
    found = select(ChargeRow).where(ChargeRow.application_id == application_id)
    return session.scalar(found.with_for_update() if lock else found)


def find(session: Session, charge_id: str, *, lock: bool = False) -> ChargeRow:
    """Raises NotFound."""
    found = select(ChargeRow).where(ChargeRow.id == charge_id)
    charge = session.scalar(found.with_for_update() if lock else found)
    if charge is None:
        raise NotFound(say("その手数料は見つかりません。"))
    return charge


def open_charge(
    session: Session, code: str, row: ApplicationRow, procedure: Procedure, when: str, now: datetime
) -> ChargeRow | None:
    """The charge that a procedure asks for `before` (on arrival) or `after` (on the decision); None where it asks none."""
    fee = procedure.handling.fee
    if fee is None or fee.when != when:
        return None
    charge = ChargeRow(
        id=new_id(),
        application_id=row.id,
        fee_when=fee.when,
        amount=_amount(procedure, row),
        reduction=0,
        reduction_reason="",
        cancelled=False,
        charge_state=Charge.UNFIXED,
        numbers={},
        created_at=now,
    )
    session.add(charge)
    session.flush()
    _owe(session, charge, row, code, now)
    return charge


def _amount(procedure: Procedure, row: ApplicationRow) -> int | None:
    """Yen by the procedure and the answers; None where it is fixed on examination."""
    fee = procedure.handling.fee
    if fee is None or fee.amount is None:
        return None
    return fee.amount * int((row.answers.get(fee.times) if fee.times else 1) or 0)


def _owe(session: Session, charge: ChargeRow, row: ApplicationRow, code: str, now: datetime) -> None:
    """The amount is known or has changed: numbers to pay by, and the state."""
    if charge.amount is not None:
        owed = charge.amount - charge.reduction
        charge.numbers = fees.payment_numbers(code, row.fiscal_year, row.serial, owed)
    _read_anew(session, charge, now)


def owed(charge: ChargeRow) -> int | None:
    return None if charge.amount is None else charge.amount - charge.reduction


def reports(session: Session, charge: ChargeRow) -> list[Report]:
    rows = session.scalars(select(PaymentReportRow).where(PaymentReportRow.charge_id == charge.id))
    return [Report(row.report_id, row.report_kind, row.amount) for row in rows]  # type: ignore[arg-type]


def _read_anew(session: Session, charge: ChargeRow, now: datetime) -> Charge:
    """The state, from everything known. The first time it is settled is kept."""
    found = fees.state(owed(charge), reports(session, charge), cancelled=charge.cancelled)
    charge.charge_state = found
    if found in fees.SETTLED and charge.settled_at is None:
        charge.settled_at = now
    return found


# ---- staff


def fix(session: Session, actor: Actor, application_id: str, amount: int, now: datetime) -> ChargeRow:
    """Fix the amount on examination, in yen."""
    row, charge = _of_case(session, application_id)
    if not 0 <= amount <= fees.MAX_YEN or amount < charge.reduction:
        sentence = say("手数料の額を、円で入力してください。")
        raise Invalid(sentence, fields={"amount": sentence})
    charge.amount = amount
    _owe(session, charge, row, actor.code or "", now)
    cases.note(session, row, What.FEE_FIXED, actor, now, f"{amount:,}円")
    audit.record(session, actor, "eapply.fee.fix", row.id, detail={"amount": amount}, now=now)
    return charge


def reduce(
    session: Session, actor: Actor, application_id: str, reduction: int, reason: str, now: datetime
) -> ChargeRow:
    """減免: take `reduction` yen off, for a reason."""
    row, charge = _of_case(session, application_id)
    reason = cleaned(reason, lines=True)[:2000]
    if charge.amount is None:
        raise Conflict(say("先に、手数料の額を決めてください。"), code="fee-not-fixed")
    if not reason:
        sentence = say("減免の理由を入力してください。")
        raise Invalid(sentence, fields={"reduction_reason": sentence})
    fees.reduced(charge.amount, reduction)
    charge.reduction, charge.reduction_reason = reduction, reason
    _owe(session, charge, row, actor.code or "", now)
    cases.note(session, row, What.FEE_REDUCED, actor, now, f"{reduction:,}円")
    audit.record(session, actor, "eapply.fee.reduce", row.id, reason=reason, detail={"yen": reduction}, now=now)
    return charge


def pay_at_window(session: Session, actor: Actor, application_id: str, now: datetime) -> ChargeRow:
    """The fee was paid in cash. Recorded twice, it counts once."""
    _, charge = _of_case(session, application_id)
    left = (owed(charge) or 0) - fees.paid(reports(session, charge))
    if charge.charge_state != Charge.DUE or left <= 0:
        raise Conflict(say("いま納めていただく額はありません。"), code="nothing-due")
    told = Told(f"window:{charge.id}", charge.id, "paid", left, now)
    audit.record(session, actor, "eapply.fee.window", charge.application_id, detail={"yen": left}, now=now)
    return report(session, actor, told, "window", now)


def refund(session: Session, actor: Actor, application_id: str, now: datetime) -> ChargeRow:
    """還付: ask the provider to pay back what is held beyond what is owed. That it was done comes as a report."""
    row, charge = _of_case(session, application_id)
    held = fees.paid(reports(session, charge))
    back = held - (0 if charge.cancelled else owed(charge) or 0)
    if charge.charge_state not in (Charge.REFUND_DUE, Charge.OVERPAID) or back <= 0:
        raise Conflict(say("還付する額はありません。"), code="nothing-to-refund")
    key = f"{charge.id}:{held}:{back}"
    jobs.add(session, REFUND, {"charge": charge.id, "amount": back, "key": key}, key=key, now=now)
    cases.note(session, row, What.REFUND_ASKED, actor, now, f"{back:,}円")
    audit.record(session, actor, "eapply.fee.refund", row.id, detail={"yen": back}, now=now)
    return charge


def cancel(session: Session, row: ApplicationRow, now: datetime) -> None:
    """The application was withdrawn: nothing is owed any more, what was paid goes back."""
    charge = charge_of(session, row.id, lock=True)
    if charge is not None:
        charge.cancelled = True
        _read_anew(session, charge, now)


def refuse_unpaid(session: Session, row: ApplicationRow) -> None:
    """Raises Conflict while a fee that comes before the decision is not paid."""
    charge = charge_of(session, row.id)
    if charge is not None and charge.fee_when == "before" and charge.charge_state not in fees.SETTLED:
        raise Conflict(say("手数料がまだ納められていません。納付か減免のあとで決めてください。"), code="fee-unpaid")


def _of_case(session: Session, application_id: str) -> tuple[ApplicationRow, ChargeRow]:
    row = cases.load(session, application_id, lock=True)
    charge = charge_of(session, row.id, lock=True)
    if charge is None:
        raise NotFound(say("この申請に手数料はありません。"))
    return row, charge


# ---- the provider's reports


def report(session: Session, actor: Actor, told: Told, source: str, now: datetime) -> ChargeRow:
    """Keep a fact from the provider and read the state anew. Told twice, late or out of order, it has one effect."""
    charge = find(session, told.charge_id, lock=True)
    known = select(PaymentReportRow).where(PaymentReportRow.report_id == told.id)
    if session.scalar(known) is not None:
        return charge
    session.add(
        PaymentReportRow(
            report_id=told.id,
            charge_id=charge.id,
            report_kind=told.kind,
            amount=told.amount,
            happened_at=told.happened_at,
            received_at=now,
            source=source,
        )
    )
    session.flush()
    before = charge.charge_state
    after = _read_anew(session, charge, now)
    row = cases.load(session, charge.application_id)
    if after != before:
        what = What.FEE_PAID if told.kind == "paid" else What.FEE_REFUNDED
        cases.note(session, row, what, actor, now, f"{told.amount:,}円")
        row.unread = True
    audit.record(session, actor, f"eapply.fee.{told.kind}", row.id, detail={"yen": told.amount, "by": source}, now=now)
    return charge


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Our books beside the provider's: `found` reports had not come and are applied now; `strangers` name no charge of
    ours; `unconfirmed` we were told of, but the provider's books do not hold."""

    compared: int
    found: tuple[str, ...]
    strangers: tuple[str, ...]
    unconfirmed: tuple[str, ...]


def reconcile(
    session: Session, actor: Actor, statement: Iterable[Told], since: datetime, until: datetime, now: datetime
) -> Reconciliation:
    """照合: compare with the provider's statement of that time, and take in what is missing here."""
    theirs = {told.id: told for told in statement}
    ours = set(
        session.scalars(
            select(PaymentReportRow.report_id).where(
                PaymentReportRow.happened_at.between(since, until), PaymentReportRow.source != "window"
            )
        )
    )
    found, strangers = [], []
    for told in sorted(theirs.values(), key=lambda told: (told.happened_at, told.id)):
        if told.id in ours:
            continue
        try:
            report(session, actor, told, "statement", now)
            found.append(told.id)
        except NotFound:
            strangers.append(told.id)
    return Reconciliation(len(theirs), tuple(found), tuple(strangers), tuple(sorted(ours - theirs.keys())))


@dataclass(frozen=True, slots=True)
class Listed:
    charge: ChargeRow
    row: ApplicationRow


def listed(session: Session, charge_state: str) -> list[Listed]:
    """Charges in one state, oldest first; at most 200."""
    joined = select(ChargeRow, ApplicationRow).join(ApplicationRow, ApplicationRow.id == ChargeRow.application_id)
    found = joined.where(ChargeRow.charge_state == charge_state).order_by(ChargeRow.created_at, ChargeRow.id).limit(200)
    return [Listed(charge, row) for charge, row in session.execute(found).tuples()]


def counts(session: Session) -> dict[str, int]:
    """How many charges are in each state."""
    found = select(ChargeRow.charge_state, func.count()).group_by(ChargeRow.charge_state)
    return dict(session.execute(found).tuples().all())
