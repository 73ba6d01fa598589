"""総合評価: proposals come with the application, points are fixed before anything is opened, price and points decide together."""

import re
from typing import Any

import pytest

from services.ebid.domain import scoring
from services.ebid.tests.ocds_schema import findings, last_release
from services.ebid.tests.people import PDF, Company, Town, hidden, local_input_in, visible
from services.ebid.verify.check import check

pytestmark = pytest.mark.any_store

SCORED = {
    "method": "open", "award": "division", "criteria": "施工計画 20\n企業の実績　１０点\n地域貢献 5", "decimals": "4",
    "rounding_mode": "half_up", "scale": "100000000", "tie_chain": "technical", "hearing_on": "2026-09-01",
    "hearing": "大学教授2人から聴取。異議なし。", "limits": "investigation",
}  # fmt: skip

BY_QUOTATION = {"method": "quotation", "ground": "2", "ground_reason": "x", "limits": "none"}


def published(town: Town, **changed: Any) -> str:
    return town.publish(**SCORED | {"apply_until": local_input_in(town, days=3)} | changed)


def applied(town: Town, tender: str, serial: int) -> Company:
    return confirmed(town, tender, town.company(serial), f"技術資料{serial}.pdf")


def confirmed(town: Town, tender: str, company: Company, paper: str) -> Company:
    files = {"paper-1": (paper, PDF, "application/pdf")}
    answer = company.post(f"tenders/{tender}/send", {"act": "apply", "statement": "許可番号"}, files=files)
    assert answer.status_code == 200, visible(answer.text)
    page = town.officer.get(f"desk/tenders/{tender}").text
    address = re.findall(r"/(desk/tenders/[^/]+/applications/[^\"]+)\"", page)[-1]
    assert town.officer.post(address, {"decision": "confirmed"}).status_code == 200
    return company


def score(town: Town, tender: str, company: Company, *points: str) -> Any:
    page = town.officer.get(f"desk/tenders/{tender}").text
    address = re.search(rf'href="[^"]*/(desk/tenders/[^"]+/scores/[^"]+)">{company.name}の', page)
    assert address, visible(page)
    return town.officer.post(address[1], {f"points-{place}": value for place, value in enumerate(points)})


def test_points_and_price_decide_together_and_the_investigation_comes_between(town: Town):
    tender = published(town)
    companies = [applied(town, tender, serial) for serial in (1, 2, 3)]
    assert "技術資料1.pdf" in town.officer.get(f"desk/tenders/{tender}").text
    too_many = score(town, tender, companies[0], "21", "5", "1")
    assert too_many.status_code == 422 and "施工計画の点数を、0から20まで" in visible(too_many.text)
    for company, points in zip(companies, (("20", "0", "0"), ("5", "5", "0"), ("4.5", "0.5", "0")), strict=True):
        assert score(town, tender, company, *points).status_code == 200
    for company, amount in zip(companies, (9_500_000, 9_000_000, 7_000_000), strict=True):
        company.bid(tender, amount)
    town.close()
    early = town.trustee("trustee-1").get(f"desk/trustees/{tender}/opening.json", page=False)
    assert early.status_code == 409 and "技術点" in early.json()["detail"]
    assert town.officer.post(f"desk/tenders/{tender}/scores").status_code == 200
    assert score(town, tender, companies[0], "0", "0", "0").status_code == 409, "fixed points do not change"
    town.open(tender)
    page = visible(town.officer.get(f"desk/tenders/{tender}").text)
    assert "保留（低入札価格調査）" in page and "1500.0000" not in page and "1500" in page, (
        "7 000 000 yen lie below 8 000 000"
    )
    refused = {"version": town.version(tender), "refusal": "積算の内訳に根拠がない"}
    assert town.officer.post(f"desk/tenders/{tender}/refuse", refused).status_code == 200
    assert town.conclude(tender).status_code == 200
    result = visible(town.guest().get(f"tenders/{tender}/").text)
    assert f"落札者 {companies[0].name}" in result and "1263.1579" in result and "1222.2222" in result
    told = last_release(town)
    assert findings("release", town.guest().get("ocds/releases").json()) == []
    assert told["tender"]["awardCriteria"] == "ratedCriteria"
    assert [bid["status"] for bid in told["bids"]["details"]] == ["valid", "valid", "disqualified"]
    report = check(town.guest().get(f"tenders/{tender}/bundle.json", page=False).json())
    assert report.codes() == set(), report.problems


