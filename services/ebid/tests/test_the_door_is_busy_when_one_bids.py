"""The last minute: the door answers that it is busy, or a line breaks. What is sealed is sent again until it is taken, once."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect
from sqlalchemy import select

from services.ebid.db import SubmissionRow
from services.ebid.tests.test_the_story_in_a_browser import Scene, browser, browser_page, database, scene  # noqa: F401

pytestmark = pytest.mark.browser

SEND = "封をして入札書を出す"
ENVELOPE = re.compile(rb'name="envelope"\r\n\r\n(.*?)\r\n--', re.DOTALL)


def bidding(scene: Scene, answers: list[Callable[[Route], None]]) -> tuple[Page, list[bytes]]:  # noqa: F811
    """The page after the button, and every envelope posted. Each of `answers` is given once, before the service's own."""
    tender, posted = scene.town.publish(), []

    def meet(route: Route) -> None:
        found = ENVELOPE.search(route.request.post_data_buffer or b"")
        assert found
        posted.append(found[1])
        answers.pop(0)(route) if answers else route.continue_()

    page = scene.page("company", scene.town.company(1).actor, 375)
    scene.go(page, f"/t/{scene.town.code}/ebid/tenders/{tender}/bid")
    page.expected_errors += ["Failed to load resource"]  # type: ignore[attr-defined]
    page.route("**/send", meet)
    page.get_by_label(re.compile("入札金額")).fill("9000000")
    page.get_by_label(re.compile("くじ番号")).fill("271")
    page.get_by_role("button", name=SEND).click()
    return page, posted


def busy(route: Route) -> None:
    route.fulfill(status=503, headers={"retry-after": "0"}, body="<main><h1>busy</h1></main>", content_type="text/html")


def lost(route: Route) -> None:
    """The service has taken it; its answer never comes."""
    route.fetch()
    route.abort()


def refused(route: Route) -> None:
    """As the service answers: the same page, with a sentence."""
    page = route.fetch(url=route.request.url.removesuffix("send") + "bid", method="GET", post_data="").text()
    route.fulfill(
        body=page.replace("<h1>", "<p>受け付けられませんでした</p><h1>"), content_type="text/html; charset=utf-8"
    )


def bids(scene: Scene) -> list[SubmissionRow]:  # noqa: F811
    with scene.town.service.database.reading(tenant=scene.town.code) as session:
        return list(session.scalars(select(SubmissionRow)))


def test_the_same_envelope_is_sent_until_it_is_taken(scene: Scene) -> None:  # noqa: F811
    page, posted = bidding(scene, [busy, lambda route: route.abort(), lost])
    expect(page.locator("[data-seal-error]")).to_contain_text("まだ受け付けられていません")
    page.get_by_text("入札書受付票").wait_for()
    assert len(posted) == 4 and len(set(posted)) == 1
    assert len(bids(scene)) == 1
    assert page.evaluate("document.activeElement.tagName") == "H1"
    page.reload()
    page.get_by_text("入札書受付票").wait_for()


def test_a_refusal_is_shown_and_the_next_try_seals_anew(scene: Scene) -> None:  # noqa: F811
    page, posted = bidding(scene, [refused])
    page.get_by_text("受け付けられませんでした").wait_for()
    page.get_by_label(re.compile("入札金額")).fill("9100000")
    page.get_by_label(re.compile("くじ番号")).fill("271")
    page.get_by_role("button", name=SEND).click()
    page.get_by_text("入札書受付票").wait_for()
    assert len(posted) == 2 and len(set(posted)) == 2 and len(bids(scene)) == 1
