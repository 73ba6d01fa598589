"""What the proxied path says and hears of a service: an answer that has begun, and the four ways to get none."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from gateway.hygiene import Headers
from libs.common.server import Line

WITHOUT_BODY = (204, 304)
"""Answers that end with their headers, whatever length these name (RFC 9112, 6.3)."""


class UpstreamRefused(Exception):
    """No connection: the service is not there. Nothing was sent (502)."""


class UpstreamBusy(Exception):
    """Every connection of this service's pool is taken (503). Nothing was sent."""


class UpstreamBroken(Exception):
    """The connection broke, or the answer was no HTTP. The service may have acted (502)."""


class SenderBroke(UpstreamBroken):
    """The client's own body ended before its end: the service is not to blame."""


class UpstreamLate(Exception):
    """The service took longer than allowed to begin, or to go on (504). It may have acted."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. `first_byte` runs from the end of the request, `idle` between two chunks of the answer."""

    connect: float = 5.0
    pool: float = 10.0
    first_byte: float = 60.0
    idle: float = 60.0


class Answer(Protocol):
    """An answer that has begun."""

    status: int
    headers: Headers

    @property
    def ended(self) -> bool:
        """Whether all of the body has been taken."""
        ...

    async def chunk(self) -> bytes:
        """What has arrived of the body since the last one; the last may be empty. Raises UpstreamBroken or UpstreamLate in the middle."""
        ...

    @property
    def left(self) -> int:
        """Bytes of the body that have not come here yet and that `carry` can bring; 0 where nobody knows, or it cannot."""
        ...

    def halt(self) -> bytes:
        """Take what has come, and nothing more here: `carry` follows."""
        ...

    async def carry(self, line: Line) -> None:
        """Bring what is left from the service's connection to the client's without looking at it. Raises UpstreamBroken or UpstreamLate,
        and ConnectionError or TimeoutError where it is the client who went or takes nothing."""
        ...

    def close(self, *, whole: bool) -> None:
        """Give the connection back if the answer was read to its end, else cut it. Safe to call twice."""
        ...


class Upstreams(Protocol):
    """Everything the proxied path needs of a client."""

    async def open(
        self,
        service: str,
        method: str,
        target: bytes,
        headers: Headers,
        body: AsyncIterator[bytes] | None,
        *,
        first: bool = False,
    ) -> Answer:
        """`first`: before others where every connection is taken."""
        ...

    def waited(self, service: str) -> float:
        """Seconds for which somebody has been waiting for a connection to it."""
        ...

    async def close(self) -> None: ...


class NothingCame(UpstreamBroken):
    """The connection ended before the first byte of an answer."""
