"""A municipality reads what it got: whether services answered, how long it waited, what its backups prove."""

from datetime import UTC, date, datetime, timedelta

import pytest

from libs.common.testing.service import NOW
from services.tenants import worker
from services.tenants.db import BackupProofRow, BackupRow
from services.tenants.domain.service_level import availability, overlap, waits
from services.tenants.domain.subscriptions import Interval
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, KURUME, OOKI, OPERATOR
from services.tenants.tests.test_joining_a_service import answer
from services.tenants.use_cases import service_level, subscribe

pytestmark = pytest.mark.any_store

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
PAGE = f"/portal/{OOKI}/service-level/"


def test_a_share_of_answers_is_never_rounded_up() -> None:
    assert availability(0, 0) is None
    assert availability(1_000_000, 999_999) == "99.99" and availability(3, 3) == "100.00"
    assert availability(1440, 1) == "0.06"


def test_what_two_announcements_cover_is_counted_once_and_only_inside_the_span() -> None:
    hour = timedelta(hours=1)
    spans = [(NOW - 5 * hour, NOW - hour), (NOW - 4 * hour, NOW - 2 * hour), (NOW - hour, NOW + 9 * hour)]
    assert overlap(spans, NOW - 3 * hour, NOW) == 3 * hour
    assert overlap([], NOW - hour, NOW) == timedelta()


def test_a_typical_wait_is_the_middle_one() -> None:
    found = waits((NOW, NOW + timedelta(minutes=n)) for n in (1, 2, 600))
    assert found is not None and (found.count, found.typical) == (3, timedelta(minutes=2))
    assert found.longest == timedelta(minutes=600) and waits([]) is None


def look(cloud: Cloud, times: int) -> None:
    for _ in range(times):
        worker.look_at_services(cloud.service, None)  # type: ignore[arg-type]


def takes_part(cloud: Cloud, *services: str) -> None:
    with cloud.database.transaction(tenant=OOKI) as session:
        for service in services:
            found = [Interval(OOKI, service, "joined", date(2026, 4, 1), None, NOW)]
            subscribe.correct_history(session, ADMIN, OOKI, service, found, "検査", NOW)


def test_each_look_is_kept_but_announced_maintenance_is_not_held_against_a_service(cloud: Cloud) -> None:
    takes_part(cloud, "eapply", "center")
    assert "まだ測っていません" in cloud.get(PAGE, ADMIN).text
    cloud.others.answers[("GET", "/health/ready")] = (200, {})
    look(cloud, 2)
    cloud.others.answers.clear()
    look(cloud, 1)
    page = cloud.get(PAGE, ADMIN).text
    assert page.count("66.66％（3回確かめました）") == 2, "the door, and the one service in use that runs here"
    assert "データバックアップサービス" not in page.split("申込みの承認")[0]
    night = {"service": "eapply", "begins": "2026-11-20T00:00", "ends": "2026-11-30T00:00", "text": "止めます。"}
    assert cloud.post("/operator/maintenance", OPERATOR, night).status_code == 303
    look(cloud, 5)
    page = cloud.get(PAGE, ADMIN).text
    assert page.count("66.66％（3回") == 1 and "25.00％（8回" in page and "予告したメンテナンス" in page


@on_sqlite
def test_looks_of_before_the_span_are_left_out(cloud: Cloud) -> None:
    look(cloud, 1)
    cloud.clock.advance(days=40)
    assert "まだ測っていません" in cloud.get(PAGE, ADMIN).text
    assert "0.00％（1回" in cloud.get(f"{PAGE}?days=90", ADMIN).text


@on_sqlite
def test_waits_for_operators_and_for_the_room_are_measured(cloud: Cloud) -> None:
    empty = cloud.get(PAGE, ADMIN).text
    for none in ("承認を待った申込みはありません", "準備した申込みはありません", "回答のあった問い合わせはありません"):
        assert none in empty
    sent = cloud.post(f"/portal/{OOKI}/services/eapply/join", ADMIN, {"when": "now"})
    ident = sent.headers["location"].rsplit("/", 1)[1]
    cloud.clock.advance(hours=3)
    cloud.post(f"/operator/requests/{ident}/approve", OPERATOR)
    answer(cloud.database, ident, "provisioned", now=NOW + timedelta(hours=3, seconds=20))
    asked = cloud.post(f"/portal/{OOKI}/support/", ADMIN, {"title": "印刷", "service": "", "text": "切れます。"})
    cloud.clock.advance(days=2)
    page = cloud.get(PAGE, ADMIN).text
    assert "1件、中央の値 3.0時間" in page and "1件、中央の値 20秒" in page
    assert "回答を待っている問い合わせ 1件" in page
    thread = asked.headers["location"].rsplit("/", 1)[1]
    for _ in range(2):
        cloud.post(f"/operator/support/{thread}", OPERATOR, {"text": "余白を0に。"})
        cloud.clock.advance(days=1)
    page = cloud.get(PAGE, ADMIN).text
    assert "1件、中央の値 2.0日" in page and "回答を待っている問い合わせ" not in page, "the first answer counts"


@on_sqlite
def test_backups_show_the_municipality_s_own_proofs(cloud: Cloud) -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    with cloud.database.transaction() as session:
        session.add(BackupRow(tenant=OOKI, stored=1, last_point_at=NOW - timedelta(hours=5), proven_at=at))
        for tenant, seconds in ((OOKI, 12.5), (KURUME, 77.7)):
            session.add(
                BackupProofRow(
                    drill_id=f"d-{tenant}", tenant=tenant, finished_at=at, passed=True, kind="restore", files=1,
                    bytes=1, seconds=seconds,
                )
            )  # fmt: skip
    page = cloud.get(PAGE, ADMIN).text
    assert "最後の写しから 5.0時間" in page and "12.5秒" in page and "77.7秒" not in page
    with cloud.database.reading(tenant=OOKI) as session:
        assert service_level.of_town(session, OOKI, 30, NOW + timedelta(days=60)).drills == []
