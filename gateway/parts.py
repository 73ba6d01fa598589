"""What one gateway process holds. Built by `__main__` from settings, by tests by hand."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from starlette.requests import Request

from gateway import db, domain, switches
from gateway.answers import Refusals
from gateway.breached import Breached
from gateway.fairness import door as fairness
from gateway.fairness.door import Fairness
from gateway.identity import STAFF, Callers, Cookies, Guests, InnerTokens, Machine, SignedIn, derive, still_open
from gateway.offload import Offload
from gateway.oidc.door import Providers
from gateway.oidc.providers import Provider, read
from gateway.oidc.towns import TownProvider, Vault, provider_of
from gateway.passkeys import Passkeys
from gateway.passwords import Passwords
from gateway.sealed import Seal
from gateway.settings import Settings
from gateway.smtp import sender
from gateway.snapshot import Snapshots
from gateway.use_cases import guests
from libs.common import fetch, keys
from libs.common.clock import Clock
from libs.common.service import Service, build
from libs.common.web import Brand, Pages

HERE = Path(__file__).parent
USED_EVERY = 60
"""Seconds between two notes of a session's or a token's last use: a request must not cost a write."""

USED_EVERY_SHARED = 15
"""On a shared terminal, whose sessions end after minutes."""


@dataclass
class Parts:
    service: Service
    settings: Settings
    pages: Pages
    refusals: Refusals
    cookies: Cookies
    guests: Guests
    callers: Callers
    inner_tokens: InnerTokens
    snapshots: Snapshots
    passwords: Passwords
    breached: Breached
    providers: Providers
    vault: Vault
    """Seals the secrets of the providers that municipalities set up."""
    passkeys: Passkeys
    fairness: Fairness
    offload: Offload
    side: str
    """STAFF for the side that STAFF_URL names; empty for the other, or where there is one for all."""
    halves: Seal
    """Seals the first of two proofs until the second is there."""
    known: Seal
    """Seals by what a browser is known that has signed in before (`pages/known.py`)."""
    digest_key: bytes
    """Keys the digests of addresses and networks that failed to sign in."""
    ticket_key: bytes
    """Makes the secrets in the links of our mails."""

    @property
    def clock(self) -> Clock:
        return self.service.clock

    @property
    def home(self) -> str | None:
        """The tenant in whose record persons' changes stand: the prefecture's; None before it is known."""
        return self.snapshots.current.prefecture

    @property
    def life(self) -> domain.SessionLife:
        return session_life(self.settings)

    @property
    def without_staff(self) -> bool:
        """Whether staff have a side of their own, and this is the other one: here they are persons like everybody."""
        return bool(self.settings.staff_url) and self.side != STAFF

    def memberships(self, person_id: str) -> Mapping[str, frozenset[str]]:
        """Tenant → roles that this person has on this side of the door."""
        return {} if self.without_staff else self.snapshots.current.memberships(person_id)

    def life_of(self, *, shared: bool) -> domain.SessionLife:
        return shared_life(self.settings) if shared else self.life

    def is_open(self, row: db.SessionRow, now: datetime) -> bool:
        """Whether this session may still be used: it has not been idle for too long."""
        return still_open(row.created_at, row.last_used_at, self.life_of(shared=row.shared), now)

    def close(self) -> None:
        self.callers.close()
        self.passwords.close()
        self.breached.close()
        self.service.database.close()


def session_life(settings: Settings) -> domain.SessionLife:
    return domain.SessionLife(timedelta(minutes=settings.session_idle_minutes), timedelta(hours=settings.session_hours))


def shared_life(settings: Settings) -> domain.SessionLife:
    """How long a session lasts on a machine that many people use."""
    return domain.SessionLife(
        timedelta(minutes=settings.shared_idle_minutes), timedelta(minutes=settings.shared_minutes)
    )


def parts_of(request: Request) -> Parts:
    return request.app.state.service.extras["parts"]


def build_parts(settings: Settings) -> Parts:
    """A gateway as it runs: its store, its keys, the real clock."""
    return assemble(settings, build("gateway", settings))


def staff_side(parts: Parts) -> Parts:
    """The same gateway as staff reach it: an address, cookies and sessions of its own; one store, one registry, one count."""
    settings = parts.settings.model_copy(update={"public_url": parts.settings.staff_url})
    service = replace(parts.service, settings=settings, extras={})
    made = assemble(settings, service, side=STAFF, snapshots=parts.snapshots)
    shared = replace(made, fairness=parts.fairness, passwords=parts.passwords)
    service.extras |= {"parts": shared, "pages": shared.pages}
    return shared


def assemble(settings: Settings, service: Service, side: str = "", snapshots: Snapshots | None = None) -> Parts:
    """`snapshots`: those that somebody else keeps new; else its own."""
    own_key = keys.private_key(settings.keys_dir, "gateway")
    cookies = Cookies(https=settings.https, side=side)
    guests = Guests(derive(own_key, f"{side}guest cookies"), service.clock)
    pages = Pages(HERE / "templates", brand=Brand.named(settings.cloud_name), sample=settings.sample)
    snapshots = snapshots or Snapshots(
        settings.upstreams.get("tenants", ""),
        service.signer,
        service.clock,
        settings.data_dir / "gateway-snapshot.json",
    )
    vault = vault_of(settings)
    sealed = derive(own_key, f"{side}sign-in with providers")
    read_towns = partial(towns_of, service, settings, vault)
    rests = partial(_rests, snapshots)
    providers = Providers(read(settings.oidc_providers), sealed, settings.public_url, service.clock, read_towns, rests)
    store = Stored(service, session_life(settings), shared_life(settings), providers)
    parts = Parts(
        service=service,
        settings=settings,
        pages=pages,
        refusals=Refusals(pages, lambda value: cookies.set(cookies.place, value)),
        cookies=cookies,
        guests=guests,
        callers=Callers(cookies, guests, store.session, store.machine),
        inner_tokens=InnerTokens(service.signer),
        snapshots=snapshots,
        passwords=Passwords(),
        breached=Breached(settings.breached_passwords),
        providers=providers,
        vault=vault,
        fairness=fairness.of(settings, settings.services, derive(own_key, "places in line"), service.clock),
        passkeys=Passkeys(derive(own_key, "passkeys"), Brand.named(settings.cloud_name).name),
        offload=Offload(settings, derive(own_key, "signed files"), service.clock),
        side=side,
        halves=Seal(derive(own_key, f"{side}half signed in"), "half signed in"),
        known=Seal(derive(own_key, f"{side}known browsers"), "known browser"),
        digest_key=derive(own_key, "failed sign-ins"),
        ticket_key=derive(own_key, "links in mails"),
    )
    service.extras |= {"parts": parts, "pages": parts.pages}
    service.extras["send_mail"] = sender(settings)
    return parts


def vault_of(settings: Settings) -> Vault:
    """Opens with the gateway's own key. Raises OSError where that is not there."""
    return Vault(derive(keys.private_key(settings.keys_dir, "gateway"), "secrets of providers"))


