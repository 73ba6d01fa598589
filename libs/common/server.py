"""The server's side of a connection, where uvicorn's own copies bytes more often than it must, or cannot send a file.

    line = line_of(scope)                       # None where this server or TLS does not offer it
    await line.clear()                          # after http.response.start: the head is on its way
    sent = line.push(file, offset, count)       # in a thread; 0: the client is slower than we are
    await line.writable()

A file sent like this passes no Python: the kernel moves pages (`sendfile(2)`). The answer is ended as always, with an
`http.response.body`.

    came = line.halt()                          # the beginning of a body of known length; None: read it as always
    got = line.pull(room)                       # in a thread; 0: the client is slower than we are
    await line.readable(left)
    line.go_on()                                # the body has ended here: the next request may follow

A body taken like this is copied once, into `room`, while other threads compute. Both ends with `line.close()`.
"""

import asyncio
import contextlib
import os
import select
import socket
from collections.abc import Callable, MutableMapping
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

READ_AHEAD = 256 * 1024
"""Bytes of a body that may wait for the program: what one read of the loop brings. uvicorn's 64 KiB stop the connection after
every read; more only takes memory, for each connection that brings something."""
LOW = 128 * 1024
"""Bytes of a body that have to be waiting before it is worth a thread's turn to take them."""
LINGER_READING = 4
"""Milliseconds that `pull` waits for a client that sends faster than it is read."""
LINGER = 20
"""Milliseconds that `push` waits for a client that is about to take more: less than a turn of the loop costs on a busy machine."""
JOINED_BYTES = 16 * 1024
"""So much is held back at most until the step of the loop is over."""
AT_ONCE = getattr(os, "SPLICE_F_NONBLOCK", 0) | getattr(os, "SPLICE_F_MOVE", 0)
"""How a pipe is filled and emptied: nobody waits."""
WITH_A_BODY = frozenset({b"content-length", b"transfer-encoding", b"expect"})
_EXTENSION = "kyodo.line"

Headers = list[tuple[bytes, bytes]]
"""Names in small letters."""
Answer = tuple[int, Headers, bytes | bytearray]
"""Status, headers, with the length among them, and body."""
AtOnce = Callable[[bytes, Headers], Answer | None]


def nobody(target: bytes, headers: Headers) -> None:
    """Of an application that answers nothing at once."""


def line_of(scope: MutableMapping[str, Any]) -> "Line | None":
    return scope.get("extensions", {}).get(_EXTENSION)


class Joined:
    """A transport that writes once what one step of the loop writes in pieces.

    An answer is a head, a body and an end; uvloop makes a system call of each, and these were a third of what a small proxied
    request costs, half of what a range of a file does. Nothing is held back past the step: the head of an answer whose body comes
    later is on its way.
    """

    waiting: int | None = None
    """Bytes that may wait for a slow client before nothing more is written; None: as many as the loop thinks right."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        transport.set_write_buffer_limits(self.waiting)
        self._held: list[bytes] = []
        self._size = 0
        # Everything else is the transport's own, without a detour.
        self.is_closing = transport.is_closing
        self.get_extra_info = transport.get_extra_info
        self.get_write_buffer_size = transport.get_write_buffer_size
        self.set_write_buffer_limits = transport.set_write_buffer_limits
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.set_protocol = transport.set_protocol

    def write(self, data: bytes) -> None:
        if not data:
            return
        if not self._held:
            if len(data) >= JOINED_BYTES:
                return self._transport.write(data)
            self._loop.call_soon(self.flush)
        self._held.append(data)
        self._size += len(data)
        if self._size >= JOINED_BYTES:
            self.flush()

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        self._held.clear()
        self._transport.abort()

    def flush(self) -> None:
        if self._held:
            held, self._held, self._size = self._held, [], 0
            self._transport.writelines(held)


class Pieces:
    """What `RequestResponseCycle.body` is while it grows: pieces as they came, joined once. A single one is not copied at all."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def __iadd__(self, piece: bytes) -> "Pieces":
        self._pieces.append(piece)
        self._size += len(piece)
        return self

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        return b"".join(self._pieces)


