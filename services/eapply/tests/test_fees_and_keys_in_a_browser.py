"""The pages of a fee with its eL-QR, of keys of one's own, and of many cases at once, in a real browser: on a phone and at a desk
each is axe clean, fits, can be pressed."""

import re

import pytest

from services.eapply.tests.test_numbers_and_delegates_in_a_browser import (  # noqa: F401 (pytest finds fixtures by name)
    address,
    both,
    browser,
    browser_page,
    check,
    database,
    sign_in,
)
from services.eapply.tests.test_the_statutory_clock import offer_event

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_fee_can_be_paid_by_code_and_a_key_may_apply(town, address, browser_page, check):  # noqa: F811
    town.service.settings.payment_provider = "simulator"
    offer_event(town, handling={"fee": {"when": "before", "amount": 300}})
    sent = town.person("giver").apply_for_event()
    page = browser_page(375)
    sign_in(page, address, "giver")
    page.goto(f"{address}/applications/{sent.id}")
    assert page.get_by_role("img", name=re.compile("eL-QR")).bounding_box()["width"] >= 150, "a camera can read it"
    both(page, check, "fee-code")
    page.goto(f"{address}/mine")
    page.get_by_role("link", name="自分のプログラムのためのキー").click()
    page.get_by_label(re.compile("何に使うか")).fill("会計ソフト")
    page.get_by_label(re.compile("申請も送れるキーにする")).check()
    page.get_by_role("button", name="キーを作る").click()
    page.get_by_text("新しいキー：会計ソフト").wait_for()
    both(page, check, "key-made")


def test_a_bulk_step_says_what_still_waits_for_a_second_person(town, address, browser_page, check):  # noqa: F811
    offer_event(town, handling={"second_person": True})
    for number in range(2):
        town.guest(f"g{number}").apply_for_event()
    page = browser_page(1280)
    sign_in(page, address, "reader")
    for button in ("自分が担当する", "認める"):
        page.goto(f"{address}/desk/")
        for box in page.locator('input[name="pick"]').all():
            box.check()
        page.get_by_role("button", name=button, exact=True).click()
        if button == "認める":
            page.get_by_role("button", name=re.compile("^(はい|続ける|する)")).click()
    page.get_by_text("2件のうち2件を起案しました（決裁待ち）").wait_for()
    both(page, check, "bulk-proposed")
