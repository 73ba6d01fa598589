"""Two persons publish; trustees open, none of them alone; officials decide; a killed opening comes to the same result."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from libs.common.audit.table import AuditEntryRow
from services.ebid.api.shell import local_input
from services.ebid.db import RoundRow, TenderRow
from services.ebid.sealing import envelope, trustee
from services.ebid.settings import office_of
from services.ebid.tests.ocds_schema import findings, last_release
from services.ebid.tests.people import MANAGER, OFFICER, PDF, Company, Town, json_text, visible
from services.ebid.use_cases import opening
from services.ebid.verify.check import check


def test_whoever_drafted_cannot_approve(town: Town):
    town.register_trustees()
    both = town.staff("both", "一人二役", OFFICER | MANAGER)
    answer = both.post(
        "desk/new",
        town.form(disclosure="before", reserve_with_tax="１１，０００，０００円", limits="none"),
        follow_redirects=False,
    )
    tender = answer.headers["location"].rsplit("/", 1)[1]
    both.post(f"desk/tenders/{tender}/submit", {"version": town.version(tender)})
    page = both.get(f"desk/approvals/{tender}").text
    version = re.findall(r'name="version" value="(\d+)"', page)[0]
    assert both.post(f"desk/approvals/{tender}/publish", {"version": version}).status_code == 403
    assert town.guest().get(f"tenders/{tender}/").status_code == 404
    assert town.manager.post(f"desk/approvals/{tender}/publish", {"version": version}).status_code == 200
    assert "11,000,000円" in town.guest().get(f"tenders/{tender}/").text


def test_nothing_is_published_with_open_limits_or_too_few_trustees(town: Town):
    tender = town.draft(trustees=[])
    assert (
        town.officer.post(f"desk/tenders/{tender}/submit", {"version": town.version(tender)}, page=False).json()["code"]
        == "too-few-trustees"
    )
    town.register_trustees()
    tender = town.draft()
    refused = town.officer.post(f"desk/tenders/{tender}/submit", {"version": "2"}, page=False)
    assert refused.status_code == 409
    town.seal_limits(tender)
    page = town.officer.get(f"desk/tenders/{tender}").text
    assert "封がしてあります" in page
    changed = town.form(lottery="kochi", version=town.version(tender))
    assert town.officer.post(f"desk/tenders/{tender}/edit", changed).status_code == 200
    assert "まだ封がされていません" in town.officer.get(f"desk/tenders/{tender}").text, "other terms: sealed again"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"title": " "}, "件名を入力"),
        ({"bid_until": ""}, "入札・見積の締切の日時を入力"),
        ({"bid_until": "2020-01-01T10:00"}, "いまより後"),
        ({"opens_at": "2026-11-25T10:52"}, "1分以上あと"),
        ({"method": "open"}, "申請の締切を入力"),
        ({"category": "x"}, "区分を選んで"),
        ({"disclosure": "before", "reserve_with_tax": "0"}, "1円以上"),
    ],
)
def test_the_form_says_what_to_mend(town: Town, changed: dict[str, str], field: str):
    answer = town.officer.post("desk/new", town.form(**changed))
    assert answer.status_code == 422 and field in visible(answer.text), visible(answer.text)


def test_papers_are_read_by_everybody_after_publication(town: Town):
    town.register_trustees()
    tender = town.draft(disclosure="before", reserve_with_tax="11000000", limits="none")
    files = {"document": ("../設計書.pdf", PDF, "application/pdf")}
    town.officer.post(f"desk/tenders/{tender}/documents", {"version": town.version(tender)}, files=files)
    bad = {"document": ("x.pdf", b"<html><script>", "application/pdf")}
    assert (
        town.officer.post(f"desk/tenders/{tender}/documents", {"version": town.version(tender)}, files=bad).status_code
        == 422
    )
    town.officer.post(f"desk/tenders/{tender}/submit", {"version": town.version(tender)})
    version = re.findall(r'name="version" value="(\d+)"', town.manager.get(f"desk/approvals/{tender}").text)[0]
    town.manager.post(f"desk/approvals/{tender}/publish", {"version": version})
    page = town.guest().get(f"tenders/{tender}/").text
    path = re.findall(r'href="(documents/[^"]+)"', page)[0]
    assert "設計書.pdf" in page
    assert town.guest().get(f"tenders/{tender}/{path}").content == PDF


def sealed_by_three(town: Town, *amounts: int) -> str:
    tender = town.publish()
    for serial, amount in enumerate(amounts, start=1):
        town.advance(seconds=1)
        town.company(serial).bid(tender, amount)
    return tender


def recorded(town: Town, action: str) -> list[AuditEntryRow]:
    with town.service.database.reading(tenant=town.code) as session:
        return list(session.scalars(select(AuditEntryRow).where(AuditEntryRow.action == action)))


def test_nobody_opens_before_the_hour_and_no_trustee_alone(town: Town):
    tender = sealed_by_three(town, 9_000_000)
    early = town.trustee("trustee-1").get(f"desk/trustees/{tender}/opening.json", page=False)
    assert early.status_code == 409 and early.json()["code"] == "too-early"
    assert [entry.actor for entry in recorded(town, "ebid.opening.too-early")] == [f"{town.code}-trustee-1"]
    town.close()
    outsider = town.trustee("somebody").get(f"desk/trustees/{tender}/opening.json", page=False)
    assert outsider.status_code == 403
    assert town.give(tender, "trustee-2").status_code == 200
    town.work()
    assert "開札の結果" not in town.officer.get(f"desk/tenders/{tender}").text
    assert town.give(tender, "trustee-2").status_code == 409
    town.open(tender, "trustee-3")
    assert "開札の結果" in town.officer.get(f"desk/tenders/{tender}").text


def test_a_share_that_is_not_the_sealed_one_is_named_and_refused(town: Town):
    tender = sealed_by_three(town, 9_000_000)
    town.close()
    browser = town.trustee("trustee-1")
    request = browser.get(f"desk/trustees/{tender}/opening.json", page=False).json()
    forged = {envelope.digest(each): "11" * 32 for each in request["envelopes"]}
    answer = browser.post(f"desk/trustees/{tender}/shares", {"shares": json_text({"shares": forged})})
    assert answer.status_code == 422 and "一致しません" in answer.text
    [entry] = recorded(town, "ebid.opening.wrong-share")
    assert entry.actor == f"{town.code}-trustee-1" and len(json.loads(entry.detail or "")["digests"]) == 2, (
        "the limits and the bid"
    )
    assert "届きました" not in town.officer.get(f"desk/tenders/{tender}").text


def test_the_trustees_tool_makes_the_file_that_is_given(town: Town, tmp_path):
    tender = sealed_by_three(town, 9_000_000)
    town.close()
    for subject in ("trustee-1", "trustee-2"):
        browser = town.trustee(subject)
        request = browser.get(f"desk/trustees/{tender}/opening.json", page=False).json()
        shares = trustee.answer(request, town.keys[subject], town.service.clock.now())
        files = {"file": ("分散鍵.json", json_text(shares).encode(), "application/json")}
        assert browser.post(f"desk/trustees/{tender}/shares", {}, files=files).status_code == 200
    town.work()
    assert "9,000,000円" in town.officer.get(f"desk/tenders/{tender}").text


@pytest.mark.parametrize("pair", [("trustee-1", "trustee-2"), ("trustee-1", "trustee-3"), ("trustee-2", "trustee-3")])
def test_every_pair_of_trustees_opens_alike(town: Town, pair: tuple[str, str]):
    tender = sealed_by_three(town, 9_500_000, 9_100_000, 8_999_999)
    town.close()
    town.open(tender, *pair)
    assert [place["amount"] for place in result(town, tender)["places"]] == [8_999_999, 9_100_000, 9_500_000]


def result(town: Town, tender: str, number: int = 1) -> dict[str, Any]:
    with town.service.database.reading(tenant=town.code) as session:
        return session.get_one(RoundRow, (town.code, tender, number)).result or {}


class Killed(BaseException):
    """Stands for kill -9: nothing after it runs, nothing is caught."""


def test_an_opening_that_is_killed_before_its_end_comes_to_the_same_result(town: Town, monkeypatch: pytest.MonkeyPatch):
    tender = sealed_by_three(town, 9_000_000, 9_000_000, 9_000_000)
    town.close()
    for subject in ("trustee-1", "trustee-2"):
        town.give(tender, subject)
    expected: list[Any] = []

    def die(session: Any, row: TenderRow, held: RoundRow, before: Any, now: Any) -> None:
        expected.append(held.result)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(opening, "tell_holds", die)
        with pytest.raises(Killed):
            town.work()
    assert result(town, tender) == {}, "nothing half done is left"
    town.advance(seconds=90)  # the dead worker's lease runs out
    town.work()
    assert result(town, tender) == expected[0]


def test_a_postponed_deadline_keeps_what_has_come(town: Town):
    tender = sealed_by_three(town, 9_000_000)
    now = town.service.clock.now()
    given = {
        "bid_until": local_input(now + timedelta(days=9)),
        "opens_at": local_input(now + timedelta(days=9, hours=1)),
    }
    without = town.officer.post(f"desk/tenders/{tender}/postpone", {"version": town.version(tender), **given})
    assert without.status_code == 422 and "理由を入力" in without.text
    given |= {"reason": "大雨のため", "version": town.version(tender)}
    assert town.officer.post(f"desk/tenders/{tender}/postpone", given).status_code == 200
    town.close()
    town.company(2).bid(tender, 8_500_000)
    town.advance(days=5)
    town.work()
    town.open(tender)
    assert [place["amount"] for place in result(town, tender)["places"]] == [8_500_000, 9_000_000]


def test_all_above_the_reserve_bid_again_below_the_lowest(town: Town):
    tender = sealed_by_three(town, 10_500_000, 10_200_000)
    town.close()
    town.open(tender)
    assert result(town, tender)["outcome"] == "rebid"
    now = town.service.clock.now()
    given = {
        "version": town.version(tender),
        "bid_until": local_input(now + timedelta(days=1)),
        "opens_at": local_input(now + timedelta(days=1, hours=1)),
    }
    assert town.officer.post(f"desk/tenders/{tender}/rebid", given).status_code == 200
    one, late = town.company(1), town.company(3)
    assert "10,200,000円" in one.letters()
    assert late.get(f"tenders/{tender}/bid").status_code == 403
    one.bid(tender, 9_900_000)
    town.company(2).bid(tender, 10_200_000)
    town.close()
    receipts_of_every_round(town, one, tender)  # the deadline has passed, nothing is open yet
    town.open(tender)
    second = result(town, tender, 2)
    assert (second["outcome"], second["candidate"]) == ("hold_review", second["places"][0]["bidder"])
    assert [place["standing"] for place in second["places"]] == ["eligible", "invalid"]
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    assert town.conclude(tender).status_code == 200
    saved = receipts_of_every_round(town, one, tender)
    report = check(town.guest().get(f"tenders/{tender}/bundle.json").json(), saved)
    assert [str(problem) for problem in report.problems] == []
    assert sum("あなたの入札" in each for each in report.passed) == 2
    told = last_release(town)
    assert findings("release", town.guest().get("ocds/releases").json()) == []
    assert sorted((bid["id"][0], bid["status"]) for bid in told["bids"]["details"]) == [
        ("1", "valid"), ("1", "valid"), ("2", "disqualified"), ("2", "valid"),
    ]  # fmt: skip
    assert told["awards"][0]["relatedBid"].startswith("2-")


def receipts_of_every_round(town: Town, company: Company, tender: str) -> list[Any]:
    """What a click on each link saves: the same two on the tender's page and on the company's own; nobody else has any."""
    link = re.compile(r'href="([^"]*receipt\.(?:json|pdf)\?round=\d)"')
    shown = [
        {each.rsplit("/", 1)[-1] for each in link.findall(company.get(page).text)}
        for page in (f"tenders/{tender}/", "mine")
    ]
    assert shown[0] == shown[1] == {f"receipt.{form}?round={number}" for form in ("json", "pdf") for number in (1, 2)}
    for stranger in (town.company(3), town.guest()):
        assert not link.search(stranger.get(f"tenders/{tender}/").text)
    assert company.get(f"tenders/{tender}/receipt.pdf?round=1").content.startswith(b"%PDF")
    return [company.get(f"tenders/{tender}/receipt.json?round={number}", page=False).json() for number in (1, 2)]


def test_a_refused_candidate_makes_way_for_the_next(town: Town):
    tender = sealed_by_three(town, 9_000_000, 9_200_000)
    town.close()
    town.open(tender)
    without = town.officer.post(f"desk/tenders/{tender}/refuse", {"version": town.version(tender)})
    assert without.status_code == 422 and "理由を入力" in without.text
    given = {"version": town.version(tender), "refusal": "技術者の配置ができない"}
    assert town.officer.post(f"desk/tenders/{tender}/refuse", given).status_code == 200
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    town.conclude(tender)
    page = visible(town.guest().get(f"tenders/{tender}/").text)
    assert "落札者 株式会社筑後2組" in page and "技術者の配置ができない" in page


def test_without_any_bid_it_ends_without_award(town: Town):
    tender = town.publish()
    town.close()
    town.open(tender)
    assert result(town, tender)["outcome"] == "no_bids"
    assert "同じ予定価格でやり直すときは、公表せずに" in town.officer.get(f"desk/tenders/{tender}").text
    assert town.conclude(tender).status_code == 422
    assert town.conclude(tender, conclusion="応札者がなかったため").status_code == 200
    assert "応札者がなかったため" in town.guest().get(f"tenders/{tender}/").text
    assert town.events("ebid.result.published.v1")[0]["data"]["outcome"] == "failed"
    told = last_release(town)
    assert findings("release", town.guest().get("ocds/releases").json()) == []
    assert told["tender"]["status"] == told["awards"][0]["status"] == "unsuccessful" and "bids" not in told
    assert told["tender"]["numberOfTenderers"] == 0


def test_a_cancelled_tender_is_never_opened(town: Town):
    tender = sealed_by_three(town, 9_000_000)
    town.officer.post(f"desk/tenders/{tender}/cancel", {"version": town.version(tender), "cancel_reason": "設計の誤り"})
    town.close()
    assert town.trustee("trustee-1").get(f"desk/trustees/{tender}/opening.json", page=False).status_code == 409
    assert "設計の誤り" in town.guest().get(f"tenders/{tender}/").text
    told = last_release(town)
    assert findings("release", town.guest().get("ocds/releases").json()) == []
    assert (told["tag"], told["tender"]["status"]) == (["tenderCancellation"], "cancelled") and "bids" not in told
    assert town.officer.get(f"desk/tenders/{tender}").status_code == 200
    assert office_of(town.service).signers.origin.endswith("/ebid/log")
