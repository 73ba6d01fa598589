"""保存期間: what goes next month is shown before, what is held stays, and what is deleted leaves a certificate."""

import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, Invalid, NotFound, say
from libs.common.ids import new_id
from services.eapply.db import ApplicationRow, ChargeRow, DeletionRow, ProcedureRow, VaultEntryRow
from services.eapply.db.tables import not_open
from services.eapply.domain import fees
from services.eapply.domain.fees import Charge
from services.eapply.domain.retention import kept_until, month_of
from services.eapply.domain.states import OPEN, State
from services.eapply.forms.definition import Procedure
from services.eapply.forms.text import cleaned
from services.eapply.use_cases import cases, clock, numbers
from services.eapply.use_cases.erase import erase, files_of

BATCH = 200
CERTIFICATE = say("廃棄の記録")


def ended(row: ApplicationRow, procedure: Procedure, now: datetime) -> None:
    """The application was decided or withdrawn: its 保存期間 begins."""
    rules = procedure.handling.retention
    months = rules.withdrawn_months if row.state == State.WITHDRAWN else rules.decided_months
    row.kept_until = kept_until(local_date(now), months)


@dataclass(frozen=True, slots=True)
class Going:
    """What is deleted on the first of a month: how many of a procedure."""

    title: str
    count: int


def going(session: Session, last_day: date) -> list[Going]:
    """What goes when the month of `last_day` is over, by procedure. What is held is not in it."""
    statement = (
        select(ProcedureRow.title, func.count())
        .join(ApplicationRow, ApplicationRow.procedure_id == ProcedureRow.id)
        .where(_over(month_of(last_day)[1]))
        .group_by(ProcedureRow.id, ProcedureRow.title)
        .order_by(ProcedureRow.title)
    )
    return [Going(title, count) for title, count in session.execute(statement).tuples()]


def going_applications(session: Session, last_day: date) -> list[ApplicationRow]:
    """The same one by one, up to 200."""
    found = select(ApplicationRow).where(_over(month_of(last_day)[1]))
    return list(session.scalars(found.order_by(ApplicationRow.kept_until, ApplicationRow.id).limit(200)))


def held(session: Session) -> list[ApplicationRow]:
    found = select(ApplicationRow).where(ApplicationRow.hold.is_not(None))
    return list(session.scalars(found.order_by(ApplicationRow.kept_until, ApplicationRow.id).limit(200)))


def kept_for_money(session: Session, last_day: date) -> list[ApplicationRow]:
    """What would go when the month of `last_day` is over, were it not for a fee that is not settled; up to 200."""
    found = select(ApplicationRow).where(
        _kept_until(month_of(last_day)[1]), ApplicationRow.hold.is_(None), _money_is_open()
    )
    return list(session.scalars(found.order_by(ApplicationRow.kept_until, ApplicationRow.id).limit(200)))


def _over(day: date) -> ColumnElement[bool]:
    """Ended, kept until `day` or earlier, not held, and no money is still to be paid, fixed or paid back."""
    return _kept_until(day) & ApplicationRow.hold.is_(None) & ~_money_is_open()


def _kept_until(day: date) -> ColumnElement[bool]:
    return (ApplicationRow.kept_until <= day) & not_open()


def _money_is_open() -> ColumnElement[bool]:
    """A claim would go with its only record."""
    opened = [*sorted(fees.OPEN), Charge.REFUND_DUE, Charge.OVERPAID]
    found = select(ChargeRow.id).where(
        ChargeRow.application_id == ApplicationRow.id, ChargeRow.charge_state.in_(opened)
    )
    return found.exists()


def hold(session: Session, actor: Actor, application_id: str, reason: str, now: datetime) -> ApplicationRow:
    """Keep an application beyond its time: an appeal, an audit, a law suit."""
    row = cases.load(session, application_id, lock=True)
    reason = cleaned(reason, lines=True)[:2000]
    if not reason:
        sentence = say("廃棄を止める理由を入力してください。")
        raise Invalid(sentence, fields={"hold": sentence})
    if row.state in OPEN:
        raise Conflict(say("まだ済んでいない申請は、廃棄されません。"), code="wrong-state", state=row.state)
    row.hold = reason
    cases.touch(row, now)
    audit.record(session, actor, "eapply.retention.hold", row.id, reason=reason, now=now)
    return row


def release(session: Session, actor: Actor, application_id: str, now: datetime) -> ApplicationRow:
    """The reason is gone: its 保存期間 counts again."""
    row = cases.load(session, application_id, lock=True)
    row.hold = None
    cases.touch(row, now)
    audit.record(session, actor, "eapply.retention.release", row.id, now=now)
    return row


@dataclass(frozen=True, slots=True)
class Deleted:
    """`files`: stored bytes that go after COMMIT."""

    certificate: DeletionRow | None
    files: list[str]
    more: bool


def delete_over(session: Session, actor: Actor, now: datetime) -> Deleted:
    """Delete one batch of what was over before this month began, and certify it."""
    day_before = month_of(local_date(now))[0] - timedelta(days=1)
    rows = list(
        session.scalars(
            select(ApplicationRow)
            .where(_over(day_before))
            .order_by(ApplicationRow.kept_until, ApplicationRow.id)
            .limit(BATCH)
            .with_for_update()
        )
    )
    if not rows:
        return Deleted(None, [], more=False)
    ids = [row.id for row in rows]
    files = files_of(session, ids)
    certificate = _certified(session, rows, len(files), now)
    numbers.keep_count(session, rows)
    clock.keep_rate(session, rows)
    erase(session, ids)
    audit.record(session, actor, "eapply.retention.delete", certificate.id, detail={"count": len(ids)}, now=now)
    return Deleted(certificate, files, more=len(rows) == BATCH)


def _certified(session: Session, rows: list[ApplicationRow], files: int, now: datetime) -> DeletionRow:
    titles = dict(session.execute(select(ProcedureRow.id, ProcedureRow.title)).tuples().all())
    numbers = set(
        session.scalars(
            select(VaultEntryRow.application_id).where(VaultEntryRow.application_id.in_([row.id for row in rows]))
        )
    )
    listed = [_entry(row, titles) | ({"my_number": True} if row.id in numbers else {}) for row in rows]
    certificate = DeletionRow(id=new_id(), deleted_at=now, applications=listed, files=files, sha256=digest(listed))
    session.add(certificate)
    session.flush()
    return certificate


def _entry(row: ApplicationRow, titles: dict[str, str]) -> dict[str, Any]:
    """What is certified of one application: nothing about its person."""
    ended_on = local_date(row.decided_at or row.updated_at)
    return {
        "number": row.receipt_number, "procedure": titles.get(row.procedure_id, ""), "state": row.state,
        "ended_on": ended_on.isoformat(), "kept_until": row.kept_until.isoformat() if row.kept_until else "",
    }  # fmt: skip


def digest(listed: list[dict[str, Any]]) -> str:
    """SHA-256 of the certified list: whoever has the list can compare."""
    return hashlib.sha256(json.dumps(listed, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def certificates(session: Session) -> list[DeletionRow]:
    """Newest first."""
    return list(session.scalars(select(DeletionRow).order_by(DeletionRow.deleted_at.desc(), DeletionRow.id).limit(100)))


def certificate(session: Session, certificate_id: str) -> DeletionRow:
    """Raises NotFound."""
    row = session.scalar(select(DeletionRow).where(DeletionRow.id == certificate_id))
    if row is None:
        raise NotFound(say("この廃棄の記録は見つかりません。"))
    return row
