"""The transparency log of all municipalities (RFC 9162 hashing, signed checkpoints).

An event gets a random free slot of the next stretch of `WINDOW` leaves at once, so its receipt can name the place. At every tick
the slots nobody took are filled with random leaves: neither a place nor the log's length tells how much happened.
"""

import base64
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, tuple_, update
from sqlalchemy.orm import Session

from libs.common import heads
from libs.common.clock import Clock, SystemClock
from libs.common.errors import NotFound, Unavailable, say
from libs.common.ids import new_id
from services.ebid.db import CheckpointRow, EntryRow, LogHeadRow, LogNodeRow, LogSlotRow
from services.ebid.sealing import merkle, note
from services.ebid.sealing.merkle import Place
from services.ebid.sealing.signing import Signer, Signers

WINDOW = 64
"""Leaves per tick at least. More than so many events between two ticks make the log longer by another window."""
MANY = 400
"""Places read by one statement."""
_HEAD = ({"id": 1}, {"size": 0, "reserved": WINDOW})
_JOINED = "ebid.log"
_ORDER = 0x65626964
"""Key of the advisory lock that orders the log's writers, in this service's own database."""


def lock(session: Session) -> LogHeadRow:
    """Alone: wait until nobody else writes into the log, and let nobody until this transaction ends. For a checkpoint and a close, and
    for what must know who has bid. What was accepted before a tick is in that tick's checkpoint."""
    if _JOINED in session.info:
        raise RuntimeError("two that have joined would wait for each other for ever")
    _wait(session, func.pg_advisory_xact_lock)
    return heads.locked(session, LogHeadRow, *_HEAD)


def join(session: Session) -> LogHeadRow:
    """Beside others that join, not beside whoever is alone: hundreds of bids of the last minute do not wait for each other's disk.
    PostgreSQL's queue is fair: a checkpoint waits for those that write now, and who comes later waits for the checkpoint."""
    _wait(session, func.pg_advisory_xact_lock_shared)
    head = session.info[_JOINED] = heads.joined(session, LogHeadRow, *_HEAD)
    return head


def _wait(session: Session, way: Any) -> None:
    if session.get_bind().dialect.name == "postgresql":  # SQLite has one writer anyway
        session.execute(select(way(_ORDER)))


@dataclass(frozen=True, slots=True)
class Received:
    """When a request's body had come whole: by this process's stopwatch (seconds), which nobody can set, and by its clock."""

    stopwatch: float
    at: datetime


def received(clock: Clock) -> Received:
    return Received(time.monotonic(), clock.now())


def arrival(session: Session, clock: Clock, request: Received) -> tuple[datetime, datetime]:
    """When the request arrived, and the moment now, both by the clock that decides (`moment`), beside others that join.

    What it waited since, for a thread, a connection, the log, is measured by the stopwatch and taken off. The stopwatch is read before
    the clock, so that the arrival is never told earlier than it was; later by the way to the database server at most.
    """
    join(session)
    begun = time.monotonic()
    now = _now(session, clock)
    if not isinstance(clock, SystemClock):
        return request.at, now
    return now - timedelta(seconds=max(0.0, begun - request.stopwatch)), now


def moment(session: Session, clock: Clock, order: Callable[[Session], LogHeadRow] = lock) -> datetime:
    """The time by which a deadline is judged, read when no checkpoint can come in between. With a database server it is the server's:
    clocks of machines differ, and there is one server for all of them. A test's clock stays the test's."""
    order(session)
    return _now(session, clock)


def _now(session: Session, clock: Clock) -> datetime:
    if isinstance(clock, SystemClock) and session.get_bind().dialect.name == "postgresql":
        return session.scalars(select(func.clock_timestamp())).one().astimezone(UTC)
    return clock.now()


def in_force(head: LogHeadRow | None, signers: Signers) -> Signer:
    """By whose key the log signs now. `head`: None where nothing was ever logged."""
    try:
        return signers.of(head.changes[-1]["entry"]["key"] if head and head.changes else None)
    except LookupError as error:
        sentence = say("いま記録に署名できません。運用担当に、記録の鍵を確かめるようお伝えください。")
        raise Unavailable(sentence, code="log-key-missing") from error


