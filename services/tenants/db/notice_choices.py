"""How a person wants to hear of what happens in a municipality."""

from collections.abc import Mapping

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.tenancy import PersonTable
from services.tenants.db.base import Base


class NoticeChoiceRow(PersonTable, Base):
    """`way`: mail, inbox or none, for one kind of notice. Without a row it is mail."""

    __tablename__ = "notice_choices"

    person_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(6), primary_key=True)
    about: Mapped[str] = mapped_column(String(20), primary_key=True)
    way: Mapped[str] = mapped_column(String(10))


def of_person(session: Session, tenant: str, person: str) -> dict[str, str]:
    """Kind → way, where the person chose."""
    statement = select(NoticeChoiceRow).where(NoticeChoiceRow.tenant == tenant, NoticeChoiceRow.person_id == person)
    return {row.about: row.way for row in session.scalars(statement)}


def about(session: Session, tenant: str, kind: str) -> dict[str, str]:
    """Person → way, of those who chose for this kind."""
    statement = select(NoticeChoiceRow).where(NoticeChoiceRow.tenant == tenant, NoticeChoiceRow.about == kind)
    return {row.person_id: row.way for row in session.scalars(statement)}


def choose(session: Session, tenant: str, person: str, ways: Mapping[str, str]) -> None:
    for kind, way in ways.items():
        session.merge(NoticeChoiceRow(person_id=person, tenant=tenant, about=kind, way=way))
    session.flush()
