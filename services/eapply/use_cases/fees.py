"""手数料 through the life of an application: owed, fixed, reduced, paid, paid back, and compared with the provider."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from libs.common import audit, jobs
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, Invalid, NotFound, say
from libs.common.ids import new_id
from libs.common.web import dates
from services.eapply.db import ApplicationRow, ChargeRow, PaymentReportRow
from services.eapply.domain import fees
from services.eapply.domain.fees import Charge, Report
from services.eapply.domain.history import What
from services.eapply.domain.states import Outcome
from services.eapply.forms.definition import Procedure
from services.eapply.forms.read import Answers
from services.eapply.forms.text import cleaned
from services.eapply.payments import Told
from services.eapply.use_cases import cases, mails, who
from services.eapply.use_cases.calendar import closures_here

REFUND = "eapply.refund"
"""The job that asks the provider to pay back."""
OVERDUE = "overdue"
"""Beside the states: what is due and past its 納付期限."""
REMINDED_BEFORE = timedelta(days=3)
"""How long before the 納付期限 the applicant is reminded of it."""
LONGEST = timedelta(days=366)
"""How far ahead a 納付期限 may be put."""
BATCH = 200
OURS = ("window", "hand")
"""Sources of reports that the provider's books do not hold."""


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
        amount=_amount(procedure, row.answers),
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
    _set_last_day(session, charge, procedure, now)
    return charge


def _amount(procedure: Procedure, answers: Answers) -> int | None:
    """Yen by the procedure and the answers; None where it is fixed on examination, as is an amount that cannot be right."""
    fee = procedure.handling.fee
    if fee is None or fee.amount is None:
        return None
    times = (answers.get(fee.times) or 0) if fee.times else 1
    amount = fee.amount * times if isinstance(times, int) else -1
    return amount if 0 <= amount <= fees.MAX_YEN else None


def follow_answers(
    session: Session,
    actor: Actor,
    row: ApplicationRow,
    before: Answers,
    procedure: Procedure,
    now: datetime,
    *,
    site: str,
) -> None:
    """A correction changed the number that the fee is multiplied by: the amount follows, unless staff have fixed another."""
    fee = procedure.handling.fee
    charge = charge_of(session, row.id, lock=True) if fee is not None and fee.times else None
    amount = _amount(procedure, row.answers)
    if charge is None or amount is None or amount == charge.amount or charge.amount != _amount(procedure, before):
        return
    charge.amount, charge.reduction = amount, min(charge.reduction, amount)
    _ask_anew(session, charge, row, procedure, actor.code or "", now, site=site)
    cases.note(session, row, What.FEE_FIXED, actor, now, f"{amount:,}円")


def _ask_anew(
    session: Session,
    charge: ChargeRow,
    row: ApplicationRow,
    procedure: Procedure,
    code: str,
    now: datetime,
    *,
    site: str,
) -> None:
    """The amount was fixed: numbers, 納付期限, and a mail where something is to be paid."""
    _owe(session, charge, row, code, now)
    _set_last_day(session, charge, procedure, now)
    if charge.charge_state == Charge.DUE:
        mails.fee_due(session, row, procedure, site, charge.due_on, now)


def _owe(session: Session, charge: ChargeRow, row: ApplicationRow, code: str, now: datetime) -> None:
    """The amount is known or has changed: numbers to pay by, and the state."""
    if charge.amount is not None:
        owed = charge.amount - charge.reduction
        charge.numbers = fees.payment_numbers(code, row.fiscal_year, row.serial, owed)
    _read_anew(session, charge, now)


def _set_last_day(session: Session, charge: ChargeRow, procedure: Procedure, now: datetime) -> None:
    """The 納付期限 of an amount that was just fixed; one that staff have put later stays."""
    fee, today = procedure.handling.fee, local_date(now)
    if charge.charge_state == Charge.DUE and fee is not None and fee.due_days is not None:
        last = fees.last_day(today, fee.due_days, closures_here(session))
        _put_last_day(charge, max(last, charge.due_on or last), today)


def _put_last_day(charge: ChargeRow, last: date, today: date) -> None:
    """Whoever is told of a day so near is not reminded of it."""
    charge.due_on, charge.overdue_told_at = last, None
    if last - today <= REMINDED_BEFORE:
        charge.reminded_for = last


def overdue(charge: ChargeRow, now: datetime) -> bool:
    return fees.overdue(charge.charge_state, charge.due_on, local_date(now))


def payable(charge: ChargeRow, now: datetime) -> bool:
    """Whether it can be paid elsewhere than at the window: something is due, and the 納付期限 is not over."""
    return charge.charge_state == Charge.DUE and not overdue(charge, now)


