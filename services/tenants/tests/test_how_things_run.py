"""Everybody reads which part answers, which is slow or late, what is announced, and on which days something was silent."""

import re
import time
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.tenants.api import status
from services.tenants.neighbours import Neighbours
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import GUEST, OPERATOR
from services.tenants.tests.test_pages_in_other_languages import japanese_in
from services.tenants.tests.test_service_level import look

pytestmark = pytest.mark.any_store
IDLE = {"outbox_age": None, "inbox_age": None, "jobs_age": 0.0}
WORKS = [{"role": "api"}, {"role": "work"}]
UP, SLOW, LATE, DOWN = (status.STATES[key][0] for key in ("up", "slow", "late", "down"))


def all_well(cloud: Cloud) -> None:
    cloud.others.answers["GET", "/health/ready"] = (200, {"status": "ok"})
    for key in status.PARTS:
        cloud.others.answers["GET", f"/internal/{key}/queues"] = (200, IDLE)
        cloud.others.answers["GET", f"/internal/{key}/instances"] = (200, WORKS)


def said(cloud: Cloud) -> dict[str, str]:
    """Part → what the page says of it, looked anew."""
    cloud.clock.advance(seconds=5)
    page = cloud.get("/status/", GUEST).text
    return dict(re.findall(r'<li><p><b>([^<]+)</b> <span class="badge[^>]*>(?:<svg.*?</svg>)?([^<]+)</span>', page))


def test_each_part_is_said_to_run_while_it_does(cloud: Cloud) -> None:
    all_well(cloud)
    assert said(cloud) == dict.fromkeys(status.PARTS.values(), UP)
    cloud.others.answers.clear()
    assert said(cloud) == {name: DOWN for name in status.PARTS.values()} | {"市町村の台帳と窓口": UP}


@pytest.mark.parametrize("waits", [{"outbox_age": 121.0}, {"inbox_age": 121.0}, {"jobs_age": 301.0}])
def test_what_is_received_but_goes_no_further_is_said_to_be_late(cloud: Cloud, waits: dict[str, float]) -> None:
    """A broker that is cut off lets the outbox wait; a worker that hangs, the inbox and the jobs."""
    all_well(cloud)
    cloud.others.answers["GET", "/internal/eapply/queues"] = (200, IDLE | waits)
    found = said(cloud)
    assert found.pop("電子申請サービス") == LATE and set(found.values()) == {UP}


def test_without_anybody_who_works_a_service_is_said_to_be_late(cloud: Cloud) -> None:
    all_well(cloud)
    cloud.others.answers["GET", "/internal/tenants/instances"] = (200, [{"role": "api"}])
    found = said(cloud)
    assert found.pop("市町村の台帳と窓口") == LATE and set(found.values()) == {UP}


def test_a_slow_service_is_said_to_be_slow_and_nobody_waits_for_each_in_turn(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "SLOW", 0.2)
    all_well(cloud)

    def slowly(request: httpx.Request) -> httpx.Response:
        time.sleep(0.4 if request.url.path == "/health/ready" else 0)
        return cloud.others(request)

    cloud.service.extras["neighbours"] = Neighbours(cloud.service, httpx.MockTransport(slowly))
    begun = time.monotonic()
    found = said(cloud)
    assert found.pop("市町村の台帳と窓口") == UP and set(found.values()) == {SLOW}
    assert time.monotonic() - begun < 0.4 * len(found)


def test_what_an_operator_has_closed_is_not_said_to_run(cloud: Cloud) -> None:
    all_well(cloud)
    closed = cloud.others.answers
    closed["GET", "/internal/gateway/closures"] = (200, [{"service": "ebid", "mode": "maintenance"}])
    found = said(cloud)
    assert found.pop("電子入札サービス") == status.STATES["maintenance"][0] and set(found.values()) == {UP}
    closed["GET", "/internal/gateway/closures"] = (200, [{"service": None, "mode": "read-only"}])
    found = said(cloud)
    assert [found.pop(name) for name in ("受付（門）", "市町村の台帳と窓口")] == [UP, UP]
    assert set(found.values()) == {status.STATES["read-only"][0]}


def test_a_crowd_of_readers_asks_the_services_once(cloud: Cloud) -> None:
    all_well(cloud)
    said(cloud)
    asked = len(cloud.others.asked)
    for _ in range(20):
        assert cloud.get("/status/", GUEST).status_code == 200
    assert len(cloud.others.asked) == asked
    said(cloud)
    assert len(cloud.others.asked) == 2 * asked, "looked anew after five seconds"


def test_days_with_silence_stay_to_be_read(cloud: Cloud) -> None:
    all_well(cloud)
    look(cloud, 3)
    assert "応答がなかったことは、記録にありません" in cloud.get("/status/", GUEST).text
    cloud.others.answers.clear()
    look(cloud, 2)
    cloud.clock.advance(days=1)
    told = "確かめた5回のうち2回、応答がありませんでした"
    assert cloud.get("/status/", GUEST).text.count(told) == len(status.PARTS) - 1, "each part that was asked"
    cloud.clock.advance(days=status.PAST.days - 1)
    assert told not in cloud.get("/status/", GUEST).text


def announce(cloud: Cloud, begins: timedelta, ends: timedelta, text: str) -> None:
    form = lambda span: (cloud.clock.now() + timedelta(hours=9) + span).strftime("%Y-%m-%dT%H:%M")  # noqa: E731
    notice: dict[str, Any] = {"service": "ebid", "begins": form(begins), "ends": form(ends), "text": text}
    assert cloud.post("/operator/maintenance", OPERATOR, notice).status_code == 303


def test_maintenance_stands_under_now_under_coming_or_under_what_is_over(cloud: Cloud) -> None:
    hour = timedelta(hours=1)
    announce(cloud, -hour, hour, "いまの作業")
    announce(cloud, 24 * hour, 25 * hour, "あすの作業")
    page = cloud.get("/status/", GUEST).text
    assert page.index("いま行っているメンテナンス") < page.index("いまの作業") < page.index("予定しているメンテナンス")
    assert page.index("予定しているメンテナンス") < page.index("あすの作業") and "終わったメンテナンス" not in page
    cloud.clock.advance(hours=30)
    page = cloud.get("/status/", GUEST).text
    assert "いま行っている" not in page and "いま、予定はありません" in page
    assert page.index("終わったメンテナンス") < page.index("あすの作業") < page.index("いまの作業")


def test_all_of_it_in_english(cloud: Cloud) -> None:
    all_well(cloud)
    look(cloud, 1)
    cloud.others.answers.clear()
    look(cloud, 1)
    announce(cloud, timedelta(hours=-1), timedelta(hours=1), "now")
    announce(cloud, timedelta(hours=-3), timedelta(minutes=1), "over")
    cloud.clock.advance(minutes=2)
    page = cloud.get("/status/?lang=en", GUEST).text
    assert "No answer" in page and "over" in page and not japanese_in(page)
