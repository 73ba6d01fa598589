"""How many data sets municipalities publish, as the open data service told of it."""

from datetime import datetime

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.tenancy import SharedTable
from services.tenants.db.base import Base


class DatasetsRow(SharedTable, Base):
    """`count` as of `told_at`, the moment of the last publication or withdrawal that was told."""

    __tablename__ = "datasets"
    __shared_because__ = "figures the council reads: how many data sets each municipality publishes"

    tenant: Mapped[str] = mapped_column(String(6), primary_key=True)
    count: Mapped[int]
    told_at: Mapped[datetime]


class DatasetYearRow(SharedTable, Base):
    """`count` at the end of the fiscal year, or as it was last told of in it; `told_at`: when that was."""

    __tablename__ = "dataset_years"
    __shared_because__ = "how much is published from year to year: the council shares cost by it"

    tenant: Mapped[str] = mapped_column(String(6), primary_key=True)
    fiscal_year: Mapped[int] = mapped_column(primary_key=True)
    count: Mapped[int]
    told_at: Mapped[datetime]


def year_to_change(session: Session, tenant: str, fiscal_year: int) -> DatasetYearRow | None:
    """The municipality's row of the year, held until the transaction ends; None if nothing was told of it yet."""
    return session.get(DatasetYearRow, (tenant, fiscal_year), with_for_update=True)


def years(session: Session) -> list[tuple[str, int, int]]:
    """(tenant, fiscal year, data sets at its end), in the order of time."""
    columns = (DatasetYearRow.tenant, DatasetYearRow.fiscal_year, DatasetYearRow.count)
    return list(session.execute(select(*columns).order_by(DatasetYearRow.fiscal_year)).tuples())


def to_change(session: Session, tenant: str) -> DatasetsRow | None:
    """The municipality's row, held until the transaction ends; None if nothing was told yet."""
    return session.get(DatasetsRow, tenant, with_for_update=True)


def all_of(session: Session) -> dict[str, DatasetsRow]:
    return {row.tenant: row for row in session.scalars(select(DatasetsRow))}