def owed(charge: ChargeRow) -> int | None:
    return None if charge.amount is None else charge.amount - charge.reduction


def left(session: Session, charge: ChargeRow) -> int:
    """Yen that are still to be paid, by what was told."""
    return (owed(charge) or 0) - fees.paid(reports(session, charge))


def reports(session: Session, charge: ChargeRow) -> list[Report]:
    return [_report(row) for row in _rows(session, charge)]


def _rows(session: Session, charge: ChargeRow) -> list[PaymentReportRow]:
    return list(session.scalars(select(PaymentReportRow).where(PaymentReportRow.charge_id == charge.id)))


def _report(row: PaymentReportRow) -> Report:
    return Report(row.report_id, row.report_kind, row.amount)  # type: ignore[arg-type]


def _read_anew(session: Session, charge: ChargeRow, now: datetime) -> Charge:
    """The state, from everything known. The first time it is settled is kept."""
    found = fees.state(owed(charge), reports(session, charge), cancelled=charge.cancelled)
    charge.charge_state = found
    if found in fees.SETTLED and charge.settled_at is None:
        charge.settled_at = now
    return found


# ---- staff


def fix(session: Session, actor: Actor, application_id: str, amount: int, now: datetime, *, site: str) -> ChargeRow:
    """Fix the amount on examination, in yen. The applicant is told that it is to be paid."""
    row, charge = _of_case(session, actor, application_id)
    if not 0 <= amount <= fees.MAX_YEN or amount < charge.reduction:
        sentence = say("手数料の額を、円で入力してください。")
        raise Invalid(sentence, fields={"amount": sentence})
    charge.amount = amount
    _ask_anew(session, charge, row, cases.definition_of(session, row), actor.code or "", now, site=site)
    cases.note(session, row, What.FEE_FIXED, actor, now, f"{amount:,}円")
    audit.record(session, actor, "eapply.fee.fix", row.id, detail={"amount": amount}, now=now)
    return charge


def reduce(
    session: Session, actor: Actor, application_id: str, reduction: int, reason: str, now: datetime
) -> ChargeRow:
    """減免: take `reduction` yen off, for a reason."""
    row, charge = _of_case(session, actor, application_id)
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


def extend(
    session: Session, actor: Actor, application_id: str, day: date, reason: str, now: datetime, *, site: str
) -> ChargeRow:
    """Put the 納付期限 on a later day, for a reason. The applicant is told; the numbers can be paid by again."""
    row, charge = _of_case(session, actor, application_id)
    if charge.charge_state != Charge.DUE or charge.due_on is None:
        raise Conflict(say("納付期限のある、納付待ちの手数料ではありません。"), code="nothing-due")
    today, reason = local_date(now), cleaned(reason, lines=True)[:2000]
    errors = {}
    if not max(today, charge.due_on + timedelta(days=1)) <= day <= today + LONGEST:
        errors["fee_due"] = say("新しい納付期限は、いまの期限より後で、今日から1年以内の日にしてください。")
    if not reason:
        errors["extend_reason"] = say("期限を延ばす理由を入力してください。")
    if errors:
        raise Invalid(next(iter(errors.values())), fields=errors)
    before = charge.due_on
    _put_last_day(charge, day, today)
    detail = {"from": before.isoformat(), "to": day.isoformat()}
    cases.note(session, row, What.FEE_EXTENDED, actor, now, dates.day(day))
    audit.record(session, actor, "eapply.fee.extend", row.id, reason=reason, detail=detail, now=now)
    mails.fee_due(session, row, cases.definition_of(session, row), site, day, now)
    return charge


def pay_at_window(session: Session, actor: Actor, application_id: str, now: datetime) -> ChargeRow:
    """What is still owed was paid in cash. Recorded twice, it counts once."""
    _, charge = _of_case(session, actor, application_id)
    yen = left(session, charge)
    if charge.charge_state != Charge.DUE or yen <= 0:
        raise Conflict(say("いま納めていただく額はありません。"), code="nothing-due")
    audit.record(session, actor, "eapply.fee.window", charge.application_id, detail={"yen": yen}, now=now)
    return _noted(session, actor, charge, "paid", yen, "window", now)


def _noted(
    session: Session, actor: Actor, charge: ChargeRow, kind: fees.Kind, yen: int, source: str, now: datetime
) -> ChargeRow:
    """Money went another way than the provider's. The charge is locked, and what is owed then is what is not told yet: no second
    one is the same."""
    told = Told(f"{source}:{charge.id}:{len(reports(session, charge))}", charge.id, kind, yen, now)
    return report(session, actor, told, source, now)


