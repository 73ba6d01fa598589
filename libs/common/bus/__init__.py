"""How events travel from one service's outbox to the others' inboxes: a thin seam with two implementations.

`embedded.py` hands them over inside one process; `rabbitmq.py` uses a broker. Outbox, inbox and their tests are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.events import Envelope
from libs.common.inbox import Subscriptions


class Bus(Protocol):
    def deliver(self, envelopes: Sequence[Envelope]) -> int:
        """Hand over `envelopes` in order. Returns how many of the first are safe with the bus or its readers.

        Raises when none could be handed over. What was handed over twice is sorted out by the readers' inboxes.
        """
        ...

    def idle(self) -> None:
        """There is nothing to hand over just now. Never raises."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Reader:
    """One service's side that receives: where its inbox is and which events it wants."""

    database: Database
    subscriptions: Subscriptions
    clock: Clock
