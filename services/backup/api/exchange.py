"""One request of restic's protocol and its answer. Bytes pass in blocks between the connection and a site, in threads."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from starlette.requests import Request

from libs.common.actor import Actor
from libs.common.errors import Invalid, Refusal, TooLarge, say
from libs.common.http import problem_for
from libs.common.ranges import Span, span_of
from libs.common.remembered import Remembered
from libs.common.server import Line, line_of
from libs.common.service import Service
from services.backup.api.turns import Turns
from services.backup.db import objects
from services.backup.db import repositories as db
from services.backup.domain.protocol import BYTES, CONFIG, LARGEST, V1, V2, Target, is_too_slow, listing
from services.backup.settings import Held, held
from services.backup.sites import BLOCK, Key, Reader, Site, SiteBroken, SiteDown, SiteFull, Upload, WrongContent
from services.backup.use_cases import read, remove, store
from services.backup.use_cases.admit import Door, admit
from services.backup.use_cases.alerts import raise_alert

T = TypeVar("T")

THREADS = 16
SLOTS = 12
"""Threads for blocks and for what waits for a lock, which municipalities take in turn; the rest are for short questions."""
IDLE = 90.0
"""Seconds a client may pause in the middle of a body; the gateway is stricter."""
FRESH = 1.0
"""Seconds for which it is believed that a key is still good, how much fits, and where an object lies. What writes asks again
in the transaction that keeps the bytes."""
GATHERED = 512 * 1024
"""Bytes of a body that go to a thread at once. Fewer cost more turns, more cost memory for each of many uploads."""
A_TURN = 4 * BLOCK
"""Bytes that the kernel sends, or a thread takes, in one turn. A client that is slower than we are ends it earlier."""
AT_ONCE = 256 * 1024
"""Bytes of an answer that are taken from memory, where they are, without a thread."""


@dataclass(slots=True)
class Admitted:
    """A door, and how many bytes an object of each type may bring through it."""

    door: Door
    most: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Memory:
    """Of one process: doors that were opened just now, and files that are open."""

    doors: Remembered[tuple[Actor, str], Admitted] = field(default_factory=lambda: Remembered(FRESH, 10_000))
    readers: Remembered[tuple[str, Target, datetime | None], Reader] = field(
        default_factory=lambda: Remembered(FRESH, 64)
    )

    def forget(self) -> None:
        """As if a moment had passed."""
        self.doors.forget()
        self.readers.forget()


class Gone(Exception):
    """The client went away: there is nobody to answer."""


class WrongBody(Refusal):
    """The body is not what its name promises, or ended early (400, as restic's protocol says)."""

    status: ClassVar[int] = 400
    default_code = "wrong-content"


class NotOffered(Refusal):
    status: ClassVar[int] = 405
    default_code = "not-allowed"


class NotBuilt(Refusal):
    """restic never deletes a whole repository over REST; nor can anybody else."""

    status: ClassVar[int] = 501
    default_code = "not-implemented"


class TooSlow(Refusal):
    status: ClassVar[int] = 408
    default_code = "too-slow"


def paused() -> TooSlow:
    return TooSlow(say("送信が途中で止まりました。もう一度お試しください。"))


def check_pace(received: int, seconds: float) -> None:
    if is_too_slow(received, seconds):
        raise TooSlow(say("送信が遅すぎるため、中断しました。回線を確かめて、もう一度お試しください。"))


@dataclass(slots=True)
class Coming:
    """A body of known length that threads take from its connection."""

    line: Line
    length: int
    left: int = field(init=False)
    begun: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.left = self.length

    def pull(self, write: Callable[[list[memoryview]], None] | None) -> int:
        """Take what is there, at most `A_TURN`; without `write` it is thrown away. Returns how many bytes."""
        taken = 0
        while self.left and taken < A_TURN:
            room = _room()[: min(self.left, GATHERED)]
            came = self.line.pull(room)
            self.left -= came
            taken += came
            if came and write is not None:
                write([room[:came]])
            if came < len(room):
                break
        return taken

    def check_pace(self) -> None:
        check_pace(self.length - self.left, time.monotonic() - self.begun)


_rooms = threading.local()


def _room() -> memoryview:
    """This thread's own, used for one piece after another."""
    if not hasattr(_rooms, "room"):
        _rooms.room = memoryview(bytearray(GATHERED))
    return _rooms.room


_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="plane")


