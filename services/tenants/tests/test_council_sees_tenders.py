"""The council sees how many tenders each municipality published and how they ended, each counted once."""

import json
from typing import Any

import pytest

from libs.common.schemas import FOLDER
from libs.common.testing.service import NOW
from services.tenants import worker
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import KURUME, MEMBER
from services.tenants.tests.test_council_and_public_pages import full  # noqa: F401 (a fixture)

pytestmark = pytest.mark.any_store

PUBLISHED, RESULT = "ebid.tender.published.v1", "ebid.result.published.v1"
TENDER = {"tender_id": "t-1", "fiscal_year": 2026, "category": "works"}


def tell(cloud: Cloud, type_: str, **data: Any) -> None:
    envelope: Any = {"type": type_, "tenantid": KURUME, "sequence": 1, "data": TENDER | data}
    with cloud.database.transaction(tenant=KURUME) as session:
        worker.subscriptions.handlers[type_](session, envelope, NOW)


def test_tenders_are_counted_once_whatever_comes_first(full: Cloud) -> None:  # noqa: F811
    assert "9,900,000円" not in full.get("/council/tenders", MEMBER).text
    tell(full, RESULT, outcome="awarded", bidders=5, amount=9_900_000)
    tell(full, PUBLISHED, published_at=NOW.isoformat())
    tell(full, PUBLISHED, published_at=NOW.isoformat())
    tell(full, PUBLISHED, tender_id="t-2", published_at=NOW.isoformat())
    tell(full, RESULT, tender_id="t-2", outcome="failed", bidders=0, amount=None)
    page = full.get("/council/tenders", MEMBER).text
    assert "<b>2</b>" in page and "<b>1</b>" in page and "9,900,000円" in page
    assert "2.5" in page, "mean number of bidders"
    assert "<b>0</b>" in full.get("/council/tenders?year=2020", MEMBER).text


@pytest.mark.parametrize(
    ("type_", "read"),
    [
        (PUBLISHED, {"tender_id", "fiscal_year", "category", "published_at"}),
        (RESULT, {"tender_id", "fiscal_year", "category", "outcome", "bidders", "amount"}),
    ],
)
def test_what_is_read_is_what_the_service_sends(type_: str, read: set[str]) -> None:
    required = json.loads((FOLDER / f"{type_}.json").read_text("utf-8"))["required"]
    assert read <= set(required)
