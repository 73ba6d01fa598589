"""The pages of the vault and of the 委任 in a real browser: on a phone and at a desk each is axe clean, fits, can be pressed."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Page

from libs.common.testing.browser import serving
from services.eapply.tests.people import EVENT, REVIEWER, Town
from services.eapply.tests.test_after_the_decision import procedure_id
from services.eapply.tests.test_my_numbers_vault import REASON, SPACED, flag, given
from services.eapply.tests.test_the_statutory_clock import MANAGER
from services.eapply.tests.test_the_story_in_a_browser import (  # noqa: F401 (pytest finds fixtures by name)
    SIGNED_IN,
    Door,
    browser,
    browser_page,
    check,
    database,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class ManyPeople(Door):
    """A door that knows several accounts by the cookie's value."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        cookies = dict(scope.get("headers", ())).get(b"cookie", b"").decode()
        found = re.search(rf"{SIGNED_IN}=([\w-]+)", cookies)
        who = found.group(1) if found else ""
        if scope["type"] != "http" or scope["path"].startswith("/static/") or not who:
            await super().__call__(scope, receive, send)
            return
        people = {
            "giver": self._town.person("giver", "筑後 太郎").actor,
            "delegate": self._town.person("delegate", "筑後 花子").actor,
            "reader": self._staff("reader", "古賀 真理"),
            "boss": self._staff("boss", "室見 進"),
        }
        token = self._town.issuers.headers(people[who], "eapply")["Authorization"].encode()
        headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
        await self._town.app({**scope, "headers": [*headers, (b"authorization", token)]}, receive, send)

    def _staff(self, subject: str, name: str) -> Any:
        return replace(self._town.staff(subject, name, MANAGER | REVIEWER).actor, acr="two-factor")


@pytest.fixture
def address(town: Town) -> Iterator[str]:
    with serving(ManyPeople(town)) as base:
        yield f"{base}/t/{town.code}/eapply"


def sign_in(page: Page, address: str, who: str) -> None:
    page.context.add_cookies([{"name": SIGNED_IN, "value": who, "url": address}])


def both(page: Page, check: Callable[[Page, str], None], name: str) -> None:  # noqa: F811
    for width in (1280, 375, 320):
        page.set_viewport_size({"width": width, "height": 900})
        check(page, f"{name}-{width}")


def test_a_number_is_given_looked_at_and_looked_at_again(town, address, browser_page, check):  # noqa: F811
    flag(town)
    page = browser_page(375)
    page.goto(f"{address}/event-moushikomi/")
    page.get_by_role("button", name="申し込みを始める").click()
    for name in ("event", "name", "kana", "phone", "people"):
        page.locator(f'[name="{name}"]').fill(EVENT[name])
    page.locator("form.fields .actions button.btn--main").click()
    page.get_by_label(re.compile("マイナンバー（個人番号）")).fill("123456789012")
    page.get_by_role("button", name="この番号を預けて進む").click()
    assert page.locator("[role=alert]").inner_text().startswith("1か所")
    assert page.get_by_label(re.compile("マイナンバー（個人番号）")).input_value() == ""
    both(page, check, "number-wrong")
    page.get_by_label(re.compile("マイナンバー（個人番号）")).fill(SPACED)
    page.get_by_role("button", name="この番号を預けて進む").click()
    page.get_by_text("お預かりしています").wait_for()
    both(page, check, "number-confirm")
    page.get_by_role("link", name="マイナンバーを入れ直す").click()
    both(page, check, "number-again")
    id_ = given(town, town.guest("another"))
    sign_in(page, address, "reader")
    page.goto(f"{address}/desk/cases/{id_}")
    page.get_by_role("link", name="理由を書いて見る").click()
    page.get_by_label(re.compile("見る理由")).fill(REASON)
    both(page, check, "number-reason")
    page.get_by_role("button", name="理由を記録して、番号を見る").click()
    page.get_by_text(SPACED).wait_for()
    both(page, check, "number-shown")
    sign_in(page, address, "boss")
    page.goto(f"{address}/desk/my-numbers")
    both(page, check, "number-record")
    page.get_by_role("button", name="問題ない").click()
    page.get_by_text("問題なし").wait_for()
    page.goto(f"{address}/desk/procedures/{procedure_id(town)}/handling")
    both(page, check, "number-handling")


def test_a_delegation_is_made_accepted_used_and_taken_back(town, address, browser_page, check):  # noqa: F811
    page = browser_page(375)
    sign_in(page, address, "giver")
    page.goto(f"{address}/mine/delegates")
    page.get_by_label(re.compile("任せる方の名前")).fill("筑後 花子")
    page.get_by_label("イベント参加申込").check()
    for part, value in (("year", "8"), ("month", "12"), ("day", "31")):
        page.locator(f'[name="last_{part}"]').fill(value)
    both(page, check, "delegates-new")
    page.get_by_role("button", name="任せるためのリンクを作る").click()
    both(page, check, "delegates-link")
    link = page.locator("p.code").inner_text().partition("/eapply")[2]
    sign_in(page, address, "delegate")
    page.goto(address + link)
    both(page, check, "delegates-accept")
    page.get_by_role("button", name="引き受ける", exact=True).click()
    both(page, check, "delegates-received")
    page.get_by_role("button", name=re.compile("イベント参加申込を始める")).click()
    both(page, check, "delegates-step")
    for name in ("event", "name", "kana", "phone", "people"):
        page.locator(f'[name="{name}"]').fill(EVENT[name])
    page.locator("form.fields .actions button.btn--main").click()
    page.get_by_role("button", name="この内容で送る").click()
    both(page, check, "delegates-receipt")
    page.goto(f"{address}/mine")
    both(page, check, "delegates-mine")
    page.get_by_role("link", name="イベント参加申込").click()
    both(page, check, "delegates-application")
    page.goto(f"{address}/mine/delegates")
    page.get_by_role("button", name=re.compile("イベント参加申込を始める")).click()
    page.locator('[name="event"]').fill(EVENT["event"])
    page.locator("form.fields .actions button.btn--main").click()
    begun = page.url
    sign_in(page, address, "giver")
    page.goto(f"{address}/mine/delegates")
    page.get_by_role("button", name="筑後 花子さんへの委任を取り消す").click()
    page.get_by_role("button", name=re.compile("^(はい|続ける|取り消す|する)")).click()
    page.get_by_text("取り消しました").wait_for()
    both(page, check, "delegates-revoked")
    sign_in(page, address, "delegate")
    page.goto(begun)
    page.get_by_role("heading", name="筑後 太郎さんからの委任は終わりました").wait_for()
    both(page, check, "delegates-ended-step")
    page.goto(f"{address}/mine")
    both(page, check, "delegates-ended-mine")
    sign_in(page, address, "giver")
    page.goto(f"{address}/mine")
    both(page, check, "delegates-left-to-the-giver")
    page.get_by_role("button", name=re.compile("引き継")).focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/drafts/"))
    assert page.locator('[name="event"]').input_value() == EVENT["event"]