def towns_of(service: Service, settings: Settings, vault: Vault) -> list[TownProvider]:
    """The providers that municipalities have set up and switched on, from the store."""
    with service.database.reading() as session:
        rows = db.town_providers_on(session)
    now, allowed = service.clock.now(), fetch.allow_list(settings.fetch_allowed)
    return [provider_of(row, vault.open(row.for_tenant, row.issuer, row.secret, now), allowed) for row in rows]


def _rests(snapshots: Snapshots, provider: Provider) -> bool:
    """Whether operators have switched off, for now, that its municipality's staff come in by a provider of theirs."""
    return provider.tenant is not None and not switches.on(snapshots.current, provider.tenant, switches.PROVIDERS)


class Stored:
    """What the store says of a cookie or a key. Runs in threads; notes the last use now and then."""

    def __init__(
        self,
        service: Service,
        life: domain.SessionLife,
        shared: domain.SessionLife = domain.SHARED_LIFE,
        providers: Providers | None = None,
    ) -> None:
        """A session that came in by one of `providers` is none any more once that is none; without them nobody came in so."""
        self._service = service
        self._providers = providers
        self._life = life
        self._shared = shared

    def session(self, cookie_hash: str) -> SignedIn | None:
        now = self._service.clock.now()
        with self._service.database.reading() as session:
            found = db.live_session(session, cookie_hash, now)
        if found is None:
            return None
        row, person = found
        life = self._shared if row.shared else self._life
        provider = self._provider(row.provider)
        if not still_open(row.created_at, row.last_used_at, life, now) or (row.provider and provider is None):
            return None
        if (now - row.last_used_at).total_seconds() > (USED_EVERY_SHARED if row.shared else USED_EVERY):
            with self._service.database.transaction() as session:
                db.note_session_used(session, cookie_hash, now)
        was = row.earlier_guest if now - row.created_at < guests.TOLD_FOR else None
        return SignedIn(
            person.id,
            person.display_name,
            row.acr,
            row.id,
            cookie_hash,
            was,
            domain.Voucher(row.provider, row.provider_sid, row.corporate_number),
            row.proved_at or row.created_at,
            row.shared,
            provider.tenant if provider else None,
        )

    def _provider(self, key: str | None) -> Provider | None:
        return self._providers.trusted(key) if key and self._providers else None

    def machine(self, ident: str, secret: str) -> Machine | None:
        now = self._service.clock.now()
        with self._service.database.reading() as session:
            found = db.live_machine_token(session, ident, domain.digest(secret), now)
        if found is None:
            return None
        row, old = found
        last = row.old_last_used_at if old else row.last_used_at
        if last is None or (now - last).total_seconds() > USED_EVERY:
            with self._service.database.transaction() as session:
                db.note_machine_token_used(session, ident, now, old=old)
        return Machine(row.id, row.for_tenant, frozenset(row.scopes))
