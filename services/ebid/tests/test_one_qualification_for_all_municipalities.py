"""競争入札参加資格: common items answered once, a municipality's own only where a supplier applies, decided by each."""

import re
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import select

from libs.common.notices import NoticeRow
from services.ebid.domain import qualification
from services.ebid.tests.people import Company, Town, hidden, visible

pytestmark = pytest.mark.any_store

ANSWERS = {
    "a-since": "1998-04-01", "a-capital": "１０,０００", "a-employees": "12", "a-national_tax": "2026-10-01", "a-local_tax": "2026-10-02",
    "a-insurance": "yes", "a-permit": "福岡県知事許可（般-8）第12345号", "a-permit_until": "2030-03-31", "a-review_day": "2026-03-31",
    "a-review_points": "812", "a-not_barred": "yes", "a-no_gangs": "yes",
}  # fmt: skip
OWN = {"label-0": "市内の営業所の所在地", "kind-0": "text", "required-0": "1", "registers-0": "works"}


def define(town: Town, **given):
    version = hidden(town.manager.get("desk/qualification-form").text, "version")
    answer = town.manager.post("desk/qualification-form", {"version": version, **given})
    assert answer.status_code == 200, visible(answer.text)


def own_key(town: Town) -> str:
    return hidden(town.manager.get("desk/qualification-form").text, "key-0")


def in_town(company: Company, town: Town) -> Company:
    return Company.of(town, replace(company.actor, tenant=town.code, code=town.code), company.number)


def decide(town: Town, company: Company, decision: str, reason: str = ""):
    [ident] = re.findall(r'href="qualifications/([^"]+)"', town.officer.get("desk/qualifications").text)
    address = f"desk/qualifications/{ident}"
    seen = hidden(town.officer.get(address).text, "seen")
    return town.officer.post(address, {"seen": seen, "decision": decision, "reason": reason})


def test_common_items_are_answered_once_and_own_items_only_where_a_supplier_applies(town: Town, neighbour: Town):
    define(town, optional=["iso9001"], demanded="1", **OWN)
    define(neighbour, demanded="1", **{"label-0": "消費税の届出の区分", "kind-0": "text"})
    company = town.company(1)
    there = in_town(company, neighbour)
    first = company.get("qualification").text
    assert "先に、共通項目を入力してください" in first and "市内の営業所" not in first
    saved = company.post("/ebid/company/qualification", ANSWERS)
    assert saved.status_code == 200 and "保存しました" in saved.text
    page = company.get("qualification").text
    assert "市内の営業所の所在地" in page and "ISO 9001" in page and "消費税の届出" not in page and "資本金" not in page
    given = {f"a-{own_key(town)}": "久留米市城南町1", "a-iso9001": "yes"}
    assert "申請を受け付けました" in company.post("qualification", given).text
    elsewhere = there.get("qualification").text
    assert "消費税の届出の区分" in elsewhere and "市内の営業所" not in elsewhere and "先に、共通項目" not in elsewhere
    assert there.post("qualification", {}).status_code == 200, "nothing common is asked again"
    [application] = re.findall(r'href="(qualifications/[^"]+)"', town.officer.get("desk/qualifications").text)
    read = visible(town.officer.get(f"desk/{application}").text)
    for expected in ("共通項目", "選択項目", "独自項目", "10000", "福岡県知事許可（般-8）第12345号", "久留米市城南町1"):
        assert expected in read
    assert "久留米市城南町1" not in neighbour.officer.get("desk/qualifications").text


def test_who_was_accepted_bids_and_nobody_else(town: Town, neighbour: Town):
    define(town, demanded="1")
    tender = town.publish()
    company = town.company(1)
    refused = company.get(f"tenders/{tender}/bid")
    assert refused.status_code == 403 and "入札参加資格がありません" in refused.text
    company.post("/ebid/company/qualification", ANSWERS)
    company.post("qualification", {})
    assert company.get(f"tenders/{tender}/bid").status_code == 403, "while it waits"
    assert decide(town, company, "accepted").status_code == 200
    assert company.bid(tender, 9_000_000).status_code == 200
    with town.service.database.reading() as session:
        subjects = " ".join(session.scalars(select(NoticeRow.subject).where(NoticeRow.person == company.actor.subject)))
    assert "入札参加資格の審査の結果" in subjects
    assert in_town(company, neighbour).bid(neighbour.publish(), 9_000_000).status_code == 200, "one that demands none"


