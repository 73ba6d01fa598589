"""A migrated database on each store, a service in one process, and the people of two municipalities."""

import pytest

from libs.common.service import Service
from libs.common.testing import installation
from libs.common.testing.service import Issuers
from services.eapply.settings import Settings, furnish
from services.eapply.tests.people import KURUME, PREPARED, Town, open_room

database, issuers, service, elsewhere = installation.fixtures("eapply", "services.eapply", Settings, furnish, PREPARED)


@pytest.fixture
def town(service: Service, issuers: Issuers) -> Town:
    """久留米市, its room open with the common procedures: so its database came."""
    return Town(service, issuers, KURUME)


@pytest.fixture
def neighbour(service: Service, issuers: Issuers, town: Town) -> Town:
    """福岡市, in the same installation."""
    open_room(service, "401307", "福岡市")
    return Town(service, issuers, "401307")
