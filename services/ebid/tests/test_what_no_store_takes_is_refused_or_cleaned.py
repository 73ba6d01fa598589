"""NUL and other characters that nobody types, numbers beyond any column, years beyond any calendar: never a fault of ours, on either
store. In forms such characters are left out; in addresses they are refused."""

from typing import Any

import pytest

from services.ebid.tests.people import PDF, Town, local_input_in, visible

ODD = "あ\x00い\u202eう"
BEYOND = "99999999999999999999"


def test_characters_that_nobody_types_are_left_out_of_forms(town: Town):
    tender, company = announced(town), town.company(1)
    for act, name in (("apply", "statement"), ("ask", "question")):
        assert company.post(f"tenders/{tender}/send", {"act": act, name: ODD}).status_code == 200
    page = town.officer.get(f"desk/tenders/{tender}").text
    assert page.count("あいう") == 2 and "\u202e" not in page
    draft = town.draft(title=ODD)
    assert "あいう" in town.officer.get(f"desk/tenders/{draft}").text
    assert company.post("/ebid/company", company.form(name=ODD)).status_code == 200
    version = town.version(tender)
    cancelled = town.officer.post(f"desk/tenders/{tender}/cancel", {"version": version, "cancel_reason": ODD})
    assert cancelled.status_code == 200


ADDRESSES = ("?q=%00", "/ebid/?q=%00", "tenders/%00/", "tenders/{}/documents/%00", "tenders/{}/?q=%ED%A0%80", "letters/%00",
             f"tenders/{{}}/receipt.json?round={BEYOND}", "tenders/{}/closing?round=-1", f"tenders/{{}}/closing.pdf?round={BEYOND}",
             f"ocds/releases?cursor={BEYOND}", f"ocds/releases?since={BEYOND}", f"/ebid/log/inclusion?index={BEYOND}&size=5",
             f"/ebid/log/consistency?first={BEYOND}&second=-1", "desk/companies?q=%00", "desk/new?plan=%00")  # fmt: skip


def test_odd_addresses_are_answered_plainly(town: Town):
    tender, company = announced(town), town.company(1)
    for browser in (company, town.officer, town.guest()):
        codes = {path: browser.get(path.format(tender)).status_code for path in ADDRESSES}
        assert {path: code for path, code in codes.items() if code >= 500} == {}
        assert codes["tenders/%00/"] in (404, 422)


def test_numbers_are_read_in_either_width_and_what_is_none_is_said(town: Town):
    town.register_trustees()
    draft = town.draft(minimum_bids="３")
    assert "入札者が3者に満たないとき" in visible(town.officer.get(f"desk/tenders/{draft}").text)
    for wrong in ("三", "0", "-2", BEYOND):
        answer = town.officer.post("desk/new", town.form(minimum_bids=wrong))
        assert answer.status_code == 422 and "1以上の数字" in visible(answer.text), wrong


@pytest.mark.parametrize("year", ["0001", "1999", "2200", "9999"])
def test_years_beyond_the_calendar_are_no_dates(town: Town, year: str):
    town.register_trustees()
    given = {"bid_until": f"{year}-12-31T23:59", "opens_at": f"{year}-12-31T23:59"}
    answer = town.officer.post("desk/new", town.form(**given))
    assert answer.status_code == 422 and "入札・見積の締切の日時を入力してください" in visible(answer.text)


def test_a_file_s_name_is_only_shown(town: Town):
    tender, company = announced(town), town.company(1)
    files: Any = {"paper-1": ("../../etc/a\\b\x07.pdf", PDF, "application/pdf")}
    sent = company.post(f"tenders/{tender}/send", {"act": "apply", "statement": "x"}, files=files)
    assert sent.status_code == 200
    assert "../" not in visible(company.get(f"tenders/{tender}/").text)
    many: Any = {f"paper-{number}": ("a.pdf", PDF, "application/pdf") for number in range(8)}
    assert town.company(2).post(f"tenders/{tender}/send", {"act": "apply"}, files=many).status_code == 400


def announced(town: Town) -> str:
    return town.publish(method="open", apply_until=local_input_in(town, days=3))
