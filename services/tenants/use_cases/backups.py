"""Protection as the backup service told of it. Events of different repositories come in any order: the latest counts."""

from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

from sqlalchemy.orm import Session

from libs.common.clock import local_date
from services.tenants.db import backups as db
from services.tenants.db.backups import BackupMonthRow, BackupProofRow

GB = 1024**3


def note_point(session: Session, tenant: str, arrived_at: datetime, stored: int) -> None:
    """A recovery point arrived; the municipality then had `stored` bytes in all its repositories."""
    row = db.to_change(session, tenant)
    if row.last_point_at is None or arrived_at >= row.last_point_at:
        row.last_point_at, row.stored = arrived_at, stored
    _note_month(session, tenant, arrived_at, stored)


def _note_month(session: Session, tenant: str, at: datetime, stored: int) -> None:
    month = local_date(at).strftime("%Y-%m")
    row = db.month_to_change(session, tenant, month)
    if row is None:
        session.add(BackupMonthRow(tenant=tenant, month=month, stored=stored, at=at))
    elif at >= row.at:
        row.stored, row.at = stored, at


def note_drill(session: Session, tenant: str, data: dict[str, Any]) -> None:
    """A restore was tried; `data` as the event has it."""
    finished_at, passed = datetime.fromisoformat(data["finished_at"]), bool(data["passed"])
    _note_proof(session, tenant, finished_at, data)
    row = db.to_change(session, tenant)
    if passed:
        row.proven_at = max(row.proven_at or finished_at, finished_at)
    else:
        row.failed_at = max(row.failed_at or finished_at, finished_at)


def _note_proof(session: Session, tenant: str, finished_at: datetime, data: dict[str, Any]) -> None:
    if session.get(BackupProofRow, data["drill_id"]) is not None:
        return
    names = ("drill_id", "passed", "kind", "files", "bytes", "seconds", "age_seconds")
    told = {name: data[name] for name in names}
    evidence, signature = data.get("evidence"), data.get("signature")
    session.add(BackupProofRow(tenant=tenant, finished_at=finished_at, evidence=evidence, signature=signature, **told))


def growth(session: Session, today: date) -> dict[str, int]:
    """Municipality → bytes more (or fewer) than at the end of last month, of those that kept something then."""
    last = (today.replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
    before, now = db.stored_in(session, last), {tenant: row.stored for tenant, row in db.all_of(session).items()}
    return {tenant: now.get(tenant, 0) - stored for tenant, stored in before.items()}


def cost_of_a_gigabyte(yearly: int | None, stored: int) -> int | None:
    """Whole yen (half up) that a GB (1024³ bytes) costs a year; None where there is no figure to make it from."""
    if yearly is None or stored <= 0:
        return None
    return int(Fraction(yearly * GB, stored) + Fraction(1, 2))
