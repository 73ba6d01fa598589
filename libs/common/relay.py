"""Outbox → bus: in order, marked only after the bus has them. Dying in between sends again, never loses."""

from libs.common import outbox
from libs.common.bus import Bus
from libs.common.clock import Clock
from libs.common.db import Database

BATCH = 200


def relay_once(database: Database, bus: Bus, clock: Clock, batch: int = BATCH) -> int:
    """Send what waits, up to `batch` events. Returns how many were sent."""
    if not outbox.any_pending(database):
        bus.idle()
        return 0
    with database.reading() as session:
        rows = [(row.position, row.envelope) for row in outbox.pending(session, batch)]
    sent = bus.deliver([envelope for _, envelope in rows])
    with database.transaction() as session:
        outbox.mark_published(session, [position for position, _ in rows[:sent]], clock.now())
    return sent