@dataclass(frozen=True, slots=True)
class Back:
    """Yen that are held beyond what is owed: those that go back through the `provider`, those paid in `cash`, and those that the
    provider was `asked` for and has not told of yet."""

    provider: int
    cash: int
    asked: int

    @property
    def by_hand(self) -> int:
        """What the provider took and has not paid back: by hand it goes where the provider does not do it."""
        return self.provider + self.asked


def back(session: Session, charge: ChargeRow) -> Back:
    """What is to go back of this charge."""
    rows = _rows(session, charge)
    theirs = [_report(row) for row in rows if row.source != "window"]
    asked = max(0, charge.refund_asked - sum(one.amount for one in theirs if one.kind == "refunded"))
    over = fees.paid(map(_report, rows)) - (0 if charge.cancelled else owed(charge) or 0) - asked
    if charge.charge_state not in (Charge.REFUND_DUE, Charge.OVERPAID) or over <= 0:
        return Back(0, 0, asked)
    provider = max(0, min(over, fees.paid(theirs) - asked))
    return Back(provider, over - provider, asked)


def refund(session: Session, actor: Actor, application_id: str, now: datetime) -> ChargeRow:
    """還付: ask the provider to pay back what it took beyond what is owed. That it was done comes as a report; asked for again before
    that, nothing more goes back."""
    row, charge = _of_case(session, actor, application_id)
    to_go = back(session, charge)
    if to_go.provider <= 0:
        if to_go.asked and not to_go.cash:
            return charge
        raise _nothing_back(to_go.cash, say("現金で納められた額です。窓口でお返しして、記録してください。"))
    charge.refund_asked += to_go.provider
    key = f"{charge.id}:{charge.refund_asked}"
    jobs.add(session, REFUND, {"charge": charge.id, "amount": to_go.provider, "key": key}, key=key, now=now)
    cases.note(session, row, What.REFUND_ASKED, actor, now, f"{to_go.provider:,}円")
    audit.record(session, actor, "eapply.fee.refund", row.id, detail={"yen": to_go.provider}, now=now)
    return charge


def refund_at_window(session: Session, actor: Actor, application_id: str, now: datetime) -> ChargeRow:
    """還付: what was paid in cash beyond what is owed was given back in cash. Recorded twice, it counts once."""
    row, charge = _of_case(session, actor, application_id)
    to_go = back(session, charge)
    if to_go.cash <= 0:
        raise _nothing_back(to_go.provider, say("画面から納められた額です。「還付を手配する」からお返ししてください。"))
    audit.record(session, actor, "eapply.fee.window_refund", row.id, detail={"yen": to_go.cash}, now=now)
    return _noted(session, actor, charge, "refunded", to_go.cash, "window", now)


def refund_by_hand(session: Session, actor: Actor, application_id: str, how: str, now: datetime) -> ChargeRow:
    """還付: what the provider took beyond what is owed was paid back without it (by bank transfer, say), because it is used no
    more or does not tell. Recorded twice, it counts once; the provider is asked for nothing of it any more."""
    row, charge = _of_case(session, actor, application_id)
    how = cleaned(how)[:200]
    if not how:
        sentence = say("どのように返したかを入力してください。")
        raise Invalid(sentence, fields={"refund_how": sentence})
    to_go = back(session, charge)
    if to_go.by_hand <= 0:
        raise _nothing_back(to_go.cash, say("現金で納められた額です。窓口でお返しして、記録してください。"))
    charge.refund_asked += to_go.provider
    audit.record(session, actor, "eapply.fee.hand_refund", row.id, reason=how, detail={"yen": to_go.by_hand}, now=now)
    return _noted(session, actor, charge, "refunded", to_go.by_hand, "hand", now)


def _nothing_back(other_way: int, sentence: str) -> Conflict:
    """`sentence` where something goes back, but the other way."""
    return Conflict(sentence if other_way else say("還付する額はありません。"), code="nothing-to-refund")


def cancel(session: Session, row: ApplicationRow, now: datetime) -> None:
    """The application was withdrawn: nothing is owed any more, what was paid goes back."""
    charge = charge_of(session, row.id, lock=True)
    if charge is not None:
        charge.cancelled = True
        _read_anew(session, charge, now)


def drop_unpaid(session: Session, row: ApplicationRow, now: datetime) -> None:
    """The application was refused: what was not paid is owed no more. What was paid stays: it was for the examination."""
    charge = charge_of(session, row.id, lock=True)
    if charge is not None and charge.charge_state in fees.OPEN:
        charge.cancelled = True
        _read_anew(session, charge, now)


