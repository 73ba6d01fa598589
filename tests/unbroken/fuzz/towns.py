"""One installation of each service, in one process, with something of each kind in it: what the fuzzing walks through."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fastapi import FastAPI

from libs.common.db import Database
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
    """`seen`: answers in which ids of real things stand."""

    app: FastAPI
    issuers: Issuers
    seen: list[str]


@contextmanager
def installed(service: str) -> Iterator[Installation]:
    """The service on SQLite; gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="kyodo-fuzz-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        factory: Any = SimpleNamespace(mktemp=lambda prefix: Path(tempfile.mkdtemp(prefix=prefix, dir=folder)))
        for database in open_database("sqlite", service, f"services.{service}", folder, factory):
            with MAKERS[service](database, folder) as made:
                yield made


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
