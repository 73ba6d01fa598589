"""The pool of servers, who reserved what, and what a node costs a day."""

from datetime import date, datetime, timedelta

from sqlalchemy import Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.errors import NotFound, say
from libs.common.ids import new_id
from libs.common.tenancy import SharedTable
from services.tenants.db.base import Base
from services.tenants.domain.capacity import HOLDING, Held, Pool

THE_POOL = "pool"


class PoolRow(SharedTable, Base):
    """One row: all there is, and what it costs. Yen per node and day, and per 100 GB and day."""

    __tablename__ = "capacity_pools"
    __shared_because__ = "one pool that all municipalities draw from"

    name: Mapped[str] = mapped_column(String(20), primary_key=True, default=THE_POOL)
    nodes: Mapped[int]
    storage: Mapped[int]
    cpu: Mapped[int]
    memory: Mapped[int]
    node_day: Mapped[int]
    storage_day: Mapped[int]


class ReservationRow(SharedTable, Base):
    """`state`: requested, approved, refused, cancelled. `applied_at`: its namespace was made (or, in dry mode, would have been);
    `removed_at`: it is gone again. `node_day`, `storage_day`: yen as they stood when it was asked for; None: not kept by an archive or
    a release of before. `carried_from`: the reservation of a municipality that ended, whose days this one goes on with."""

    __tablename__ = "reservations"
    __shared_because__ = "all reservations share one pool: whoever asks must be checked against everybody's"
    __table_args__ = (Index(None, "state", "until"), Index(None, "tenant"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    tenant: Mapped[str] = mapped_column(String(6))
    first: Mapped[date]
    until: Mapped[date]
    nodes: Mapped[int]
    storage: Mapped[int]
    purpose: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str | None] = mapped_column(String(2000))
    asked_by: Mapped[str] = mapped_column(String(36))
    asked_at: Mapped[datetime]
    decided_by: Mapped[str | None] = mapped_column(String(36))
    decided_at: Mapped[datetime | None]
    applied_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(2000))
    node_day: Mapped[int | None]
    storage_day: Mapped[int | None]
    carried_from: Mapped[str | None] = mapped_column(String(36))

    @property
    def last(self) -> date:
        """The last day on which it may be used."""
        return self.until - timedelta(days=1)

    @property
    def held(self) -> Held:
        return Held(self.first, self.until, self.nodes, self.storage)


def pool(session: Session, *, lock: bool = False) -> PoolRow | None:
    """`lock`: nobody else reserves until this transaction ends."""
    statement = select(PoolRow).where(PoolRow.name == THE_POOL)
    return session.scalar(statement.with_for_update() if lock else statement)


def as_pool(row: PoolRow) -> Pool:
    return Pool(row.nodes, row.storage, row.cpu, row.memory)


def holding(session: Session, first: date, until: date) -> list[ReservationRow]:
    """Reservations that hold on a day of the span."""
    statement = select(ReservationRow).where(
        ReservationRow.state.in_(HOLDING), ReservationRow.first < until, ReservationRow.until > first
    )
    return list(session.scalars(statement.order_by(ReservationRow.first, ReservationRow.id)))


def of_tenant(session: Session, tenant: str) -> list[ReservationRow]:
    """The latest days first."""
    statement = select(ReservationRow).where(ReservationRow.tenant == tenant)
    return list(session.scalars(statement.order_by(ReservationRow.first.desc(), ReservationRow.id.desc())))


def carried_to(session: Session, tenant: str) -> list[ReservationRow]:
    """Those that the tenant took over from municipalities that ended."""
    statement = select(ReservationRow).where(
        ReservationRow.tenant == tenant, ReservationRow.carried_from.is_not(None), ReservationRow.state.in_(HOLDING)
    )
    return list(session.scalars(statement))


def in_state(session: Session, *states: str) -> list[ReservationRow]:
    statement = select(ReservationRow).where(ReservationRow.state.in_(states))
    return list(session.scalars(statement.order_by(ReservationRow.first, ReservationRow.id)))


def find(session: Session, reservation_id: str, *, tenant: str | None = None, lock: bool = False) -> ReservationRow:
    """NotFound also for another municipality's."""
    statement = select(ReservationRow).where(ReservationRow.id == reservation_id)
    if tenant is not None:
        statement = statement.where(ReservationRow.tenant == tenant)
    row = session.scalar(statement.with_for_update() if lock else statement)
    if row is None:
        raise NotFound(say("この予約は見つかりません。一覧から選び直してください。"))
    return row


def to_apply(session: Session, today: date) -> list[ReservationRow]:
    """Approved, begun, not over and not made yet."""
    statement = select(ReservationRow).where(
        ReservationRow.state == "approved", ReservationRow.applied_at.is_(None),
        ReservationRow.first <= today, ReservationRow.until > today,
    )  # fmt: skip
    return list(session.scalars(statement))


def to_remove(session: Session, today: date) -> list[ReservationRow]:
    """Made, and over or cancelled."""
    over = (ReservationRow.until <= today) | (ReservationRow.state == "cancelled")
    statement = select(ReservationRow).where(
        ReservationRow.applied_at.is_not(None), ReservationRow.removed_at.is_(None), over
    )
    return list(session.scalars(statement))
