"""Operators see every process side by side, certificates before they end, backups before they are missed, and search the record."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from libs.common.doctor import address
from libs.common.testing.service import NOW
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, GUEST, KURUME, MEMBER, OOKI, OPERATOR
from services.tenants.tests.test_council_and_public_pages import full  # noqa: F401 (a fixture)
from services.tenants.tests.test_council_sees_backups import drill, point

pytestmark = pytest.mark.any_store

PAGE = "/operator/running"


def instance(role: str, number: int, release: str = "2026.11", settings: str = "aaaabbbbcccc") -> dict[str, Any]:
    told = {"role": role, "host": f"pod-{number}:1", "release": release, "settings": settings}
    return told | {"started_at": NOW.isoformat(), "seen_at": NOW.isoformat()}


def runs(cloud: Cloud, service: str, *instances: dict[str, Any]) -> None:
    cloud.others.answers["GET", f"/internal/{service}/instances"] = (200, list(instances))


def row_of(page: str, *words: str) -> str:
    return next(row for row in page.split("<tr>") if all(word in row for word in words))


def test_processes_of_one_role_are_compared(cloud: Cloud) -> None:
    runs(cloud, "eapply", instance("api", 1), instance("api", 2, release="2026.10"), instance("work", 3))
    runs(cloud, "ebid", instance("work", 4), instance("work", 5, settings="ddddeeeeffff"))
    page = cloud.get(PAGE, OPERATOR).text
    assert "違っています" in row_of(page, "eapply", "（api）", "2026.10、2026.11")
    assert "そろっています" in row_of(page, "eapply", "（work）")
    assert "違っています" in row_of(page, "ebid", "（work）", "aaaabbbbcccc、ddddeeeeffff")
    assert "版がそろっていません" in page and "pod-5:1" in page


def test_a_service_that_does_not_answer_is_named(cloud: Cloud) -> None:
    runs(cloud, "eapply", instance("api", 1))
    page = cloud.get(PAGE, OPERATOR).text
    assert "データバックアップ（backup）は応答していません" in page and "（eapply）は応答していません" not in page
    assert "版がそろっていません" not in page


@pytest.mark.parametrize(("days", "said"), [(300, "期限内です"), (5, "もうすぐ切れます"), (-2, "期限が切れました")])
def test_the_certificate_of_the_address_says_how_many_days_it_has(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, days: int, said: str
) -> None:
    cloud.service.settings.public_url = "https://kyodo.example.lg.jp"

    def ends(host: str, port: int, *, seconds: float) -> datetime:
        assert (host, port) == ("kyodo.example.lg.jp", 443)
        return NOW + timedelta(days=days)

    monkeypatch.setattr(address, "certificate_end", ends)
    row = row_of(cloud.get(PAGE, OPERATOR).text, "kyodo.example.lg.jp")
    assert said in row and f">{days}<" in row


def test_a_certificate_that_cannot_be_looked_at_says_why(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "暗号化していないアドレス" in cloud.get(PAGE, OPERATOR).text
    cloud.service.settings.public_url = "https://kyodo.example.lg.jp"

    def away(*_: Any, **__: Any) -> datetime:
        raise OSError("no route")

    monkeypatch.setattr(address, "certificate_end", away)
    assert "ここからは届きません" in cloud.get(PAGE, OPERATOR).text


def test_certificates_that_services_sign_with_are_there_too(cloud: Cloud) -> None:
    ends = (NOW + timedelta(days=9)).isoformat()
    cloud.others.answers["GET", "/internal/eapply/certificates"] = (
        200,
        [{"name": "NOTICE_CERTIFICATE", "ends": ends}],
    )
    assert "もうすぐ切れます" in row_of(cloud.get(PAGE, OPERATOR).text, "eapply: NOTICE_CERTIFICATE")


def test_backups_that_are_due_are_listed_and_others_are_not(full: Cloud) -> None:  # noqa: F811
    before = full.get(PAGE, OPERATOR).text
    assert before.count("写しが遅れています") == 19, "nobody has sent anything yet"
    point(full, KURUME, 3, 5 * 1024**3)
    drill(full, KURUME, 24 * 30, True)
    assert full.get(PAGE, OPERATOR).text.count("写しが遅れています") == 18
    full.clock.advance(seconds=6 * 24 * 3600)
    row = row_of(full.get(PAGE, OPERATOR).text, "久留米市")
    assert "写しが遅れています" in row and "確かめていません" in row


# ---- the record ---------------------------------------------------------------------------------------------------------


def records(cloud: Cloud, query: str) -> str:
    return cloud.get(f"/operator/records?{query}", OPERATOR).text


def kept(cloud: Cloud) -> None:
    """Two entries on two days: an approval rule changed, and a dead letter skipped with a reason."""
    cloud.post("/operator/rules/eapply", OPERATOR, {"auto": "1"})
    cloud.clock.advance(seconds=3 * 24 * 3600)
    cloud.others.answers["POST", "/internal/eapply/dead-letters/event-77/skip"] = (200, {"status": "skipped"})
    cloud.post("/operator/dead-letters/eapply/event-77/skip", OPERATOR, {"because": "100%二重に届いた分"})


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=event-77", {"event-77"}),
        ("q=100%25二重", {"event-77"}),
        ("q=0%25重", set()),
        ("q=電子申請", {"電子申請"}),
        ("q=運用", {"event-77", "電子申請"}),
        ("since=2026-11-22", {"event-77"}),
        ("until=2026-11-21", {"電子申請"}),
        ("since=2026-11-22&until=2026-11-22", set()),
        ("q=", {"event-77", "電子申請"}),
    ],
)
def test_the_record_is_searched_by_words_as_they_are_shown_and_by_days(
    cloud: Cloud, query: str, found: set[str]
) -> None:
    kept(cloud)
    known = {"id": OPERATOR.subject, "display_name": "運用 担当", "email": "o@example.jp", "active": True}
    cloud.others.answers["GET", "/internal/gateway/persons"] = (200, [known])
    table = records(cloud, query).partition("<tbody>")[2]
    assert {word for word in ("event-77", "電子申請") if word in table} == found
    assert ("見つかりませんでした" in records(cloud, query)) == (not found)


def test_the_next_page_of_a_search_is_of_the_same_search(cloud: Cloud) -> None:
    for number in range(60):
        path = f"/internal/eapply/dead-letters/event-{number}/skip"
        cloud.others.answers["POST", path] = (200, {"status": "skipped"})
        cloud.post(f"/operator/dead-letters/eapply/event-{number}/skip", OPERATOR, {"because": "二重"})
    cloud.post("/operator/rules/eapply", OPERATOR, {"auto": "1"})
    first = records(cloud, "q=二重&since=2026-11-01")
    following = first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
    second = cloud.get(following, OPERATOR).text
    assert first.count("二重</td>") == 50 and second.count("二重</td>") == 10


def test_a_day_that_is_none_is_refused(cloud: Cloud) -> None:
    assert cloud.get("/operator/records?since=yesterday", OPERATOR).status_code == 422


@pytest.mark.parametrize("actor", [GUEST, ADMIN, MEMBER])
def test_only_operators_see_what_runs(cloud: Cloud, actor: Any) -> None:
    assert cloud.get(PAGE, actor).status_code in (401, 403)


def test_an_administrator_searches_the_record_of_the_own_municipality(cloud: Cloud) -> None:
    cloud.post(f"/portal/{OOKI}/services/eapply/join", ADMIN, {"when": "now"})
    assert "電子申請" in cloud.get(f"/portal/{OOKI}/records/?q=申し込みました", ADMIN).text.partition("<tbody>")[2]
    assert "見つかりませんでした" in cloud.get(f"/portal/{OOKI}/records/?q=event-77", ADMIN).text
