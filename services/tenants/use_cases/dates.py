"""A municipality's dates for its calendar, and the key by which a calendar program subscribes to them."""

import hashlib
import secrets
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import NotFound, say
from services.tenants.db import calendars as db
from services.tenants.db import capacity as capacity_db
from services.tenants.db import subscriptions as subscriptions_db
from services.tenants.domain import catalogue, joining
from services.tenants.domain.history import believed, is_empty
from services.tenants.domain.ical import Entry
from services.tenants.domain.subscriptions import Interval
from services.tenants.use_cases import invoices

DAY = timedelta(days=1)
AFTER_APPROVAL: dict[str, str] = {
    "procedures": "使う職員を招待する",
    "training": "使い方を確かめる",
    "first_invoice": "初めの請求",
}
"""Steps of the plan of joining (`domain/joining.py`) that are still to be done once the first day is agreed."""


def entries(session: Session, tenant: str, today: date, *, discreet: bool = False) -> Iterator[Entry]:
    """Payments due, services that begin or end with what is to be done before, servers reserved. All as whole days.

    `discreet`: without amounts and without what servers are for, where an address alone opens the calendar.
    """
    for row in invoices.readable_by(session, tenant, today):
        if row.state == "issued":
            amount = "" if discreet else f"（{row.amount:,}円）"
            yield _day(row.id, row.due_on, f"納期限：請求 {row.label}{amount}")
    for number, one in _uses(session, tenant):
        yield from _of_use(one, number, today)
    for held in capacity_db.of_tenant(session, tenant):
        if held.state in ("requested", "approved") and held.until >= today:
            purpose = "" if discreet else f"：{held.purpose}"
            yield Entry(held.id, held.first, held.until, f"サーバーの予約{purpose}")


def _uses(session: Session, tenant: str) -> Iterator[tuple[int, Interval]]:
    """Each use with its number among those of its service, the first is 1: by it a calendar knows the use again when its days move."""
    counted: Counter[str] = Counter()
    found = [i for i in believed(subscriptions_db.intervals(session, tenant)) if i.kind == "joined" and not is_empty(i)]
    for one in sorted(found, key=lambda i: i.valid_from):
        counted[one.service] += 1
        yield counted[one.service], one


def _of_use(one: Interval, number: int, today: date) -> Iterator[Entry]:
    name = catalogue.service(one.service).name
    ident = f"{one.tenant_id}-{one.service}-{number}"
    if one.valid_from >= today:
        yield _day(ident, one.valid_from, f"利用開始：{name}")
    for planned in joining.plan(one.valid_from, today):
        if planned.step in AFTER_APPROVAL and planned.by >= today:
            yield _day(f"{ident}-{planned.step}", planned.by, f"{AFTER_APPROVAL[planned.step]}：{name}")
    if one.valid_until is not None and one.valid_until > today:
        yield _day(f"{ident}-end", one.valid_until - DAY, f"利用の最後の日：{name}")


def _day(uid: str, day: date, summary: str) -> Entry:
    return Entry(uid, day, day + DAY, summary)


# ---- the key --------------------------------------------------------------------------------------------------------


def make_key(session: Session, actor: Actor, tenant: str, now: datetime) -> str:
    """A new key, told this once; the one before opens nothing any more. The session is the tenant's."""
    key = secrets.token_urlsafe(32)
    db.keep(session, db.CalendarKeyRow(tenant=tenant, digest=_digest(key), made_by=actor.subject, made_at=now))
    audit.record(session, actor, "calendar.key.made", "calendar", now=now)
    return key


def end_key(session: Session, actor: Actor, tenant: str, now: datetime) -> None:
    """No address opens the calendar any more. None before: nothing."""
    if db.key_of(session, tenant) is not None:
        db.forget(session, tenant)
        audit.record(session, actor, "calendar.key.ended", "calendar", now=now)


def tenant_of(session: Session, key: str) -> str:
    """Whose calendar the key opens. NotFound for any other: it looks as if there were nothing."""
    found = db.tenant_of(session, _digest(key))
    if found is None:
        raise NotFound(say("このカレンダーは見つかりません。アドレスが作り直されたか、終わりになっています。"))
    return found


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
