"""Published data sets as the open data service told of them. Events of different data sets come in any order: the latest counts."""

from datetime import datetime

from sqlalchemy.orm import Session

from services.tenants.db import datasets as db


def note_count(session: Session, tenant: str, count: int, at: datetime) -> None:
    """The municipality had `count` published data sets at the moment `at`."""
    row = db.to_change(session, tenant)
    if row is None:
        session.add(db.DatasetsRow(tenant=tenant, count=count, told_at=at))
    elif at >= row.told_at:
        row.count, row.told_at = count, at
