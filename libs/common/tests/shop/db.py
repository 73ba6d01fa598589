"""A small made-up service for the tests of libs: two tables of tenants, one that is shared."""

from sqlalchemy import ForeignKeyConstraint, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from libs.common.db import CommonBase, service_metadata
from libs.common.tenancy import SharedTable, TenantTable


class Base(CommonBase):
    __abstract__ = True
    metadata = service_metadata()


class Doc(TenantTable, Base):
    __tablename__ = "docs"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    title: Mapped[str] = mapped_column(String(100))
    parts: Mapped[list["Part"]] = relationship(
        back_populates="doc",
        primaryjoin="and_(Doc.tenant_id == Part.tenant_id, Doc.id == foreign(Part.doc_id))",
    )


class Part(TenantTable, Base):
    __tablename__ = "parts"
    __table_args__ = (ForeignKeyConstraint(["tenant_id", "doc_id"], ["docs.tenant_id", "docs.id"]),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    doc_id: Mapped[int]
    n: Mapped[int]
    doc: Mapped[Doc] = relationship(
        back_populates="parts",
        primaryjoin="and_(Doc.tenant_id == Part.tenant_id, Doc.id == foreign(Part.doc_id))",
    )


class Holiday(SharedTable, Base):
    __tablename__ = "holidays"
    __shared_because__ = "the calendar is the same for everybody"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
