"""指名停止: changed or ended early by who imposed it, with reason and date; what it was stays, and every municipality sees it."""

import re

import pytest

from services.ebid.tests.people import Town, visible
from services.ebid.tests.people import corporate_number as number_of

pytestmark = pytest.mark.any_store

GIVEN = {"corporate_number": number_of(1), "first": "2026-11-01", "last": "2026-12-31", "reason": "安全管理の不備"}


def suspended(town: Town, **changed: str) -> str:
    """The desk's address of a suspension of company 1."""
    town.company(1)
    page = town.officer.post("desk/suspensions", GIVEN | changed)
    assert page.status_code == 200, visible(page.text)
    [found] = re.findall(r'/(desk/suspensions/[^"/]+)/end"', page.text)
    return found


def test_one_that_is_lifted_ends_at_once_everywhere_and_its_history_stays(town: Town, neighbour: Town):
    address, tender = suspended(town), neighbour.publish()
    there = neighbour.company(1)
    assert there.get(f"tenders/{tender}/bid").status_code == 403
    assert "理由を入力" in town.officer.post(f"{address}/end", {"end_reason": " "}).text
    assert town.officer.post(f"{address}/end", {"end_reason": "不起訴となったため"}).status_code == 200
    assert there.get(f"tenders/{tender}/bid").status_code == 200
    page = visible(neighbour.officer.get("desk/suspensions").text)
    for expected in ("解除", "不起訴となったため", "安全管理の不備", "久留米市", "令和8年12月31日", "終わったもの"):
        assert expected in page, expected
    again = town.officer.post(f"{address}/end", {"end_reason": "x"})
    assert again.status_code == 409


def test_one_that_is_made_longer_or_shorter_shows_what_it_was(town: Town, neighbour: Town):
    address = suspended(town)
    same = town.officer.post(f"{address}/change", {"first": "2026-11-01", "last": "2026-12-31", "reason": "x"})
    assert same.status_code == 422 and "期間が変わっていません" in same.text
    backwards = town.officer.post(f"{address}/change", {"first": "2026-12-01", "last": "2026-11-01", "reason": "x"})
    assert backwards.status_code == 422 and "始まる日より前" in backwards.text
    given = {"first": "2026-11-01", "last": "2027-03-31", "reason": "再発したため"}
    assert town.officer.post(f"{address}/change", given).status_code == 200
    page = visible(neighbour.officer.get("desk/suspensions").text)
    assert "令和9年3月31日" in page and "前の期間 令和8年11月1日" in page and "再発したため" in page
    neighbour.advance(days=90)
    assert neighbour.company(1).get(f"tenders/{neighbour.publish()}/bid").status_code == 403, "the longer span holds"


def test_only_who_imposed_it_changes_it(town: Town, neighbour: Town):
    address = suspended(town)
    assert f"{address}/end" not in neighbour.officer.get("desk/suspensions").text
    for act, given in (
        ("end", {"end_reason": "x"}),
        ("change", {"first": "2026-11-01", "last": "2026-11-02", "reason": "x"}),
    ):
        assert neighbour.officer.post(f"{address}/{act}", given).status_code == 403


def test_one_that_is_over_is_not_changed(town: Town):
    address = suspended(town)
    town.advance(days=60)
    late = town.officer.post(f"{address}/change", {"first": "2026-11-01", "last": "2027-12-31", "reason": "x"})
    assert late.status_code == 409


def test_one_that_has_not_begun_is_lifted_and_never_holds(town: Town):
    address = suspended(town, first="2026-12-10", last="2026-12-31")
    assert town.officer.post(f"{address}/end", {"end_reason": "誤りのため"}).status_code == 200
    town.advance(days=20)
    assert town.company(1).get(f"tenders/{town.publish()}/bid").status_code == 200


def test_a_year_typed_wrong_is_said_at_its_field_and_keeps_nobody_out(town: Town):
    """Of a browser's field for dates: 0008 for 令和8年, 20266, or 9999."""
    town.company(1)
    wrong = (
        ({"first": "0008-11-01"}, "今日の1年前から"),
        ({"first": "2028-11-01", "last": "2028-12-31"}, "今日の1年前から"),
        ({"last": "9999-12-31"}, "今日から5年以内"),
    )
    for changed, sentence in wrong:
        refused = town.officer.post("desk/suspensions", GIVEN | changed)
        assert refused.status_code == 422 and sentence in visible(refused.text), changed
    address = suspended(town)
    given = {"first": "2026-11-01", "last": "9999-12-31", "reason": "再発したため"}
    refused = town.officer.post(f"{address}/change", given)
    assert refused.status_code == 422 and "今日から5年以内" in visible(refused.text)
    assert town.company(1).get(f"tenders/{town.publish()}/bid").status_code == 403
    town.advance(days=60)
    assert town.company(1).get(f"tenders/{town.publish()}/bid").status_code == 200, "what was refused holds nobody"


def test_one_that_has_run_for_long_is_made_longer_without_its_first_day_being_asked_again(town: Town):
    address = suspended(town, last="2029-10-31")
    town.advance(days=800)
    given = {"first": "2026-11-01", "last": "2031-10-31", "reason": "公判が続いているため"}
    assert town.officer.post(f"{address}/change", given).status_code == 200
