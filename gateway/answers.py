"""What the gateway says itself: refusals as problem+json or as a page, and the headers on every answer."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.hygiene import Headers
from libs.common.errors import NotSignedIn, Refusal, TooMany, TooWeak, Unavailable, say
from libs.common.http import challenge, problem_for, wants_page
from libs.common.web import CONTENT_SECURITY_POLICY, Link, Pages, i18n
from libs.common.web.pages import refusal_heading

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


_UNREADABLE = say("このアドレス、または送られた内容を読み取れませんでした。")
_KEY_SHOWN = say("アドレスにキーが書かれています。Authorization ヘッダーで送り、キーは新しいものに替えてください。")
_NO_WEBSOCKET = say(
    "ここでは WebSocket を使えません。新しい知らせは Server-Sent Events（text/event-stream）で受け取れます。"
)
_NO_UPGRADE = say(
    "本文のあるリクエストでは、プロトコルを切り替えられません。Upgrade ヘッダーを付けずに、HTTP/1.1 で送ってください。"
)
_SENTENCES = {
    "key-in-address": _KEY_SHOWN,
    "websocket-not-offered": _NO_WEBSOCKET,
    "upgrade-with-body": _NO_UPGRADE,
}


class Malformed(Refusal):
    """A message that is not one we act on; `status` is that of the rule broken."""

    default_code = "malformed"

    def __init__(self, status: int, code: str) -> None:
        super().__init__(_SENTENCES.get(code, _UNREADABLE), code=code)
        self.status = status  # type: ignore[misc]


class BadGateway(Refusal):
    """The service is away, or its answer broke."""

    status = 502
    default_code = "service-away"


class GatewayTimeout(Refusal):
    """The service did not answer in time."""

    status = 504
    default_code = "service-late"


class RequestTimeout(Refusal):
    """The sender stopped in the middle."""

    status = 408
    default_code = "sender-late"


class Misdirected(Refusal):
    """Addressed to another host (RFC 9110, 15.5.20)."""

    status = 421
    default_code = "unknown-host"


class Waiting(Refusal):
    """The visitor stands in line. `cookie` is their ticket; without it they would stand at its end again."""

    status = 503
    default_code = "waiting-room"

    def __init__(self, seconds: float, cookie: str) -> None:
        super().__init__(
            say("ただいま大変混み合っています。順番にご案内しています。"), retry_after=min(30, int(seconds) + 1)
        )
        self.minutes = max(1, round(seconds / 60))
        self.cookie = cookie


def busy() -> Unavailable:
    """The service has no place left, and whoever asked is better off coming again."""
    return Unavailable(
        say("ただいま混み合っています。"),
        code="service-busy",
        kept=say("今回の入力は送られていません。"),
        retry_after=5,
    )


def security_headers(*, https: bool) -> Headers:
    """On every answer, whoever made it (ASVS 5.0, V3.4)."""
    headers = [
        (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ]
    if https:
        headers.append((b"strict-transport-security", b"max-age=31536000; includeSubDomains"))
    return headers


def leave_after(minutes: int) -> Headers:
    """For pages on a machine that many people use: the browser itself leaves the page when its session has ended."""
    return [(b"refresh", b"%d; url=/sign-in?said=ended" % (minutes * 60 + 5))]


def with_headers(send: Send, extra: Headers) -> Send:
    """`send` that puts `extra` in place of whatever had those names."""
    names = {name for name, _ in extra}

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [(n, v) for n, v in message.get("headers", ()) if n.lower() not in names]
            message = {**message, "headers": [*kept, *extra]}
        await send(message)

    return sending


class Refusals:
    """Turns a refusal into an answer: a page where a browser asks for one, else problem+json."""

    def __init__(self, pages: Pages, place_cookie: Callable[[str], str] = str) -> None:
        self._pages = pages
        self._place_cookie = place_cookie
        self._too_many: dict[tuple[str, str], bytes] = {}

    def response(self, request: Request, refusal: Refusal) -> Response:
        page = wants_page(request)
        if isinstance(refusal, TooWeak) and page and request.method == "GET":
            return _to_confirm(request, refusal)
        response = self._page(request, refusal) if page else problem_for(request, refusal, self._pages)
        response.headers["cache-control"] = "no-store"
        if isinstance(refusal, Malformed):
            # What follows on this connection may not begin where we think it does.
            response.headers["connection"] = "close"
        if refusal.status == 401:
            weak = isinstance(refusal, TooWeak)
            response.headers["www-authenticate"] = challenge(refusal.details["acr"]) if weak else 'Bearer realm="kyodo"'
        return response

    def _page(self, request: Request, refusal: Refusal) -> Response:
        if isinstance(refusal, TooMany):
            return self._page_for_too_many(request, refusal)
        if isinstance(refusal, Waiting):
            return self._waiting(request, refusal)
        return self._error(request, refusal)

    def _waiting(self, request: Request, refusal: Waiting) -> Response:
        """The page asks again by itself; whoever closes it keeps their place by the cookie."""
        seconds = str(refusal.details["retry_after"])
        headers = {"retry-after": seconds, "refresh": seconds, "set-cookie": self._place_cookie(refusal.cookie)}
        return self._pages.render(
            request, "waiting.html", status_code=503, headers=headers, minutes=refusal.minutes, seconds=seconds
        )

    def _page_for_too_many(self, request: Request, refusal: TooMany) -> Response:
        """Made once and sent again: whoever asks a thousand times a second must not make us write a thousand pages."""
        key = (refusal.code, i18n.chosen_language(request))
        if key not in self._too_many:
            request.state.actor, request.state.request_id = None, ""
            self._too_many[key] = bytes(self._error(request, refusal).body)
        headers = {"retry-after": str(refusal.details.get("retry_after", 1))}
        return Response(self._too_many[key], refusal.status, headers, "text/html")

    def _error(self, request: Request, refusal: Refusal) -> Response:
        tell = partial(self._pages.translate, request)
        retry = {"retry-after": str(refusal.details["retry_after"])} if "retry_after" in refusal.details else {}
        return self._pages.error(
            request,
            refusal.status,
            title=refusal_heading(refusal.status),
            what=tell(refusal.message),
            kept=tell(refusal.details.get("kept", "")),
            steps=tuple(_told(tell, step) for step in _steps(request, refusal)),
            request_id=getattr(request.state, "request_id", ""),
            headers=retry,
        )


def _told(tell: Callable[[str], str], step: Link | str) -> Link | str:
    return replace(step, label=tell(step.label)) if isinstance(step, Link) else tell(step)


def _to_confirm(request: Request, refusal: TooWeak) -> Response:
    """To the question for the second proof, and back to this page afterwards."""
    query = request.scope["query_string"].decode("ascii", "replace")
    here = request.scope["raw_path"].split(b"?", 1)[0].decode("ascii") + (f"?{query}" if query else "")
    where = urlencode({"next": here, "need": refusal.details["acr"]})
    return RedirectResponse(f"/sign-in/confirm?{where}", 303, {"cache-control": "no-store"})


def _steps(request: Request, refusal: Refusal) -> tuple[Link | str, ...]:
    home = Link(say("最初のページへ戻る"), "/")
    if isinstance(refusal, TooWeak):
        need = urlencode({"need": refusal.details["acr"]})
        return (Link(say("本人確認へ進む"), f"/sign-in/confirm?{need}"), home)
    if refusal.code == NotSignedIn.default_code:
        return (Link(say("サインインする"), "/sign-in"), home)
    if "home" in refusal.details:
        return (Link(say("%(name)sのページへ", name=refusal.details["home_name"]), refusal.details["home"]), home)
    if refusal.status in (502, 503, 504):
        return (
            say("少し待ってから、この画面をもう一度開いてください。"),
            Link(say("稼働の様子を見る"), "/status/"),
            home,
        )
    return (home,)