class BodyInPieces(HttpToolsProtocol):
    """Takes bodies in pieces, and as much of them as is there at once."""

    def on_body(self, body: bytes) -> None:
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return
        if not cycle.body:
            cycle.body = Pieces()  # type: ignore[assignment]
        cycle.body += body
        if len(cycle.body) > READ_AHEAD:
            self.flow.pause_reading()
        cycle.message_event.set()


class Lined(HttpToolsProtocol):
    """Offers `Line` to whoever answers. Its transport is a `Joined`."""

    def on_headers_complete(self) -> None:
        if self.scheme != "http":  # through TLS every byte has to be touched
            return super().on_headers_complete()
        line = Line(self)
        self.scope["extensions"] = {_EXTENSION: line}  # type: ignore[typeddict-item]
        super().on_headers_complete()
        line.cycle = self.cycle


class AnswersAtOnce(HttpToolsProtocol):
    """Lets the application answer a GET in the very step that brought it: no task, no message, nothing that an answer needs which may
    have to wait. For a small part of a file it is two thirds of the cost.

    `app.at_once(target, headers)` is asked for every GET without a body; what it does not answer is answered as always.
    """

    _answered = False

    def on_headers_complete(self) -> None:
        self._unset_keepalive_if_required()  # another one in the same packet may have set it
        answer = self._ask() if self._is_simple() else None
        if answer is None:
            return super().on_headers_complete()
        self._answered = True
        status, headers, body = answer
        said = self.server_state.default_headers + headers
        lines = [STATUS_LINE[status], *(b"%s: %s\r\n" % header for header in said), b"\r\n"]
        self.transport.write(b"".join(lines))
        self.transport.write(body)
        self.server_state.total_requests += 1
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _ask(self) -> "Answer | None":
        return getattr(self.app, "at_once", nobody)(self.url, self.headers)

    def _is_simple(self) -> bool:
        """Whether nothing else is going on here: an answer that is being sent, a body, the end of the connection."""
        parser, before = self.parser, self.cycle
        assert parser is not None
        return (
            parser.get_method() == b"GET"
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not parser.should_upgrade()
            and (before is None or before.response_complete)
            and not self.flow.write_paused
            and not self.transport.is_closing()
            and not any(name in WITH_A_BODY for name, _ in self.headers)
        )

    def on_message_complete(self) -> None:
        if self._answered:
            self._answered = False
        else:
            super().on_message_complete()


