"""The council sees how many data sets are published, by whom, and the number moves with each publication and withdrawal."""

import json
from datetime import timedelta
from typing import Any

import pytest

from libs.common.events import Envelope
from libs.common.testing.service import NOW
from services.tenants import worker
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import KURUME, MEMBER, OOKI
from services.tenants.tests.test_council_and_public_pages import full  # noqa: F401 (a fixture)
from services.tenants.use_cases import datasets

pytestmark = pytest.mark.any_store


def tell(cloud: Cloud, type_: str, tenant: str, minute: int, **data: Any) -> None:
    at = (NOW + timedelta(minutes=minute)).isoformat()
    told = data | {"published_at" if "published" in type_ else "withdrawn_at": at}
    envelope: Envelope = {"type": type_, "tenantid": tenant, "sequence": 1, "data": told}
    with cloud.database.transaction(tenant=tenant) as session:
        worker.subscriptions.handlers[type_](session, envelope, NOW)


def test_the_count_moves_with_publications_and_withdrawals(full: Cloud) -> None:  # noqa: F811
    assert "<b>0<small> / 60</small></b>" in full.get("/council/datasets", MEMBER).text
    tell(full, "opendata.dataset.published.v1", OOKI, 0, datasets=1)
    tell(full, "opendata.dataset.published.v1", KURUME, 1, datasets=12)
    page = full.get("/council/datasets", MEMBER).text
    assert "<b>13<small> / 11,000</small></b>" in page
    assert "<b>2<small> / 60</small></b>" in page
    tell(full, "opendata.dataset.withdrawn.v1", OOKI, 2, datasets=0)
    page = full.get("/council/datasets", MEMBER).text
    assert "<b>12<small> / 11,000</small></b>" in page
    assert "<b>1<small> / 60</small></b>" in page


def test_an_event_that_comes_late_changes_nothing_that_is_newer(full: Cloud) -> None:  # noqa: F811
    tell(full, "opendata.dataset.published.v1", OOKI, 5, datasets=6)
    tell(full, "opendata.dataset.published.v1", OOKI, 1, datasets=5)
    with full.database.reading() as session:
        assert datasets.db.all_of(session)[OOKI].count == 6


@pytest.mark.parametrize("type_", ["opendata.dataset.published.v1", "opendata.dataset.withdrawn.v1"])
def test_what_is_read_is_what_the_service_sends(type_: str) -> None:
    """The handlers' fields are in the published schema of the event, and always there."""
    from libs.common.schemas import FOLDER

    required = json.loads((FOLDER / f"{type_}.json").read_text("utf-8"))["required"]
    assert {"datasets", type_.split(".")[2] + "_at"} <= set(required)
