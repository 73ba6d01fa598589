"""The replicas of one service: where they are, which of them are sick, and whose turn it is.

A service is one or several base addresses (UPSTREAMS, REPLICAS), and each name among them all the addresses it resolves to, looked up
again every few seconds: a headless Service of Kubernetes has one per ready pod. Where there is only one replica nothing is weighed or
counted. Of several, the one with the fewest requests on their way is next, so that a slow one gets little; one that fails again and again
rests (outlier ejection, in Envoy's words) while the others serve, and is tried with one request after that. When all of them rest, all
are used: then the service is ill, which is for the breaker of the whole (`fairness/breaker.py`).
"""

import asyncio
import logging
import socket
import ssl
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from prometheus_client import Counter

from gateway.fairness.breaker import FAILED, Breaker
from gateway.upstream.connection import Connection
from gateway.upstream.words import UpstreamRefused

log = logging.getLogger(__name__)

RESTS = Counter(
    "gateway_replica_rests_total", "How often one of several replicas began to rest, by service.", ["service"]
)

LOOK_AGAIN = 5.0
"""Seconds for which the addresses of a name are believed."""
LEAST = 5
"""Failures within `breaker.WINDOW` seconds below which a replica is not called sick; the whole service's are twice as many."""
KEPT = 30.0
"""Seconds for which an idle connection is kept: shorter than at the services (75 s), so that it is we who close."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service listens, and how requests to it begin."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    named: bytes
    """Host and port as they stand in the Host header."""
    prefix: bytes

    @classmethod
    def of(cls, base: str) -> "Address":
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not the address of a service: {base}")
        tls = ssl.create_default_context() if parts.scheme == "https" else None
        port = parts.port or (443 if tls else 80)
        return cls(parts.hostname, port, tls, parts.netloc.encode("ascii"), parts.path.rstrip("/").encode("ascii"))


@dataclass(slots=True, eq=False)
class Replica:
    """One of them. `ip` is where to connect, `busy` how many requests are on their way to it."""

    address: Address
    ip: str
    busy: int = 0
    breaker: Breaker = field(default_factory=lambda: Breaker(least=LEAST))
    _kept: deque[tuple[float, Connection]] = field(default_factory=deque)

    def kept(self, now: float) -> Connection | None:
        """The connection used last, if it is young enough; older ones are closed."""
        while self._kept and self._kept[0][0] < now - KEPT:
            self._kept.popleft()[1].close()
        while self._kept:
            connection = self._kept.pop()[1]
            if connection.usable:
                return connection
        return None

    def keep(self, connection: Connection, now: float) -> None:
        self._kept.append((now, connection))

    def close(self) -> None:
        while self._kept:
            self._kept.pop()[1].close()


class Replicas:
    """Those of `service`. `bases` are its base addresses."""

    def __init__(self, service: str, bases: Iterable[str]) -> None:
        self._service = service
        self._loop = asyncio.get_running_loop()
        addresses = [Address.of(base) for base in bases]
        self._known = {(a.host, a.port): Replica(a, a.host) for a in addresses if _is_ip(a.host)}
        self._named = [a for a in addresses if not _is_ip(a.host)]
        self._all: Sequence[Replica] = list(self._known.values())
        self._looked = -LOOK_AGAIN
        self._looking: asyncio.Task[None] | None = None
        self._turn = 0

    async def choose(self, tried: Sequence[Replica] = (), away: Sequence[Replica] = ()) -> Replica:
        """Whose turn it is; it is busy until somebody says otherwise. None of `away`, one of `tried` only if nobody else is well.

        Raises UpstreamRefused where there is nobody to ask.
        """
        if self._named and (not self._all or self._loop.time() - self._looked >= LOOK_AGAIN):
            await self._look_again()
        chosen = self._all[0] if len(self._all) == 1 else self._next(tried, away)
        chosen.busy += 1
        return chosen

    def others(self, away: Sequence[Replica]) -> bool:
        """Whether there is one beside those."""
        return len(self._all) > 1 and any(one not in away for one in self._all)

    def resting(self) -> tuple[int, int]:
        """How many of them rest, and how many there are."""
        now = self._loop.time()
        return sum(one.breaker.open_until > now for one in self._all), len(self._all)

    # ---- how it went ----

    def answered(self, replica: Replica, status: int) -> None:
        self._note(replica, failed=status in FAILED)

    def failed(self, replica: Replica, *, away: bool) -> None:
        """No answer. `away`: it takes no connections, which needs no second sign."""
        if away and len(self._all) > 1 and not replica.breaker.open_until:
            replica.breaker.open(self._loop.time())
            self._tell(replica)
        else:
            self._note(replica, failed=True)

    def unjudged(self, replica: Replica) -> None:
        """Nothing is known: whoever asked has left."""
        replica.breaker.let_go()

    def _note(self, replica: Replica, *, failed: bool) -> None:
        if len(self._all) > 1:
            before = replica.breaker.opened
            replica.breaker.note(self._loop.time(), failed=failed)
            if replica.breaker.opened > before:
                self._tell(replica)

    def _tell(self, replica: Replica) -> None:
        RESTS.labels(self._service).inc()
        log.warning("a replica of %s at %s:%d rests", self._service, replica.ip, replica.address.port)

    # ---- which ----

    def _next(self, tried: Sequence[Replica], away: Sequence[Replica]) -> Replica:
        """The least busy of those that do not rest, of equals each in its turn; of those that all rest the one that may be well first."""
        self._turn += 1
        turn = self._turn % max(1, len(self._all))
        left = [one for one in (*self._all[turn:], *self._all[:turn]) if one not in away]
        if not left:
            raise UpstreamRefused
        now = self._loop.time()
        for one in sorted(left, key=lambda each: (each in tried, each.busy)):
            if one.breaker.wait(now) == 0.0:
                return one
        return min(left, key=lambda each: each.breaker.open_until)

    # ---- where ----

    async def _look_again(self) -> None:
        """Wait only for the first look; later ones happen beside the requests, and an answer that fails changes nothing."""
        if self._looking is None:
            self._looking = self._loop.create_task(self._look())
            self._looking.add_done_callback(self._looked_up)
        if not self._all:
            await asyncio.shield(self._looking)

    def _looked_up(self, _: asyncio.Task[None]) -> None:
        self._looking = None

    async def _look(self) -> None:
        found = dict(self._known)
        for address in self._named:
            for ip in await self._addresses(address):
                found[ip, address.port] = self._replica(address, ip)
        gone = [one for one in self._all if (one.ip, one.address.port) not in found]
        self._all = list(found.values())
        self._looked = self._loop.time()
        for one in gone:
            one.close()

    def _replica(self, address: Address, ip: str) -> Replica:
        return next((one for one in self._all if one.ip == ip and one.address is address), None) or Replica(address, ip)

    async def _addresses(self, address: Address) -> list[str]:
        try:
            found = await self._loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        except OSError:
            return [one.ip for one in self._all if one.address is address]
        return [str(entry[4][0]) for entry in found]

    def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        for one in self._all:
            one.close()


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