class Protocol(BodyInPieces, AnswersAtOnce, Lined):
    """What services listen with."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(Joined(transport, self.loop))  # type: ignore[arg-type]


class Line:
    """The connection of one request, to take its body from or, after the head of the answer, to send a file on."""

    cycle: RequestResponseCycle

    def __init__(self, protocol: HttpToolsProtocol) -> None:
        self._protocol = protocol
        self._file = -1
        self._keeps = False

    async def clear(self) -> None:
        """Return when everything said before has left. Raises ConnectionError when the client is gone."""
        transport: Joined = self._protocol.transport  # type: ignore[assignment]
        transport.flush()
        transport.set_write_buffer_limits(0)
        await self._protocol.flow.drain()
        transport.set_write_buffer_limits(transport.waiting)
        self._check()
        self._take_over()

    def push(self, file: int, offset: int, count: int) -> int:
        """Send up to `count` bytes of the open `file`; returns how many went. Blocks on the disk, hardly on the client."""
        sent = 0
        while sent < count:
            try:
                done = os.sendfile(self._file, file, offset + sent, count - sent)
            except BlockingIOError:
                if not _soon(self._file, select.POLLOUT, LINGER):
                    break
                continue
            if not done:
                raise OSError("a file became shorter while it was sent")
            sent += done
        return sent

    def push_pipe(self, pipe: int, count: int) -> int:
        """Send up to `count` of the bytes that wait in `pipe`; returns how many went. Waits for nobody, and needs no thread."""
        try:
            return os.splice(pipe, self._file, count, flags=AT_ONCE)
        except BlockingIOError:
            return 0

    async def writable(self) -> None:
        """Return when the client has taken some of what was sent. Raises ConnectionError when it is gone."""
        loop = asyncio.get_running_loop()
        await _told(self._file, loop.add_writer, loop.remove_writer)
        self._check()

    def halt(self) -> bytes | None:
        """Read nothing more of the body here; what has come of it. None where the client waits to be asked for it, or it is whole.

        Unless it is taken to its end (`go_on`) the connection ends with the answer: nobody knows where the next request begins.
        """
        cycle = self.cycle
        if cycle.waiting_for_100_continue or cycle.disconnected or not cycle.more_body:
            return None
        self._protocol.flow.pause_reading()
        self._take_over()
        came, cycle.body = bytes(cycle.body), bytearray()
        self._keeps, cycle.keep_alive = cycle.keep_alive, False
        return came

    def pull(self, room: memoryview) -> int:
        """Take up to as many bytes as `room` holds. Raises ConnectionError when the client has ended its side."""
        taken = 0
        while taken < len(room):
            try:
                came = os.readv(self._file, [room[taken:]])
            except BlockingIOError:
                if not _soon(self._file, select.POLLIN, LINGER_READING):
                    break
                continue
            if not came:
                raise ConnectionError("the client is gone")
            taken += came
        return taken

    async def readable(self, left: int) -> None:
        """Return when some of the `left` bytes wait to be taken, a good many if there are (SO_RCVLOWAT), or the client is gone."""
        self._want(min(left, LOW))
        await readable(self._file)

    def go_on(self) -> None:
        """The body was taken to its last byte: what follows is the next request, read by a parser that knows nothing of this one."""
        protocol, cycle = self._protocol, self.cycle
        protocol.parser = httptools.HttpRequestParser(protocol)
        protocol.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
        cycle.more_body, cycle.keep_alive = False, self._keeps
        self._want(1)
        protocol.flow.resume_reading()

    def _take_over(self) -> None:
        """A descriptor of our own: the loop lets nobody wait for one that it reads itself."""
        if self._file < 0:
            self._file = os.dup(self._protocol.transport.get_extra_info("socket").fileno())

    def _want(self, bytes_: int) -> None:
        own = socket.socket(fileno=self._file)
        try:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, bytes_)
        finally:
            own.detach()

    def count(self, sent: int) -> None:
        """So many bytes of the announced length have left."""
        self.cycle.expected_content_length -= sent

    def abandon(self) -> None:
        """The client is gone, or takes nothing: there is nobody to answer."""
        self.cycle.disconnected = True
        self._protocol.transport.abort()

    def close(self) -> None:
        """Nothing more will be sent or taken by hand."""
        if self._file >= 0:
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = -1

    def _check(self) -> None:
        if self.cycle.disconnected or self._protocol.transport.is_closing():
            raise ConnectionError("the client is gone")


async def readable(file: int) -> None:
    """Return when something waits to be read from `file`, or nothing more will come. No transport of the loop may have it."""
    loop = asyncio.get_running_loop()
    await _told(file, loop.add_reader, loop.remove_reader)


async def _told(file: int, add: Callable[[int, Callable[[], Any]], Any], remove: Callable[[int], Any]) -> None:
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    add(file, lambda: ready.done() or ready.set_result(None))
    try:
        await ready
    finally:
        remove(file)


def _soon(file: int, what: int, milliseconds: int) -> bool:
    waiting = select.poll()
    waiting.register(file, what)
    return bool(waiting.poll(milliseconds))