def test_who_is_refused_reads_why_corrects_and_applies_again(town: Town):
    define(town, demanded="1")
    company = town.company(1)
    company.post("/ebid/company/qualification", ANSWERS)
    company.post("qualification", {})
    assert decide(town, company, "refused").status_code == 422
    assert decide(town, company, "refused", "納税証明書が古いため").status_code == 200
    assert "納税証明書が古いため" in company.get("qualification").text
    company.post("/ebid/company/qualification", ANSWERS | {"a-local_tax": "2026-11-01"})
    company.post("qualification", {})
    assert decide(town, company, "accepted").status_code == 200


def test_what_is_decided_is_what_was_looked_at(town: Town):
    company = town.company(1)
    company.post("/ebid/company/qualification", ANSWERS)
    company.post("qualification", {})
    [ident] = re.findall(r'href="qualifications/([^"]+)"', town.officer.get("desk/qualifications").text)
    seen = hidden(town.officer.get(f"desk/qualifications/{ident}").text, "seen")
    town.advance(minutes=1)
    company.post("/ebid/company/qualification", ANSWERS | {"a-capital": "1"})
    assert "申請のあとに変わりました" in town.officer.get(f"desk/qualifications/{ident}").text
    company.post("qualification", {})
    late = town.officer.post(f"desk/qualifications/{ident}", {"seen": seen, "decision": "accepted"})
    assert late.status_code == 409


def test_it_ends_with_the_registration_and_is_applied_for_again(town: Town):
    define(town, demanded="1")
    company = town.company(1)
    company.post("/ebid/company/qualification", ANSWERS)
    company.post("qualification", {})
    decide(town, company, "accepted")
    town.advance(days=2 * 365)
    company.post("/ebid/company", company.form())  # renewed, not so what the municipality accepted
    tender = town.publish()
    assert company.get(f"tenders/{tender}/bid").status_code == 403
    assert "期限切れ" in town.officer.get("desk/qualifications").text


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"a-capital": "たくさん"}, "0以上の数字"),
        ({"a-since": "平成10年"}, "年月日を入力"),
        ({"a-no_gangs": ""}, "入力してください"),
        ({"a-no_gangs": "no"}, "誓約できない方"),
        ({"a-insurance": "maybe"}, "「はい」か「いいえ」"),
        ({"a-permit": "あ" * 501}, "500字以内"),
    ],
)
def test_an_answer_that_is_none_is_said(town: Town, changed: dict[str, str], sentence: str):
    answer = town.company(1).post("/ebid/company/qualification", ANSWERS | changed)
    assert answer.status_code == 422 and sentence in answer.text


def test_who_sells_goods_is_not_asked_for_a_building_permit(town: Town):
    company = town.company(1)
    company.post("/ebid/company", company.form(categories=["goods"]))
    page = company.get("/ebid/company/qualification").text
    assert "建設業の許可番号" not in page and "資本金" in page


def test_what_has_run_out_is_shown_to_the_official():
    asked = {"permit_until": "2026-11-25", "review_day": "2025-03-31", "insurance": "no"}
    assert len(qualification.doubts(asked, date(2026, 11, 26))) == 3
    fresh = {"permit_until": "2026-11-26", "review_day": "2025-04-30", "insurance": "yes"}
    assert qualification.doubts(fresh, date(2026, 11, 26)) == [], "1年7か月: to 2026-11-30"


def test_two_managers_do_not_undo_each_other(town: Town):
    define(town, **OWN)
    late = town.manager.post("desk/qualification-form", {"version": "0", "label-0": "別の項目", "kind-0": "text"})
    assert late.status_code == 409
    key = own_key(town)
    define(town, **OWN, **{"key-0": key, "label-1": "", "kind-1": "text"})
    assert own_key(town) == key, "an item that stays keeps its answers"
