"""Notices at the deadline, while a candidate is examined (事後審査, 低入札価格調査), and of the result."""

import pytest

from services.ebid.tests.people import Company, Town, local_input_in, visible

pytestmark = pytest.mark.any_store


def titles(company: Company) -> list[str]:
    """Its notices, newest first."""
    page = visible(company.get("mine").text).split("提出した書類")[0]
    return [word for word in page.split() if word.endswith("通知書") and word != "通知書"]


def opened(town: Town, amounts: dict[int, int], **changed) -> tuple[str, dict[int, Company]]:
    tender = town.publish(**changed)
    companies = {serial: town.company(serial) for serial in amounts}
    for serial, company in companies.items():
        company.bid(tender, amounts[serial])
    town.close()
    town.open(tender)
    return tender, companies


def act(town: Town, tender: str, what: str, **given: str) -> None:
    answer = town.officer.post(f"desk/tenders/{tender}/{what}", {"version": town.version(tender), **given})
    assert answer.status_code == 200, visible(answer.text)


def test_each_step_of_a_review_after_the_opening_has_its_paper(town: Town):
    tender, companies = opened(town, {1: 8_500_000, 2: 9_000_000, 3: 9_500_000})
    first, second, third = companies[1], companies[2], companies[3]
    assert "落札候補者となりましたので" in first.letters() and "落札候補者となりました" not in second.letters()
    assert "保留しました。理由：事後審査を行うため" in second.letters()
    act(town, tender, "refuse", refusal="建設業の許可がないため")
    assert titles(first) == ["競争参加資格確認通知書", "保留通知書"]
    assert "競争参加資格がないと認め、入札を失格としました。理由：建設業の許可がないため" in first.letters()
    assert "落札候補者となりましたので" in second.letters(), "the next one comes up and is told"
    assert titles(third) == ["保留通知書"], "who is not concerned is told once"
    act(town, tender, "clear")
    assert titles(second) == ["競争参加資格確認通知書", "保留通知書", "保留通知書"]
    act(town, tender, "conclude")
    assert titles(second)[0] == titles(third)[0] == titles(first)[0] == "落札者決定通知書"
    assert "落札者に決定しました" in second.letters() and f"落札者は{second.name}" in first.letters()


def test_each_step_of_an_investigation_has_its_paper(town: Town):
    tender, companies = opened(town, {1: 7_000_000, 2: 7_500_000, 3: 9_000_000}, limits="investigation")
    assert "調査基準価格を下回りましたので" in companies[1].letters()
    assert "調査基準価格を下回りました" not in companies[2].letters()
    act(town, tender, "refuse", refusal="資材の裏付けがないため")
    assert titles(companies[1])[0] == "低入札価格調査結果通知書"
    assert (
        "落札者としないこととしました（地方自治法施行令167条の10第1項）。理由：資材の裏付けがないため"
        in companies[1].letters()
    )
    assert "調査基準価格を下回りましたので" in companies[2].letters()
    act(town, tender, "clear")
    assert (
        titles(companies[2])[0] == "低入札価格調査結果通知書" and "履行がされると認めました" in companies[2].letters()
    )
    act(town, tender, "conclude")
    assert titles(companies[2])[0] == "落札者決定通知書"


def test_a_candidate_who_needed_no_examination_and_is_out_reads_why(town: Town):
    tender = town.publish(method="selective")
    companies = {serial: town.company(serial) for serial in (1, 2)}
    for serial, company in companies.items():
        town.officer.post(f"desk/tenders/{tender}/invitations", {"corporate_number": company.number})
        company.bid(tender, 8_500_000 + serial)
    town.close()
    town.open(tender)
    assert "保留通知書" not in titles(companies[1])
    act(town, tender, "refuse", refusal="内訳書と合わないため")
    assert titles(companies[1])[0] == "失格通知書" and "内訳書と合わないため" in companies[1].letters()


def test_who_declined_is_told_of_the_result_too(town: Town):
    tender = town.publish()
    one, two = town.company(1), town.company(2)
    one.bid(tender, 9_000_000)
    two.post(f"tenders/{tender}/send", {"act": "decline"})
    town.close()
    town.open(tender)
    act(town, tender, "clear")
    act(town, tender, "conclude")
    assert titles(two) == ["入札結果通知書"] and f"落札者は{one.name}" in two.letters()


# ---- 入札締切通知書


def test_who_bid_reads_the_notice_of_the_deadline_on_page_and_paper(town: Town):
    tender = town.publish()
    one, other = town.company(1), town.company(2)
    one.bid(tender, 9_000_000)
    assert one.get(f"tenders/{tender}/closing").status_code == 404, "not before the deadline"
    assert "入札締切通知書" not in one.get(f"tenders/{tender}/").text
    town.close()
    for page in (one.get("mine").text, one.get(f"tenders/{tender}/").text):
        assert "第1回の入札締切通知書" in page
    page = visible(one.get(f"tenders/{tender}/closing?round=1").text)
    assert one.name in page and "この案件の入札を締め切りました" in page
    paper = one.get(f"tenders/{tender}/closing.pdf?round=1", page=False)
    assert (
        paper.content.startswith(b"%PDF")
        and paper.content == one.get(f"tenders/{tender}/closing.pdf?round=1", page=False).content
    )
    for way in ("closing", "closing.pdf"):
        assert other.get(f"tenders/{tender}/{way}").status_code == 404, "who sent nothing learns nothing"


def test_who_was_invited_gets_it_as_a_letter_whether_it_bid_or_not(town: Town):
    tender = town.publish(method="selective")
    companies = [town.company(serial) for serial in (1, 2)]
    for company in companies:
        town.officer.post(f"desk/tenders/{tender}/invitations", {"corporate_number": company.number})
    companies[0].bid(tender, 9_000_000)
    town.close()
    for company in companies:
        assert titles(company)[0] == "入札締切通知書" and "に締め切りました。開札は" in company.letters()
    assert "第1回の入札締切通知書" not in companies[0].get("mine").text, "one paper, not two"


def test_who_was_refused_before_gets_none(town: Town):
    tender = town.publish(method="open", apply_until=local_input_in(town, days=3))
    company = town.company(1)
    company.post(f"tenders/{tender}/send", {"act": "apply", "statement": "x"})
    page = town.officer.get(f"desk/tenders/{tender}").text
    address = page.split("/applications/")[1].split(chr(34))[0]
    town.officer.post(f"desk/tenders/{tender}/applications/{address}", {"decision": "refused", "reason": "許可なし"})
    town.close()
    assert titles(company)[0] == "競争参加資格確認通知書"