@dataclass(frozen=True, slots=True)
class Keys:
    """The log's keys as anybody may know them (hex): `first`, the receipts that promised each further one, and the `present`."""

    first: str
    changes: Sequence[Mapping[str, Any]]
    present: str

    def __contains__(self, key: object) -> bool:
        """Whether this log ever signed by it."""
        return key == self.present or any(key == change["key"] for change in self.changes)


def keys(session: Session, signers: Signers) -> Keys:
    head = session.get(LogHeadRow, 1)
    present, changes = in_force(head, signers).public.hex(), (head.changes if head else None) or []
    return Keys(changes[0]["key"] if changes else present, changes, present)


def change_key(session: Session, signers: Signers, now: datetime) -> bool:
    """From now on the present key signs; whether another one did until now. The one before signs all that is there, and promises the
    present one by the first entry behind it."""
    head = lock(session)
    following = signers.present().public.hex()
    if in_force(head, signers).public.hex() == following:
        return False
    size = tick(session, signers, now).size
    digest = note.change_digest(following, size)
    _, receipt = enter_common(session, signers, note.CHANGE, digest, now, key=following, size=size)
    head.changes = [*(head.changes or []), receipt]
    session.flush()
    return True


def enter(
    session: Session, signers: Signers, tender_id: str, kind: str, digest: str, now: datetime, *, id_: str = "", **facts: Any
) -> EntryRow:  # fmt: skip
    """Give an event its place in the log, with the signed receipt. `digest`: SHA-256 (hex) of what it is about; `facts` are
    public one day. Who has not joined is alone."""
    facts = {"tenant": session.info["tenant"], "tender": tender_id, **facts}
    position, receipt = enter_common(session, signers, kind, digest, now, **facts)
    row = EntryRow(id=id_ or new_id(), tender_id=tender_id, position=position, kind=kind, receipt=receipt)
    session.add(row)
    session.flush()
    return row


def enter_common(
    session: Session, signers: Signers, kind: str, digest: str, now: datetime, **facts: Any
) -> tuple[int, dict[str, Any]]:
    """The same for what belongs to no tender: its place and the signed receipt, which the caller keeps."""
    head = session.info.get(_JOINED) or lock(session)
    signer = in_force(head, signers)
    entry, salt = note.entry(kind, now, digest, **facts), secrets.token_bytes(32)
    position = _take_slot(session, head, note.leaf_data(entry, salt).hex())
    return position, note.receipt(entry, salt, position, signer.origin, signer.public, signer.sign)


def _take_slot(session: Session, head: LogHeadRow, leaf: str) -> int:
    """A random free slot of the newest window: earlier ones are full, or what is free in them stays so. Looks at one window, however
    much has come since the last checkpoint."""
    while True:
        begin = max(head.size, head.reserved - WINDOW)
        taken = set(session.scalars(select(LogSlotRow.position).where(LogSlotRow.position >= begin)))
        free = [slot for slot in range(begin, head.reserved) if slot not in taken]
        if not free:
            _lengthen(session, head)
        elif heads.added(session, LogSlotRow, {"position": (slot := secrets.choice(free)), "leaf": leaf}):
            return slot  # else another had it first, and is seen now


def _lengthen(session: Session, head: LogHeadRow) -> None:
    """One more window, by whoever finds the last one full first: the others wait for that one, and find it."""
    seen = LogHeadRow.reserved == head.reserved
    longer = update(LogHeadRow).where(LogHeadRow.id == head.id, seen).values(reserved=LogHeadRow.reserved + WINDOW)
    session.execute(longer.execution_options(synchronize_session=False))
    session.refresh(head)


def tick(session: Session, signers: Signers, now: datetime) -> CheckpointRow:
    """Append the stretch, sign the new head, begin the next stretch. Always whole windows, whatever happened."""
    head = lock(session)
    taken = {row.position: bytes.fromhex(row.leaf) for row in session.scalars(select(LogSlotRow))}
    leaves = [taken.get(slot) or secrets.token_bytes(32) for slot in range(head.size, head.reserved)]
    made = merkle.append(reader(session), head.size, leaves)
    nodes = [{"level": level, "position": at, "hash": value.hex()} for (level, at), value in made.items()]
    session.execute(insert(LogNodeRow), nodes)
    session.execute(delete(LogSlotRow))
    head.size, head.reserved = head.reserved, head.reserved + WINDOW
    session.flush()
    return _sign(session, in_force(head, signers), head.size, now)


