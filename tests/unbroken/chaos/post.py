"""A mail server that remembers how many letters came to whom. A letter that was handed over, but whose receipt was lost, is sent again
with the same Message-ID (libs/common/notices): it is the same letter, and counted as `resent`."""

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
        self._come: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    def __enter__(self) -> "PostOffice":
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    async def handle_DATA(self, _server: Any, _session: Any, mail: Any) -> str:
        """Counted once it is whole, which is when the server answers for it."""
        ident = str(email.message_from_bytes(mail.content)["Message-ID"])
        with self._lock:
            for address in mail.rcpt_tos:
                self._come[address, ident] = self._come.get((address, ident), 0) + 1
        return "250 OK"

    def by_address(self) -> Counter[str]:
        """How many letters came to whom."""
        with self._lock:
            return Counter(address for address, _ in self._come)

    def resent(self) -> int:
        """How often a letter came that had come before."""
        with self._lock:
            return sum(times - 1 for times in self._come.values())
