"""Every notice is a page and a PDF; every deadline goes into a calendar and moves there when it is moved."""

import io
from datetime import timedelta

import icalendar
import pytest
from pypdf import PdfReader

from services.ebid.tests.people import Town, local_input_in

pytestmark = pytest.mark.any_store


def text_of(content: bytes) -> str:
    return "".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages).replace("\n", "")


def test_announcement_receipt_notice_and_result_are_papers(town: Town):
    tender = town.publish(requirements="市内に本店があること。")
    one, two = town.company(1, "株式会社髙﨑組"), town.company(2)
    notice = text_of(town.guest().get(f"tenders/{tender}/notice.pdf").content)
    assert "入札公告" in notice and "市道中央線舗装工事" in notice and "市内に本店があること。" in notice
    one.bid(tender, 9_000_000)
    two.bid(tender, 9_500_000)
    receipt = text_of(one.get(f"tenders/{tender}/receipt.pdf").content)
    assert "入札書受付票" in receipt and "株式会社髙﨑組" in receipt and "9,000,000" not in receipt
    assert town.guest().get(f"tenders/{tender}/result.pdf").status_code == 404
    assert town.officer.get(f"desk/tenders/{tender}/result.pdf").status_code == 404
    town.close()
    town.open(tender)
    assert "9,500,000円" in text_of(town.officer.get(f"desk/tenders/{tender}/result.pdf").content)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    town.conclude(tender)
    result = town.guest().get(f"tenders/{tender}/result.pdf")
    assert result.headers["content-type"] == "application/pdf"
    assert "入札調書" in text_of(result.content) and "9,900,000円" in text_of(result.content)
    letter = one.get("mine").text.split("/letters/")[1].split('"')[0]
    assert "落札者に決定しました" in text_of(one.get(f"letters/{letter}/letter.pdf").content)
    assert two.get(f"letters/{letter}/letter.pdf").status_code == 404


def events(town: Town, path: str) -> dict[str, icalendar.Event]:
    found = icalendar.Calendar.from_ical(town.guest().get(path).content)
    return {str(event["summary"]): event for event in found.walk("VEVENT")}


def test_deadlines_are_in_the_calendar_and_move_with_the_tender(town: Town):
    tender = town.publish()
    before = events(town, f"tenders/{tender}/calendar.ics")["入札の締切：市道中央線舗装工事"]
    assert events(town, "calendar.ics").keys() == events(town, f"tenders/{tender}/calendar.ics").keys()
    later = {
        "bid_until": local_input_in(town, days=7),
        "opens_at": local_input_in(town, days=7, hours=1),
        "reason": "設計図書の訂正",
    }
    town.officer.post(f"desk/tenders/{tender}/postpone", {"version": town.version(tender), **later})
    after = events(town, f"tenders/{tender}/calendar.ics")["入札の締切：市道中央線舗装工事"]
    assert after["uid"] == before["uid"] and after["sequence"] > before["sequence"]
    assert after.decoded("dtstart") - before.decoded("dtstart") == timedelta(days=2)
    town.officer.post(f"desk/tenders/{tender}/cancel", {"version": town.version(tender), "cancel_reason": "設計の誤り"})
    assert {str(event["status"]) for event in events(town, "calendar.ics").values()} == {"CANCELLED"}


def test_who_applied_is_told_of_other_dates_and_of_the_end_and_who_bid_is_not(town: Town):
    tender = town.publish(method="selective")
    invited, other = town.company(1), town.company(2)
    town.officer.post(f"desk/tenders/{tender}/invitations", {"corporate_number": invited.number})
    later = {
        "bid_until": local_input_in(town, days=7),
        "opens_at": local_input_in(town, days=7, hours=1),
        "reason": "訂正",
    }
    town.officer.post(f"desk/tenders/{tender}/postpone", {"version": town.version(tender), **later})
    town.officer.post(f"desk/tenders/{tender}/cancel", {"version": town.version(tender), "cancel_reason": "設計の誤り"})
    assert "日時変更通知書" in invited.letters() and "取止め通知書" in invited.letters()
    open_to_all = town.publish()
    other.bid(open_to_all, 9_000_000)
    town.officer.post(
        f"desk/tenders/{open_to_all}/cancel", {"version": town.version(open_to_all), "cancel_reason": "x"}
    )
    assert other.letters() == ""
