"""入契法: each item that the law wants published of public works is there or said to be missing; nothing of it before the result."""

import csv
import io
import re

import pytest

from services.ebid.tests.people import Company, Town, hidden, local_input_in, visible
from services.ebid.tests.test_decisions_are_in_the_log import applied

pytestmark = pytest.mark.any_store


def awarded(town: Town, tender: str) -> None:
    town.close()
    town.open(tender)
    given = {"version": town.version(tender), "refusal": "配置技術者がいない"}
    assert town.officer.post(f"desk/tenders/{tender}/refuse", given).status_code == 200
    assert town.conclude(tender).status_code == 200


def contracted(town: Town, tender: str) -> None:
    days = {"signed_on": "2026-11-25", "first": "2026-12-01", "last": "2027-03-19"}
    assert town.officer.post(f"desk/tenders/{tender}/contract", days).status_code == 200
    change = {"on": "2027-01-15", "amount": "10120000", "new_last": "2027-03-31", "change_reason": "岩盤が出たため"}
    assert town.officer.post(f"desk/tenders/{tender}/contract/amend", change).status_code == 200


def item(page: str, name: str) -> str:
    """What stands beside an item."""
    found = re.search(rf"<dt>{re.escape(name)}</dt><dd>(.*?)</dd>", page, re.DOTALL)
    assert found, visible(page)
    return visible(found[1].replace("<br>", "／")).strip()


def test_every_item_of_a_general_competition_is_published(town: Town):
    only_here = "市内に本店があること\n同種の工事の実績"
    tender = town.publish(method="open", apply_until=local_input_in(town, days=3), requirements=only_here)
    bidders = [applied(town, tender, serial, "confirmed") for serial in (1, 2, 3)]
    applied(town, tender, 4, "refused", "許可の期限切れ")
    for company, amount in zip(bidders, (9_000_000, 9_200_000, 7_900_000), strict=True):
        company.bid(tender, amount)
    assert town.guest().get(f"tenders/{tender}/publication").status_code == 404, "it would tell who takes part"
    awarded(town, tender)
    assert "契約の手続き中" in visible(town.guest().get("publication").text)
    contracted(town, tender)
    page = town.guest().get(f"tenders/{tender}/publication").text
    assert item(page, "この入札のために定めた参加の資格") == "市内に本店があること／同種の工事の実績"
    assert item(page, "参加しようとした者").count("株式会社筑後") == 4
    assert item(page, "参加させなかった者と、その理由") == "株式会社筑後4組：許可の期限切れ"
    assert "第1回 株式会社筑後2組 9,200,000円" in item(page, "入札者と入札金額（税抜）")
    assert item(page, "落札者と落札金額（税込）") == "株式会社筑後2組 10,120,000円"
    assert item(page, "最低制限価格を下回った者") == "株式会社筑後3組"
    assert item(page, "最低の価格の者を落札者としなかった理由") == "株式会社筑後1組：配置技術者がいない"
    assert "福岡県久留米市城南町" in item(page, "契約の相手方の名称と住所")
    assert item(page, "工事に着手する時期と完成の時期") == "令和8年12月1日から令和9年3月31日まで"
    assert item(page, "契約金額（税込）") == "10,120,000円（契約日 令和8年11月25日）"
    assert "岩盤が出たため" in item(page, "金額の変更を伴う契約の変更と、その理由")
    assert not [each for each in ("随意契約とした理由", "指名した者", "総合評価") if each in page]
    overview = visible(town.guest().get("publication").text)
    assert "株式会社筑後2組" in overview and "4,000,000円を超える" in overview and "記録のない項目" not in overview
    (line,) = csv.DictReader(io.StringIO(town.guest().get("publication.csv").content.decode("utf-8-sig")))
    assert line["落札者と落札金額（税込）"] == "株式会社筑後2組　10,120,000円"


