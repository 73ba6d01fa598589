"""The bus of the single box: the relay hands events straight to the readers' inboxes, one transaction each."""

from collections.abc import Sequence

from libs.common import inbox
from libs.common.bus import Reader
from libs.common.events import Envelope


class EmbeddedBus:
    """Knows the readers that live in this installation."""

    def __init__(self, readers: Sequence[Reader]) -> None:
        self._readers = readers

    def deliver(self, envelopes: Sequence[Envelope]) -> int:
        for reader in self._readers:
            wanted = [envelope for envelope in envelopes if reader.subscriptions.wants(envelope)]
            if wanted:
                with reader.database.transaction() as session:
                    inbox.receive(session, wanted, reader.clock.now())
        return len(envelopes)

    def idle(self) -> None:
        """No line to keep."""

    def close(self) -> None:
        """Nothing is held."""
