from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.common.db import Database
from libs.common.testing.database import database_fixture
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import load_fukuoka

database = database_fixture("tenants", "services.tenants")


@pytest.fixture
def cloud(database: Database, tmp_path: Path) -> Iterator[Cloud]:
    """The registry of Fukuoka behind its HTTP side; the other processes are played by `cloud.others`."""
    load_fukuoka(database)
    made = Cloud(database, tmp_path)
    yield made
    made.close()
