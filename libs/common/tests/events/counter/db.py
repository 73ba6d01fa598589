"""A small made-up service for the tests of events: it writes down each effect, so that a doubled one shows."""

from sqlalchemy import String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.db import CommonBase, service_metadata
from libs.common.tenancy import SharedTable, TenantTable


class Base(CommonBase):
    __abstract__ = True
    metadata = service_metadata()


class EffectRow(SharedTable, Base):
    """One call of the handler that was committed. Nothing here is unique but `id`."""

    __tablename__ = "effects"
    __shared_because__ = "test rows that must show every tenant's events side by side"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    event_id: Mapped[str] = mapped_column(String(36))
    subject: Mapped[str] = mapped_column(String(200))
    sequence: Mapped[int]


class TallyRow(TenantTable, Base):
    """How many events of its tenant a reader has counted."""

    __tablename__ = "tallies"

    id: Mapped[str] = mapped_column(String(10), primary_key=True)
    total: Mapped[int]


def effects(session: Session) -> list[tuple[str, int]]:
    """(subject, sequence) of every effect, in the order in which they were made."""
    return list(session.execute(select(EffectRow.subject, EffectRow.sequence).order_by(EffectRow.id)).tuples())


def doubled(session: Session) -> list[str]:
    """Events that had more than one effect."""
    return list(session.scalars(select(EffectRow.event_id).group_by(EffectRow.event_id).having(func.count() > 1)))
