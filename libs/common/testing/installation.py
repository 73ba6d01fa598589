"""Fixtures that every service with pages of its own needs: its database on each store, and the service in one process.

database, issuers, service, elsewhere = installation.fixtures("eapply", "services.eapply", Settings, furnish)
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from libs.common.db import Database
from libs.common.service import Service
from libs.common.settings import Settings
from libs.common.testing.database import Prepare, database_fixture, open_database
from libs.common.testing.service import Issuers, make_service


def fixtures(
    name: str,
    package: str,
    settings: type[Settings],
    furnish: Callable[[Service], None],
    prepared: Mapping[str, Prepare] | None = None,
    **values: Any,
) -> tuple[Any, Any, Any, Any]:
    """`database`, `issuers`, `service` (migrated, empty) and `elsewhere` (another installation with a store of its own).

    `prepared`: see `database_fixture`. `values` are settings that differ from what a service takes by itself.
    """

    def furnished(database: Database, folder: Path, issuers: Issuers) -> Service:
        return _furnished(name, settings, furnish, database, folder, issuers, values)

    @pytest.fixture
    def issuers() -> Issuers:
        return Issuers(name, "tenants")

    @pytest.fixture
    def service(database: Database, tmp_path: Path, issuers: Issuers) -> Service:
        return furnished(database, tmp_path, issuers)

    @pytest.fixture
    def elsewhere(tmp_path: Path, issuers: Issuers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
        folder = tmp_path / "elsewhere"
        folder.mkdir()
        for database in open_database("sqlite", name, package, folder, tmp_path_factory):
            yield furnished(database, folder, issuers)

    return database_fixture(name, package, prepared), issuers, service, elsewhere


def preparing(
    name: str, settings: type[Settings], furnish: Callable[[Service], None], act: Callable[[Service], None]
) -> Prepare:
    """Lets the service do something of which only its database keeps a trace."""

    def prepare(database: Database, folder: Path) -> None:
        act(_furnished(name, settings, furnish, database, folder, Issuers(name, "tenants"), {}))

    return prepare


def _furnished(
    name: str,
    settings: type[Settings],
    furnish: Callable[[Service], None],
    database: Database,
    folder: Path,
    issuers: Issuers,
    values: Mapping[str, Any],
) -> Service:
    chosen = settings(data_dir=folder, keys_dir=folder / "keys", **values)
    service = make_service(name, database, folder, settings=chosen, issuers=issuers)
    furnish(service)
    return service
