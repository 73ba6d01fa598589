"""For tests of rules and pages, which are the same on both stores: `from services.eapply.tests.one_store import database`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.common.db import Database
from libs.common.testing.database import open_database


@pytest.fixture
def database(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A migrated database on SQLite alone."""
    yield from open_database("sqlite", "eapply", "services.eapply", tmp_path, tmp_path_factory)
