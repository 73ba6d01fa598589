"""Fixtures that every service with pages of its own needs: its database on each store, and the service in one process.

database, issuers, service, elsewhere = installation.fixtures("eapply", "services.eapply", Settings, furnish)
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from libs.common.db import Database
from libs.common.service import Service
from libs.common.settings import Settings
from libs.common.testing.database import database_fixture, open_database
from libs.common.testing.service import Issuers, make_service


def fixtures(
    name: str, package: str, settings: type[Settings], furnish: Callable[[Service], None], **values: Any
) -> tuple[Any, Any, Any, Any]:
    """`database`, `issuers`, `service` (migrated, empty) and `elsewhere` (another installation with a store of its own).

    `values` are settings that differ from what a service takes by itself.
    """

    def furnished(database: Database, folder: Path, issuers: Issuers) -> Service:
        chosen = settings(data_dir=folder, keys_dir=folder / "keys", **values)
        service = make_service(name, database, folder, settings=chosen, issuers=issuers)
        furnish(service)
        return service

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

    return database_fixture(name, package), issuers, service, elsewhere
