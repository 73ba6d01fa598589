"""One installation of each service, in one process, with something of each kind in it: what the fuzzing walks through."""

import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fastapi import FastAPI

from gateway.app import InternalDoor
from gateway.pages.app import create_own_app
from gateway.tests.conftest import PASSWORD, PREFECTURE
from gateway.tests.inside import URL, Inside, inside
from gateway.use_cases import accounts
from libs.common.actor import Actor
from libs.common.db import Database
from libs.common.inner_token import TokenSigner
from libs.common.keys import private_key
from libs.common.testing.database import open_database
from libs.common.testing.service import Issuers, make_service
from services.backup.tests.town import open_cloud
from services.eapply import settings as eapply
from services.eapply.tests import people as citizens
from services.ebid import settings as ebid
from services.ebid.tests import people as bidders
from services.opendata import settings as opendata
from services.opendata.tests import people as publishers
from services.tenants.tests.cloud import Cloud as Registry
from services.tenants.tests.people import load_fukuoka

HOME = "402036"


@dataclass(frozen=True)
class Installation:
    """`seen`: answers in which ids of real things stand. `door`: what takes the requests, where that is not the app itself."""

    app: FastAPI
    issuers: "Issuers | Visitors"
    seen: list[str]
    door: Any = None
    url: str = "http://testserver"


@contextmanager
def installed(service: str) -> Iterator[Installation]:
    """The service on SQLite; gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="kyodo-fuzz-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if service == "gateway":
            with _gateway(folder) as made:
                yield made
            return
        factory: Any = SimpleNamespace(mktemp=lambda prefix: Path(tempfile.mkdtemp(prefix=prefix, dir=folder)))
        for database in open_database("sqlite", service, f"services.{service}", folder, factory):
            with MAKERS[service](database, folder) as made:
                yield made


class Visitors:
    """Who comes to the gateway: each request a person of its own, since many pages end the session or close the account. A third of
    those who could be signed in are not; services come by the inner port, with tokens of their own."""

    def __init__(self, inside: Inside) -> None:
        self._inside, self._chance, self._number = inside, random.Random(1), 0
        self._secret = inside.parts.passwords.hash(PASSWORD)

    def headers(self, actor: Actor, audience: str, *, html: bool = False) -> dict[str, str]:
        told = {"Accept": "text/html" if html else "application/json", "origin": URL, "sec-fetch-site": "same-origin"}
        if actor.kind == "service":
            key = private_key(self._inside.parts.settings.keys_dir, actor.subject)
            return told | {"Authorization": f"Bearer {TokenSigner(actor.subject, key).sign(actor, audience)}"}
        if actor.kind in ("guest", "machine") or self._chance.random() < 0.3:
            return told
        [(name, secret)] = self._inside.session(self._person(), acr="two-factor").items()
        return told | {"Cookie": f"{name}={secret}"}

    def _person(self) -> str:
        self._number += 1
        parts, email = self._inside.parts, f"visitor-{self._number}@example.jp"
        with parts.service.database.transaction(PREFECTURE) as session:
            person = accounts.sample_person(session, email, "試す人", self._secret, parts.clock.now())
        self._inside.publish(**{person: {HOME: ["portal.admin", "eapply.reviewer"], PREFECTURE: ["operator"]}})
        return person


class Doors:
    """Both ports of the gateway as one: people's, and the one that only services reach."""

    def __init__(self, people: Any, services: Any) -> None:
        self._people, self._services = people, services

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        inner = scope.get("path", "").startswith("/internal/")
        await (self._services if inner else self._people)(scope, receive, send)


@contextmanager
def _gateway(folder: Path) -> Iterator[Installation]:
    """Limits are those of many people: all requests come from one address."""
    with inside(folder, limits=dict.fromkeys(("tenant", "subject", "machine", "network"), "")) as made:
        own = create_own_app(made.parts)
        visitors = Visitors(made)
        yield Installation(own, visitors, [PREFECTURE], Doors(made.app, InternalDoor(own)), URL)


@contextmanager
def _eapply(database: Database, folder: Path) -> Iterator[Installation]:
    town: citizens.Town = _town("eapply", eapply, citizens, database, folder)
    guest = town.guest()
    sent = guest.apply_for_event()
    draft = guest.start("risai-shomei")
    pages = [town.staff().get(f"desk/cases/{sent.id}").text, guest.get(f"applications/{sent.id}").text, draft]
    yield Installation(town.app, town.issuers, pages)


@contextmanager
def _ebid(database: Database, folder: Path) -> Iterator[Installation]:
    town: bidders.Town = _town("ebid", ebid, bidders, database, folder)
    awarded = town.publish()
    for serial, amount in ((1, 9_000_000), (2, 9_500_000)):
        town.company(serial).bid(awarded, amount)
    town.close()
    town.open(awarded)
    town.officer.post(f"desk/tenders/{awarded}/clear", {"version": town.version(awarded)})
    assert town.conclude(awarded).status_code == 200
    tender = town.publish()
    town.company(1).bid(tender, 9_000_000)
    yield Installation(town.app, town.issuers, [town.officer.get(f"desk/tenders/{tender}").text, tender, awarded])


@contextmanager
def _opendata(database: Database, folder: Path) -> Iterator[Installation]:
    town: publishers.Town = _town("opendata", opendata, publishers, database, folder)
    dataset = town.publish()
    draft = town.staff().send()
    shown = town.visitor().get(f"/opendata/datasets/{town.name_of(dataset)}").text
    yield Installation(town.app, town.issuers, [dataset, draft, shown])


@contextmanager
def _backup(database: Database, folder: Path) -> Iterator[Installation]:
    with open_cloud(database, folder) as cloud:
        yield Installation(cloud.app, cloud.issuers, [str(cloud.repository().id)])


@contextmanager
def _tenants(database: Database, folder: Path) -> Iterator[Installation]:
    load_fukuoka(database)
    registry = Registry(database, folder)
    app: Any = registry.client.app
    yield Installation(app, registry.issuers, [])
    registry.close()


def _town(name: str, settings: Any, people: Any, database: Database, folder: Path) -> Any:
    """As the services' own tests make it."""
    issuers = Issuers(name, "tenants")
    chosen = settings.Settings(data_dir=folder, keys_dir=folder / "keys")
    service = make_service(name, database, folder, settings=chosen, issuers=issuers)
    settings.furnish(service)
    people.open_room(service, HOME, "久留米市")
    return people.Town(service, issuers, HOME)


MAKERS: Mapping[str, Callable[[Database, Path], Any]] = {
    "backup": _backup,
    "eapply": _eapply,
    "ebid": _ebid,
    "opendata": _opendata,
    "tenants": _tenants,
}
NAMES = ("gateway", *sorted(MAKERS))
