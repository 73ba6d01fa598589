"""Every component in a real browser, under the content security policy, on a phone, the smallest screen and a desk."""

import pytest
from fastapi import FastAPI
from playwright.sync_api import Page, expect

from libs.common.testing.browser import (
    WIDTHS,
    assert_axe_clean,
    assert_no_sideways_scroll,
    assert_targets_large_enough,
    axe_violations,
    browser,  # noqa: F401
    browser_page,  # noqa: F401
    serving,
    sideways_scroll,
    tab_stops,
)
from libs.common.web.tests.gallery.app import gallery

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SPACING = """* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }
p { margin-bottom: 2em !important }"""
PATHS = ("/", "/form", "/form?wrong=1", "/desk", "/missing", "/invalid", "/down")


@pytest.fixture
def app() -> FastAPI:
    return gallery()


@pytest.fixture
def base(app: FastAPI):
    with serving(app) as address:
        yield address


@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_is_usable_on_every_width(browser_page, base, width):  # noqa: F811
    page = browser_page(width)
    for path in PATHS:
        page.goto(base + path)
        assert page.locator("h1").count() == 1, path
        assert_axe_clean(page)
        assert_no_sideways_scroll(page)
        assert_targets_large_enough(page)


@pytest.mark.parametrize("lang", ["en", "ja-easy"])
def test_every_language_fits_the_smallest_screen(browser_page, base, lang):  # noqa: F811
    page = browser_page(320)
    for path in PATHS:
        page.goto(f"{base}{path}{'&' if '?' in path else '?'}lang={lang}")
        assert_axe_clean(page)
        assert_no_sideways_scroll(page)


def test_larger_spacing_of_text_does_not_break_a_page(browser_page, base):  # noqa: F811
    """WCAG 1.4.12: line height 1.5, letters .12em, words .16em, paragraphs 2em."""
    page = browser_page(320, bypass_csp=True)
    for path in PATHS:
        page.goto(base + path)
        page.add_style_tag(content=SPACING)
        assert_no_sideways_scroll(page)


def test_the_checks_see_what_is_planted(browser_page, base):  # noqa: F811
    page = browser_page(320)
    page.goto(base + "/")
    assert not axe_violations(page) and not sideways_scroll(page)
    page.evaluate(
        """() => { const image = document.createElement('img'); image.src = 'data:,'; document.querySelector('main').append(image);
        const wide = document.createElement('div'); wide.className = 'planted'; wide.style.width = '900px'; wide.textContent = 'x';
        const small = document.createElement('button'); small.textContent = 'small'; small.style.cssText = 'height:12px;padding:0;border:0';
        document.querySelector('main').append(wide, small); }"""
    )
    assert any("image-alt" in found for found in axe_violations(page))
    assert any("planted" in found for found in sideways_scroll(page))
    with pytest.raises(AssertionError, match="small"):
        assert_targets_large_enough(page)


def test_the_policy_refuses_a_planted_inline_script(browser_page, base):  # noqa: F811
    page = browser_page()
    page.expected_errors.append("Content Security Policy")
    page.goto(base + "/")
    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.planted = 1'; document.body.append(s); }"
    )
    assert page.evaluate("window.planted") is None


def test_icons_are_drawn_from_the_sprite(browser_page, base):  # noqa: F811
    page = browser_page()
    with page.expect_response(lambda answer: "icons.svg" in answer.url) as sprite:
        page.goto(base + "/")
    assert sprite.value.ok
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.querySelector('.tile .icon use').getBBox().width") > 0


