"""Installations of single services, as their own tests make them: 電子申請 (`town`) on each store, 電子入札 (`bidding`) on one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.common.service import Service
from libs.common.testing import installation
from libs.common.testing.database import open_database
from libs.common.testing.service import Issuers, make_service
from services.eapply import settings as eapply
from services.eapply.tests import people as citizens
from services.ebid import settings as ebid
from services.ebid.tests import people as bidders

database, issuers, service, _ = installation.fixtures("eapply", "services.eapply", eapply.Settings, eapply.furnish)


@pytest.fixture
def town(service: Service, issuers: Issuers) -> citizens.Town:
    """久留米市, its room open with the common procedures."""
    citizens.open_room(service, "402036", "久留米市")
    return citizens.Town(service, issuers, "402036")


@pytest.fixture
def bidding(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[bidders.Town]:
    """久留米市's tenders."""
    folder, issuers = tmp_path / "ebid", Issuers("ebid", "tenants")
    folder.mkdir()
    for database in open_database("sqlite", "ebid", "services.ebid", folder, tmp_path_factory):
        chosen = ebid.Settings(data_dir=folder, keys_dir=folder / "keys")
        service = make_service("ebid", database, folder, settings=chosen, issuers=issuers)
        ebid.furnish(service)
        bidders.open_room(service, "402036", "久留米市")
        yield bidders.Town(service, issuers, "402036")
