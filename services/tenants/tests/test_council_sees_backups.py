"""The council sees who is protected, how much is kept, and when a restore last proved it."""

from datetime import timedelta
from typing import Any

import pytest

from libs.common.events import Envelope
from libs.common.testing.service import NOW
from services.tenants import worker
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import KURUME, MEMBER, OOKI
from services.tenants.tests.test_council_and_public_pages import full  # noqa: F401 (a fixture)
from services.tenants.use_cases import backups

pytestmark = pytest.mark.any_store


def tell(cloud: Cloud, type_: str, tenant: str, **data: Any) -> None:
    envelope: Envelope = {"type": type_, "tenantid": tenant, "sequence": 1, "data": data}
    with cloud.database.transaction(tenant=tenant) as session:
        worker.subscriptions.handlers[type_](session, envelope, NOW)


def point(cloud: Cloud, tenant: str, hours_ago: int, stored: int) -> None:
    at = (NOW - timedelta(hours=hours_ago)).isoformat()
    tell(cloud, "backup.recovery_point.arrived.v1", tenant, arrived_at=at, stored_by_municipality=stored)


def drill(cloud: Cloud, tenant: str, hours_ago: int, passed: bool) -> None:
    at = (NOW - timedelta(hours=hours_ago)).isoformat()
    evidence = {"format": "kyodo-backup-drill", "passed": passed}
    tell(
        cloud, "backup.drill.finished.v1", tenant, finished_at=at, passed=passed, drill_id=f"drill-{tenant}-{hours_ago}",
        kind="restore", files=1234, bytes=5 * 1024**3, seconds=12.34, age_seconds=7200.0, evidence=evidence,
        signature="c2lnbmF0dXJl",
    )  # fmt: skip


def test_protection_volume_and_last_proof_are_on_the_council_s_page(full: Cloud) -> None:  # noqa: F811
    assert "まだ届いていません" in full.get("/council/backups", MEMBER).text
    point(full, KURUME, 3, 5 * 1024**3)
    drill(full, KURUME, 2, True)
    drill(full, KURUME, 1, False)
    page = full.get("/council/backups", MEMBER).text
    assert "5GB" in page
    assert "<b>1<small> / 19</small></b>" in page
    assert "11月20日" in page
    assert "1GBあたり" not in page, "nobody has said what it costs"


def test_the_council_reads_each_drill_s_evidence_and_hands_it_to_auditors(full: Cloud) -> None:  # noqa: F811
    drill(full, KURUME, 2, True)
    drill(full, KURUME, 1, False)
    drill(full, KURUME, 1, False)
    page = full.get(f"/council/backups/{KURUME}", MEMBER).text
    assert page.count("戻せました") == 1 and page.count("戻せないものがありました") == 1, "told twice it is one drill"
    assert "1,234個、5GB" in page and "12.3秒" in page and "2.0時間" in page
    address = f"/council/backups/{KURUME}/drill-{KURUME}-2"
    told = full.get(address + ".json", MEMBER).json()
    assert told == {"evidence": {"format": "kyodo-backup-drill", "passed": True}, "signature": "c2lnbmF0dXJl"}
    assert full.get(address + ".pdf", MEMBER).status_code == 503, "the backup service is away"
    full.others.answers["GET", f"/internal/backup/drills/drill-{KURUME}-2.pdf"] = (200, "%PDF-1.7 …")
    assert full.get(address + ".pdf", MEMBER).content.startswith(b"%PDF")
    assert full.get(f"/council/backups/{OOKI}/drill-{KURUME}-2.json", MEMBER).status_code == 404
    assert "まだありません" in full.get(f"/council/backups/{OOKI}", MEMBER).text
    assert full.get("/council/backups/999999", MEMBER).status_code == 404


def test_growth_is_since_the_end_of_last_month_and_a_gigabyte_has_its_price(full: Cloud) -> None:  # noqa: F811
    point(full, KURUME, 24 * 25, 4 * 1024**3)  # 26 October
    point(full, KURUME, 24 * 30, 9 * 1024**3)  # earlier in October, told later
    point(full, KURUME, 3, 6 * 1024**3)
    full.service.settings.backup_yearly_cost = 1_000_001
    page = full.get("/council/backups", MEMBER).text
    assert "先月末から2GB増えました" in page and "+2GB" in page
    assert "166,667円" in page
    assert backups.cost_of_a_gigabyte(None, 5) is None and backups.cost_of_a_gigabyte(5, 0) is None


def test_events_that_come_late_change_nothing_that_is_newer(full: Cloud) -> None:  # noqa: F811
    point(full, OOKI, 1, 200)
    point(full, OOKI, 5, 100)
    drill(full, OOKI, 1, True)
    drill(full, OOKI, 9, True)
    with full.database.reading() as session:
        row = backups.db.all_of(session)[OOKI]
    assert (row.stored, row.last_point_at, row.proven_at) == (200, NOW - timedelta(hours=1), NOW - timedelta(hours=1))
    assert row.failed_at is None


@pytest.mark.parametrize("type_", ["backup.recovery_point.arrived.v1", "backup.drill.finished.v1"])
def test_what_is_read_is_what_the_service_sends(type_: str) -> None:
    """The handlers' fields are in the published schema of the event, and always there."""
    import json

    from libs.common.schemas import FOLDER

    required = json.loads((FOLDER / f"{type_}.json").read_text("utf-8"))["required"]
    read = {"arrived_at", "stored_by_municipality"} if "point" in type_ else {
        "finished_at", "passed", "drill_id", "kind", "files", "bytes", "seconds", "age_seconds",
    }  # fmt: skip
    assert read <= set(required)
