"""The providers of one gateway process: each with its own few places, so that a slow one holds up only itself."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gateway.oidc import exchange
from gateway.oidc.exchange import Begun, Declined, Ended, Identity
from gateway.oidc.health import Record
from gateway.oidc.metadata import Known, ProviderFailed
from gateway.oidc.providers import Provider, is_of_town
from gateway.sealed import Seal
from libs.common.actor import strength
from libs.common.clock import Clock
from libs.common.errors import NotFound, say
from libs.common.web import Link

log = logging.getLogger(__name__)

EVERY = 2.0
"""Seconds between two looks into the store at what municipalities have set up."""
AT_ONCE = 4
"""Conversations with one provider at the same time; pages of ours have forty threads for everything."""
ENDING_WAITS = 2.0
"""Seconds for which a provider's word that something has ended waits for the one before it."""
BEGUN_FOR = timedelta(minutes=15)
"""How long somebody may stay at a provider's page before the way back is closed."""
BEGUN_AT_ONCE = 3
"""Windows of one browser in which somebody may be on the way to a provider at the same time; a further one ends the oldest."""
COOKIE_MOST = 3500
"""Characters that these may have together: a browser drops a cookie of more than 4096 with its name and flags (RFC 6265, 6.1)."""
PENDING_FOR = timedelta(minutes=60)
"""How long a proved identity waits for the person to say which account it belongs to."""


@dataclass
class Seat:
    """One provider with what this process knows of it."""

    known: Known
    record: Record = field(default_factory=Record)
    places: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(AT_ONCE))
    endings: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(1))

    @property
    def provider(self) -> Provider:
        return self.known.provider


