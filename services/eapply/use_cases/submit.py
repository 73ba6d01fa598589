"""Submitting: the moment of arrival (到達, デジタル手続法6条3項), the number, the key, the event - in one
transaction."""

from dataclasses import dataclass, field
from datetime import datetime

from argon2 import PasswordHasher
from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from libs.common import audit, outbox
from libs.common.actor import Actor
from libs.common.clock import fiscal_year, local_date
from libs.common.errors import Invalid, say
from libs.common.ids import new_id
from services.eapply import events
from services.eapply.db import ApplicationRow, AttachmentRow, CounterRow, DelegationRow, DraftRow, RoundRow
from services.eapply.domain import receipt
from services.eapply.domain.fees import Charge
from services.eapply.domain.history import What
from services.eapply.domain.states import State
from services.eapply.forms.definition import Procedure
from services.eapply.forms.read import Answers
from services.eapply.forms.text import search_key
from services.eapply.use_cases import cases, delegates, drafts, fees, mails, my_numbers, pairs, procedures, who
from services.eapply.use_cases.duplicates import likeness

HASHER = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1)
"""Light, because a 照会キー is 59 random bits, not a word somebody chose: argon2 only adds to that."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of a submission. `key` is the 照会キー where it may be shown now; `first` is False for a repetition."""

    application: ApplicationRow
    key: str | None
    first: bool


def submit(
    session: Session,
    actor: Actor,
    draft_id: str,
    key: str,
    now: datetime,
    *,
    site: str,
    electronic: bool | None = None,
    language: str | None = None,
) -> Receipt:
    """Send the draft. `electronic`: whether the decision may come on the screen instead of by post. `language`: of the page.
    `key` is the 照会キー that the confirm page carries, so that a repetition can show it again.

    However often it is sent - double click, reload, back, two tabs - it is one application. Raises Invalid naming the inputs
    that are not right yet; with the code `closed` where the procedure has stopped taking applications meanwhile.
    """
    draft = drafts.find(session, actor, draft_id, now, lock=True)
    if draft.row.application_id is not None:
        return _again(session, actor, draft.row, key, now)
    if drafts.is_closed(session, draft):
        raise Invalid(procedures.NOT_NOW, code="closed")
    reading = draft.reading(now)
    if reading.stops:
        raise Invalid(reading.stops[0], code="not-eligible")
    if reading.errors:
        raise Invalid(say("直していただくところがあります。"), fields=reading.errors, code="not-complete")
    my_numbers.refuse_missing(session, draft)
    delegation = None
    if draft.row.delegation_id is not None:
        delegation = delegates.may_file(session, actor, draft.row.delegation_id, draft.key, now)
        key = receipt.new_enquiry_key()  # nobody's: a 照会キー would outlive the 委任, so the giver makes their own
    arrival = Arrival(
        procedure_id=draft.row.procedure_id,
        procedure_version=draft.row.procedure_version,
        procedure=draft.procedure,
        answers=reading.answers,
        draft_id=draft.row.id,
        person=delegation.giver if delegation else draft.row.owner_person,
        electronic=electronic,
        delegation=delegation,
        language=delegation.language if delegation else language,
    )
    row = arrive(session, actor, arrival, key, now, site=site)
    draft.row.application_id, row.bundle_id = row.id, draft.row.bundle_id
    my_numbers.hand_over(session, draft.row.id, row)
    used = [kept["id"] for listed in draft.row.files.values() for kept in listed]
    session.execute(update(AttachmentRow).where(AttachmentRow.id.in_(used)).values(application_id=row.id))
    draft.row.raw, draft.row.files = {}, {}
    return Receipt(row, None if delegation else key, first=True)