async def in_thread(do: Callable[..., T], *arguments: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(_threads, do, *arguments)


NOT_KEPT = (b"cache-control", b"no-store")


def part_of(reader: Reader, header: str) -> tuple[int, list[tuple[bytes, bytes]], Span] | None:
    """Status, headers and bytes of the answer to a GET with this Range header; None: nothing of what it asks exists."""
    span = span_of(header, reader.size)
    if span is None:
        return None
    headers = [
        (b"content-length", b"%d" % (span.end - span.start)),
        (b"content-type", BYTES.encode()),
        (b"accept-ranges", b"bytes"),
    ]
    if not span.partial:
        return 200, headers, span
    return 206, [*headers, (b"content-range", b"bytes %d-%d/%d" % (span.start, span.end - 1, reader.size))], span


def ready(reader: Reader, span: Span) -> bytes | bytearray | None:
    """The bytes themselves, where they are few and lie in memory."""
    return reader.ready(span.start, span.end) if span.end - span.start <= AT_ONCE else None


class Exchange:
    """One request and its answer."""

    actor: Actor
    at: datetime | None = None

    def __init__(self, request: Request, receive: Any, send: Any) -> None:
        self.request = request
        self.service: Service = request.app.state.service
        self._receive, self._send = receive, send
        self._memory: Memory = request.app.state.memory
        self._turns: Turns = request.app.state.turns
        self._body_read = False
        self._begun = False

    @property
    def _tenant(self) -> str:
        return str(self.actor.tenant)

    @property
    def _key(self) -> tuple[Actor, str]:
        return self.actor, self.request.path_params["repository"]

    @property
    def held(self) -> Held:
        return held(self.service)

    # ---- reading ----------------------------------------------------------------------------------------------------

    async def answer_list(self, target: Target) -> None:
        v2 = self.request.headers.get("accept", "") == V2
        rows = await in_thread(self._names, target.type)
        body = await in_thread(lambda: listing(rows, v2=v2))
        await self._reply(200, body, [(b"content-type", (V2 if v2 else V1).encode())])

    def _names(self, type_: str) -> list[tuple[str, int]]:
        with self.service.database.reading(tenant=self.actor.tenant) as session:
            now = self.service.clock.now()
            return read.names(session, self.held, self._reader(session), type_, self.at, now)

    async def answer_read(self, target: Target) -> None:
        admitted = self._memory.doors.get(self._key)
        known = self._memory.readers.get((admitted.door.repository_id, target, self.at)) if admitted else None
        if known is None:
            known = await in_thread(self._open, target)
            asyncio.get_running_loop().call_later(FRESH * 1.5, self._memory.readers.sweep)
        await self._send_file(known)

    def _open(self, target: Target) -> Reader:
        """Closed when nobody reads it any more, and it is no longer remembered."""
        with self.service.database.reading(tenant=self.actor.tenant) as session:
            door = self._reader(session)
            found = read.find(session, self.held, door, target.type, target.name, self.at)
        reader = read.open_object(found)
        self._memory.readers.put((door.repository_id, target, self.at), reader)
        return reader

    async def _send_file(self, reader: Reader) -> None:
        size = reader.size
        part = part_of(reader, self.request.headers.get("range", ""))
        if part is None:
            return await self._reply(416, b"", [(b"content-range", f"bytes */{size}".encode())])
        if self.request.method == "HEAD":
            headers = [(b"content-length", str(size).encode()), (b"content-type", BYTES.encode())]
            return await self._start(200, headers, last=b"")
        status, headers, span = part
        unbounded = not self._turns.rate  # a bound line counts every byte, in turn
        at_once = ready(reader, span) if unbounded else None
        await self._start(status, headers, last=at_once)
        if at_once is not None:
            return
        line = line_of(self.request.scope) if unbounded else None
        if line is not None and reader.fd is not None:
            await self._send_by_kernel(line, reader.fd, span)
            return await self._send({"type": "http.response.body", "body": b""})
        await self._send_blocks(reader, span)

    async def _send_by_kernel(self, line: Line, file: int, span: Span) -> None:
        """Block by block, each municipality in its turn; nobody holds a turn while the client is slow."""
        at = span.start
        await line.clear()
        try:
            while at < span.end:
                size = min(A_TURN, span.end - at)
                sent = await self._turns.take(self._tenant, size, in_thread, line.push, file, at, size)
                line.count(sent)
                at += sent
                if not sent:
                    async with asyncio.timeout(IDLE):
                        await line.writable()
        except (ConnectionError, TimeoutError) as error:
            line.abandon()
            raise Gone from error
        except OSError as error:
            raise SiteBroken(str(error)) from error
        finally:
            line.close()

    async def _send_blocks(self, reader: Reader, span: Span) -> None:
        left, blocks = span.end - span.start, reader.blocks(span.start, span.end)
        while left:
            block = await self._turns.take(self._tenant, min(left, BLOCK), in_thread, next, blocks, b"")
            if not block:
                raise ConnectionError("a stored file became shorter while it was read")  # the client sees a cut answer
            left -= len(block)
            await self._send({"type": "http.response.body", "body": block, "more_body": left > 0})

    # ---- writing ----------------------------------------------------------------------------------------------------

    async def answer_create(self) -> None:
        """The repository was made in the portal; restic's own `init` finds it there."""
        if self.request.query_params.get("create") != "true":
            raise WrongBody(say("?create=true が必要です。"), code="create-expected")
        await in_thread(self._check_may_write)
        await self._read_all(LARGEST)
        await self._reply(200)

    def _check_may_write(self) -> None:
        with self.service.database.reading(tenant=self.actor.tenant) as session:
            store.check_may_write(self._admit(session), CONFIG)

    async def answer_write(self, target: Target) -> None:
        admitted = await self._admitted(target)
        most = admitted.most[target.type]
        length = int(self.request.headers.get("content-length", "0"))
        if length > LARGEST:
            raise TooLarge(say("1つの部分が大きすぎます。"), limit=LARGEST)
        if length > most:
            raise store.full()
        upload = await in_thread(self._site_for(target).begin)
        try:
            await self._receive_into(upload, most, length)
            await self._in_turn(self._finish, admitted.door, target, upload)
        finally:
            await in_thread(upload.abandon)
        await self._reply(200)

    def _site_for(self, target: Target) -> Site:
        """The first site. While it is down the second takes locks, so that a plain `restic restore` works as well."""
        places = self.held
        return places.second if target.type == objects.LOCKS and not places.first.up else places.first

    async def _admitted(self, target: Target) -> Admitted:
        """Who may write such an object, and how large it may be. Refuses early whom the end would refuse."""
        admitted = self._memory.doors.get(self._key)
        if admitted is None or target.type not in admitted.most:
            admitted = await in_thread(self._ask_most, target)
        store.check_may_write(admitted.door, target.type)
        return admitted

    def _ask_most(self, target: Target) -> Admitted:
        with self.service.database.reading(tenant=self.actor.tenant) as session:
            admitted = self._opened(session)
            admitted.most[target.type] = min(store.bytes_left(session, admitted.door, target.type), LARGEST)
            return admitted

    async def _receive_into(self, upload: Upload, most: int, length: int) -> None:
        line = line_of(self.request.scope) if length >= GATHERED and not self._turns.rate else None
        came = line.halt() if line is not None else None
        if line is not None and came is not None:
            return await self._pull_into(upload, Coming(line, length), came)
        waiting: list[bytes] = []
        size = total = 0
        async for chunk in self._chunks():
            waiting.append(chunk)
            size += len(chunk)
            total += len(chunk)
            if total > most:
                raise store.full()
            if size >= GATHERED:
                await self._write(upload, waiting, size)
                waiting, size = [], 0
        await self._write(upload, waiting, size)

    async def _pull_into(self, upload: Upload, coming: Coming, came: bytes) -> None:
        """A body of known length, from the socket to the disk in a thread: copied once, while others compute."""
        self._body_read = True
        coming.left -= len(came)
        try:
            await self._write(upload, [came], len(came))
            await self._pull_rest(coming, upload.write)
        except (SiteFull, SiteDown, SiteBroken):
            await self._pull_rest(coming, None)  # a client that is cut off while sending sees no answer
            raise
        finally:
            coming.line.close()

    async def _pull_rest(self, coming: Coming, write: Callable[[list[memoryview]], None] | None) -> None:
        try:
            while coming.left:
                if not await self._turns.take(self._tenant, 0, in_thread, coming.pull, write):
                    async with asyncio.timeout(IDLE):
                        await coming.line.readable(coming.left)
                coming.check_pace()
        except ConnectionError:
            raise Gone from None
        except TimeoutError:
            raise paused() from None
        coming.line.go_on()

    async def _write(self, upload: Upload, chunks: list[bytes], size: int) -> None:
        await self._turns.take(self._tenant, size, in_thread, upload.write, chunks)

    async def _in_turn(self, do: Callable[..., None], *arguments: Any) -> None:
        """What waits for the municipality's own lock: else a thousand small uploads of one would hold every thread from the others.
        A bound line is no matter of theirs."""
        if self._turns.rate:
            await in_thread(do, *arguments)
        else:
            await self._turns.take(self._tenant, 0, in_thread, do, *arguments)

    def _finish(self, door: Door, target: Target, upload: Upload) -> None:
        key = Key(door.tenant, door.repository_id, target.type, target.name or upload.name)
        try:
            upload.seal(key)
        except WrongContent as error:
            raise WrongBody(say("届いた内容が、名前（SHA-256）と一致しません。保存していません。")) from error
        now = self.service.clock.now()
        with self.service.database.transaction(tenant=door.tenant) as session:
            door = self._admit(session, to_change=True)  # a key revoked meanwhile brings nothing in any more
            store.check_may_write(door, target.type)
            store.keep(session, door, target.type, upload, now, at_second=upload.site == "second")
        self._memory.readers.drop((door.repository_id, target, None))

    async def answer_delete(self, target: Target) -> None:
        await self._in_turn(self._remove, target)
        await self._reply(200)

    def _remove(self, target: Target) -> None:
        with self.service.database.transaction(tenant=self.actor.tenant) as session:
            door = self._admit(session, to_change=True)
            now = self.service.clock.now()
            remove.remove(session, self.held, self.actor, door, target.type, target.name, now)
        self._memory.readers.drop((door.repository_id, target, None))

    async def note_broken_disk(self) -> None:
        """A disk that does not do its work is somebody's to look at, at once."""
        await in_thread(self._note_broken_disk)

    def _note_broken_disk(self) -> None:
        now = self.service.clock.now()
        with self.service.database.transaction(tenant=self.actor.tenant) as session:
            repository = db.by_name(session, self.request.path_params["repository"])
            if repository is not None:
                raise_alert(session, repository, "disk", now)

    # ---- the connection ---------------------------------------------------------------------------------------------

    def _reader(self, session: Any) -> Door:
        """A door to read by, remembered for a moment."""
        return self._opened(session).door

    def _opened(self, session: Any) -> Admitted:
        known = self._memory.doors.get(self._key)
        if known is None:
            known = Admitted(self._admit(session))
            self._memory.doors.put(self._key, known)
        return known

    def _admit(self, session: Any, *, to_change: bool = False) -> Door:
        name = self.request.path_params["repository"]
        return admit(session, self.actor, name, self.service.clock.now(), to_change=to_change)

    async def _chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises Gone when the client leaves, TooSlow when it pauses for too long."""
        begun, total = time.monotonic(), 0
        while not self._body_read:
            try:
                async with asyncio.timeout(IDLE):
                    message = await self._receive()
            except TimeoutError:
                self._body_read = True
                raise paused() from None
            if message["type"] == "http.disconnect":
                self._body_read = True
                raise Gone
            self._body_read = not message.get("more_body", False)
            if message.get("body"):
                total += len(message["body"])
                check_pace(total, time.monotonic() - begun)
                yield message["body"]

    async def _read_all(self, most: int) -> None:
        """Read what is left of the body and throw it away: a client that is cut off while sending sees no answer."""
        async for chunk in self._chunks():
            most -= len(chunk)
            if most < 0:
                return

    async def refuse(self, refusal: Refusal) -> None:
        if self._begun:
            raise refusal
        try:
            if self.request.method not in ("GET", "HEAD"):
                await self._read_all(LARGEST)
        except (Gone, Invalid, TooSlow):
            return
        response = problem_for(self.request, refusal, self.request.app.state.service.extras["pages"])
        await self._reply(refusal.status, bytes(response.body), response.raw_headers)

    async def _reply(self, status: int, body: bytes = b"", headers: list[tuple[bytes, bytes]] | None = None) -> None:
        length = [(b"content-length", str(len(body)).encode())]
        kept = [(n, v) for n, v in headers or [] if n != b"content-length"]
        await self._start(status, [*kept, *length], last=b"" if self.request.method == "HEAD" else body)

    async def _start(
        self, status: int, headers: list[tuple[bytes, bytes]], *, last: bytes | bytearray | None = None
    ) -> None:
        """Begin the answer; `last` ends it at once."""
        self._begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": [*headers, NOT_KEPT]})
        if last is not None:
            await self._send({"type": "http.response.body", "body": last})
