"""Sensors: a municipality names a stream, programs send readings in batches, everybody reads them.

Readings may come late, twice and in any order: a moment of a stream has one value, the last one sent. A batch is kept whole or not
at all; what in it can never be right (no such stream, no number, a moment yet to come) is told by its place, the rest is kept.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, TooLarge
from libs.common.ids import new_id
from services.opendata.db import sensors as db
from services.opendata.db.sensors import PublishedStreamRow, StreamRow

MOST = 20_000
"""Readings of one batch."""
AHEAD = timedelta(minutes=10)
"""How far a sensor's clock may run ahead."""
OLDEST = datetime(1950, 1, 1, tzinfo=UTC)
TOLD = 100
LARGEST = 1e100
"""What an instrument can mean: sums of an hour's readings stay numbers that both stores can keep."""


@dataclass(frozen=True)
class StreamWish:
    """`property`: what is measured (水位), `unit`: m, `place`: where, `lat`, `lng`: degrees, world geodetic system."""

    name: str
    property: str
    unit: str
    place: str = ""
    lat: float | None = None
    lng: float | None = None


@dataclass
class Answer:
    """`refused`: (place in the batch, reason) of the first `TOLD`; the count is of all."""

    accepted: int = 0
    refused_count: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)

    def refuse(self, place: int, reason: str) -> None:
        self.refused_count += 1
        if len(self.refused) < TOLD:
            self.refused.append((place, reason))


def begin(session: Session, actor: Actor, wish: StreamWish, now: datetime) -> StreamRow:
    """A new stream. Invalid with a sentence per field."""
    about = _checked(wish)
    row = StreamRow(id=new_id(), about=about, state="active", created_at=now)
    session.add(row)
    session.flush()
    _publish(session, row)
    audit.record(session, actor, "stream.begun", row.id, now=now)
    return row


def correct(session: Session, actor: Actor, stream_id: str, wish: StreamWish, reason: str, now: datetime) -> StreamRow:
    """What was written wrong of a stream is written right; its readings stay as they are. What stood there, why and since when it does not
    is told with the stream: who reads its older values has to know. Invalid with a sentence per field; the same again changes nothing."""
    row = _held(session, stream_id)
    about, reason = _checked(wish), " ".join(reason.split())
    before = {name: row.about[name] for name, value in about.items() if row.about[name] != value}
    if not before:
        return row
    if not 5 <= len(reason) <= 200:
        raise Invalid(
            "直していただくところがあります。",
            fields={"reason": "直す理由を、5文字から200文字で入力してください。この理由は公開されます。"},
        )
    told = {"at": now.isoformat(), "reason": reason, "before": before, "after": {name: about[name] for name in before}}
    row.about = about | {"corrected": [*row.about.get("corrected", []), told]}
    session.flush()
    _publish(session, row)
    audit.record(session, actor, "stream.corrected", row.id, reason=reason, detail=told, now=now)
    return row


def _held(session: Session, stream_id: str) -> StreamRow:
    row = session.scalar(select(StreamRow).where(StreamRow.id == stream_id).with_for_update())
    if row is None:
        raise NotFound("このセンサーは見つかりません。", code="unknown-stream")
    return row


def end(session: Session, actor: Actor, stream_id: str, now: datetime) -> None:
    """No more readings are taken; those there are stay readable."""
    row = _held(session, stream_id)
    row.state = "ended"
    session.flush()
    _publish(session, row)
    audit.record(session, actor, "stream.ended", row.id, now=now)


def _checked(wish: StreamWish) -> dict[str, Any]:
    errors = {}
    for name, most in (("name", 100), ("property", 60), ("unit", 20)):
        if not 1 <= len(getattr(wish, name).strip()) <= most:
            errors[name] = f"1文字から{most}文字で入力してください。"
    if (wish.lat is None) != (wish.lng is None) or (
        wish.lat is not None and not (abs(wish.lat) <= 90 and abs(wish.lng or 0) <= 180)
    ):
        errors["lat"] = "緯度と経度を、世界測地系の度（例：33.2101、130.4398）で入力してください。"
    if errors:
        raise Invalid("直していただくところがあります。", fields=errors)
    return {
        "name": wish.name.strip(), "property": wish.property.strip(), "unit": wish.unit.strip(), "place": wish.place.strip()[:200],
        "lat": wish.lat, "lng": wish.lng,
    }  # fmt: skip


