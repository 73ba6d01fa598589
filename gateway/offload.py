"""Large files that a service only names, and an nginx sends: no byte of them passes Python.

A service that was offered it (`X-Accel-Offered`) answers `X-Accel-Redirect: /<place of the file in its folder>`. OFFLOAD says for which
services that holds and where the folder is. Either the nginx in front of us is told (`X-Accel-Redirect`, an internal location), or
the browser is led to an address under `/files/` that is good for OFFLOAD_SIGNED_SECONDS, for one method, one path and one caller.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta

from gateway.answers import BadGateway
from gateway.hygiene import BadRequest, Headers, canonical_target, header
from gateway.identity import Caller
from gateway.routes import Onward
from gateway.sealed import Seal
from gateway.settings import Settings
from libs.common.clock import Clock
from libs.common.errors import Forbidden, say

log = logging.getLogger(__name__)

FILES = "files"
"""First segment of signed addresses."""
INTERNAL = "/_files"
"""Where nginx keeps the folders, for nobody to ask for by themselves."""
OFFER = (b"x-accel-offered", b"1")
_KEPT = frozenset({b"content-type", b"content-disposition", b"cache-control", b"set-cookie"})
_FACTS = (b"content-type", b"content-disposition")


@dataclass(frozen=True, slots=True)
class Handing:
    """How a file named in the answer to one request is handed over. `tenant` and `desk` are the request's, to be asked for again."""

    service: str
    method: str
    subject: str
    tenant: str = ""
    desk: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """A file at a signed address: its type and name, and whose it is, for the limits and closures that hold now."""

    facts: Headers
    service: str
    tenant: str
    desk: bool


class Offload:
    """`offer` before the request, `hand_over` for its answer, `check` when a signed address is opened."""

    def __init__(self, settings: Settings, key: bytes, clock: Clock) -> None:
        self._folders = settings.offload
        self._life = timedelta(seconds=settings.offload_signed_seconds)
        self._seal = Seal(key, "signed files")
        self._clock = clock

    def offer(self, decision: Onward, method: str, caller: Caller, *, behind_proxy: bool) -> Handing | None:
        """Whether the service may name a file instead of sending it: for reading, where somebody is there to send it."""
        service, tenant = decision.service, decision.tenant
        if service not in self._folders or method not in ("GET", "HEAD") or not (self._life or behind_proxy):
            return None
        return Handing(service, method, subject_of(caller), tenant.id if tenant else "", decision.desk)

    def hand_over(self, handing: Handing | None, status: int, headers: Headers) -> tuple[int, Headers]:
        """Status and headers of the answer that has nginx send the named file. Raises BadGateway for a name nobody may give."""
        named = header(headers, b"x-accel-redirect") or b""
        if handing is None or status != 200:
            log.error("a service named a file that nobody asked it to name", extra={"status": status})
            raise _wrong()
        try:
            name = canonical_target(named, b"").raw
        except BadRequest as error:
            log.error("a service named a file by no path", extra={"service": handing.service})
            raise _wrong() from error
        if not self._life:
            path = f"{INTERNAL}/{handing.service}".encode() + name
            return 200, [*((n, v) for n, v in headers if n in _KEPT), (b"x-accel-redirect", path)]
        kept = [(n, v) for n, v in headers if n == b"set-cookie"]
        return 307, [*kept, (b"location", self._signed(handing, name, headers)), (b"cache-control", b"no-store")]

    def _signed(self, handing: Handing, name: bytes, headers: Headers) -> bytes:
        path = f"/{FILES}/{handing.service}".encode() + name
        facts = {fact.decode(): (header(headers, fact) or b"").decode("latin-1") for fact in _FACTS}
        about = {"service": handing.service, "tenant": handing.tenant, "desk": handing.desk}
        values = {"method": handing.method, "path": path.decode("ascii"), "subject": handing.subject, **about, **facts}
        return path + b"?s=" + self._seal.close(values, self._clock.now() + self._life).encode()

    def check(self, method: str, path: bytes, query: bytes, caller: Caller) -> Opened:
        """What is at a signed address. Raises Forbidden unless it was made for just this."""
        sealed = query.removeprefix(b"s=").decode("latin-1") if query.startswith(b"s=") else ""
        values = self._seal.open(sealed, self._clock.now()) if sealed else None
        if values is None or (values["method"], values["path"], values["subject"]) != (
            method,
            path.decode("ascii"),
            subject_of(caller),
        ):
            sentence = say(
                "このアドレスは、期限が切れているか、別の方のものです。元のページから、もう一度開いてください。"
            )
            raise Forbidden(sentence, code="signed-address")
        facts = [(fact, values[fact.decode()].encode("latin-1")) for fact in _FACTS if values[fact.decode()]]
        return Opened(facts, values["service"], values["tenant"], values["desk"])


def subject_of(caller: Caller) -> str:
    """What one caller is known by: program, person or guest; empty for somebody without any."""
    if caller.machine is not None:
        return f"machine {caller.machine.token}"
    if caller.signed_in is not None:
        return f"person {caller.signed_in.person}"
    return f"guest {caller.guest_sid}" if caller.guest_sid else ""


def _wrong() -> BadGateway:
    return BadGateway(say("途中でつながらなくなりました。"), code="service-broke", retry_after=10)
