"""The outage ledger: when bidders could not reach the service, by our own probes through the public door.

An outage is written down when the door is reached again, in the log of all municipalities, and is never changed. A deadline does
not move by itself: an official moves it (日時変更), before it has passed.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import heads
from libs.common.errors import NotFound, say
from libs.common.ids import new_id
from services.ebid.db import HeartbeatRow, OutageRow, RoundRow, TenderRow
from services.ebid.sealing.canonical import canonical, tagged
from services.ebid.sealing.note import stamp
from services.ebid.sealing.signing import Signers
from services.ebid.use_cases import log

EVERY = 20
"""Seconds between two probes."""
LEAST = timedelta(seconds=60)
"""A shorter silence is no outage: a probe may be late."""
PATIENCE = 5.0
LOOK_BACK = timedelta(hours=24)
"""Outages of so long before a deadline are shown to its officials."""
SHOWN = 200


def reached(address: str) -> bool:
    """Whether the public door answers as it does to everybody."""
    try:
        return httpx.get(address, timeout=PATIENCE, trust_env=False, follow_redirects=False).status_code == 200
    except httpx.HTTPError:
        return False


def note(session: Session, came_through: bool, signers: Signers, now: datetime) -> OutageRow | None:
    """Keep what a probe found; the outage that ends with it, if one does."""
    beat = heads.locked(session, HeartbeatRow, {"id": 1}, {"reached_at": None, "missed": 0})
    if not came_through:
        beat.missed += 1
        return None
    before, missed = beat.reached_at, beat.missed
    beat.reached_at, beat.missed = now, 0
    if before is None or now - before < LEAST:
        return None
    return _write(session, before, now, missed > 0, signers)


def _write(session: Session, first: datetime, last: datetime, measured: bool, signers: Signers) -> OutageRow:
    facts = {"first": stamp(first), "last": stamp(last), "measured": measured}
    digest = tagged("outage", canonical(facts)).hex()
    _, receipt = log.enter_common(session, signers, "outage", digest, last, **facts)
    row = OutageRow(id=new_id(), first=first, last=last, measured=measured, receipt=receipt)
    session.add(row)
    session.flush()
    return row


def listed(session: Session, limit: int = SHOWN) -> list[OutageRow]:
    """Newest first."""
    return list(session.scalars(select(OutageRow).order_by(OutageRow.last.desc(), OutageRow.id).limit(limit)))


def find(session: Session, outage_id: str) -> OutageRow:
    row = session.get(OutageRow, outage_id)
    if row is None:
        raise NotFound(say("この記録は見つかりません。"))
    return row


def before_deadline(session: Session, row: TenderRow, held: RoundRow) -> list[OutageRow]:
    """Those that took bidders time in the last 24 hours before the round's present deadline, oldest first."""
    if row.published_at is None:
        return []
    since = max(row.published_at, held.bid_until - LOOK_BACK)
    found = select(OutageRow).where(OutageRow.last > since, OutageRow.first < held.bid_until).order_by(OutageRow.first)
    return list(session.scalars(found))


def minutes(found: Sequence[OutageRow]) -> int:
    """How long they lasted together, in minutes, each begun one counted."""
    total = sum((each.last - each.first for each in found), timedelta(0))
    return -int(-total.total_seconds() // 60)


def document(row: OutageRow) -> dict[str, Any]:
    """For programs: the times, and the signed receipt of the log."""
    return {
        "id": row.id,
        "first": stamp(row.first),
        "last": stamp(row.last),
        "measured": row.measured,
        "receipt": row.receipt,
    }
