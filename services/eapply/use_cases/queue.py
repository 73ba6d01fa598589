"""The desk's queue: bundles, filters, search, one page after another without counting through."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Invalid, say
from services.eapply.db import ApplicationRow, ConsultationRow, MemberRow
from services.eapply.db.tables import came_back, in_states, not_open
from services.eapply.domain.states import COUNTING, OPEN, State
from services.eapply.forms.text import search_key
from services.eapply.use_cases import pairs

PAGE = 25
NOBODY = "-"
"""As `Filter.assignee`: cases that are nobody's."""
SOON = timedelta(days=4)
"""Calendar days before the due day from which a case is shown as near its end."""
MOST_COUNTED = 500
TABS = {
    "all": say("すべて"),
    "unread": say("未読"),
    "mine": say("自分の担当"),
    "new": say("未着手"),
    "soon": say("期限が近い"),
    "late": say("期限を過ぎた"),
    "waiting": say("補正待ち"),
    "returned": say("補正が届いた"),
    "approval": say("決裁待ち"),
    "asked": say("自分の課への照会"),
    "ended": say("済んだもの"),
}


@dataclass(frozen=True, slots=True)
class Filter:
    """What the desk asked for. Unknown words mean the default."""

    tab: str = "all"
    words: str = ""
    procedure_id: str = ""
    state: str = ""
    assignee: str = ""
    order: str = "due"
    after: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    rows: list[ApplicationRow]
    next: str | None


def page(session: Session, actor: Actor, wanted: Filter, now: datetime, size: int = PAGE) -> Page:
    """One page of the queue and the cursor of the next."""
    statement = _ordered(_matching(session, actor, wanted, now), wanted)
    rows = list(session.scalars(statement.limit(size + 1)))
    return Page(rows[:size], _cursor(rows[size - 1], wanted) if len(rows) > size else None)


def every(session: Session, actor: Actor, wanted: Filter, now: datetime) -> Iterator[ApplicationRow]:
    """All that match, for CSV, read page by page so that memory stays flat."""
    after: str | None = ""
    while after is not None:
        found = page(session, actor, Filter(**{**_as_dict(wanted), "after": after}), now, size=200)
        yield from found.rows
        session.expunge_all()
        after = found.next


def counts(session: Session, actor: Actor, now: datetime) -> dict[str, int | str]:
    """How many cases each tab holds, exactly up to MOST_COUNTED, "500+" beyond: no desk works through five hundred, and to count them
    all would take longer the more are open. `ended` is left out, because it only grows."""
    tabs = [tab for tab in TABS if tab != "ended"]
    some = {
        tab: select(ApplicationRow.id).where(_tab(tab, actor, now)).limit(MOST_COUNTED + 1).subquery() for tab in tabs
    }
    counted = [select(func.count()).select_from(found).scalar_subquery().label(tab) for tab, found in some.items()]
    row = session.execute(select(*counted)).one()
    return {tab: count if count <= MOST_COUNTED else f"{MOST_COUNTED:,}+" for tab, count in zip(tabs, row, strict=True)}


def _matching(session: Session, actor: Actor, wanted: Filter, now: datetime) -> Select[tuple[ApplicationRow]]:
    tab = wanted.tab if wanted.tab in TABS else "all"
    statement = select(ApplicationRow).where(_tab(tab, actor, now))
    words = [search_key(word) for word in wanted.words.split()[:10]]
    for word in words:
        statement = statement.where(ApplicationRow.search.contains(word, autoescape=True))
    if (found := pairs.among(session, words)) is not None:
        statement = statement.where(ApplicationRow.id.in_(found))
    if wanted.procedure_id:
        statement = statement.where(ApplicationRow.procedure_id == wanted.procedure_id)
    if wanted.assignee:
        nobody = wanted.assignee == NOBODY
        statement = statement.where(ApplicationRow.assignee == (None if nobody else wanted.assignee))
    if wanted.state in set(State):
        statement = statement.where(ApplicationRow.state == wanted.state)
    return statement


def _tab(tab: str, actor: Actor, now: datetime) -> ColumnElement[bool]:
    live = in_states(OPEN)
    match tab:
        case "unread":
            return and_(live, ApplicationRow.unread)
        case "mine":
            return and_(live, ApplicationRow.assignee == actor.subject)
        case "new":
            return ApplicationRow.state == State.SUBMITTED
        case "soon":
            return and_(in_states(COUNTING), ApplicationRow.due_on <= local_date(now) + SOON)
        case "late":
            return and_(in_states(COUNTING), ApplicationRow.due_on < local_date(now))
        case "waiting":
            return ApplicationRow.state == State.CORRECTION_REQUESTED
        case "returned":
            return came_back()
        case "approval":
            return ApplicationRow.state == State.AWAITING_APPROVAL
        case "asked":
            return and_(live, _asked(actor))
        case "ended":
            return not_open()
    return live


def _asked(actor: Actor) -> ColumnElement[bool]:
    """Another section asks the section that this person named as theirs."""
    section = select(MemberRow.section).where(MemberRow.subject == actor.subject).scalar_subquery()
    waiting = select(ConsultationRow.id).where(
        ConsultationRow.application_id == ApplicationRow.id,
        ConsultationRow.section == section,
        ConsultationRow.answered_at.is_(None),
        ConsultationRow.cancelled_at.is_(None),
    )
    return waiting.exists()


def _ordered(statement: Select[tuple[ApplicationRow]], wanted: Filter) -> Select[tuple[ApplicationRow]]:
    """Keyset paging: the sort column, then the id."""
    after = _read_cursor(wanted)
    if wanted.order == "arrived":
        if after:
            at = datetime.fromisoformat(after[0])
            statement = statement.where(
                or_(
                    ApplicationRow.arrived_at < at,
                    and_(ApplicationRow.arrived_at == at, ApplicationRow.id < after[1]),
                )
            )
        return statement.order_by(ApplicationRow.arrived_at.desc(), ApplicationRow.id.desc())
    if after:
        day = date.fromisoformat(after[0])
        statement = statement.where(
            or_(ApplicationRow.due_on > day, and_(ApplicationRow.due_on == day, ApplicationRow.id > after[1]))
        )
    return statement.order_by(ApplicationRow.due_on, ApplicationRow.id)


def _cursor(row: ApplicationRow, wanted: Filter) -> str:
    position = row.arrived_at if wanted.order == "arrived" else row.due_on
    return base64.urlsafe_b64encode(json.dumps([position.isoformat(), row.id]).encode()).decode()


def _read_cursor(wanted: Filter) -> tuple[str, str] | None:
    if not wanted.after:
        return None
    try:
        position, row_id = json.loads(base64.urlsafe_b64decode(wanted.after))
        (datetime if wanted.order == "arrived" else date).fromisoformat(position)
        return position, str(row_id)
    except (ValueError, TypeError) as error:
        raise Invalid("一覧の続きを開けませんでした。一覧の最初から開き直してください。", code="bad-cursor") from error


def _as_dict(wanted: Filter) -> dict[str, str]:
    return {name: getattr(wanted, name) for name in Filter.__slots__}
