"""For tests of rules and pages, which are the same on both stores: `from services.eapply.tests.one_store import database`."""

from libs.common.testing.database import database_fixture
from services.eapply.tests.people import PREPARED

database = database_fixture("eapply", "services.eapply", PREPARED, stores=("sqlite",))
"""A migrated database on SQLite alone."""
