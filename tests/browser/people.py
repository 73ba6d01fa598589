"""What people do on the pages, in their words: shared by the journeys, the pictures and the walk over every page.

Everything is found as a person finds it, by label and by the words on buttons.
"""

import io
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Page

from services.sample import PASSWORD

PHONE, DESK = 375, 1280
JOINING, JOINING_NAME = "405221", "大木町"
USING, USING_NAME = "402036", "久留米市"
JOINING_ADMIN, OPERATOR, COUNCIL = "admin@joining.example", "operator@cloud.example", "council@pref.example"
USING_ADMIN, USING_STAFF = "admin@using.example", "staff@using.example"
COMPANY = "company1@bidder.example"
NAME = "髙橋 葛\U000e0100𠮷子"
"""Two letters outside JIS X 0208 (髙, 𠮷) and one with a variation selector: kept exactly as typed."""
NUMBER = re.compile(r"\d{6}-\d{4}-\d{5}-\d")
KEY = re.compile(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}\b")
PATIENCE = 240
"""Seconds until a journey gives up on something that comes by itself."""


@dataclass(frozen=True)
class Receipt:
    number: str
    key: str


def sign_in(page: Page, url: str, email: str) -> None:
    page.goto(f"{url}/sign-in")
    page.get_by_label("メールアドレス").fill(email)
    page.get_by_label("パスワード").fill(PASSWORD)
    press(page, "サインインする")
    page.get_by_role("button", name="サインアウト", exact=True).wait_for()


def press(page: Page, words: str | re.Pattern[str]) -> None:
    page.get_by_role("button", name=words).click()
    page.wait_for_load_state()


def follow(page: Page, words: str | re.Pattern[str]) -> None:
    """On a phone, many destinations are in a menu: it is opened for one that stands nowhere else."""
    link, menu = page.get_by_role("link", name=words), page.locator(".rooms-menu:not([open]) > summary")
    if not link.count() and menu.is_visible():
        menu.click()
    link.first.click()
    page.wait_for_load_state()


def open_when(page: Page, address: str, holds: Callable[[Page], bool], what: str) -> None:
    """Opens `address` again until `holds`: for what travels over the bus, or is polled by the gateway."""
    until = time.monotonic() + PATIENCE
    while True:
        page.goto(address)
        if holds(page):
            return
        assert time.monotonic() < until, (
            f"{what}: not within {PATIENCE} s at {address}\n{page.inner_text('main')[:600]}"
        )
        time.sleep(0.3)


def says(words: str) -> Callable[[Page], bool]:
    return lambda page: words in page.inner_text("main")


def fill_date(page: Page, name: str, era: str, year: int, month: int, day: int) -> None:
    page.locator(f'[name="{name}_era"]').select_option(era)
    for part, value in (("year", year), ("month", month), ("day", day)):
        page.locator(f'[name="{name}_{part}"]').fill(str(value))


def go_on(page: Page) -> None:
    """The main button of a form's step: it says what comes next."""
    page.locator("form.fields .actions button.btn--main").click()
    page.wait_for_load_state()


# ---- the claim of child allowance, step by step


def begin_claim(page: Page, url: str, code: str, search: str = "じどうてあて") -> None:
    """From the municipality's home: search, the procedure, start."""
    page.goto(f"{url}/t/{code}/")
    page.get_by_role("searchbox").fill(search)
    press(page, "探す")
    follow(page, "児童手当 認定請求")
    press(page, "申し込みを始める")


def fill_start(page: Page) -> None:
    page.get_by_label("お子さんが生まれた").check()
    fill_date(page, "reason_date", "reiwa", 8, 11, 13)
    page.get_by_label("公務員ではない").check()
    page.get_by_label("同意します").check()