def refuse_unpaid(session: Session, row: ApplicationRow, outcome: str, now: datetime) -> None:
    """Raises Conflict while a fee that comes before the decision is not paid. To refuse is possible where nobody can wait for
    it any more: without a 納付期限, and after it (行政手続法7条: what is not complete is asked for, or refused)."""
    charge = charge_of(session, row.id)
    if charge is None or charge.fee_when != "before" or charge.charge_state not in fees.OPEN:
        return
    if outcome != Outcome.REFUSED or (charge.due_on is not None and not overdue(charge, now)):
        raise Conflict(say("手数料がまだ納められていません。納付か減免のあとで決めてください。"), code="fee-unpaid")


def _of_case(session: Session, actor: Actor, application_id: str) -> tuple[ApplicationRow, ChargeRow]:
    row = cases.load(session, application_id, lock=True)
    who.refuse_own(session, actor, row)
    charge = charge_of(session, row.id, lock=True)
    if charge is None:
        raise NotFound(say("この申請に手数料はありません。"))
    return row, charge


# ---- reminders


def remind(session: Session, site: str, now: datetime) -> int:
    """Tell the applicants whose 納付期限 is near, once for each such day; how many charges were looked at."""
    today = local_date(now)
    near = (
        ChargeRow.charge_state == Charge.DUE, ChargeRow.due_on.between(today, today + REMINDED_BEFORE),
        or_(ChargeRow.reminded_for.is_(None), ChargeRow.reminded_for != ChargeRow.due_on),
    )  # fmt: skip
    found = _with_applications(session, near, lock=True)
    for each in found:
        each.charge.reminded_for = each.charge.due_on
        mails.fee_due(session, each.row, cases.definition_of(session, each.row), site, each.charge.due_on, now)
    return len(found)


@dataclass(frozen=True, slots=True)
class Asked:
    """How many were asked by mail, and how many have no address that we know."""

    told: int
    unreachable: int


def ask_overdue(session: Session, actor: Actor, site: str, now: datetime) -> Asked:
    """Ask everybody for the money whose 納付期限 is over and who was not asked since; those without an address stay on the list."""
    not_asked = (*_is_overdue(now), ChargeRow.overdue_told_at.is_(None))
    found = _with_applications(session, not_asked, limit=None, lock=True)
    told = [each for each in found if _ask(session, actor, each, site, now)]
    return Asked(len(told), len(found) - len(told))


def _ask(session: Session, actor: Actor, each: "Listed", site: str, now: datetime) -> bool:
    if not mails.fee_overdue(session, each.row, cases.definition_of(session, each.row), site, each.charge.due_on, now):
        return False
    each.charge.overdue_told_at = now
    cases.note(session, each.row, What.FEE_ASKED, actor, now)
    audit.record(session, actor, "eapply.fee.ask", each.row.id, now=now)
    return True


def _is_overdue(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return ChargeRow.charge_state == Charge.DUE, ChargeRow.due_on < local_date(now)


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
                PaymentReportRow.happened_at.between(since, until), PaymentReportRow.source.not_in(OURS)
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


def listed(session: Session, charge_state: str, now: datetime) -> list[Listed]:
    """Charges in one state, or those that are OVERDUE, oldest first; at most 200."""
    wanted = _is_overdue(now) if charge_state == OVERDUE else (ChargeRow.charge_state == charge_state,)
    return _with_applications(session, wanted)


def _with_applications(
    session: Session, wanted: Iterable[ColumnElement[bool]], *, limit: int | None = BATCH, lock: bool = False
) -> list[Listed]:
    joined = select(ChargeRow, ApplicationRow).join(ApplicationRow, ApplicationRow.id == ChargeRow.application_id)
    found = joined.where(*wanted).order_by(ChargeRow.created_at, ChargeRow.id).limit(limit)
    if lock:
        found = found.with_for_update(of=ChargeRow, skip_locked=True)
    return [Listed(charge, row) for charge, row in session.execute(found).tuples()]


def counts(session: Session, now: datetime) -> dict[str, int]:
    """How many charges are in each state, and how many are OVERDUE."""
    found = select(ChargeRow.charge_state, func.count()).group_by(ChargeRow.charge_state)
    late = session.scalar(select(func.count()).select_from(ChargeRow).where(*_is_overdue(now)))
    return dict(session.execute(found).tuples().all()) | {OVERDUE: late or 0}
