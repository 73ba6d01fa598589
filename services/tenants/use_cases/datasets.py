"""Published data sets as the open data service told of them. Events of different data sets come in any order: the latest counts."""

from datetime import datetime

from sqlalchemy.orm import Session

from libs.common.clock import fiscal_year, local_date
from services.tenants.db import datasets as db


def note_count(session: Session, tenant: str, count: int, at: datetime) -> None:
    """The municipality had `count` published data sets at the moment `at`."""
    row = db.to_change(session, tenant)
    if row is None:
        session.add(db.DatasetsRow(tenant=tenant, count=count, told_at=at))
    elif at >= row.told_at:
        row.count, row.told_at = count, at
    _note_year(session, tenant, count, at)


def _note_year(session: Session, tenant: str, count: int, at: datetime) -> None:
    year = fiscal_year(local_date(at))
    row = db.year_to_change(session, tenant, year)
    if row is None:
        session.add(db.DatasetYearRow(tenant=tenant, fiscal_year=year, count=count, told_at=at))
    elif at >= row.told_at:
        row.count, row.told_at = count, at
