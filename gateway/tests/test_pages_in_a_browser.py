"""The gateway's own pages in a real browser: axe clean, fitting 320 px, usable by keyboard, under the real policy."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from gateway.tests.conftest import CODE, PASSWORD, Running, until
from libs.common.testing.browser import WIDTHS, assert_axe_clean, assert_no_sideways_scroll, assert_targets_large_enough

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def look(page: Page) -> None:
    assert_axe_clean(page)
    assert_no_sideways_scroll(page)
    assert_targets_large_enough(page)


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_before_sign_in(cloud: Running, browser_page: Callable[..., Page], width: int) -> None:
    page = browser_page(width)
    for path in (
        "/sign-in",
        "/sign-up",
        "/reset",
        "/mail/",
        "/docs/",
        "/t/402052/eapply/",
        "/t/999999/",
        "/sign-in?lang=en",
    ):
        page.goto(cloud.url + path)
        look(page)
        assert page.locator("h1").count() == 1, path


@pytest.mark.parametrize("width", [320, pytest.param(1280, marks=pytest.mark.slow)])
def test_a_person_joins_and_keeps_house_by_keyboard(
    cloud: Running,
    browser_page: Callable[..., Page],
    width: int,
) -> None:
    email = f"keyboard{width}@example.jp"
    page = browser_page(width)
    page.goto(cloud.url + "/sign-up")
    tab_to(page, "email")
    page.keyboard.type(email)
    page.keyboard.press("Enter")
    page.wait_for_selector("text=メールをお送りしました")
    look(page)
    until(lambda: email in cloud.client().get("/mail/").text)
    page.goto(cloud.url + "/mail/")
    page.get_by_role("link", name=re.compile("登録の続き")).first.click()
    look(page)
    page.locator("main a[href*=welcome]").click()
    page.wait_for_url("**/welcome/")
    look(page)
    tab_to(page, "display_name")
    page.keyboard.type("鍵盤 花子")
    tab_to(page, "password")
    page.keyboard.type("short")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=あと7文字足りません")
    look(page)
    tab_to(page, "password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/account/")
    assert page.get_by_text("鍵盤 花子").count()
    look(page)


def test_an_administrator_s_account_page(cloud: Running, browser_page: Callable[..., Page]) -> None:
    person = cloud.person("browser-admin@example.jp", "管理 一子")
    cloud.publish(**{person: {CODE: ["portal.admin"]}})
    page = browser_page(320)
    page.goto(cloud.url + "/sign-in?next=/account/")
    page.fill("#email", "browser-admin@example.jp")
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="サインインする").click()
    page.wait_for_url("**/account/")

    def with_keys() -> bool:
        page.reload()
        return page.get_by_role("heading", name="プログラムのためのキー").count() == 1

    assert until(with_keys)
    page.fill("#name", "基幹連携")
    page.get_by_label("申請の一覧を読む").check()
    page.get_by_role("button", name="キーを作る").click()
    page.wait_for_selector("text=新しいキーを作りました")
    look(page)
    page.set_viewport_size({"width": 1280, "height": 800})
    look(page)
    page.get_by_role("button", name="サインアウト").first.click()
    page.wait_for_url(cloud.url + "/")


def tab_to(page: Page, ident: str) -> None:
    """Reach a field by the Tab key alone."""
    for _ in range(60):
        if page.evaluate("document.activeElement && document.activeElement.id") == ident:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{ident} is not reached by keyboard")


def test_a_sign_in_that_ends_soon_is_told_before_and_lasts_on_by_one_press(
    cloud: Running, browser_page: Callable[..., Page]
) -> None:
    """WCAG 2.2.1. The browser's clock runs ahead; the session behind it is the real one."""
    cloud.person("slow-typist@example.jp", "遅筆 一郎")
    page = browser_page(375)
    page.clock.install()
    page.goto(cloud.url + "/sign-in?next=/account/")
    page.fill("#email", "slow-typist@example.jp")
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="サインインする").first.click()
    page.wait_for_url("**/account/")
    told = page.get_by_role("alertdialog")
    page.clock.run_for(57 * 60 * 1000)
    assert told.count() == 0
    page.clock.run_for(90 * 1000)
    told.wait_for()
    assert page.evaluate("document.activeElement.textContent") == "このまま続ける"
    look(page)
    with page.expect_response("**/account/stay") as answer:
        page.keyboard.press("Enter")
    assert answer.value.status == 204
    told.wait_for(state="detached")
    page.clock.run_for(57 * 60 * 1000)
    assert told.count() == 0, "the press was a use: another hour"
    page.clock.run_for(4 * 60 * 1000)
    assert "サインインが切れました" in told.inner_text()


def signs_in(page: Page, cloud: Running, email: str, next: str = "/account/") -> None:
    page.goto(f"{cloud.url}/sign-in?next={next}")
    page.fill("#email", email)
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="サインインする").first.click()
    page.wait_for_url(f"**{next}")


def test_the_back_button_shows_nothing_of_a_person_who_has_left(
    cloud: Running, browser_page: Callable[..., Page]
) -> None:
    """Neither the browser's cache nor its memory of whole pages (bfcache) keeps what was seen; and back leads to no second sign-in."""
    cloud.person("left@example.jp", "去来 一郎")
    page = browser_page(375)
    page.expected_errors = ["401"]  # type: ignore[attr-defined]
    signs_in(page, cloud, "left@example.jp")
    assert "去来 一郎" in page.content()
    page.go_back()
    assert page.locator("#password").count() == 0 or page.url.endswith("/account/"), (
        "signed in: the form is not shown again"
    )
    page.goto(cloud.url + "/account/")
    page.get_by_role("button", name="サインアウト").first.click()
    page.wait_for_url(cloud.url + "/")
    for _ in range(3):
        page.go_back()
        assert "去来" not in page.content() and "left@example.jp" not in page.content(), page.url


def test_two_windows_sign_in_side_by_side(cloud: Running, browser_page: Callable[..., Page]) -> None:
    """Both stood at the form; the second press begins the session anew, and neither window is lost."""
    cloud.person("two-windows@example.jp", "二窓 花子")
    first = browser_page(375)
    second = first.context.new_page()
    for page in (first, second):
        page.goto(cloud.url + "/sign-in?next=/account/")
        page.fill("#email", "two-windows@example.jp")
        page.fill("#password", PASSWORD)
    for page in (first, second):
        page.get_by_role("button", name="サインインする").first.click()
        page.wait_for_url("**/account/")
    first.fill("#display_name", "二窓 桃子")
    first.get_by_role("button", name="お名前を変える").click()
    first.wait_for_url("**done=name")
    assert "二窓 桃子" in first.content()


def test_a_button_of_the_window_of_somebody_else_is_refused_in_words(
    cloud: Running, browser_page: Callable[..., Page]
) -> None:
    for name in ("one", "another"):
        cloud.person(f"{name}-window@example.jp", f"窓口 {name}")
    first = browser_page(375)
    first.expected_errors = ["409"]  # type: ignore[attr-defined]
    signs_in(first, cloud, "one-window@example.jp")
    second = first.context.new_page()
    second.goto(cloud.url + "/account/")
    second.get_by_role("button", name="サインアウト").first.click()
    second.wait_for_url(cloud.url + "/")
    signs_in(second, cloud, "another-window@example.jp")
    first.fill("#display_name", "窓口 違い")
    first.get_by_role("button", name="お名前を変える").click()
    first.wait_for_selector("text=サインインしている方が変わったため")
    look(first)
    second.reload()
    assert "窓口 another" in second.content()
