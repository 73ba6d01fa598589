"""What municipalities asked for, each with its timeline; and the rules by which some are approved at once."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, exists, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from libs.common.errors import NotFound, say
from libs.common.ids import new_id
from libs.common.tenancy import SharedTable
from services.tenants.db.base import Base
from services.tenants.domain.requests import OPEN


class RequestRow(SharedTable, Base):
    """States and steps: `domain/requests.py`. `slot` is "open" while the request is open: one per tenant and service.

    `asked_at` and `asks` tell when and how often the room was asked for `room_action`, `heard_at` when it last answered.
    `room_request` is the id under which it was asked: a new one for each thing asked, the same when asked again.
    """

    __tablename__ = "requests"
    __shared_because__ = (
        "operators work through the requests of every municipality; each query names the tenant or says all"
    )
    __table_args__ = (
        UniqueConstraint("tenant", "service", "slot"),
        Index(None, "state", "requested_at"),
        Index(None, "room_request"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    tenant: Mapped[str] = mapped_column(String(6))
    service: Mapped[str] = mapped_column(String(40))
    action: Mapped[str] = mapped_column(String(10))
    slot: Mapped[str] = mapped_column(String(36), default="open")
    state: Mapped[str] = mapped_column(String(10))
    effective_from: Mapped[date | None]
    requested_by: Mapped[str] = mapped_column(String(36))
    requested_at: Mapped[datetime]
    decided_by: Mapped[str | None] = mapped_column(String(36))
    decided_at: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(String(2000))
    room_action: Mapped[str | None] = mapped_column(String(10))
    room_request: Mapped[str | None] = mapped_column(String(36))
    asked_at: Mapped[datetime | None]
    heard_at: Mapped[datetime | None]
    asks: Mapped[int] = mapped_column(default=0)
    archive: Mapped[str | None] = mapped_column(String(200))
    finished_at: Mapped[datetime | None]


class RequestStepRow(SharedTable, Base):
    """One line of a request's timeline. `label` comes from the room that prepares; `done` of `total` are its steps."""

    __tablename__ = "request_steps"
    __shared_because__ = "belongs to a request, see there"

    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(20))
    label: Mapped[str | None] = mapped_column(String(500))
    done: Mapped[int | None]
    total: Mapped[int | None]


class ServiceRuleRow(SharedTable, Base):
    """Whether joining a service needs an operator's approval. No row: it does."""

    __tablename__ = "service_rules"
    __shared_because__ = "a rule of the council for every municipality"

    service: Mapped[str] = mapped_column(String(40), primary_key=True)
    auto_approve: Mapped[bool]
    changed_by: Mapped[str] = mapped_column(String(36))
    changed_at: Mapped[datetime]


def find_request(session: Session, request_id: str, *, tenant: str | None = None, lock: bool = False) -> RequestRow:
    """The request, of `tenant` only when given. NotFound otherwise: another municipality's looks as if it were none."""
    statement = select(RequestRow).where(RequestRow.id == request_id)
    if tenant is not None:
        statement = statement.where(RequestRow.tenant == tenant)
    row = session.scalar(statement.with_for_update() if lock else statement)
    if row is None:
        raise NotFound(say("この申込みは見つかりません。一覧から選び直してください。"))
    return row


def by_room_request(session: Session, tenant: str, service: str, room_request: str) -> RequestRow | None:
    """The request whose room was asked under this id, locked; None: an answer to nobody."""
    return session.scalar(
        select(RequestRow)
        .where(RequestRow.room_request == room_request, RequestRow.tenant == tenant, RequestRow.service == service)
        .with_for_update()
    )


def open_request(session: Session, tenant: str, service: str) -> RequestRow | None:
    return session.scalar(
        select(RequestRow).where(RequestRow.tenant == tenant, RequestRow.service == service, RequestRow.slot == "open")
    )


def latest_requests(session: Session, tenant: str) -> dict[str, RequestRow]:
    """Service → its newest request."""
    rows = session.scalars(
        select(RequestRow).where(RequestRow.tenant == tenant).order_by(RequestRow.requested_at, RequestRow.id)
    )
    return {row.service: row for row in rows}


def requests_of(session: Session, tenant: str, limit: int = 100) -> list[RequestRow]:
    """Newest first."""
    return list(
        session.scalars(
            select(RequestRow)
            .where(RequestRow.tenant == tenant)
            .order_by(RequestRow.requested_at.desc(), RequestRow.id.desc())
            .limit(limit)
        )
    )


