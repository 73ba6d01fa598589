"""Faults planted into the real code, one at a time: a simulation that does not find them shows nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from unittest.mock import patch

from sqlalchemy import Row
from sqlalchemy.orm import Session

from libs.common import inbox, outbox
from libs.common.bus import Bus
from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.events import Envelope
from libs.common.ids import new_id


def marks_before_it_delivers(database: Database, bus: Bus, clock: Clock, batch: int = 200) -> int:
    """A relay that notes an event as sent and then sends it: whoever dies in between has lost it."""
    with database.transaction() as session:
        rows = outbox.pending(session, batch)
        outbox.mark_published(session, [row.position for row in rows], clock.now())
        envelopes = [row.envelope for row in rows]
    return bus.deliver(envelopes) if envelopes else 0


def marks_all_of_a_batch(database: Database, bus: Bus, clock: Clock, batch: int = 200) -> int:
    """A relay that does not listen to how many the bus has taken."""
    with database.reading() as session:
        rows = [(row.position, row.envelope) for row in outbox.pending(session, batch)]
    if rows:
        bus.deliver([envelope for _, envelope in rows])
        with database.transaction() as session:
            outbox.mark_published(session, [position for position, _ in rows], clock.now())
    return len(rows)


@contextmanager
def an_inbox_that_knows_nothing_again() -> Iterator[None]:
    """Every arrival is taken for a new event."""
    real = inbox.receive

    def receive(session: Session, envelopes: list[Envelope], now: datetime) -> None:
        real(session, [{**envelope, "id": new_id()} for envelope in envelopes], now)

    with patch.object(inbox, "receive", receive):
        yield


@contextmanager
def an_inbox_that_overtakes() -> Iterator[None]:
    """A failing event does not hold up what comes behind it in its subject."""

    def consider(self: Any, row: Row[Any], now: datetime) -> None:
        if row.status == "pending" and row.next_at <= now:
            self.groups.append([row])

    with patch.object(inbox._Plan, "consider", consider):
        yield


@contextmanager
def an_inbox_that_marks_apart() -> Iterator[None]:
    """Effects are committed first and marked as done in a second transaction: whoever dies in between applies them again."""
    real = inbox._handle_group

    def handle(database: Database, group: list[Row[Any]], *rest: Any) -> tuple[int, int]:
        done = real(database, group, *rest)
        if getattr(database, "dies", lambda: False)():
            with database.transaction() as session:
                for row in session.query(inbox.InboxRow).filter(inbox.InboxRow.position == group[0].position):
                    row.status, row.handled_at = "pending", None
        return done

    with patch.object(inbox, "_handle_group", handle):
        yield