def _sign(session: Session, signer: Signer, size: int, now: datetime) -> CheckpointRow:
    state = note.Checkpoint(signer.origin, size, merkle.root(reader(session), size), now)
    row = CheckpointRow(size=size, note=note.signed_note(state, signer.public, signer.sign), at=now)
    session.add(row)
    session.flush()
    return row


def is_due(session: Session, every: timedelta, now: datetime) -> bool:
    """Whether the newest checkpoint is older than `every`."""
    at = session.scalar(select(CheckpointRow.at).order_by(CheckpointRow.size.desc()).limit(1))
    return at is None or now - at >= every


def latest(session: Session) -> CheckpointRow | None:
    return session.scalar(select(CheckpointRow).order_by(CheckpointRow.size.desc()).limit(1))


def newest(session: Session) -> CheckpointRow:
    row = latest(session)
    if row is None:
        raise NotFound(say("まだ署名された記録がありません。数分待ってから、もう一度開いてください。"))
    return row


def checkpoint(session: Session, size: int) -> CheckpointRow:
    row = session.get(CheckpointRow, size)
    if row is None:
        raise NotFound(say("その大きさの署名された記録はありません。"))
    return row


def is_logged(session: Session, position: int) -> bool:
    """Whether the leaf stands in a signed checkpoint already."""
    size = session.scalar(select(CheckpointRow.size).order_by(CheckpointRow.size.desc()).limit(1))
    return size is not None and position < size


def proof_of(session: Session, position: int) -> dict[str, Any]:
    """The newest checkpoint and the proof that the leaf stands in it; nothing while no checkpoint covers it."""
    if not is_logged(session, position):
        return {}
    head = newest(session)
    return {"checkpoint": head.note, "proof": inclusion(session, position, head.size)}


def root_at(session: Session, size: int) -> bytes:
    """The root that the checkpoint of `size` leaves signs."""
    return base64.b64decode(checkpoint(session, size).note.splitlines()[2])


def inclusion(session: Session, position: int, size: int) -> list[str]:
    """The proof (hex) that the leaf stands in the log of `size` leaves."""
    try:
        return [step.hex() for step in merkle.inclusion_proof(reader(session), position, size)]
    except IndexError:
        raise NotFound(say("その番号は、まだ記録にありません。")) from None


def proofs(session: Session, positions: Iterable[int], size: int) -> dict[int, list[bytes]]:
    """Proofs of many leaves in the log of `size` leaves, by position, read at once. Later positions have none."""
    return merkle.inclusion_proofs(reader(session), {each for each in positions if each < size}, size)


def consistency(session: Session, old: int, new: int) -> list[str]:
    """The proof (hex) that the log of `new` leaves continues the one of `old`."""
    try:
        return [step.hex() for step in merkle.consistency_proof(reader(session), old, new)]
    except IndexError:
        raise NotFound(say("その大きさの記録はありません。")) from None


def leaf_hash_at(session: Session, position: int) -> str:
    row = session.get(LogNodeRow, (0, position))
    if row is None:
        raise NotFound(say("その番号は、まだ記録にありません。"))
    return row.hash


def entries_of(session: Session, tender_id: str, *kinds: str) -> list[EntryRow]:
    """A tender's events of these kinds, or all of them, in the order of time."""
    found = select(EntryRow).where(EntryRow.tender_id == tender_id)
    found = found.where(EntryRow.kind.in_(kinds)) if kinds else found
    return sorted(session.scalars(found), key=lambda row: (row.receipt["entry"]["at"], row.position))


def reader(session: Session) -> merkle.Read:
    def read(places: Sequence[Place]) -> Mapping[Place, bytes]:
        return {place: value for group in _groups(places) for place, value in _read(session, group)}

    return read


def _groups(places: Sequence[Place]) -> Iterable[Sequence[Place]]:
    return (places[start : start + MANY] for start in range(0, len(places), MANY))


def _read(session: Session, places: Sequence[Place]) -> Iterable[tuple[Place, bytes]]:
    found = select(LogNodeRow).where(tuple_(LogNodeRow.level, LogNodeRow.position).in_(places))
    return (((row.level, row.position), bytes.fromhex(row.hash)) for row in session.scalars(found))