def fill_claimant(page: Page, name: str = NAME, email: str = "takahashi@home.example") -> None:
    """Kana typed in hiragana, the birth date by era, the address from the postal code typed in full width."""
    page.get_by_label("氏名").fill(name)
    page.get_by_label("フリガナ").fill("たかはし かよこ")
    fill_date(page, "birth", "heisei", 4, 8, 17)
    page.locator('[name="address.postal"]').fill("８３０－０４１６")
    press(page, "住所を入れる")
    page.locator('[name="address.street"]').fill("八町牟田255番地1")
    page.get_by_label("日中に連絡がとれる電話番号").fill("0944-32-1013")
    page.get_by_label("メールアドレス").fill(email)
    page.get_by_label("厚生年金").check()


def fill_child(page: Page) -> None:
    page.locator('[name="children.1.name"]').fill("髙橋 陽菜")
    page.locator('[name="children.1.kana"]').fill("たかはし ひな")
    fill_date(page, "children.1.birth", "reiwa", 8, 11, 13)
    page.get_by_label("子", exact=True).check()
    page.get_by_label("同居している").check()


def fill_account(page: Page) -> None:
    page.get_by_label("金融機関名").fill("ちくご銀行")
    page.get_by_label("支店名").fill("大木支店")
    page.get_by_label("普通").check()
    page.get_by_label("口座番号").fill("００１２３４５")
    page.get_by_label("口座名義（カナ）").fill("たかはし かよこ")


def fill_papers(page: Page, folder: Path) -> None:
    page.get_by_label("振込先の口座がわかるもの").set_input_files(passbook(folder))


def passbook(folder: Path) -> Path:
    """A real PNG: what a photograph of a bank book would be."""
    picture = Image.new("RGB", (640, 400), "#f7f3e8")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((24, 24, 616, 376), outline="#00428c", width=4)
    draw.text((48, 60), "CHIKUGO BANK   0012345", fill="#1a1a1a")
    out = io.BytesIO()
    picture.save(out, "PNG")
    path = folder / "tsucho.png"
    path.write_bytes(out.getvalue())
    return path


def fill_claim(page: Page, url: str, code: str, folder: Path) -> None:
    """The whole claim, from the municipality's home to the confirming page."""
    begin_claim(page, url, code)
    for fill in (fill_start, fill_claimant, fill_child, fill_account):
        fill(page)
        go_on(page)
    fill_papers(page, folder)
    go_on(page)
    page.get_by_role("heading", name="内容の確認").wait_for()


def apply_for_event(page: Page, url: str, code: str) -> Receipt:
    """The shortest application there is, from its page to its receipt."""
    page.goto(f"{url}/t/{code}/eapply/event-moushikomi/")
    press(page, "申し込みを始める")
    for label, text in (
        ("イベントの名前", "古文書講座"),
        ("代表の方の氏名", NAME),
        ("フリガナ", "たかはし かよこ"),
        ("電話番号", "0942-30-9000"),
        ("参加する人数", "2"),
    ):
        page.get_by_label(label).fill(text)
    go_on(page)
    press(page, "この内容で送る")
    return receipt_on(page)


def receipt_on(page: Page) -> Receipt:
    """受付番号 and 照会キー, as they stand on the receipt."""
    page.get_by_text("この画面でしか表示しません").wait_for()
    text = page.inner_text("main")
    number, key = NUMBER.search(text), KEY.search(text)
    assert number and key, text
    return Receipt(number.group(), key.group())


def enquire(page: Page, url: str, code: str, receipt: Receipt) -> None:
    """With number and key, from the municipality's home."""
    page.goto(f"{url}/t/{code}/")
    follow(page, "状況を確かめる")
    page.get_by_label("受付番号").fill(receipt.number)
    page.get_by_label("照会キー").fill(receipt.key)
    press(page, "状況を確かめる")


# ---- the council's figures


def counted(page: Page, url: str, on: str = "") -> dict[str, int]:
    """How many municipalities take part, by the service's name, as the council's page says for the day `on`."""
    page.goto(f"{url}/council/")
    if on:
        page.get_by_label("数える日").fill(on)
        press(page, "この日で数える")
    cards = page.locator("section[aria-labelledby=counts] ul.counts > li").all()
    return {card.locator("h3").inner_text(): int(card.locator("b").inner_text().split("/")[0]) for card in cards}