def _publish(session: Session, row: StreamRow) -> None:
    known = session.get(PublishedStreamRow, row.id)
    if known is None:
        known = PublishedStreamRow(id=row.id, tenant=session.info["tenant"], latest_at=None, latest=None, first_at=None)
        session.add(known)
    known.about, known.state = row.about, row.state


def close(session: Session) -> None:
    """Nobody outside sees the municipality's streams while its room is suspended."""
    for row in session.scalars(select(PublishedStreamRow).where(PublishedStreamRow.tenant == session.info["tenant"])):
        row.state = "closed"


def publish_streams(session: Session) -> None:
    """All of the municipality's, after its room was carried in."""
    for row in db.streams(session):
        _publish(session, row)
        last = db.readings(session, row.id, None, None, newest=True, limit=1)
        if last:
            _note_latest(session, row.id, last[0].at, last[0].value, last[0].at)


def take_in(session: Session, batch: Iterable[Any], now: datetime) -> Answer:
    """(stream, moment, value) … of the session's municipality. TooLarge for more than `MOST`."""
    known = {row.id for row in db.streams(session) if row.state == "active"}
    answer, rows = Answer(), {}
    tenant = session.info["tenant"]
    for place, each in enumerate(batch):
        if place >= MOST:
            raise TooLarge(f"一度に送れる観測値は{MOST:,}件までです。分けてお送りください。")
        try:
            row = _reading(each, known, now)
        except ValueError as error:
            answer.refuse(place, str(error))
            continue
        rows[(row["stream_id"], row["at"])] = row | {"tenant_id": tenant, "received_at": now}
        answer.accepted += 1
    if rows:
        # Two batches of one stream wait for each other: an hour's sum made beside the other batch would lack its readings.
        db.hold(session, {stream for stream, _ in rows})
        db.put(session, list(rows.values()))
        db.sum_hours(session, {(row["stream_id"], row["hour"]) for row in rows.values()})
        _note_all_latest(session, rows)
    return answer


def _reading(each: Any, known: set[str], now: datetime) -> dict[str, Any]:
    stream, moment, value = each
    if not isinstance(stream, str) or stream not in known:
        raise ValueError("unknown datastream")
    try:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:  # JSON's whole numbers have no end
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("result is not a finite number")
    if abs(number) > LARGEST:
        raise ValueError("result is too large for a reading")
    try:
        at = datetime.fromisoformat(str(moment))
    except ValueError:
        raise ValueError("phenomenonTime is not an ISO 8601 moment") from None
    if at.tzinfo is None:
        raise ValueError("phenomenonTime has no time zone")
    try:
        at = at.astimezone(UTC)
    except OverflowError:  # the first and the last day of the calendar, in another zone
        raise ValueError("phenomenonTime lies in the future, or too far back") from None
    if not OLDEST <= at <= now + AHEAD:
        raise ValueError("phenomenonTime lies in the future, or too far back")
    return {"stream_id": stream, "at": at, "hour": at.replace(minute=0, second=0, microsecond=0), "value": number}


def _note_all_latest(session: Session, rows: dict[tuple[str, datetime], dict[str, Any]]) -> None:
    latest: dict[str, dict[str, Any]] = {}
    first: dict[str, datetime] = {}
    for row in rows.values():
        stream, at = row["stream_id"], row["at"]
        if stream not in latest or latest[stream]["at"] < at:
            latest[stream] = row
        first[stream] = min(at, first.get(stream, at))
    for stream, row in sorted(latest.items()):
        _note_latest(session, stream, row["at"], row["value"], first[stream])


def _note_latest(session: Session, stream: str, at: datetime, value: float, first: datetime) -> None:
    """A late reading does not become the latest one; it may become the first."""
    known = session.get(PublishedStreamRow, stream, with_for_update=True)
    if known is None:
        return
    if known.latest_at is None or known.latest_at <= at:
        known.latest_at, known.latest = at, value
    if known.first_at is None:
        known.first_at = db.first_moment(session, stream)
    elif first < known.first_at:
        known.first_at = first