def _again(session: Session, actor: Actor, draft: DraftRow, key: str, now: datetime) -> Receipt:
    row = cases.load(session, draft.application_id or "")
    if row.delegation_id is not None:
        return Receipt(who.own_application(session, actor, row.id, now, delegate=True), None, first=False)
    who.grant(session, actor, row.id, now)
    return Receipt(row, key if key_fits(row, key) else None, first=False)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What arrives, by form, by program or on paper. `arrived_at`: when it had come, where that was earlier than now; `language`: in
    which the applicant is written to."""

    procedure_id: str
    procedure_version: int
    procedure: Procedure
    answers: Answers
    draft_id: str | None
    person: str | None
    channel: events.Channel = "online"
    arrived_at: datetime | None = None
    electronic: bool | None = None
    delegation: DelegationRow | None = None
    language: str | None = None
    id: str = field(default_factory=new_id)


def arrive(session: Session, actor: Actor, arrival: Arrival, key: str, now: datetime, *, site: str) -> ApplicationRow:
    """Record an arrival: number, first round, history, audit, event, notice. `site`: public address of e-application
    here."""
    if actor.code is None:
        raise ValueError("an application arrives at a municipality")
    arrived_at = arrival.arrived_at or now
    year = fiscal_year(local_date(arrived_at))
    enquiry_hash = HASHER.hash(_checked(key))
    serial = next_serial(session, year)
    row = ApplicationRow(
        id=arrival.id,
        procedure_id=arrival.procedure_id,
        procedure_version=arrival.procedure_version,
        draft_id=arrival.draft_id,
        receipt_number=receipt.receipt_number(actor.code, local_date(arrived_at), serial),
        fiscal_year=year,
        serial=serial,
        channel=arrival.channel,
        state=State.SUBMITTED,
        applicant_person=arrival.person,
        applicant_name=_used(arrival, "applicant_name"),
        search="",
        answers=arrival.answers,
        arrived_at=arrived_at,
        due_on=cases.NO_DUE_DAY,
        enquiry_hash=enquiry_hash,
        round=1,
        version=1,
        unread=True,
        updated_at=now,
        electronic=arrival.electronic,
        delegation_id=arrival.delegation.id if arrival.delegation else None,
        cosigners_needed=_cosigners(arrival),
        filed_by=arrival.delegation.delegate if arrival.delegation else None,
        filed_by_name=arrival.delegation.delegate_name if arrival.delegation else None,
        language=arrival.language,
    )
    row.search = search_words(arrival.procedure, row)
    row.likeness = likeness(arrival.procedure, row)
    row.due_on = cases.forecast(session, row, arrival.procedure, [], now)
    session.add(row)
    pairs.keep(session, row)
    session.add(RoundRow(application_id=row.id, number=1, answers=arrival.answers, received_at=arrived_at))
    cases.note(session, row, What.SUBMITTED, actor, now)
    if arrival.delegation is not None:
        cases.note(session, row, What.FILED_BY_DELEGATE, actor, now, row.filed_by_name or "")
        mails.delegated(session, row, site, now)
    elif arrival.channel == "online":  # whoever enters a paper is not its applicant
        who.grant(session, actor, row.id, now)
    audit.record(session, actor, "eapply.application.submit", row.id, now=now)
    fact = events.ApplicationSubmitted(
        application_id=row.id,
        procedure_id=row.procedure_id,
        fiscal_year=year,
        channel=arrival.channel,
        submitted_at=arrived_at,
    )
    outbox.add(session, fact, subject=row.id, now=now)
    charge = fees.open_charge(session, actor.code, row, arrival.procedure, "before", now)
    pay = charge is not None and charge.charge_state == Charge.DUE
    mails.received(session, row, arrival.procedure, site, now, pay_by=charge.due_on if charge else None, pay=pay)
    return row


def _cosigners(arrival: Arrival) -> int | None:
    """How many further persons have to confirm; None where nobody has. On paper everybody has signed the paper."""
    rule = arrival.procedure.handling.cosign
    return rule.persons if rule is not None and arrival.channel == "online" else None


def search_words(procedure: Procedure, row: ApplicationRow) -> str:
    """What the desk's search looks in: number, name, kana."""
    kana = procedure.used_for("applicant_kana")
    texts = [row.receipt_number, row.applicant_name, str(row.answers.get(kana.key, "")) if kana else ""]
    return "\n".join(map(search_key, texts))


def next_serial(session: Session, year: int) -> int:
    """The next number of the fiscal year. Whoever takes one holds the others up until COMMIT, so it is taken late."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = (
        insert(CounterRow)
        .values(fiscal_year=year, last=1)
        .on_conflict_do_update(index_elements=["tenant_id", "fiscal_year"], set_={"last": CounterRow.last + 1})
        .returning(CounterRow.last)
    )
    return session.scalars(statement).one()


def key_fits(row: ApplicationRow, typed: str) -> bool:
    """Whether `typed` is the application's 照会キー."""
    try:
        return HASHER.verify(row.enquiry_hash, receipt.read_enquiry_key(typed))
    except Exception:  # argon2 raises one class for wrong, another for strange
        return False


def renew_key(session: Session, actor: Actor, application_id: str, now: datetime) -> tuple[ApplicationRow, str]:
    """A new 照会キー for the applicant who lost the old one, which stops working."""
    row = who.own_application(session, actor, application_id, now, lock=True)
    key = receipt.new_enquiry_key()
    row.enquiry_hash = HASHER.hash(key)
    cases.note(session, row, What.KEY_RENEWED, actor, now)
    audit.record(session, actor, "eapply.enquiry_key.renew", row.id, now=now)
    return row, key


def _checked(key: str) -> str:
    key = receipt.read_enquiry_key(key)
    plain = key.replace("-", "")
    if len(plain) != receipt.KEY_LENGTH or set(plain) - set(receipt.ALPHABET):
        raise Invalid(say("確認の画面から、もう一度送ってください。入力は残っています。"), code="stale-form")
    return key


def _used(arrival: Arrival, use: str) -> str:
    used = arrival.procedure.used_for(use)  # type: ignore[arg-type]
    return str(arrival.answers.get(used.key, "")) if used else ""


def by_draft(session: Session, draft_id: str) -> ApplicationRow | None:
    return session.scalar(select(ApplicationRow).where(ApplicationRow.draft_id == draft_id))
