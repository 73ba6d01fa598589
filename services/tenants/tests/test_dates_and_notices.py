"""Maintenance is announced to everybody; calendars take the dates; a badge shows the count."""

import re
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree

import pytest

from libs.common.testing.service import NOW
from services.tenants.domain.ical import Entry, calendar
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, GUEST, OOKI, OPERATOR
from services.tenants.tests.test_council_and_public_pages import full  # noqa: F401 (a fixture)
from services.tenants.tests.test_reserving_servers import POOL, joins, reserve

pytestmark = pytest.mark.any_store

NIGHT = {
    "service": "eapply",
    "begins": "2026-11-21T22:00",
    "ends": "2026-11-22T02:00",
    "text": "申請の受付を止めます。",
}


def unfolded(text: str) -> list[str]:
    return text.replace("\r\n ", "").split("\r\n")


def test_maintenance_is_on_the_status_page_in_the_portal_and_in_the_calendar(cloud: Cloud) -> None:
    assert cloud.post("/operator/maintenance", OPERATOR, NIGHT).status_code == 303
    for path, actor in (("/status/", GUEST), (f"/portal/{OOKI}/", ADMIN)):
        page = cloud.get(path, actor).text
        assert "申請の受付を止めます。" in page and "電子申請サービス" in page, path
    lines = unfolded(cloud.get("/status/maintenance.ics", GUEST).text)
    assert "DTSTART:20261121T130000Z" in lines and "DTEND:20261121T170000Z" in lines
    assert "SUMMARY:メンテナンス：電子申請サービス" in lines and "STATUS:CANCELLED" not in lines
    ident = re.search(r"/operator/maintenance/([\w-]+)/cancel", cloud.get("/operator/maintenance", OPERATOR).text)
    assert ident
    for _ in range(2):
        assert cloud.post(ident.group(0), OPERATOR).status_code == 303
    assert "申請の受付を止めます。" not in cloud.get("/status/", GUEST).text
    assert "STATUS:CANCELLED" in unfolded(cloud.get("/status/maintenance.ics", GUEST).text), "who subscribed is told"


def test_what_is_over_is_announced_no_longer(cloud: Cloud) -> None:
    cloud.post("/operator/maintenance", OPERATOR, NIGHT)
    cloud.clock.advance(days=2)
    coming, _, past = cloud.get("/status/", GUEST).text.partition("終わったメンテナンス")
    assert "申請の受付を止めます。" not in coming and "申請の受付を止めます。" in past
    assert "申請の受付を止めます。" not in cloud.get(f"/portal/{OOKI}/", ADMIN).text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"ends": "2026-11-21T21:00"}, "始まる時刻より後に"),
        ({"begins": "2026-11-01T00:00", "ends": "2026-11-01T01:00"}, "もう終わった時刻"),
        ({"begins": "あした"}, "日付と時刻を"),
        ({"begins": "0001-01-01T00:00"}, "日付と時刻を"),
        ({"ends": "2026-11-22T02:00Z"}, "日付と時刻を"),
        ({"text": "長" * 2001}, "2000文字まで"),
        ({"text": " "}, "内容を入力してください"),
    ],
)
def test_a_notice_that_cannot_be_is_refused_with_the_form(cloud: Cloud, changes: dict[str, str], told: str) -> None:
    answer = cloud.post("/operator/maintenance", OPERATOR, NIGHT | changes)
    assert answer.status_code == 422 and told in answer.text


def test_a_municipality_takes_its_dates_into_its_calendar(cloud: Cloud) -> None:
    joins(cloud.database)
    cloud.post("/operator/capacity/pool", OPERATOR, POOL)
    assert reserve(cloud)[0] == 303
    answer = cloud.get(f"/portal/{OOKI}/dates.ics", ADMIN)
    assert answer.headers["content-type"].startswith("text/calendar")
    lines = unfolded(answer.text)
    assert "SUMMARY:サーバーの予約：町長選挙の開票速報" in lines
    assert "DTSTART;VALUE=DATE:20261122" in lines and "DTEND;VALUE=DATE:20261125" in lines


def test_a_calendar_follows_the_standard() -> None:
    """RFC 5545: CRLF, lines of at most 75 bytes never cut inside a character, signs with a meaning escaped."""
    entry = Entry("1", NOW, NOW + timedelta(hours=1), "漢字の長い見出し" * 12, "一行目; 二つ, 三つ\\\n二行\x07目")
    text = calendar(
        "予定", [entry, Entry("2", date(2026, 4, 1), date(2026, 4, 2), "日")], datetime(2026, 4, 1, tzinfo=UTC)
    )
    assert text.endswith("END:VCALENDAR\r\n") and "\n" not in text.replace("\r\n", "")
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert f"SUMMARY:{'漢字の長い見出し' * 12}" in unfolded(text)
    assert "DESCRIPTION:一行目\\; 二つ\\, 三つ\\\\\\n二行目" in unfolded(text)
    assert text.count("BEGIN:VEVENT") == text.count("END:VEVENT") == 2


def test_a_badge_for_web_pages(full: Cloud) -> None:  # noqa: F811
    answer = full.get("/participation-badge.svg?service=eapply", GUEST)
    assert answer.headers["content-type"] == "image/svg+xml"
    picture = ElementTree.fromstring(answer.text)
    assert picture.attrib["aria-label"] == "電子申請 50 / 60 市町村"
    assert full.get("/participation-badge.svg?service=nothing", GUEST).status_code == 404