class Providers:
    """`key` seals what travels in cookies; `public_url` is where providers send people back to."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        key: bytes,
        public_url: str,
        clock: Clock,
        read_towns: Callable[[], Iterable[Provider]] = tuple,
        rests: Callable[[Provider], bool] = lambda provider: False,
    ) -> None:
        """`read_towns` asks the store which providers municipalities have set up themselves; these come beside those of the file.
        `rests`: operators have switched it off for now; nobody comes in by it, and who has is not signed in meanwhile."""
        self._of_file = {name: Seat(Known(provider)) for name, provider in providers.items()}
        self._read_towns = read_towns
        self._rests = rests
        self.seats = dict(self._of_file)
        self._begun = Seal(key, "sign-in begun")
        self._pending = Seal(key, "identity proved")
        self._public_url = public_url.rstrip("/")
        self._clock = clock

    def renew(self) -> None:
        """Take those of the municipalities as the store has them now. Who has not changed keeps what is known of it; who is gone or off
        is none any more. Raises what the store raises; then those of before stay."""
        towns = {provider.key: provider for provider in self._read_towns()}
        kept = {key: seat for key, seat in self.seats.items() if key in towns and seat.provider == towns[key]}
        self.seats = self._of_file | {key: kept.get(key) or Seat(Known(towns[key])) for key in towns}

    async def keep_new(self) -> None:
        """For ever: what was set at another gateway is so here, too, a little later."""
        failing = False
        while True:
            try:
                await asyncio.to_thread(self.renew)
                failing = False
            except Exception as error:
                if not failing:
                    log.warning("sign-in providers: the store does not answer (%s)", type(error).__name__)
                failing = True
            await asyncio.sleep(EVERY)

    def seat(self, key: str) -> Seat:
        """What the store says of a municipality's own is asked anew: in this very moment it may be switched on or off elsewhere."""
        if is_of_town(key):
            self.renew()
        seat = self.seats.get(key)
        if seat is None:
            raise _not_usable()
        return seat

    def _seat_in_use(self, key: str) -> Seat:
        """For somebody who wants to come in. What the provider says has ended is heard all the same (`ended`)."""
        seat = self.seat(key)
        if self._rests(seat.provider):
            raise _not_usable()
        return seat

    def offered(self) -> list[Provider]:
        """Those by which people may come in now."""
        return [seat.provider for seat in self.seats.values() if not self._rests(seat.provider)]

    def label(self, key: str) -> str:
        seat = self.seats.get(key)
        return seat.provider.label if seat else key

    def redirect_uri(self, provider: Provider) -> str:
        """What the provider must have registered, to the letter."""
        return provider.way_back(self._public_url)

    def sign_out_link(self, key: str) -> Link | None:
        """Where the person ends the provider's own session too: the next one at this machine would come in by it."""
        seat = self.seats.get(key)
        if seat is None:
            return None
        known = seat.known
        try:
            url = exchange.sign_out_url(known.metadata(), known.provider.client_id, f"{self._public_url}/")
        except ProviderFailed:
            return None
        return Link(known.provider.label, url) if url else None

    def trusted(self, key: str) -> Provider | None:
        """The provider by which something came in; None if it is none (any more), or rests. One that was set up elsewhere a moment ago
        is looked for in the store."""
        seat = self.seats.get(key)
        if seat is None and is_of_town(key):
            self.renew()
            seat = self.seats.get(key)
        return seat.provider if seat and not self._rests(seat.provider) else None

    def begin(
        self, key: str, *, next: str, need: str, shared: bool = False, again: bool = False, beside: str = ""
    ) -> tuple[str, str]:
        """(where to send the browser, value of the cookie that binds the answer to it). `again`: the person shall prove anew who they
        are, whatever the provider remembers. `beside`: the cookie as it is, of what was begun in other windows. Raises ProviderFailed."""
        seat, now = self._seat_in_use(key), self._clock.now()
        with self._conversation(seat):
            url, begun = exchange.begin(
                seat.known,
                self.redirect_uri(seat.provider),
                next=next,
                need=need,
                shared=shared,
                again_at=now.timestamp() if again else 0.0,
            )
        return url, _together(self._begun.close(begun.values(), now + BEGUN_FOR), beside)

    def finish(self, key: str, cookie: str, answer: Mapping[str, str]) -> tuple[Identity, Begun]:
        """Who came back, and what was wanted. Raises Declined or ProviderFailed; both are noted for the operator."""
        seat, now = self._seat_in_use(key), self._clock.now()
        with self._conversation(seat):
            begun = self._begun_as(cookie, answer, now)
            identity = exchange.finish(seat.known, begun, answer, self.redirect_uri(seat.provider), now)
            if begun.need and strength(identity.acr) < strength(begun.need):
                raise ProviderFailed("too-weak", identity.acr)
        seat.record.note(now)
        return identity, begun

    def _begun_as(self, cookie: str, answer: Mapping[str, str], now: datetime) -> Begun:
        """What was begun in this browser with the state that has come back. Raises ProviderFailed."""
        for each in cookie.split(_AND):
            values = self._begun.open(each, now)
            if values is not None and _is_state(values, answer):
                return Begun(**_without_end(values))
        raise ProviderFailed("wrong-state")

    def still_begun(self, cookie: str, answer: Mapping[str, str]) -> str:
        """The cookie without what `answer` is the answer to: that cannot be answered twice, the other windows go on. May be empty."""
        opened = {each: self._begun.open(each, self._clock.now()) for each in cookie.split(_AND)}
        return _AND.join(
            each for each, values in opened.items() if values is not None and not _is_state(values, answer)
        )

    @contextlib.contextmanager
    def _conversation(self, seat: Seat) -> Iterator[None]:
        """One of the provider's places. What goes wrong is counted and logged by its word, without anybody's data."""
        if not seat.places.acquire(blocking=False):
            seat.record.note(self._clock.now(), "busy")
            raise ProviderFailed("busy")
        try:
            yield
        except Declined:
            raise
        except ProviderFailed as failure:
            seat.record.note(self._clock.now(), failure.reason)
            log.warning("provider failed", extra={"provider": seat.provider.key, "reason": failure.reason})
            raise
        finally:
            seat.places.release()

    def ended(self, key: str, token: str) -> Ended:
        """What the provider says has ended there. Raises ProviderFailed. Anybody may send such a word: it takes no place of a sign-in
        and is not counted among them."""
        seat = self.seat(key)
        if not seat.endings.acquire(timeout=ENDING_WAITS):
            raise ProviderFailed("busy")
        try:
            return exchange.check_logout_token(seat.known, token, self._clock.now())
        finally:
            seat.endings.release()

    # ---- a proved identity on its way to an account ----

    def keep(self, proved: "Proved") -> str:
        values = {**proved.identity.values(), "shared": proved.shared}
        return self._pending.close(values, self._clock.now() + PENDING_FOR)

    def kept(self, sealed: str | None, now: datetime) -> "Proved | None":
        values = self._pending.open(sealed, now) if sealed else None
        if values is None or self.trusted(values["provider"]) is None:
            return None
        shared = bool(values.pop("shared", False))
        return Proved(Identity(**_without_end(values)), shared)


@dataclass(frozen=True, slots=True)
class Proved:
    """An identity that nobody has claimed yet. `shared`: on a machine that many people use."""

    identity: Identity
    shared: bool


def _not_usable() -> NotFound:
    return NotFound(say("このサインインの方法は、いまは使えません。ほかの方法をお選びください。"))


_AND = "~"


def _together(newest: str, before: str) -> str:
    """As many of them as may be, the newest first."""
    found = newest
    for each in before.split(_AND)[: BEGUN_AT_ONCE - 1]:
        if each and len(found) + len(each) < COOKIE_MOST:
            found += _AND + each
    return found


def _is_state(values: Mapping[str, Any], answer: Mapping[str, str]) -> bool:
    """Only finds which of the browser's own it is; `exchange.check_answer` decides."""
    return values["state"] == answer.get("state", "")


def _without_end(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "until"}
