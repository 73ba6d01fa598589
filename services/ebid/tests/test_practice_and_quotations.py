"""Tenders for practice run in minutes and are in no feed; after 不落 a quotation is asked for."""

from datetime import timedelta
from typing import Any

import pytest

from libs.common.testing.service import NOW
from services.ebid.api.drafting import practice_dates
from services.ebid.tests.ocds_schema import last_release
from services.ebid.tests.people import Town, hidden, local_input_in, visible
from services.ebid.tests.test_officials_publish_and_open import result
from services.ebid.verify.check import check

pytestmark = pytest.mark.any_store

FAST = {"sandbox": "1", "questions_until": "", "bid_until": "", "opens_at": ""}


def test_a_tender_for_practice_takes_minutes_and_is_marked_and_in_no_feed(town: Town):
    tender = town.publish(**FAST, title="練習の工事")
    company = town.company(1)
    assert "練習用の案件です" in visible(company.get(f"tenders/{tender}/bid").text)
    company.bid(tender, 9_000_000)
    town.advance(minutes=11)
    town.work()
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    town.conclude(tender)
    page = visible(town.guest().get(f"tenders/{tender}/").text)
    assert "練習用の案件です" in page and f"落札者 {company.name}" in page
    assert "【練習】落札者決定通知書" in company.letters()
    assert town.events("ebid.tender.published.v1") == town.events("ebid.result.published.v1") == []
    assert town.guest().get("ocds/releases", page=False).json()["releases"] == []
    assert "練習の工事" not in town.guest().get("/ebid/").text + town.guest().get("fragments/home").text
    assert "練習の工事" not in town.staff("w", "監視", frozenset({"ebid.watcher"})).get("desk/watching").text
    report = check(town.guest().get(f"tenders/{tender}/bundle.json", page=False).json())
    assert report.codes() == set(), "practice is checked like the real thing"


def test_whoever_has_to_do_with_a_tender_for_practice_sees_everywhere_that_it_is_one(town: Town):
    town.register_trustees()
    draft = town.draft(**FAST, title="練習の工事")
    assert "練習" in near(town.officer.get("desk/").text, "練習の工事")
    assert "練習用の案件です" in visible(town.officer.get(f"desk/tenders/{draft}/limits").text)
    assert town.seal_limits(draft).status_code == 200
    town.officer.post(f"desk/tenders/{draft}/submit", {"version": town.version(draft)})
    assert "練習" in near(town.manager.get("desk/approvals").text, "練習の工事")
    version = hidden(town.manager.get(f"desk/approvals/{draft}").text, "version")
    assert town.manager.post(f"desk/approvals/{draft}/publish", {"version": version}).status_code == 200
    company = town.company(1)
    company.bid(draft, 9_000_000)
    assert "練習用の案件です" in visible(company.get("mine").text)
    assert "練習" in near(town.trustee("trustee-1").get("desk/trustees").text, "練習の工事")
    for calendar in ("calendar.ics", f"tenders/{draft}/calendar.ics"):
        entries = town.guest().get(calendar).text.replace("\r\n ", "")
        named = [line for line in entries.splitlines() if "練習の工事" in line]
        assert named and all("【練習】" in line for line in named), calendar


def near(page: str, title: str) -> str:
    """What stands beside a tender's title in a list, without the title."""
    return visible(page).split(title)[1][:40]


def asked(town: Town, tender: str, *companies: str, page: bool = True) -> Any:
    given = {"version": town.version(tender), "invited": list(companies), "bid_until": local_input_in(town, days=1),
             "opens_at": local_input_in(town, days=1, hours=1)}  # fmt: skip
    return town.officer.post(f"desk/tenders/{tender}/negotiate", given, page=page)


def above(town: Town, tender: str) -> list[str]:
    page = town.officer.get(f"desk/tenders/{tender}").text
    return [part.split('"')[0] for part in page.split('name="invited" value="')[1:]]


@pytest.mark.parametrize("second", ["above", "nobody"])
def test_after_all_are_above_the_reserve_the_lowest_is_asked_for_a_quotation(town: Town, second: str):
    """施行令167条の2第1項8号: after a 再度の入札 that led to no award, by prices above 予定価格 or because nobody bid in it."""
    tender = town.publish()
    low, high, cheap = town.company(1), town.company(2), town.company(3)
    low.bid(tender, 10_100_000)
    high.bid(tender, 10_500_000)
    cheap.bid(tender, 7_000_000)
    town.close()
    town.open(tender)
    assert above(town, tender) == [] and "見積を依頼" not in town.officer.get(f"desk/tenders/{tender}").text
    first = [place["bidder"] for place in result(town, tender)["places"] if place["amount"] > 10_000_000]
    refused = asked(town, tender, first[0], page=False)
    assert (refused.status_code, refused.json()["code"]) == (409, "no-negotiation"), "no 再度の入札 was held"
    days = {"bid_until": local_input_in(town, days=1), "opens_at": local_input_in(town, days=1, hours=1)}
    again = {"version": town.version(tender), **days}
    assert town.officer.post(f"desk/tenders/{tender}/rebid", again).status_code == 200
    if second == "above":
        low.bid(tender, 10_050_000)
        high.bid(tender, 10_060_000)
    town.advance(days=1, hours=2)
    town.work()
    town.open(tender)
    candidates = above(town, tender)
    assert sorted(candidates) == sorted(first), "who was below the limit is not asked"
    assert asked(town, tender).status_code == 422 and asked(town, tender, "somebody").status_code == 422
    assert asked(town, tender, candidates[0]).status_code == 200
    lowest = "10,050,000円" if second == "above" else "10,100,000円"
    assert "見積依頼通知書" in low.letters() and lowest in low.letters()
    refused = high.get(f"tenders/{tender}/bid")
    assert refused.status_code == 403
    page = visible(high.get(f"tenders/{tender}/").text)
    assert "この回に参加できるのは" in page and "見積書か辞退届を出す" not in page, "no way leads to a refusal"
    assert "見積書か辞退届を出す" in visible(low.get(f"tenders/{tender}/").text)
    low.bid(tender, 9_990_000)
    town.advance(days=1, hours=2)
    town.work()
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    town.conclude(tender)
    page = visible(town.guest().get(f"tenders/{tender}/").text)
    assert f"契約の相手方 {low.name}" in page and "落札者" not in page
    told = low.letters()
    assert "契約の相手方に決定しました" in told and "落札者決定" not in told, "there is no 落札者 in 随意契約"
    assert "第1回の入札の結果" in page and "第3回の見積の結果" in page
    published = visible(town.guest().get(f"tenders/{tender}/publication").text)
    assert "随意契約とした理由 8号：競争入札に入札者がない、または再度の入札でも落札者がない" in published
    assert "8号：" in last_release(town)["tender"]["procurementMethodRationale"]
    bundle = town.guest().get(f"tenders/{tender}/bundle.json", page=False).json()
    assert check(bundle).codes() == set(), check(bundle).problems
    bundle["rounds"][2]["invited"] = ["another"]
    assert "bid-not-entitled" in check(bundle).codes()


def test_dates_for_practice_follow_each_other():
    dates = practice_dates(NOW, applying=True)
    assert dates.questions_until < dates.apply_until < dates.bid_until < dates.opens_at  # type: ignore[operator]
    assert dates.opens_at - NOW < timedelta(minutes=12)
