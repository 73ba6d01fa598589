"""すべてのデータの受け取り: one municipality's data of every service, asked for at once while it goes on using them."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.errors import NotFound, say
from libs.common.ids import new_id
from libs.common.tenancy import SharedTable
from services.tenants.db.base import Base

_BECAUSE = "requests of municipalities, ids only: the worker asks again across all of them"


class TakeoutRow(SharedTable, Base):
    """`job` puts the parts together once all are exported; then `file` is the archive, `size` in bytes."""

    __tablename__ = "takeouts"
    __shared_because__ = _BECAUSE

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    tenant: Mapped[str] = mapped_column(String(6), index=True)
    asked_by: Mapped[str] = mapped_column(String(36))
    asked_at: Mapped[datetime]
    job: Mapped[str | None] = mapped_column(String(36))
    file: Mapped[str | None] = mapped_column(String(36))
    size: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))


class TakeoutPartRow(SharedTable, Base):
    """One service's part. `state`: asked, exported, failed. `size` in bytes."""

    __tablename__ = "takeout_parts"
    __shared_because__ = _BECAUSE

    takeout: Mapped[str] = mapped_column(ForeignKey("takeouts.id"), primary_key=True)
    service: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(6))
    room_request: Mapped[str] = mapped_column(String(36), unique=True, default=new_id)
    state: Mapped[str] = mapped_column(String(10), default="asked")
    asks: Mapped[int] = mapped_column(default=1)
    heard_at: Mapped[datetime]
    label: Mapped[str] = mapped_column(String(500), default="")
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    file: Mapped[str | None] = mapped_column(String(200))
    size: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))


def of_tenant(session: Session, tenant: str) -> list[TakeoutRow]:
    """The latest first."""
    statement = select(TakeoutRow).where(TakeoutRow.tenant == tenant).order_by(TakeoutRow.id.desc())
    return list(session.scalars(statement))


def find(session: Session, takeout_id: str, tenant: str) -> TakeoutRow:
    """NotFound also for another municipality's."""
    row = session.scalar(select(TakeoutRow).where(TakeoutRow.id == takeout_id, TakeoutRow.tenant == tenant))
    if row is None:
        raise NotFound(say("この受け取りは見つかりません。一覧から選び直してください。"))
    return row


def parts(session: Session, takeout_id: str) -> list[TakeoutPartRow]:
    statement = select(TakeoutPartRow).where(TakeoutPartRow.takeout == takeout_id)
    return list(session.scalars(statement.order_by(TakeoutPartRow.service)))


def gathered(session: Session, tenant: str, since: datetime) -> set[str]:
    """Archives of take-outs asked for after `since`: those that can still be taken."""
    statement = select(TakeoutRow.id).where(TakeoutRow.tenant == tenant, TakeoutRow.asked_at > since)
    return set(session.scalars(statement))


def ungathered(session: Session, since: datetime) -> list[TakeoutRow]:
    """Take-outs asked for after `since` whose parts are all exported, and nobody puts them together yet."""
    waits = select(TakeoutPartRow.takeout).where(TakeoutPartRow.state != "exported")
    statement = select(TakeoutRow).where(
        TakeoutRow.asked_at > since, TakeoutRow.job.is_(None), TakeoutRow.id.not_in(waits)
    )
    return list(session.scalars(statement.order_by(TakeoutRow.id)))


def part_of(session: Session, tenant: str, service: str, room_request: str) -> TakeoutPartRow | None:
    """The part that an answer of a room speaks of."""
    statement = select(TakeoutPartRow).where(
        TakeoutPartRow.room_request == room_request, TakeoutPartRow.tenant == tenant, TakeoutPartRow.service == service
    )
    return session.scalar(statement.with_for_update())


def silent(session: Session, before: datetime) -> list[TakeoutPartRow]:
    """Parts that were asked for and have said nothing since `before`."""
    statement = select(TakeoutPartRow).where(TakeoutPartRow.state == "asked", TakeoutPartRow.heard_at <= before)
    return list(session.scalars(statement))
