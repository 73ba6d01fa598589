"""A migrated database on each store, a service in one process, and the people of two municipalities."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.common.db import Database
from libs.common.service import Service
from libs.common.testing.database import database_fixture, open_database
from libs.common.testing.service import Issuers, make_service
from services.opendata.settings import Settings, furnish
from services.opendata.tests.people import Town, open_room

database = database_fixture("opendata", "services.opendata")


@pytest.fixture
def issuers() -> Issuers:
    return Issuers("opendata", "tenants")


def furnished(database: Database, folder: Path, issuers: Issuers) -> Service:
    settings = Settings(data_dir=folder, keys_dir=folder / "keys", cloud_name="ふくおか共同クラウド")
    service = make_service("opendata", database, folder, settings=settings, issuers=issuers)
    furnish(service)
    return service


@pytest.fixture
def service(database: Database, tmp_path: Path, issuers: Issuers) -> Service:
    """A migrated, empty service."""
    return furnished(database, tmp_path, issuers)


@pytest.fixture
def elsewhere(tmp_path: Path, issuers: Issuers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Another installation with a store of its own."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for database in open_database("sqlite", "opendata", "services.opendata", folder, tmp_path_factory):
        yield furnished(database, folder, issuers)


@pytest.fixture
def town(service: Service, issuers: Issuers) -> Town:
    """大木町, its room open."""
    open_room(service, "405221", "大木町")
    return Town(service, issuers, "405221")


@pytest.fixture
def neighbour(service: Service, issuers: Issuers, town: Town) -> Town:
    """久留米市, in the same installation."""
    open_room(service, "402036", "久留米市")
    return Town(service, issuers, "402036", app=town.app)
