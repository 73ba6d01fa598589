"""Who booked a time on a day that is closed later reads so on a phone and at a desk, and chooses another one with the keyboard alone."""

import pytest

from services.eapply.tests.test_paper_and_visits import MANAGER, OFFER, book, day, offered
from services.eapply.tests.test_the_story_in_a_browser import (  # noqa: F401 (pytest finds fixtures by name)
    address,
    browser,
    browser_page,
    check,
    database,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_booked_day_is_closed_and_another_time_is_chosen(town, address, browser_page, check):  # noqa: F811
    first, _second = offered(town, capacity="3")
    town.staff().post("desk/visits", OFFER | day("first", 8, 11, 25))
    guest = town.guest("phone")
    sent = guest.apply_for_event()
    book(guest, sent, first)
    town.staff(roles=MANAGER).post("desk/calendar", {"name": "庁舎の停電", **day("first", 8, 11, 24)})
    page = browser_page(375)
    for path, name in ((f"applications/{sent.id}", "closed-status"), (f"applications/{sent.id}/visit", "closed-visit")):
        page.goto(f"{address}/{path}")
        page.get_by_text("閉庁日になりました").wait_for()
        for width in (1280, 375):
            page.set_viewport_size({"width": width, "height": 900})
            check(page, f"{name}-{width}")
    slot = page.get_by_role("radio").first
    slot.focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="この時間を予約する").focus()
    page.keyboard.press("Enter")
    page.get_by_text("窓口の予約：令和8年11月25日").wait_for()
    check(page, "closed-chosen-375")
