"""Every page of the desk, with work on it, at the narrowest and the widest screen: axe clean, fits, can be pressed."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page
from sqlalchemy import select

from libs.common.testing.browser import (  # noqa: F401 (pytest finds fixtures by name)
    assert_axe_clean,
    assert_no_sideways_scroll,
    assert_targets_large_enough,
    browser,
    browser_page,
    serving,
)
from services.eapply.db import ApplicationRow
from services.eapply.tests.one_store import database  # noqa: F401
from services.eapply.tests.people import Town
from services.eapply.tests.test_after_the_decision import procedure_id
from services.eapply.tests.test_paper_and_visits import book, offered
from services.eapply.tests.test_several_staff_share_the_work import asked, proposed
from services.eapply.tests.test_staff_decide import returned
from services.eapply.tests.test_the_statutory_clock import MANAGER, day, decided, warn
from services.eapply.tests.test_the_story_in_a_browser import SIGNED_IN, Door

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WIDTHS = (320, 1280)


@pytest.fixture
def office(town: Town) -> Iterator[str]:
    """The desk's address of a town in which something has happened."""
    town.staff(roles=MANAGER).post("desk/calendar", {"name": "市制施行記念日", **day("first", 8, 11, 25)})
    decided(town, town.guest("a"), 0)
    returned(town)
    town.staff().post("desk/searches", {"name": "髙橋さん", "q": "髙橋"})
    offered(town)
    guest = town.guest("b")
    book(guest, guest.apply_for_event(), offered(town)[0])
    proposed(town)
    asked(town, "concurrence")
    with serving(Door(town, MANAGER)) as base:
        yield f"{base}/t/{town.code}/eapply/desk"


def pages(town: Town) -> list[str]:
    with town.service.database.reading(tenant=town.code) as session:
        cases = session.scalars(select(ApplicationRow.id).order_by(ApplicationRow.id)).all()
    plain = [
        "/",
        "/?tab=ended",
        "/procedures",
        "/period",
        "/calendar",
        "/members",
        "/notices",
        "/paper",
        "/sheet",
        "/visits",
        "/post",
        "/fees",
        "/numbers",
        "/retention",
    ]
    plain.append(f"/procedures/{procedure_id(town)}/handling")
    return plain + [f"/cases/{case_id}" for case_id in cases]


def test_every_page_of_the_desk_is_accessible_and_fits(
    office: str,
    town: Town,
    browser_page: Callable[..., Page],  # noqa: F811
) -> None:
    warn(town)
    page = browser_page()
    page.context.add_cookies([{"name": SIGNED_IN, "value": "staff", "url": office}])
    for path in pages(town):
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(office + path)
            assert page.locator("h1").count() == 1, path
            assert_axe_clean(page)
            assert_no_sideways_scroll(page)
            assert_targets_large_enough(page)
            if folder := os.environ.get("SCREENSHOTS"):
                name = re.sub(r"\W+", "-", path).strip("-") or "queue"
                page.screenshot(path=str(Path(folder) / f"{name[:40]}-{width}.png"), full_page=True)
