"""The proxied path: one request on to a service, its answer back, both streamed, nothing buffered, nothing twice."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import cache

from prometheus_client import Counter

from gateway.answers import BadGateway, GatewayTimeout, Malformed, Message, Receive, RequestTimeout, Send, busy
from gateway.fairness.door import Fairness
from gateway.hygiene import (
    SAFE_METHODS,
    Headers,
    forwarded_cookies,
    forwarded_headers,
    has_body,
    header,
    returned_headers,
)
from gateway.offload import Handing, Offload
from gateway.openness import opened
from gateway.upstream import (
    WITHOUT_BODY,
    Answer,
    UpstreamBroken,
    UpstreamBusy,
    UpstreamLate,
    UpstreamRefused,
    Upstreams,
)
from libs.common.actor import STRENGTHS
from libs.common.errors import Refusal, TooLarge, TooWeak, say
from libs.common.server import Line

ANSWERS = Counter(
    "gateway_answers_total",
    "Answers of services passed on, by class of route and tenant.",
    ["route_class", "tenant", "status"],
)
WATCH_AFTER = 0.05
"""Seconds after which we listen whether the client is still there. Most answers are done by then."""

CARRIED = 256 * 1024
"""Bytes left of an answer from which it pays to let the kernel bring them (`upstream/carry.py`)."""
_INSUFFICIENT = re.compile(r'error="insufficient_user_authentication".*acr_values="([a-z-]+)')


class ClientGone(Exception):
    """The client closed the connection: there is nobody to answer."""


@dataclass(slots=True)  # not frozen: made at each request, and a frozen one costs four times as much to make
class Onwards:
    """One request as it goes on. `said` are the headers the gateway adds, `answered` those it puts on the answer."""

    service: str
    method: str
    target: bytes
    headers: Headers
    said: Headers
    limit: int
    personal: bool
    """Whether the answer may be about one person: then nobody keeps it unless the service says otherwise."""
    first: bool = False
    """Whether it stands before others where the service's connections are all taken: its sender is inside already."""
    answered: Headers = field(default_factory=list)
    tenant: str = ""
    route_class: str = ""
    handing: Handing | None = None
    """How a file is handed over that the service only names; None if it was not offered to."""
    line: Line | None = None
    """The client's connection, where the kernel can bring a large answer to it; else None."""
    shared: bool = False
    """Whether other people use this machine: then nothing stays in its cache, whatever the service says."""


class Body:
    """The client's request body, counted and watched. `failure` says why it ended early, if it did; `length` is what its headers say."""

    def __init__(self, receive: Receive, limit: int, idle: float, length: int | None) -> None:
        self._receive = receive
        self._left = limit
        self._limit = limit
        self._length = length
        self._idle = idle
        self.finished = False
        self.failure: Exception | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self.finished:
            chunk = self._count(await self._next())
            if chunk:
                return chunk
        raise StopAsyncIteration

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout(self._idle):
                return await self._receive()
        except TimeoutError as error:
            self.failure = RequestTimeout(
                say("送信が途中で止まりました。通信の状態をお確かめのうえ、もう一度お試しください。")
            )
            raise self.failure from error

    def _count(self, message: Message) -> bytes:
        if message["type"] == "http.disconnect":
            self.failure = ClientGone()
            raise self.failure
        chunk: bytes = message.get("body", b"")
        self.finished = not message.get("more_body", False)
        self._left -= len(chunk)
        if self._left < 0:
            self.failure = too_large(self._limit)
            raise self.failure
        if self.finished and self._length not in (None, self._limit - self._left):
            # A service that was promised more would take the next request on its connection for the rest of this one.
            self.finished = False
            self.failure = Malformed(400, "ambiguous-length")
            raise self.failure
        return chunk


def body_of(headers: Headers, receive: Receive, limit: int, idle: float) -> Body | None:
    """The body that a request has by its headers. Raises TooLarge where these say so already."""
    if not has_body(headers):
        return None
    said = header(headers, b"content-length")
    length = int(said) if said is not None else None
    if length is not None and length > limit:
        raise too_large(limit)
    return Body(receive, limit, idle, length)


