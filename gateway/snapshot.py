"""What the gateway knows of tenants: one document, asked for every second, kept when nobody answers.

The registry answers `GET /internal/tenants/snapshot` with codes, names, subscriptions and members (README.md has the
shape). The last one received is kept in DATA_DIR, so that a restart while the registry is away opens the same doors.
"""

import asyncio
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import httpx

from libs.common.clock import Clock
from libs.common.inner_token import TokenSigner

log = logging.getLogger(__name__)

PATH = "/internal/tenants/snapshot"
EVERY = 1.0
"""Seconds between two questions. Rights lost must be gone within five."""
PATIENCE = 3.0
"""Seconds until an answer must be here, whole."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """`status`: active, suspended, scheduled or none. In force from `start` to the day before `end`."""

    status: str
    start: date | None = None
    end: date | None = None


NOT_SUBSCRIBED = Subscription("none")


@dataclass(frozen=True, slots=True)
class Tenant:
    """`id` never changes; `code` is the one that stands in paths today. `off`: functions of the door that rest there (`switches.py`)."""

    id: str
    code: str
    name: str
    services: Mapping[str, Subscription] = field(default_factory=dict)
    off: frozenset[str] = frozenset()

    def subscription(self, service: str) -> Subscription:
        return self.services.get(service, NOT_SUBSCRIBED)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of the registry. `labels` are the services' names for people, where the registry gives them."""

    version: str = ""
    prefecture: str | None = None
    by_code: Mapping[str, Tenant] = field(default_factory=dict)
    by_id: Mapping[str, Tenant] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def roles(self, person: str, tenant: str) -> frozenset[str]:
        return self.members.get(person, {}).get(tenant, frozenset())

    def memberships(self, person: str) -> Mapping[str, frozenset[str]]:
        return self.members.get(person, {})


EMPTY = Snapshot()


def parse(document: Mapping[str, Any]) -> Snapshot:
    """The registry's JSON as a Snapshot. Raises KeyError, TypeError or ValueError for anything of another shape."""
    tenants = [_tenant(entry) for entry in document["tenants"]]
    aliases = {old: entry["code"] for entry in document["tenants"] for old in entry.get("aliases", ())}
    return Snapshot(
        version=str(document["version"]),
        prefecture=document["prefecture"],
        by_code={tenant.code: tenant for tenant in tenants},
        by_id={tenant.id: tenant for tenant in tenants},
        aliases={old: code for old, code in aliases.items() if old != code},
        members={
            person: {tenant: frozenset(roles) for tenant, roles in places.items()}
            for person, places in document["members"].items()
        },
        labels=dict(document.get("labels", {})),
    )


def _tenant(entry: Mapping[str, Any]) -> Tenant:
    services = {name: _subscription(facts) for name, facts in entry.get("services", {}).items()}
    return Tenant(entry["id"], entry["code"], entry["name"], services, frozenset(entry.get("off", ())))


def _subscription(facts: Mapping[str, Any]) -> Subscription:
    return Subscription(facts["status"], _day(facts.get("from")), _day(facts.get("until")))


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


class Snapshots:
    """The newest snapshot and the task that keeps it new. `current` is replaced as a whole, never changed."""

    def __init__(self, base_url: str, signer: TokenSigner, clock: Clock, file: Path) -> None:
        self._url = base_url.rstrip("/") + PATH
        self._signer = signer
        self._clock = clock
        self._file = file
        self._etag: str | None = None
        self.current = EMPTY
        self.confirmed_at: datetime | None = None
        """When the registry last said that this is so; None after a start until it has."""

    @property
    def known(self) -> bool:
        return self.current is not EMPTY

    def load_kept(self) -> None:
        """Take the one kept from an earlier run, if there is one."""
        try:
            self.current = parse(json.loads(self._file.read_bytes()))
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError, AttributeError):
            log.warning("the kept snapshot cannot be read; waiting for a new one")

    async def keep_new(self) -> None:
        """Ask for ever. Failing is normal life here: the last known snapshot stays."""
        failing = False
        while True:
            # Another client after each failure: kept, a connection would lead to the same broken replica for ever.
            async with httpx.AsyncClient(trust_env=False) as client:
                try:
                    while True:
                        await self.refresh(client)
                        if failing:
                            log.info("snapshot: the registry answers again")
                        failing = False
                        await asyncio.sleep(EVERY)
                except (httpx.HTTPError, TimeoutError, ValueError, KeyError, TypeError, AttributeError) as error:
                    if not failing:
                        log.warning("snapshot: the registry does not answer (%s)", type(error).__name__)
                    failing = True
            await asyncio.sleep(EVERY)

    async def refresh(self, client: httpx.AsyncClient) -> None:
        """Ask once; replace `current` and the kept copy when something changed."""
        headers = {"authorization": f"Bearer {self._signer.sign_as_service('tenants')}"}
        if self._etag:
            headers["if-none-match"] = self._etag
        async with asyncio.timeout(PATIENCE):
            answer = await client.get(self._url, headers=headers, timeout=None)
        if answer.status_code == 304 and self.known:
            self.confirmed_at = self._clock.now()
            return
        if answer.status_code != 200:
            raise ValueError(f"status {answer.status_code}")
        self.current = await asyncio.to_thread(self._take, answer.content)
        self._etag = answer.headers.get("etag")
        self.confirmed_at = self._clock.now()

    def _take(self, body: bytes) -> Snapshot:
        snapshot = parse(json.loads(body))
        self._keep(body)
        return snapshot

    def _keep(self, body: bytes) -> None:
        """Whole or not at all; readable by nobody else (it says who holds which role)."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        new = self._file.with_suffix(f".{os.getpid()}.new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._file)
