"""How often each service was asked whether it is ready, and how often it was, day by day."""

from datetime import date

from sqlalchemy import String, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.tenancy import SharedTable
from services.tenants.db.base import Base


class ServiceDayRow(SharedTable, Base):
    """`day` in Japan. `service`: a key of the catalogue, or `gateway`."""

    __tablename__ = "service_days"
    __shared_because__ = "whether the cloud answered, the same for every municipality"

    service: Mapped[str] = mapped_column(String(40), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    asked: Mapped[int]
    answered: Mapped[int]


def note(session: Session, service: str, day: date, answered: bool) -> None:
    """One more look at `service`. Two workers that look at the same moment are both counted."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    key = {"service": service, "day": day}
    more = {"asked": ServiceDayRow.asked + 1, "answered": ServiceDayRow.answered + int(answered)}
    session.execute(
        insert(ServiceDayRow)
        .values(**key, asked=1, answered=int(answered))
        .on_conflict_do_update(index_elements=list(key), set_=more)
    )


def since(session: Session, first: date) -> dict[str, tuple[int, int]]:
    """Service → (asked, answered) from the day `first` on."""
    statement = select(ServiceDayRow.service, func.sum(ServiceDayRow.asked), func.sum(ServiceDayRow.answered))
    rows = session.execute(statement.where(ServiceDayRow.day >= first).group_by(ServiceDayRow.service))
    return {service: (int(asked), int(answered)) for service, asked, answered in rows}


def silent(session: Session, first: date) -> list[tuple[date, str, int, int]]:
    """(day, service, looks without an answer, looks) of the days from `first` on with such looks, the newest first."""
    row = ServiceDayRow
    statement = select(row).where(row.day >= first, row.answered < row.asked).order_by(row.day.desc(), row.service)
    return [
        (found.day, found.service, found.asked - found.answered, found.asked) for found in session.scalars(statement)
    ]