def too_large(limit: int) -> TooLarge:
    return TooLarge(
        say("送られたファイルの合計が大きすぎます。%(most)sMBまでにしてください。", most=f"{limit / 1_000_000:g}"),
        limit=limit,
        kept=say("送られた内容は保存していません。前の画面の入力は、ブラウザの「戻る」で開けます。"),
    )


class Watch:
    """Ends the task that answers when the client goes away while we wait for the service."""

    def __init__(self, receive: Receive, ready: Callable[[], bool]) -> None:
        self._receive = receive
        self._ready = ready
        self._loop = asyncio.get_running_loop()
        self._answering = asyncio.current_task()
        self._listening: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(WATCH_AFTER, self._begin)
        self.gone = False

    def _begin(self) -> None:
        if self._ready():
            self._listening = self._loop.create_task(self._listen())
        else:  # the body is still being read, by somebody else; that reader sees a client that goes
            self._timer = self._loop.call_later(WATCH_AFTER, self._begin)

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._answering is not None:
            self._answering.cancel()

    def stop(self) -> None:
        self._timer.cancel()
        if self._listening is not None:
            self._listening.cancel()


def outgoing_headers(request: Onwards, own_cookies: frozenset[str]) -> Headers:
    cookies = forwarded_cookies(request.headers, own_cookies)
    kept = [(b"cookie", cookies)] if cookies else []
    return [*forwarded_headers(request.headers), *kept, *request.said]


class Proxy:
    """`idle` is in seconds: how long a client may pause in the middle of its body."""

    def __init__(
        self,
        upstreams: Upstreams,
        fairness: Fairness,
        offload: Offload,
        own_cookies: frozenset[str],
        security: Headers,
        idle: float,
    ) -> None:
        self._offload = offload
        self._upstreams = upstreams
        self._fairness = fairness
        self._own_cookies = own_cookies
        self._security = security
        self._idle = idle

    async def pass_on(self, request: Onwards, receive: Receive, send: Send) -> None:
        """Answer `request` from its service. Raises a Refusal only as long as nothing has been sent."""
        self._fairness.shares.take(request.service, request.tenant)
        try:
            self._fairness.check_breaker(request.service)
            await self._pass_on(request, receive, send)
        finally:
            self._fairness.shares.give(request.service, request.tenant)

    async def _pass_on(self, request: Onwards, receive: Receive, send: Send) -> None:
        body = body_of(request.headers, receive, request.limit, self._idle)
        watch = Watch(receive, lambda: body is None or body.finished)
        answer: Answer | None = None
        whole = False
        try:
            answer = await self._open(request, body)
            if answer.status == 401:
                _ask_for_more(answer.headers)
            if header(answer.headers, b"x-accel-redirect") is not None:
                return await self._hand_over(request, answer, send)
            whole = await self._send_back(request, answer, send) and (body is None or body.finished)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not watch.gone or task is None:
                raise
            task.uncancel()
        except ClientGone:
            pass
        finally:
            watch.stop()
            if answer is not None:
                answer.close(whole=whole)

    async def _open(self, request: Onwards, body: Body | None) -> Answer:
        headers, service = outgoing_headers(request, self._own_cookies), request.service
        judged = False
        try:
            answer = await self._upstreams.open(
                service, request.method, request.target, headers, body, first=request.first
            )
            self._fairness.note_answer(service, answer.status)
            judged = True
            return answer
        except UpstreamRefused as error:
            self._fairness.note_answer(service, 0)
            judged = True
            raise _away(request) from error
        except UpstreamBusy as error:
            raise busy() from error
        except (UpstreamBroken, UpstreamLate) as error:
            if body is None or body.failure is None:
                self._fairness.note_answer(service, 0)
                judged = True
            if body is not None and body.failure is not None:
                raise body.failure from error
            raise _broken(request, late=isinstance(error, UpstreamLate)) from error
        finally:
            if not judged:
                self._fairness.breakers[service].let_go()

    async def _send_back(self, request: Onwards, answer: Answer, send: Send) -> bool:
        """Whether the answer was passed on to its end. What breaks in the middle must look broken to the client too."""
        count_answer(request.route_class, request.tenant, answer.status)
        await send({"type": "http.response.start", "status": answer.status, "headers": self._headers(request, answer)})
        try:
            if request.line is not None and answer.left >= CARRIED:
                await _carry(request.line, answer, send)
                return True
            more = True
            while more:
                chunk = await answer.chunk()
                more = not answer.ended
                await send({"type": "http.response.body", "body": chunk, "more_body": more})
        except (UpstreamBroken, UpstreamLate):
            return False
        return True

    async def _hand_over(self, request: Onwards, answer: Answer, send: Send) -> None:
        """The service named a file: somebody else sends it, and its name is told to nobody but them."""
        status, handed = self._offload.hand_over(request.handing, answer.status, answer.headers)
        count_answer(request.route_class, request.tenant, status)
        security = opened(self._security, answer.headers)
        headers = [*returned_headers(handed, self._own_cookies), *security, *request.answered]
        headers += [pair for pair in handed if pair[0] == b"x-accel-redirect"]
        if request.personal and header(headers, b"cache-control") is None:
            headers.append((b"cache-control", b"no-store"))
        await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def _headers(self, request: Onwards, answer: Answer) -> Headers:
        kept = returned_headers(answer.headers, self._own_cookies)
        if answer.status in WITHOUT_BODY:  # the server in front would wait for the bytes that a length announces
            kept = [pair for pair in kept if pair[0] != b"content-length"]
        elif (header(kept, b"content-type") or b"").startswith(b"text/event-stream"):
            kept.append((b"x-accel-buffering", b"no"))  # an nginx in front of us passes events on at once
        if request.shared:
            kept = [pair for pair in kept if pair[0] != b"cache-control"]
        if request.personal and header(kept, b"cache-control") is None:
            kept.append((b"cache-control", b"no-store"))
        return [*kept, *opened(self._security, answer.headers), *request.answered]


