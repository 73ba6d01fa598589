"""発注見通し → 公告 → 契約 → 変更契約 → 完了: one OCID from the first day to the last, each step public and OCDS-valid."""

from typing import Any

import pytest

from services.ebid.tests.ocds_schema import findings
from services.ebid.tests.people import Town, hidden, visible

PLAN = {"title": "市道中央線舗装工事", "summary": "延長120mの舗装", "place": "中央一丁目", "period": "約3か月", "when": "2026-4",
        "category": "works", "method": "open_after"}  # fmt: skip


def plan_id(town: Town) -> str:
    return town.officer.get("desk/plans").text.split("/desk/plans/")[1].split('"')[0]


def releases(town: Town) -> list[dict[str, Any]]:
    package = town.guest().get("ocds/releases", page=False).json()
    assert findings("release", package) == []
    return package["releases"]


def test_a_plan_becomes_a_tender_and_then_a_contract_under_one_ocid(town: Town):
    assert town.officer.post("desk/plans", PLAN).status_code == 200
    shown = visible(town.guest().get("plans").text)
    assert "市道中央線舗装工事" in shown and "1月から3月" in shown
    assert "市道中央線舗装工事" in town.guest().get("plans.csv").text
    plan = plan_id(town)
    form = town.officer.get(f"desk/new?plan={plan}").text
    assert hidden(form, "plan") == plan and 'value="市道中央線舗装工事"' in form
    tender = town.publish(plan=plan)
    assert town.officer.post(f"desk/plans/{plan}", PLAN).status_code == 409, "a plan that is a tender does not change"
    town.company(1).bid(tender, 9_000_000)
    town.close()
    town.open(tender)
    assert town.officer.post(f"desk/tenders/{tender}/contract", {}).status_code in (409, 422)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    town.conclude(tender)
    days = {"signed_on": "2026-11-25", "first": "2026-12-01", "last": "2027-03-19"}
    assert town.officer.post(f"desk/tenders/{tender}/contract", days).status_code == 200
    assert town.officer.post(f"desk/tenders/{tender}/contract", days).status_code == 409
    change = {
        "on": "2027-01-15",
        "amount": "１０，１２０，０００円",
        "new_last": "2027-03-31",
        "change_reason": "岩盤が出たため",
    }
    assert town.officer.post(f"desk/tenders/{tender}/contract/amend", change).status_code == 200
    assert (
        town.officer.post(f"desk/tenders/{tender}/contract/complete", {"completed_on": "2027-03-25"}).status_code == 200
    )
    assert town.officer.post(f"desk/tenders/{tender}/contract/amend", change).status_code == 409
    page = visible(town.guest().get(f"tenders/{tender}/").text)
    assert "10,120,000円" in page and "岩盤が出たため" in page
    found = releases(town)
    assert len({each["ocid"] for each in found}) == 1
    assert [each["tag"] for each in found] == [
        ["planning"], ["tender"], ["award"], ["contract"], ["contractAmendment"], ["contractTermination"],
    ]  # fmt: skip
    assert found[-1]["contracts"][0]["status"] == "terminated"
    assert found[0]["tender"]["status"] == "planned" and "value" not in found[0]["tender"]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"title": " "}, "件名を入力"),
        ({"when": "2020-1"}, "四半期を選んで"),
        ({"when": "x"}, "四半期を選んで"),
        ({"method": "x"}, "区分と方法"),
    ],
)
def test_a_plan_says_what_to_mend(town: Town, changed: dict[str, str], sentence: str):
    answer = town.officer.post("desk/plans", PLAN | changed)
    assert answer.status_code == 422 and sentence in visible(answer.text)


def test_a_plan_is_changed_and_withdrawn(town: Town):
    town.officer.post("desk/plans", PLAN)
    plan = plan_id(town)
    assert town.officer.post(f"desk/plans/{plan}", PLAN | {"title": "市道南線舗装工事"}).status_code == 200
    assert "市道南線" in town.guest().get("plans").text
    assert town.officer.post(f"desk/plans/{plan}/withdraw").status_code == 200
    assert "市道南線" not in town.guest().get("plans").text
    assert [each["tender"]["status"] for each in releases(town)] == ["planned", "planned", "withdrawn"]


def test_a_contract_keeps_its_days_in_order_and_says_why_it_changed(town: Town):
    tender = town.publish()
    town.company(1).bid(tender, 9_000_000)
    town.close()
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    town.conclude(tender)
    address = f"desk/tenders/{tender}/contract"
    wrong = town.officer.post(address, {"signed_on": "2026-11-25", "first": "2026-12-02", "last": "2026-12-01"})
    assert wrong.status_code == 422 and "日付の順番" in visible(wrong.text)
    assert "日付を入力" in visible(town.officer.post(address, {"signed_on": "x"}).text)
    town.officer.post(address, {"signed_on": "2026-11-25", "first": "2026-12-01", "last": "2026-12-20"})
    without = {"on": "2026-12-05", "amount": "1", "new_last": "2026-12-25", "change_reason": " "}
    assert town.officer.post(f"{address}/amend", without).status_code == 422