def test_everything_is_reached_with_the_keyboard(browser_page, base):  # noqa: F811
    page = browser_page(1280)
    page.goto(base + "/form")
    stops = tab_stops(page)
    assert stops[0] == "本文へ進む"
    for words in (
        "氏名",
        "フリガナ",
        "元号",
        "住所を入れる",
        "メールアドレス",
        "お子さんの入力へ進む",
        "申請を取り下げる",
        "前へ戻る",
    ):
        assert any(stop.startswith(words) for stop in stops), f"{words} was not reached: {stops}"
    page.goto(base + "/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_many_destinations_are_one_line_on_a_phone_until_they_are_asked_for(browser_page, base):  # noqa: F811
    phone, desk = browser_page(375), browser_page(1280)
    phone.goto(base + "/desk")
    menu, links = (
        phone.locator("summary", has_text="メニュー"),
        phone.get_by_role("navigation", name="主な行き先").get_by_role("link"),
    )
    expect(menu).to_contain_text("申請")
    assert links.count() == 0
    menu.focus()
    phone.keyboard.press("Enter")
    assert links.all_inner_texts() == ["申請", "予約", "入札", "お知らせ", "データの写し", "設定"]
    assert_axe_clean(phone)
    assert_targets_large_enough(phone)
    desk.goto(base + "/desk")
    expect(desk.locator("summary", has_text="メニュー")).to_be_hidden()
    assert desk.get_by_role("navigation", name="主な行き先").get_by_role("link").count() == 6


def test_mistakes_are_told_first_and_lead_to_their_fields(browser_page, base):  # noqa: F811
    page = browser_page(375)
    page.goto(base + "/form?wrong=1")
    assert page.title().startswith("2か所の修正：")
    assert page.evaluate("document.activeElement.id") == "error-summary"
    page.get_by_role("link", name="電話番号が9桁です").click()
    assert page.evaluate("document.activeElement.id") == "tel"
    field = page.get_by_label("日中に連絡がとれる電話番号")
    expect(field).to_have_accessible_description(
        "内容の確認が必要なときだけお電話します。 電話番号が9桁です。市外局番から、10桁か11桁で入力してください。"
    )
    page.get_by_role("link", name="昭和は64年1月7日までです").click()
    assert page.evaluate("document.activeElement.id") == "birth"


def test_a_double_click_sends_once(browser_page, base, app):  # noqa: F811
    page = browser_page(375)
    page.goto(base + "/form")
    page.evaluate(
        "() => { const b = document.querySelector('.btn--main[value=next]'); b.click(); b.click(); b.click(); }"
    )
    expect(page.locator("h1")).to_have_text("受け付けました")
    assert len(app.state.sent) == 1
    assert app.state.sent[0]["act"] == "next"
    assert len(app.state.sent[0]["idempotency_key"]) == 36


def test_after_going_back_the_form_can_be_sent_again(browser_page, base, app):  # noqa: F811
    page = browser_page(375)
    page.goto(base + "/form")
    for number in (1, 2):
        page.get_by_role("button", name="お子さんの入力へ進む").click()
        expect(page.locator("#count")).to_have_text(str(number))
        page.go_back()
    assert len(app.state.sent) == 2


def test_typing_is_saved_and_said(browser_page, base, app):  # noqa: F811
    page = browser_page(375)
    page.goto(base + "/form")
    page.get_by_label("フリガナ").fill("チクゴ ヨウコ")
    expect(page.locator("#saved")).to_have_text("まだ保存していません")
    expect(page.locator("#saved")).to_contain_text("に自動で保存しました")
    assert app.state.saved[-1]["kana"] == "チクゴ ヨウコ"
    assert app.state.saved[-1]["name"] == "髙橋 𠮷子"
    assert app.state.saved[-1]["header"] == "1"
    assert "file" not in app.state.saved[-1]


def test_a_refused_saving_says_why(browser_page, base, app):  # noqa: F811
    app.state.refuse_saving = "ほかの画面で先に進んでいます。"
    page = browser_page(375)
    page.expected_errors.append("409")
    page.goto(base + "/form")
    page.get_by_label("フリガナ").fill("ア")
    expect(page.locator("#saved")).to_have_text("ほかの画面で先に進んでいます。")


def test_leaving_the_page_saves_at_once(browser_page, base, app):  # noqa: F811
    page = browser_page(375)
    page.goto(base + "/form")
    page.get_by_label("フリガナ").fill("イ")
    page.goto(base + "/missing")
    page.wait_for_timeout(300)
    assert app.state.saved and app.state.saved[-1]["kana"] == "イ"


def test_without_a_line_nothing_typed_or_chosen_is_left_behind(browser_page, base, app, tmp_path):  # noqa: F811
    page = browser_page(375)
    page.expected_errors.append("ERR_INTERNET_DISCONNECTED")
    page.goto(base + "/form")
    paper = tmp_path / "paper.jpg"
    paper.write_bytes(b"x")
    page.locator("input[type=file]").first.set_input_files(paper)
    page.context.set_offline(True)
    page.get_by_label("フリガナ").fill("チクゴ ヨウコ")
    page.get_by_role("button", name="お子さんの入力へ進む").click()
    expect(page.locator("form .sending")).to_contain_text("保存できませんでした")
    expect(page.get_by_label("フリガナ")).to_have_value("チクゴ ヨウコ")
    assert page.locator("input[type=file]").first.evaluate("e => e.files.length") == 1
    page.context.set_offline(False)
    page.get_by_role("button", name="お子さんの入力へ進む").click()
    expect(page.locator("h1")).to_have_text("受け付けました")
    assert len(app.state.sent) == 1 and app.state.sent[0]["kana"] == "チクゴ ヨウコ"


def test_who_may_save_no_more_is_told_why_and_stays_on_the_page(browser_page, base, app):  # noqa: F811
    app.state.refuse_saving, app.state.refuse_status = "もう一度サインインしてください。", 404
    page = browser_page(375)
    page.expected_errors.append("404")
    page.goto(base + "/form")
    page.get_by_label("フリガナ").fill("ア")
    expect(page.locator("#saved")).to_have_text("もう一度サインインしてください。")
    page.get_by_role("button", name="お子さんの入力へ進む").click()
    expect(page.locator("form .sending")).to_have_text("もう一度サインインしてください。")
    assert not app.state.sent
    app.state.refuse_saving = ""
    page.get_by_role("button", name="お子さんの入力へ進む").click()
    expect(page.locator("h1")).to_have_text("受け付けました")


def test_a_question_comes_before_what_cannot_be_undone(browser_page, base, app):  # noqa: F811
    page = browser_page(375)
    page.goto(base + "/form")
    page.get_by_role("button", name="申請を取り下げる").click()
    expect(page.get_by_role("dialog", name="申請を取り下げますか")).to_be_visible()
    assert_axe_clean(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert not app.state.sent
    page.get_by_role("button", name="申請を取り下げる").click()
    page.get_by_role("button", name="はい、進める").click()
    expect(page.locator("#count")).to_have_text("1")
    assert app.state.sent[0]["act"] == "drop"


def test_the_enter_key_goes_on_instead_of_looking_up_an_address(browser_page, base, app):  # noqa: F811
    page = browser_page(375)
    page.goto(base + "/form")
    page.get_by_label("氏名").press("Enter")
    expect(page.locator("#count")).to_have_text("1")
    assert app.state.sent[0]["act"] == "next"


def test_a_running_job_is_followed_until_it_ends(browser_page, base):  # noqa: F811
    page = browser_page(375)
    page.goto(base + "/job")
    expect(page.locator("#preparing-text")).to_have_text("3種類のうち3種類")
    expect(page.locator("#preparing")).not_to_have_attribute("hx-get", "/job")
    assert_axe_clean(page)


def test_what_renews_itself_is_stopped_and_goes_on_by_one_button(browser_page, base):  # noqa: F811
    """WCAG 2.2.2."""
    page = browser_page(375)
    page.goto(base + "/live")
    first = page.locator("#live").inner_text()
    expect(page.locator("#live")).not_to_have_text(first)
    page.get_by_role("button", name="自動の更新を止める").click()
    page.wait_for_timeout(500)
    stopped = page.locator("#live").inner_text()
    page.wait_for_timeout(1000)
    expect(page.locator("#live")).to_have_text(stopped)
    assert_axe_clean(page)
    page.get_by_role("button", name="自動の更新を再開する").click()
    expect(page.locator("#live")).not_to_have_text(stopped)
    page.get_by_role("button", name="自動の更新を止める").click()  # or one that is on its way is cut off with the page
    page.wait_for_load_state("networkidle")


def test_without_script_the_story_is_the_same(browser_page, base, app):  # noqa: F811
    page: Page = browser_page(375, java_script_enabled=False)
    page.goto(base + "/form")
    expect(page.get_by_role("button", name="お子さんの入力へ進む")).to_be_visible()
    page.get_by_role("button", name="お子さんの入力へ進む").click()
    assert page.locator("#count").text_content() == "1"
    page.goto(base + "/job")
    page.get_by_role("link", name="最新の進みを見る").click()
    assert "種類" in (page.locator("#preparing-text").text_content() or "")
    page.goto(base + "/")
    assert page.get_by_role("button", name="この控えを印刷する").count() == 0, (
        "a button that only script can serve is not shown"
    )


@pytest.mark.parametrize("media", [{"media": "print"}, {"forced_colors": "active"}, {"reduced_motion": "reduce"}])
def test_paper_and_high_contrast_keep_the_content(browser_page, base, media):  # noqa: F811
    page = browser_page(1280)
    page.emulate_media(**media)
    page.goto(base + "/")
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator(".ticket .big").first).to_be_visible()
    assert page.locator(".map").first.bounding_box()["height"] > 50
    if "media" in media:
        expect(page.locator(".actions").first).to_be_hidden()
    if "reduced_motion" in media:
        assert page.evaluate("parseFloat(getComputedStyle(document.querySelector('.spin')).animationDuration)") < 0.001