async def _carry(line: Line, answer: Answer, send: Send) -> None:
    """What has come of a large answer, then the rest past us. Raises ClientGone as well."""
    await send({"type": "http.response.body", "body": answer.halt(), "more_body": True})
    try:
        await line.clear()
        await answer.carry(line)
    except (ConnectionError, TimeoutError) as error:
        line.abandon()
        raise ClientGone from error
    finally:
        line.close()
    await send({"type": "http.response.body", "body": b""})


@cache
def _answers(route_class: str, tenant: str, status: str) -> Counter:
    return ANSWERS.labels(route_class, tenant, status)


def count_answer(route_class: str, tenant: str, status: int) -> None:
    """Labels are bounded: classes of the routing table, tenants of the registry (about sixty), five kinds of status."""
    _answers(route_class, tenant, f"{status // 100}xx").inc()


def _ask_for_more(headers: Headers) -> None:
    """A service that knows the person, but not surely enough (RFC 9470): we ask for the missing proof. Raises TooWeak."""
    said = header(headers, b"www-authenticate") or b""
    found = _INSUFFICIENT.search(said.decode("latin-1"))
    if found is not None and found[1] in STRENGTHS:
        raise TooWeak(found[1])


def _away(request: Onwards) -> Refusal:
    return BadGateway(
        say("いま、このページにつながりません。"),
        kept="" if request.method in SAFE_METHODS else say("今回の入力は送られていません。"),
        retry_after=10,
    )


def _broken(request: Onwards, *, late: bool) -> Refusal:
    kept = (
        ""
        if request.method in SAFE_METHODS
        else say(
            "今回の入力が届いたかどうか、こちらでは確かめられませんでした。もう一度送る前に、一覧や履歴の画面をお確かめください。"
        )
    )
    if late:
        return GatewayTimeout(say("時間内に返事がありませんでした。"), kept=kept, retry_after=10)
    return BadGateway(say("途中でつながらなくなりました。"), code="service-broke", kept=kept, retry_after=10)
