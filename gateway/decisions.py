"""The port an nginx asks (`auth_request`) before it passes a request on itself: may it go on, where to, as whom?

The same `Admission` as the door's own, so that there is one decision; only the bodies take another way. An nginx knows three
answers: 2xx, 401, 403. Whatever is refused here, and whatever nginx could not do as the door does it, it hands to the door
(`gateway/nginx.py`), whose answer then is the one a person sees.
"""

from gateway.admission import Admission, peer, refusal_of
from gateway.answers import Receive, Scope, Send
from gateway.hygiene import Headers, forwarded_cookies
from gateway.offload import FILES
from gateway.parts import Parts
from gateway.proxy import too_large
from gateway.routes import REGISTRY, Decision, Onward
from libs.common import telemetry
from libs.common.errors import Forbidden, Refusal

_ORIGINAL = b"x-original-"


class Decisions:
    """The ASGI callable of that port. Only TRUSTED_PROXIES may ask: the answer holds the inner token."""

    def __init__(self, parts: Parts, admission: Admission) -> None:
        self._settings = parts.settings
        self._own_cookies = parts.cookies.ours
        self._admission = admission
        self._traced = telemetry.SeldomTraced(self._answer, "gateway", self._settings.trace_ratio)  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        asked = original_of(scope)
        self._admission.meet(asked)
        if not self._admission.trusted(peer(scope)):
            asked["state"]["refusal"] = Forbidden("TRUSTED_PROXIES does not name who asks.", code="not-a-proxy")
        await self._traced(asked, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            status, headers = 204, await self._let_on(scope)
        except Exception as error:
            refusal = refusal_of(error)
            status, headers = _refused(refusal)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _let_on(self, scope: Scope) -> Headers:
        """What nginx needs to pass the request on. Raises the Refusal that the door will say."""
        state = scope["state"]
        if "refusal" in state:
            raise state["refusal"]
        decision = state["decision"]
        if state["target"].segments[0] == FILES and self._settings.offload:
            facts = await self._admission.admit_file(scope)
            return [(b"x-door-" + name, value) for name, value in facts]
        if not may_pass(decision) or self._may_name_a_file(decision.service, scope["method"]):
            raise _by_the_door()
        self._check_length(state["original"], decision.service)
        admitted = await self._admission.admit(scope, decision)
        begun = [value for name, value in admitted.answered if name == b"set-cookie"]
        if admitted.shared or len(begun) > 1:
            raise _by_the_door()
        target, query = state["target"].raw, scope["query_string"]
        said = {name: value for name, value in admitted.said if value}
        headers = [
            (b"x-door-service", decision.service.encode()),
            (b"x-door-target", target + (b"?" + query if query else b"")),
            (b"x-door-authorization", said[b"authorization"]),
            (b"x-door-address", said[b"x-forwarded-for"]),
            (b"x-door-trace", said.get(b"traceparent", b"")),
            (b"x-door-cookies", forwarded_cookies(scope["headers"], self._own_cookies) or b""),
            (b"x-door-keep", b"no-store" if admitted.personal else b""),
        ]
        return [pair for pair in headers if pair[1]] + [(b"set-cookie", value) for value in begun]

    def _may_name_a_file(self, service: str, method: str) -> bool:
        """Only the door knows which file a service may name."""
        return service in self._settings.offload and method in ("GET", "HEAD")

    def _check_length(self, original: dict[bytes, bytes], service: str) -> None:
        """Raises TooLarge, and Forbidden for a body that only the door can count while it arrives."""
        if original.get(b"encoding"):
            raise _by_the_door()
        length, limit = original.get(b"length") or b"0", self._settings.limit_of(service)
        if not length.isdigit() or int(length) > limit:
            raise too_large(limit)


def may_pass(decision: Decision) -> bool:
    """Whether nginx may pass this on itself: to services, not to our pages, the registry's or staff's desks."""
    return isinstance(decision, Onward) and decision.service != REGISTRY and not decision.desk


def original_of(scope: Scope) -> Scope:
    """The request that is asked about, as the scope the door would have got."""
    original = {name.removeprefix(_ORIGINAL): value for name, value in scope["headers"] if name.startswith(_ORIGINAL)}
    raw_path, _, query = original.get(b"uri", b"").partition(b"?")
    return {
        **scope,
        "method": original.get(b"method", b"").decode("latin-1"),
        "raw_path": raw_path,
        "path": raw_path.decode("latin-1"),
        "query_string": query,
        "headers": [(name, value) for name, value in scope["headers"] if not name.startswith(_ORIGINAL)],
        "state": {"original": original},
    }


def _by_the_door() -> Refusal:
    return Forbidden("The door answers this itself.", code="door-answers")


def _refused(refusal: Refusal) -> tuple[int, Headers]:
    """The status nginx understands; what the door would say stands beside it, for logs."""
    said = [(b"x-door-status", str(refusal.status).encode()), (b"x-door-code", refusal.code.encode())]
    return (401 if refusal.status == 401 else 403), said