def test_where_experts_want_to_be_heard_again_nobody_is_awarded_before_and_why_it_is_scored_is_published(town: Town):
    """施行令167条の10の2第5項; 入契法施行令7条2項8号イ, of which nothing is published here where nothing was written down."""
    reason = {"scored_why": "騒音の少ない工法を比べるため", "hearing_again": "1"}
    tenders = [published(town, **each) for each in (reason, {})]
    told = visible(town.guest().get(f"tenders/{tenders[0]}/").text)
    assert "騒音の少ない工法を比べるため" in told and "改めて学識経験者の意見を聴きます" in told
    for place, tender in enumerate(tenders):
        company = confirmed(town, tender, town.company(place + 1), "技術資料.pdf")
        assert score(town, tender, company, "20", "5", "1").status_code == 200
        assert town.officer.post(f"desk/tenders/{tender}/scores").status_code == 200
        company.bid(tender, 9_000_000)
    town.close()
    for tender in tenders:
        town.open(tender)
    for given in ({}, {"heard_on": "2126-12-01", "heard": "大学教授2人"}, {"heard_on": "2026-09-01"}):
        refused = town.conclude(tenders[0], **given)
        assert refused.status_code == 422 and "意見を聴いた" in visible(refused.text), given
    heard = {"heard_on": "2026-09-03", "heard": "大学教授2人から聴取。決定に異議なし。"}
    assert town.conclude(tenders[0], **heard).status_code == 200
    assert town.conclude(tenders[1]).status_code == 200
    first, second = (visible(town.guest().get(f"tenders/{tender}/publication").text) for tender in tenders)
    assert "総合評価で行った理由 騒音の少ない工法を比べるため" in first and "決定に異議なし。" in first
    assert "総合評価で行った理由 この案件では記録されていません" in second
    assert check(town.guest().get(f"tenders/{tenders[0]}/bundle.json", page=False).json()).codes() == set()


def test_every_company_is_scored_before_the_points_are_fixed(town: Town):
    tender = published(town)
    applied(town, tender, 1)
    answer = town.officer.post(f"desk/tenders/{tender}/scores")
    assert answer.status_code == 409 and "1者" in visible(answer.text)


def test_only_the_officers_and_its_sender_read_a_proposal(town: Town):
    tender = published(town)
    one, two = applied(town, tender, 1), applied(town, tender, 2)
    page = town.officer.get(f"desk/tenders/{tender}").text
    file_id = page.split("/proposals/")[1].split('"')[0]
    assert town.officer.get(f"desk/tenders/{tender}/proposals/{file_id}").content == PDF
    assert one.get(f"tenders/{tender}/proposals/{file_id}").content == PDF
    assert two.get(f"tenders/{tender}/proposals/{file_id}").status_code == 404
    assert town.guest().get(f"tenders/{tender}/proposals/{file_id}").status_code == 401


def test_a_proposal_is_chosen_by_its_points_within_the_price_limit(town: Town):
    """公募型プロポーザル: weight 0 leaves the price out of the value; above the limit nobody is chosen."""
    tender = published(town, method="proposal", award="addition", weight="0", limits="none", category="services", hearing="",
                       hearing_on="", ground="2", ground_reason="技術力を要するため", criteria="企画 60\n体制 40")  # fmt: skip
    companies = [applied(town, tender, serial) for serial in (1, 2, 3)]
    for company, points in zip(companies, (("50", "30"), ("40", "39"), ("60", "40")), strict=True):
        assert score(town, tender, company, *points).status_code == 200
    for company, amount in zip(companies, (9_900_000, 5_000_000, 10_000_001), strict=True):
        company.bid(tender, amount)
    town.officer.post(f"desk/tenders/{tender}/scores")
    town.close()
    town.open(tender)
    town.conclude(tender)
    assert f"特定した者 {companies[0].name}" in visible(town.guest().get(f"tenders/{tender}/").text)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [({"hearing": ""}, "学識経験者2人以上"), ({"criteria": ""}, "評価項目を"), ({"criteria": "施工計画"}, "読み取れません"),
     ({"limits": "sealed"}, "調査基準価格を設けます"), (BY_QUOTATION, "評価を開く前に終える"),
     ({"award": "addition", "weight": "x"}, "価格評価点の満点"), ({"award": "auction"}, "決め方を選んで"),
     ({"award": "addition", "curve": "secret"}, "式を選んで"), ({"decimals": "12"}, "桁数"),
     ({"method": "proposal", "award": "price", "limits": "none", "ground": "2", "ground_reason": "x"}, "加算方式で")],
)  # fmt: skip
def test_a_scored_tender_that_the_law_does_not_know_is_refused(town: Town, changed: dict[str, str], sentence: str):
    form = town.form(**SCORED | {"apply_until": local_input_in(town, days=3)} | changed)
    answer = town.officer.post("desk/new", form)
    assert answer.status_code == 422 and sentence in visible(answer.text), visible(answer.text)[:600]


def test_a_draft_is_shown_again_as_it_was_typed(town: Town):
    town.register_trustees()
    tender = town.draft(**SCORED | {"apply_until": local_input_in(town, days=3)})
    page = town.officer.get(f"desk/tenders/{tender}/edit").text
    assert "施工計画 20\n企業の実績 10\n地域貢献 5" in page and hidden(page, "version")
    for kept in ('value="division" checked', 'value="investigation" checked', 'value="technical" checked', 'value="4"'):
        assert kept in page, kept


@pytest.mark.parametrize("typed", ["", "計画", "計画 -1", "計画 20\n計画 10", "20", "計画 1e3"])
def test_criteria_that_cannot_be_read_are_refused(typed: str):
    with pytest.raises(scoring.Invalid):
        scoring.read_criteria(typed)
