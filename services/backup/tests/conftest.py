"""A backup service in one process, two municipalities, and the real restic before it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.common.db import Database
from libs.common.testing.database import database_fixture, open_database
from services.backup.tests.town import Cloud, open_cloud

database = database_fixture("backup", "services.backup")


@pytest.fixture
def cloud(database: Database, tmp_path: Path) -> Iterator[Cloud]:
    """The service on both stores, served on a loopback port."""
    with open_cloud(database, tmp_path) as made:
        yield made


@pytest.fixture
def small_cloud(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The same on SQLite only: for rules that no store can change."""
    for database in open_database("sqlite", "backup", "services.backup", tmp_path, tmp_path_factory):
        with open_cloud(database, tmp_path) as made:
            yield made