def test_a_contract_that_is_changed_late_stays_in_the_list_until_a_year_after_the_change(town: Town):
    """施行令7条6項: counted from the last publication, not from the decision."""
    tender = town.publish()
    town.company(1).bid(tender, 9_000_000)
    town.close()
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    assert town.conclude(tender).status_code == 200
    days = {"signed_on": "2026-11-25", "first": "2026-12-01", "last": "2029-03-19"}
    assert town.officer.post(f"desk/tenders/{tender}/contract", days).status_code == 200
    town.advance(days=700)
    assert "株式会社筑後1組" not in visible(town.guest().get("publication").text)
    change = {"on": "2028-10-01", "amount": "10120000", "new_last": "2029-03-31", "change_reason": "岩盤が出たため"}
    assert town.officer.post(f"desk/tenders/{tender}/contract/amend", change).status_code == 200
    town.advance(days=365)
    assert "株式会社筑後1組" in visible(town.guest().get("publication").text)
    town.advance(days=365)
    assert "株式会社筑後1組" not in visible(town.guest().get("publication").text)


def test_why_a_company_was_invited_is_published_or_said_to_be_missing(town: Town):
    tender = town.publish(method="selective")
    companies: list[Company] = [town.company(1), town.company(2)]
    for company, reason in zip(companies, ("同種の工事の実績がある", ""), strict=True):
        given = {"corporate_number": company.number, "nomination": reason}
        assert town.officer.post(f"desk/tenders/{tender}/invitations", given).status_code == 200
    for company, amount in zip(companies, (9_000_000, 9_100_000), strict=True):
        company.bid(tender, amount)
    assert "筑後" not in visible(town.guest().get("publication").text)
    town.close()
    town.open(tender)
    assert town.conclude(tender).status_code == 200
    told = item(town.guest().get(f"tenders/{tender}/publication").text, "指名した者と、その理由")
    assert "株式会社筑後1組：同種の工事の実績がある" in told and "この案件では記録されていません" in told
    assert "記録のない項目 指名した者と、その理由" in visible(town.guest().get("publication").text)


def test_goods_practice_and_tenders_without_award_are_not_in_the_list(town: Town):
    goods = town.publish(method="open_counter", category="goods")
    failed = town.publish()
    town.company(1).bid(goods, 9_000_000)
    town.close()
    for tender in (goods, failed):
        town.open(tender)
    town.officer.post(f"desk/tenders/{goods}/clear", {"version": town.version(goods)})
    town.conclude(goods)
    town.conclude(failed, conclusion="入札者がなかった")
    assert "落札者の決まった工事は、まだありません" in visible(town.guest().get("publication").text)
    for tender in (goods, failed):
        assert town.guest().get(f"tenders/{tender}/publication").status_code == 404


def test_what_is_kept_elsewhere_is_linked_and_what_is_nowhere_is_said(town: Town):
    company = town.company(1)
    text = visible(town.guest().get("publication").text)
    assert text.count("ここには載っていません") == 2, "資格 and 指名基準"
    names = town.guest().get("publication/register.csv").content.decode("utf-8-sig")
    assert company.name in names and company.number in names
    page = town.manager.get("desk/profile").text
    form = {"version": hidden(page, "version"), "tax_percent": "10", "comparison": "floor", "lottery": "core", "first": "00:00",
            "last": "23:59:59", "random-low": "0.995", "random-high": "1.005", "random-step": "0.0001"}  # fmt: skip
    bad = town.manager.post("desk/profile", form | {"published-nomination": "javascript:alert(1)"})
    assert bad.status_code == 422
    town.manager.post("desk/profile", form | {"published-nomination": "https://www.example.lg.jp/nomination.html"})
    page = town.guest().get("publication").text
    assert (
        'href="https://www.example.lg.jp/nomination.html"' in page
        and visible(page).count("ここには載っていません") == 1
    )


def test_suspensions_are_shown_while_they_hold(town: Town):
    number = town.company(1).number
    assert "いまは、いません" in visible(town.guest().get("publication").text)
    given = {"corporate_number": number, "first": "2026-10-01", "last": "2027-12-31", "reason": "安全管理の不備"}
    assert town.officer.post("desk/suspensions", given).status_code == 200
    assert "安全管理の不備" in visible(town.guest().get("publication").text)
