"""A mail server that remembers how many letters came to whom, and can be away or silent (behind a line)."""

import email
import threading
from collections import Counter
from typing import Any

from aiosmtpd.controller import Controller

from infra.local import processes


class PostOffice:
    """`with PostOffice() as post: post.port`."""

    def __init__(self) -> None:
        self.port = processes.free_port()
        self._come: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    def __enter__(self) -> "PostOffice":
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    async def handle_DATA(self, _server: Any, _session: Any, mail: Any) -> str:
        """Counted once it is whole, which is when the server answers for it."""
        email.message_from_bytes(mail.content)
        with self._lock:
            self._come.update(mail.rcpt_tos)
        return "250 OK"

    def by_address(self) -> Counter[str]:
        with self._lock:
            return Counter(self._come)
