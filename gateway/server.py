"""The parser in front, made stricter: header size and time, target form, bodies nobody reads.

uvicorn with httptools is the strictest of the parsers measured, but it accepts a header section of any size, waits for
it for ever, and answers a bad message without the headers every answer of ours has.
"""

import asyncio
import socket
from typing import Any

from gateway.hygiene import MAX_HEADER_BYTES, MAX_TARGET_BYTES
from libs.common.server import Joined, Lined

HEADER_SECONDS = 15.0
"""From the first byte of a request to the end of its headers."""
DRAIN_BYTES = 512 * 1024 * 1024
"""How much of a refused body is read and thrown away, so that a browser gets to see the refusal."""

_REFUSALS = {
    400: b"Bad Request",
    408: b"Request Timeout",
    414: b"URI Too Long",
    431: b"Request Header Fields Too Large",
}


UNSENT_BYTES = 128 * 1024
"""Bytes that the system may hold unsent for one client (TCP_NOTSENT_LOWAT, `man 7 tcp` of Linux): else it takes megabytes for a slow
reader, and whether that reader takes anything at all is seen only when a third of them has gone."""
CLOSING_SECONDS = 60.0
"""How long a connection that is to close may take for what it was not sent yet. Then it is cut: its reader takes nothing."""


class Unhurried(Joined):
    """For a client that may be slow, or stay: as little as may be waits for it, and not for ever."""

    waiting = 0
    """Nothing more is written beyond the piece that it could not take whole."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(transport, loop)
        plain = transport.get_extra_info("socket")
        if plain is not None and plain.family != socket.AF_UNIX:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    def close(self) -> None:
        self.flush()
        if self._transport.get_write_buffer_size():
            self._loop.call_later(CLOSING_SECONDS, self._transport.abort)
        self._transport.close()


class _Nowhere(list[tuple[bytes, bytes]]):
    """Where fields go that come after a body (trailers). uvicorn would add them to the headers, as if the sender had said them before
    anybody looked (RFC 9110, 6.5.1: not without knowing what each means; we know none)."""

    def append(self, _: tuple[bytes, bytes]) -> None:
        """They are dropped."""


_NOWHERE = _Nowhere()


class StrictProtocol(Lined):
    """One connection. Limits hold while a message is read, not after it has been."""

    in_headers = False
    header_bytes = 0
    idle_bytes = 0
    """Bytes since the last of a body, or since a message began: of trailers, of a chunk's extensions, of empty lines."""
    unread_bytes = 0
    header_timer: asyncio.TimerHandle | None = None
    taking_timer: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, taking_seconds: float = 60.0, **kwargs: Any) -> None:
        """`taking_seconds`: how long a client may take nothing of the answer that waits for it."""
        super().__init__(*args, **kwargs)
        self.taking_seconds = taking_seconds

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(Unhurried(transport, self.loop))  # type: ignore[arg-type]
        self.timeout_keep_alive_task = self.loop.call_later(HEADER_SECONDS, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self.idle_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self.in_headers:
            if self.header_timer is None:  # most heads come whole, and need none
                self.header_timer = self.loop.call_later(HEADER_SECONDS, self.headers_late)
            self.header_bytes += len(data)
            if self.header_bytes > MAX_HEADER_BYTES + MAX_TARGET_BYTES:
                self.refuse(431)
        elif self.idle_bytes > MAX_HEADER_BYTES:
            self.refuse(431)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.in_headers = True
        self.header_bytes = self.idle_bytes = 0

    def on_headers_complete(self) -> None:
        self.in_headers = False
        if self.header_timer is not None:
            self.stop_header_timer()
        if self.transport.is_closing():
            return
        if len(self.url) > MAX_TARGET_BYTES:
            return self.refuse(414)
        # Only origin-form: an absolute target may name another host than the Host header does (RFC 9112, 3.2.2).
        if not self.url.startswith(b"/") or b"#" in self.url or self.url.startswith(b"//"):
            return self.refuse(400)
        super().on_headers_complete()
        self.headers = _NOWHERE

    def on_body(self, body: bytes) -> None:
        self.idle_bytes = 0
        if self.cycle is None or self.transport.is_closing():
            return
        if self.cycle.response_complete:
            self.unread_bytes += len(body)
            if self.unread_bytes > DRAIN_BYTES:
                self.transport.abort()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.unread_bytes = 0
        if self.cycle is not None and not self.transport.is_closing():
            super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.taking_timer = self.loop.call_later(self.taking_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        if self.taking_timer is not None:
            self.taking_timer.cancel()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self.stop_header_timer()
        if self.taking_timer is not None:
            self.taking_timer.cancel()
        super().connection_lost(exc)

    def headers_late(self) -> None:
        if self.in_headers and not self.transport.is_closing():
            self.refuse(408)

    def stop_header_timer(self) -> None:
        if self.header_timer is not None:
            self.header_timer.cancel()
            self.header_timer = None

    def send_400_response(self, msg: str) -> None:
        self.refuse(400)

    def refuse(self, status: int) -> None:
        """Answer and close: after a message that is not understood, nothing on this connection can be trusted. Where another answer has
        begun, cut: it would be read as a part of that."""
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            return self.transport.abort()
        title = _REFUSALS[status]
        body = b'{"type":"about:blank","title":"%s","status":%d}' % (title, status)
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: application/problem+json\r\ncontent-length: %d\r\n"
            b"cache-control: no-store\r\nx-content-type-options: nosniff\r\n"
            b"content-security-policy: default-src 'none'; frame-ancestors 'none'\r\nconnection: close\r\n\r\n%s"
            % (status, title, len(body), body)
        )
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> Any:
        """An upgrade we do not offer is answered as the plain request it also is (RFC 9110, 7.8)."""
