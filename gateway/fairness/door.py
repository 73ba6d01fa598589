"""All of it for one gateway process, and the order in which a request meets it."""

import asyncio
import logging
import sys
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from gateway.answers import Waiting, busy
from gateway.fairness.breaker import FAILED, Breaker
from gateway.fairness.closures import Closures
from gateway.fairness.crowds import SENT, Crowds, Visitors
from gateway.fairness.quotas import Quotas
from gateway.fairness.rates import Buckets, Limits, Rate
from gateway.fairness.refusals import Paced
from gateway.fairness.shares import Shares
from gateway.fairness.waiting_room import INSIDE, WaitingRoom
from gateway.identity import Caller
from gateway.routes import Onward
from gateway.sealed import Seal
from gateway.settings import Settings
from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.errors import TooMany, Unavailable, say

log = logging.getLogger(__name__)

EVERY = 2.0
"""Seconds between two looks at what other gateways counted and operators closed."""


@dataclass
class Fairness:
    """Built by `of`. Everything but `keep` runs in the event loop and takes microseconds."""

    limits: Limits
    quotas: Quotas
    shares: Shares
    breakers: Mapping[str, Breaker]
    rooms: Mapping[str, WaitingRoom]
    """Of WAITING_ROOMS: services before which there is always one."""
    crowds: Crowds
    closures: Closures
    seal: Seal
    clock: Clock

    def __post_init__(self) -> None:
        self.visitors = Visitors()
        self.refusals = Paced()
        self._buckets = Buckets()
        self._network: Rate | None = next((r for w, r, _ in self.limits.rates("") if w == "network"), None)

    # ---- how often ----

    def check_network(self, network: str) -> None:
        """Before anything is looked up. Raises TooMany."""
        if self._network is not None:
            self._refuse_after(self._buckets.take(("network", network), self._network, time.monotonic()))

    def check_rates(self, caller: Caller, decision: Onward) -> None:
        """Tenant, person or program, each by its class of route; then the day's quota. Raises TooMany."""
        whose = _subject(caller)
        if decision.tenant is not None and (caller.machine is None or caller.machine.tenant == decision.tenant.id):
            whose["tenant"] = decision.tenant.id  # a key of another municipality is refused there, and uses up nothing
        rates = self.limits.rates(decision.route_class)
        wanted = [((kind, name, whose[kind]), rate) for kind, rate, name in rates if kind in whose]
        self._refuse_after(self._buckets.take_all(wanted, time.monotonic()))
        whose.pop("subject", None)
        if not self.quotas.take(**whose):
            sentence = say("今日使える回数の上限になりました。あすになると、また使えます。")
            raise TooMany(sentence, code="quota-used-up", retry_after=self.quotas.seconds_left())

    def _refuse_after(self, wait: float) -> None:
        if wait > 0.0:
            sentence = say(
                "短い時間にたくさんの操作があったため、少しお待ちいただいています。しばらくしてから、もう一度お試しください。"
            )
            raise TooMany(sentence, code="rate-limited", retry_after=int(wait) + 1)

    # ---- closed, resting, full ----

    def check_open(self, decision: Onward, method: str) -> None:
        """Raises Unavailable for maintenance and for changes where only reading is open. Operators' pages stay open."""
        if self.closures.known and decision.area != "operator":
            tenant = decision.tenant.id if decision.tenant else None
            self.closures.check(tenant, decision.service, method, self.clock.now())

    def check_breaker(self, service: str) -> None:
        wait = self.breakers[service].wait(time.monotonic())
        if wait > 0.0:
            sentence = say(
                "いま、このサービスの調子が悪いため、少し休ませています。少し待ってから、もう一度お試しください。"
            )
            kept = say("今回の入力は送られていません。")
            raise Unavailable(sentence, code="service-resting", kept=kept, retry_after=int(wait) + 1)

    def note_answer(self, service: str, status: int) -> None:
        """`status` 0 for no answer at all."""
        self.breakers[service].note(time.monotonic(), failed=not status or status in FAILED)

    # ---- the waiting room ----

    def line(self, decision: Onward) -> "Line | None":
        """Where newcomers to this path stand now, if they must."""
        service, tenant = decision.service, decision.tenant.id if decision.tenant else ""
        if service in self.rooms:
            if self.crowds.full(service, tenant):
                self.rooms[service].hold(self._time())
            return Line(service, service, self.rooms[service], always=True)
        room = self.crowds.line(service, tenant, self._time)
        return Line(f"{service}/{tenant}", service, room, always=False) if room is not None else None

    def pass_waiting_room(self, line: "Line", sealed: str | None) -> str | None:
        """A new value for the visitor's cookie, or None if theirs is good. Raises Waiting, which carries one, too."""
        room, now = line.room, self._time()
        values = self.seal.open(sealed, self.clock.now()) if sealed else None
        place = values if values and values["service"] == line.name else None
        if place is not None and place["inside"]:
            return None if place["until"] - now > INSIDE / 2 else self._place(line.name, inside=True, since=now)
        if (place is not None and room.serves(place["since"], now)) or (place is None and room.arrive(now)):
            return self._place(line.name, inside=True, since=now)
        since = place["since"] if place else now
        SENT.labels(line.service).inc()
        raise Waiting(room.wait(since), self._place(line.name, inside=False, since=since))

    def check_programs(self, decision: Onward) -> None:
        """Raises Unavailable: what no person looks at comes again later, and stands in nobody's way until then."""
        if self.crowds.full(decision.service, decision.tenant.id if decision.tenant else ""):
            raise busy()

    def waiting(self, service: str) -> int | None:
        """How many stand in line before it; None where there is no line."""
        if service in self.rooms:
            return self.rooms[service].waiting(self._time())
        return self.crowds.waiting(service, self._time()) or None

    def _time(self) -> float:
        return self.clock.now().timestamp()

    def _place(self, service: str, *, inside: bool, since: float) -> str:
        until = self.clock.now() + timedelta(seconds=INSIDE if inside else 6 * 3600)
        values = {"service": service, "inside": inside, "since": since, "until": until.timestamp()}
        return self.seal.close(values, until)

    # ---- with the other gateways ----

    async def keep(self, database: Database) -> None:
        """For ever: exchange counts, read closures. A store that is away changes nothing of what is known."""
        loop, failing = asyncio.get_running_loop(), False
        with ThreadPoolExecutor(1, thread_name_prefix="fairness") as thread:
            while True:
                try:
                    await loop.run_in_executor(thread, self.settle, database)
                    failing = False
                except Exception as error:
                    if not failing:
                        log.warning("fairness: the store does not answer (%s)", type(error).__name__)
                    failing = True
                self.visitors.keep(time.monotonic())
                await asyncio.sleep(EVERY)

    def settle(self, database: Database) -> None:
        self.closures.read(database, self.clock.now())
        self.quotas.settle(database)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of newcomers. `name` stands in the places given out; `always` for a room of WAITING_ROOMS."""

    name: str
    service: str
    room: WaitingRoom
    always: bool


def _subject(caller: Caller) -> dict[str, str]:
    if caller.machine is not None:
        return {"machine": caller.machine.token}
    if caller.signed_in is not None:
        return {"subject": caller.signed_in.person}
    return {"subject": caller.guest_sid} if caller.guest_sid else {}


def _share(settings: Settings) -> int:
    """Places of one tenant at one service. The whole is no limit of its own: then requests stand in the pool's line."""
    part = int(settings.upstream_pool * settings.tenant_share)
    return max(1, part) if settings.tenant_share < 1 else sys.maxsize


def of(settings: Settings, services: Iterable[str], seal_key: bytes, clock: Clock) -> Fairness:
    general = {whose: rate for whose, rate in settings.limits.items() if rate}
    shares = Shares(_share(settings))
    return Fairness(
        limits=Limits(general, settings.class_limits, settings.gateway_replicas),
        quotas=Quotas(settings.daily_quotas, clock),
        shares=shares,
        breakers={service: Breaker() for service in services},
        rooms={name: WaitingRoom(rate / settings.gateway_replicas) for name, rate in settings.waiting_rooms.items()},
        crowds=Crowds(shares, settings.waiting_after_seconds, settings.requests_at_once),
        closures=Closures(),
        seal=Seal(seal_key, "place in line"),
        clock=clock,
    )
