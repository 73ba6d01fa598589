"""What every step on an application shares: finding it, its definition, its time, and writing down what happened."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, NotFound, say
from services.eapply.db import ApplicationRow, CorrectionRow, HistoryRow, RoundRow
from services.eapply.domain import states
from services.eapply.domain.history import What
from services.eapply.domain.period import Closures, Pause, Period, Transit, period
from services.eapply.domain.states import State
from services.eapply.forms.definition import Procedure
from services.eapply.use_cases import procedures, who
from services.eapply.use_cases.calendar import closures_here

NO_DUE_DAY = date(9999, 12, 31)


def load(session: Session, application_id: str, *, lock: bool = False) -> ApplicationRow:
    """The application, whoever asks: for staff. Raises NotFound."""
    statement = select(ApplicationRow).where(ApplicationRow.id == application_id)
    row = session.scalar(statement.with_for_update() if lock else statement)
    if row is None:
        raise NotFound(say("その申請は見つかりません。"))
    return row


def load_for_step(session: Session, application_id: str, seen_version: int) -> ApplicationRow:
    """The application, locked, as it was when the page was made. Raises Conflict when somebody has changed it since."""
    row = load(session, application_id, lock=True)
    if row.version != seen_version:
        raise changed_meanwhile(session, row)
    return row


def changed_meanwhile(session: Session, row: ApplicationRow) -> Conflict:
    """What happened while the person was looking."""
    last = history(session, row.id)[-1]
    return Conflict(
        say("ほかの操作が先に済んだため、いまの操作は行いませんでした。新しい内容を見てから、もう一度お決めください。"),
        code="changed-meanwhile",
        state=row.state,
        last_what=last.what,
        last_at=last.at.isoformat(),
        version=row.version,
    )


def definition_of(session: Session, row: ApplicationRow) -> Procedure:
    return procedures.definition(session, row.procedure_id, row.procedure_version)


def advance(row: ApplicationRow, step: states.Step, now: datetime) -> None:
    """Take the step in the law's graph. Raises Conflict when there is no such way."""
    row.state = states.after(State(row.state), step)
    touch(row, now)


def touch(row: ApplicationRow, now: datetime) -> None:
    row.version += 1
    row.updated_at = now


def note(session: Session, row: ApplicationRow, what: What, actor: Actor, now: datetime, text: str = "") -> None:
    """Write down what happened, for both sides to read."""
    last = select(func.max(HistoryRow.position)).where(HistoryRow.application_id == row.id)
    session.add(
        HistoryRow(
            application_id=row.id,
            position=(session.scalar(last) or 0) + 1,
            at=now,
            what=what,
            by_kind="staff"
            if actor.kind in {"staff", "operator"} and who.person(actor) != row.applicant_person
            else "applicant",
            by=who.person(actor),
            by_name=actor.name if actor.kind != "guest" else "",
            text=text,
        )
    )
    session.flush()


def history(session: Session, application_id: str) -> list[HistoryRow]:
    """Everything that happened, oldest first."""
    statement = select(HistoryRow).where(HistoryRow.application_id == application_id)
    return list(session.scalars(statement.order_by(HistoryRow.position)))


def rounds(session: Session, application_id: str) -> list[RoundRow]:
    statement = select(RoundRow).where(RoundRow.application_id == application_id)
    return list(session.scalars(statement.order_by(RoundRow.number)))


def corrections(session: Session, application_ids: Iterable[str]) -> dict[str, list[CorrectionRow]]:
    """Corrections asked for, oldest first, by application."""
    ids = list(application_ids)
    found: dict[str, list[CorrectionRow]] = {application_id: [] for application_id in ids}
    statement = select(CorrectionRow).where(CorrectionRow.application_id.in_(ids))
    for row in session.scalars(statement.order_by(CorrectionRow.asked_at, CorrectionRow.id)):
        found[row.application_id].append(row)
    return found


def open_correction(session: Session, application_id: str, *, lock: bool = False) -> CorrectionRow | None:
    statement = select(CorrectionRow).where(
        CorrectionRow.application_id == application_id,
        CorrectionRow.answered_at.is_(None),
        CorrectionRow.cancelled_at.is_(None),
    )
    return session.scalar(statement.with_for_update() if lock else statement)


def standing(
    row: ApplicationRow, procedure: Procedure, asked: Iterable[CorrectionRow], closures: Closures, now: datetime
) -> Period | None:
    """How the application stands in its 標準処理期間; None where none is set. After its end: as it stood then."""
    days = procedure.standard.working_days
    if days is None:
        return None
    ended = row.decided_at or (row.updated_at if row.state == State.WITHDRAWN else None)
    today = local_date(ended or now)
    pauses = [Pause(local_date(each.asked_at), _end(each)) for each in asked]
    if row.cosigners_needed is not None:  # until all have confirmed it is not complete, as during 補正
        pauses.append(Pause(local_date(row.arrived_at), row.cosigned_on))
    return period(local_date(row.arrived_at), days, pauses, closures, today, _transit(row, procedure))


def _transit(row: ApplicationRow, procedure: Procedure) -> Transit | None:
    days = procedure.standard.transit_days
    return Transit(days, row.reached_on) if days is not None else None


def forecast(
    session: Session, row: ApplicationRow, procedure: Procedure, asked: Iterable[CorrectionRow], now: datetime
) -> date:
    """The due day to sort by."""
    now_standing = standing(row, procedure, asked, closures_here(session), now)
    return now_standing.due if now_standing else NO_DUE_DAY


def forecast_again(session: Session, row: ApplicationRow, now: datetime) -> None:
    """After something that stops or starts the clock."""
    session.flush()
    row.due_on = forecast(session, row, definition_of(session, row), corrections(session, [row.id])[row.id], now)


def _end(asked: CorrectionRow) -> date | None:
    """Its answer; where co-signers are asked again, the day on which all of them have confirmed it."""
    if asked.cosign_again and asked.answered_at is not None:
        return asked.cosigned_on
    ended = asked.answered_at or asked.cancelled_at
    return local_date(ended) if ended else None


@dataclass(frozen=True, slots=True)
class Seen:
    """An application with what pages need around it."""

    row: ApplicationRow
    procedure: Procedure
    period: Period | None
    corrections: list[CorrectionRow]

    @property
    def open_correction(self) -> CorrectionRow | None:
        return next((each for each in self.corrections if each.answered_at is None and each.cancelled_at is None), None)


def seen(session: Session, row: ApplicationRow, now: datetime) -> Seen:
    procedure = definition_of(session, row)
    asked = corrections(session, [row.id])[row.id]
    return Seen(row, procedure, standing(row, procedure, asked, closures_here(session), now), asked)


def seen_many(session: Session, rows: list[ApplicationRow], now: datetime) -> list[Seen]:
    """Many at once, in four queries at most."""
    known = procedures.definitions(session, {(row.procedure_id, row.procedure_version) for row in rows})
    asked = corrections(session, [row.id for row in rows])
    closed = closures_here(session)
    result = []
    for row in rows:
        procedure = known[row.procedure_id, row.procedure_version]
        result.append(Seen(row, procedure, standing(row, procedure, asked[row.id], closed, now), asked[row.id]))
    return result
