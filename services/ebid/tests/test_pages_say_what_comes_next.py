"""No page leaves its reader without the next step, and days stand as people write them."""

import re

import pytest

from services.ebid.tests.people import Town, visible

ISO = re.compile(r"\b20\d\d-\d\d-\d\d\b")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_after_the_deadline_the_page_says_what_comes_and_invites_nobody_any_more(town: Town):
    tender, company = town.publish(), town.company(1)
    assert "このあと" not in visible(town.guest().get(f"tenders/{tender}/").text)
    town.close()
    guest = visible(town.guest().get(f"tenders/{tender}/").text)
    assert "入札の受け付けは終わりました" in guest and "会社の登録をする" not in guest
    assert "「自社の入札」に出ます" in visible(company.get(f"tenders/{tender}/").text)
    desk = visible(town.officer.get(f"desk/tenders/{tender}").text)
    assert "かぎを使うよう頼んでください" in desk and "公告しています" not in desk
    town.open(tender)
    assert "審査をしています" in visible(town.guest().get(f"tenders/{tender}/").text)
    town.conclude(tender, conclusion="応札者がないため")
    shown = visible(town.guest().get(f"tenders/{tender}/").text)
    assert "入札はありませんでした" in shown and "くじ番号 " not in shown, "no table without a line"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_company_that_is_registered_is_not_asked_to_register_again(town: Town):
    assert "会社の登録をする" in town.guest().get("/ebid/").text
    shown = visible(town.company(1).get("/ebid/").text)
    assert "会社の登録を見る" in shown and "会社の登録をする" not in shown


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_days_and_notices_are_written_as_people_read_them(town: Town):
    tender, company = town.publish(), town.company(1)
    company.bid(tender, 9_000_000)
    town.close()
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    town.conclude(tender)
    days = {"signed_on": "2026-11-25", "first": "2026-12-01", "last": "2027-03-19"}
    assert town.officer.post(f"desk/tenders/{tender}/contract", days).status_code == 200
    town.advance(days=60)
    change = {"on": "2027-01-15", "amount": "10120000", "new_last": "2027-03-31", "change_reason": "岩盤が出たため"}
    assert town.officer.post(f"desk/tenders/{tender}/contract/amend", change).status_code == 200
    for path in (f"tenders/{tender}/", f"tenders/{tender}/publication"):
        shown = visible(town.guest().get(path).text)
        assert "令和9年1月15日" in shown and not ISO.search(shown), path
    assert "令和9年1月15日" in visible(town.officer.get(f"desk/tenders/{tender}").text)
    assert re.search(r"落札者決定通知書 ?市道中央線舗装工事", visible(company.get("mine").text))
