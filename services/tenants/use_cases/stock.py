"""What was kept or published at the end of a fiscal year, from the dated records of it."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from libs.common.clock import fiscal_year, local_date
from services.tenants.db import backups as backups_db
from services.tenants.db import datasets as datasets_db

GIB = 1024**3
Record = tuple[str, int, int]
"""Tenant, fiscal year, amount; in the order of time."""


def gigabytes(session: Session, year: int) -> dict[str, int]:
    """Tenant → GB kept at the end of the fiscal year; of a running one: now."""
    months = ((tenant, backups_db.year_of(month), stored) for tenant, month, stored in backups_db.months(session))
    return {tenant: whole_gigabytes(stored) for tenant, stored in at_end(months, year).items()}


def whole_gigabytes(stored: int) -> int:
    """Bytes as GB (1024³ bytes); one that was begun counts whole."""
    return -(-stored // GIB)


def datasets(session: Session, year: int) -> dict[str, int]:
    """Tenant → data sets published at the end of the fiscal year; of a running one: now."""
    present = datasets_db.all_of(session)  # what was told before years were kept stands only here
    latest = [(tenant, fiscal_year(local_date(row.told_at)), row.count) for tenant, row in present.items()]
    return at_end([*datasets_db.years(session), *latest], year)


def at_end(records: Iterable[Record], year: int) -> dict[str, int]:
    """Tenant → its last amount up to the year: what nobody told of since is still so. Of years before the first that was counted
    nothing is known; that first one then stands for them."""
    told = list(records)
    last = max(year, min((known for _, known, _ in told), default=year))
    found = {tenant: amount for tenant, known, amount in told if known <= last}
    return {tenant: amount for tenant, amount in found.items() if amount}