def has_room(session: Session, tenant: str, service: str) -> bool:
    """Whether a request prepared a room and none has deleted it since."""
    newest = session.scalar(
        select(RequestRow.action)
        .where(RequestRow.tenant == tenant, RequestRow.service == service, RequestRow.state == "done")
        .where(RequestRow.action.in_(("join", "leave", "cancel")))
        .order_by(RequestRow.requested_at.desc(), RequestRow.id.desc())
        .limit(1)
    )
    return newest == "join"


def without_room(session: Session, tenant: str | None = None) -> set[tuple[str, str]]:
    """(tenant, service) whose room was asked for and is not made: on its way, or failed, and none was made since."""
    made = aliased(RequestRow)
    since = exists().where(
        made.tenant == RequestRow.tenant,
        made.service == RequestRow.service,
        made.action == "join",
        made.state == "done",
        made.requested_at >= RequestRow.requested_at,
    )
    statement = select(RequestRow.tenant, RequestRow.service).where(
        RequestRow.action == "join", RequestRow.state.in_(("requested", "running", "failed")), ~since
    )
    if tenant is not None:
        statement = statement.where(RequestRow.tenant == tenant)
    return set(session.execute(statement).tuples())


def requests_in(session: Session, states: list[str], limit: int = 200, *, newest: bool = False) -> list[RequestRow]:
    """Requests of every municipality in these states, oldest first (or newest first)."""
    order = [RequestRow.requested_at, RequestRow.id]
    return list(
        session.scalars(
            select(RequestRow)
            .where(RequestRow.state.in_(states))
            .order_by(*([column.desc() for column in order] if newest else order))
            .limit(limit)
        )
    )


def leavings_due(session: Session, today: date) -> list[RequestRow]:
    """Leavings agreed for a day that has come, not begun yet."""
    return list(
        session.scalars(
            select(RequestRow)
            .where(RequestRow.state == "requested", RequestRow.action == "leave", RequestRow.effective_from <= today)
            .order_by(RequestRow.id)
        )
    )


def running(session: Session, asked_before: datetime) -> list[RequestRow]:
    """Requests whose room was asked before this moment and has said nothing since."""
    heard = func.coalesce(RequestRow.heard_at, RequestRow.asked_at)
    return list(
        session.scalars(
            select(RequestRow)
            .where(RequestRow.state == "running", RequestRow.asked_at <= asked_before, heard <= asked_before)
            .order_by(RequestRow.id)
        )
    )


def add_request(session: Session, row: RequestRow) -> None:
    session.add(row)
    session.flush()


def add_request_once(session: Session, row: RequestRow) -> RequestRow:
    """Add `row`, or give the open request that somebody else has added meanwhile."""
    try:
        with session.begin_nested():
            add_request(session, row)
    except IntegrityError:
        present = open_request(session, row.tenant, row.service)
        if present is None:
            raise
        return present
    return row


def become(session: Session, row: RequestRow, state: str, now: datetime) -> None:
    """Put the request into `state`; one that is over gives its slot free."""
    row.state = state
    if state not in OPEN:
        row.slot, row.finished_at = row.id, now
    session.flush()


def add_step(
    session: Session,
    request_id: str,
    kind: str,
    now: datetime,
    *,
    label: str | None = None,
    done: int | None = None,
    total: int | None = None,
) -> None:
    last = session.scalar(select(func.max(RequestStepRow.position)).where(RequestStepRow.request_id == request_id)) or 0
    step = RequestStepRow(request_id=request_id, position=last + 1, at=now, kind=kind)
    step.label, step.done, step.total = (label or "")[:500] or None, done, total
    session.add(step)
    session.flush()


def steps_of(session: Session, request_id: str) -> list[RequestStepRow]:
    return list(
        session.scalars(
            select(RequestStepRow).where(RequestStepRow.request_id == request_id).order_by(RequestStepRow.position)
        )
    )


def last_step(session: Session, request_id: str) -> RequestStepRow | None:
    return session.scalar(
        select(RequestStepRow)
        .where(RequestStepRow.request_id == request_id)
        .order_by(RequestStepRow.position.desc())
        .limit(1)
    )


def auto_approved(session: Session) -> set[str]:
    """Services whose joining needs no operator."""
    return set(session.scalars(select(ServiceRuleRow.service).where(ServiceRuleRow.auto_approve)))


def set_rule(session: Session, service: str, auto_approve: bool, by: str, now: datetime) -> None:
    session.merge(ServiceRuleRow(service=service, auto_approve=auto_approve, changed_by=by, changed_at=now))
    session.flush()
