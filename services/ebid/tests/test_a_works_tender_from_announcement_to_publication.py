"""Done means: a town creates a works tender, five companies bid, two tie, trustees open, the lottery decides, a loser verifies
offline, the result is public."""

import pytest

from services.ebid.tests.people import Town, visible
from services.ebid.verify.check import check

pytestmark = pytest.mark.any_store


def test_five_companies_bid_two_tie_and_a_loser_verifies(town: Town):
    tender = town.publish()
    assert "市道中央線舗装工事" in town.guest().get("").text
    companies = [town.company(serial) for serial in range(1, 6)]
    amounts = [9_000_000, 9_000_000, 9_500_000, 7_999_999, 10_000_001]
    for company, amount, number in zip(companies, amounts, ("418", "210", "861", "001", "999"), strict=True):
        town.advance(seconds=7)
        company.bid(tender, amount, number)
    loser = companies[2].get(f"tenders/{tender}/receipt.json", page=False).json()
    town.close()
    town.open(tender)
    page = town.officer.get(f"desk/tenders/{tender}").text
    assert "保留（事後審査・総合評価の審査）" in page, visible(page)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    done = town.conclude(tender)
    assert done.status_code == 200, visible(done.text)
    public = town.guest().get(f"tenders/{tender}/").text
    assert "9,900,000円" in public and "11,000,000円" in public, visible(public)
    assert public.count("（くじ）") == 2
    assert "最低制限価格未満" in public and "予定価格超過" in public
    assert "落札者に決定しました" in companies[0].letters() + companies[1].letters()
    assert "落札者は株式会社筑後" in companies[2].letters()
    bundle = town.guest().get(f"tenders/{tender}/bundle.json").json()
    report = check(bundle, [loser["receipt"]], deep=True)
    assert [str(problem) for problem in report.problems] == []
    result = town.events("ebid.result.published.v1")[0]["data"]
    assert (result["outcome"], result["bidders"], result["amount"], result["reserve"]) == (
        "awarded",
        5,
        9_900_000,
        11_000_000,
    )
