"""What the browser's scripts say is English on an English page, and no sentence of theirs is without one."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from services.ebid.api.script_words import SENTENCES
from services.ebid.sealing import trustee
from services.ebid.tests.people import Company
from services.ebid.tests.test_the_story_in_a_browser import (  # noqa: F401
    WORDS,
    Scene,
    browser,
    browser_page,
    database,
    look,
    scene,
)

STATIC = Path(__file__).parents[1] / "static"
JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
READ = {"合計", "総計", "工事価格", "金額"}
"""What a script looks for in a 内訳書; it says none of them."""


def literals(script: str) -> set[str]:
    """Texts in Japanese of a script; its comments are not among them."""
    code = "\n".join(re.sub(r"(^|\s)//.*", "", line) for line in script.splitlines())
    return {text for text in re.findall(r"""["`]([^"`\n]*)["`]""", code) if JAPANESE.search(text)}


def test_every_sentence_of_a_script_is_in_the_table_that_pages_carry_and_no_other():
    found = {text for path in STATIC.glob("*.js") for text in literals(path.read_text("utf-8"))}
    assert literals('say(`合計は${yen}円です`); say("読めません"); // 注') == {"合計は${yen}円です", "読めません"}
    assert found - READ == {sentence.template for sentence in SENTENCES}


def alert(page: Page) -> str:
    expect(page.get_by_role("alert")).not_to_be_empty()
    text = page.get_by_role("alert").inner_text()
    assert not JAPANESE.search(text.replace("金額", "").replace("合計", "")), text
    return text


def bid_page(scene: Scene, company: Company, tender: str) -> Page:  # noqa: F811
    page = scene.page("company", company.actor, 375)
    scene.go(page, f"/t/{scene.town.code}/ebid/tenders/{tender}/bid?lang=en")
    return page


@pytest.mark.browser
def test_a_bidder_who_reads_english_is_told_in_english_what_does_not_fit(scene: Scene, tmp_path: Path):  # noqa: F811
    tender = scene.town.publish(breakdown="1")
    page = bid_page(scene, scene.town.company(1), tender)
    send = page.get_by_role("button", name="Seal and submit the bid")
    content = tmp_path / "breakdown.json"
    content.write_text("{}")
    page.locator("#breakdown").set_input_files(content)
    page.locator("#amount").fill("0")
    page.locator("#lottery_number").fill("41")
    send.click()
    assert "from 1 to 999,999,999,999 yen" in alert(page)
    page.locator("#amount").fill("9000000")
    send.click()
    assert "three digits" in alert(page)
    page.locator("#lottery_number").fill("418")
    send.click()
    assert "JSON of the breakdown cannot be read" in alert(page)
    for amount, total, told in (
        (9_000_000, 9_000_001, "add up to 9,000,000 yen, but the total says 9,000,001 yen"),
        (8_999_999, 8_999_999, "is 8,999,999 yen, but the amount entered above is 9,000,000 yen"),
    ):
        content.write_text(json.dumps({"items": [{"name": "a", "amount": amount}], "total": total}))
        page.locator("#breakdown").set_input_files(content)
        send.click()
        assert told in alert(page)
    look(page, "bid-refused-en-375")


@pytest.mark.browser
def test_an_official_and_a_trustee_are_told_in_english(scene: Scene, tmp_path: Path):  # noqa: F811
    town = scene.town
    town.register_trustees()
    draft = town.draft()
    page = scene.page("officer", town.officer.actor, 1280)
    scene.go(page, f"/t/{town.code}/ebid/desk/tenders/{draft}/limits?lang=en")
    page.locator("#reserve_with_tax").fill("1100")
    page.locator("#minimum").fill("1001")
    page.get_by_role("button", name=re.compile("Seal")).click()
    assert "must not be above the reserve price" in alert(page)
    tender = town.publish()
    town.close()
    page = scene.page("trustee", town.trustee("trustee-1").actor, 1280)
    scene.go(page, f"/t/{town.code}/ebid/desk/trustees/{tender}?lang=en")
    use = page.get_by_role("button", name=re.compile("key"))
    use.click()
    assert "Choose the key file" in alert(page)
    key = tmp_path / "key.json"
    key.write_text(json.dumps(trustee.lock(town.keys["trustee-1"], WORDS)))
    page.locator("#key").set_input_files(key)
    page.locator("#words").fill("not these words")
    use.click()
    expect(page.get_by_role("alert")).to_contain_text("passphrase is wrong")
    look(page, "trustee-refused-en-1280")


def test_who_reads_japanese_is_sent_no_table(scene: Scene):  # noqa: F811
    """Nor does an English page say of the scripts what its catalogue does not have: all of them are there."""
    town, company = scene.town, scene.town.company(1)
    tender = town.publish()
    page = company.get(f"tenders/{tender}/bid").text
    assert '<meta name="ebid-words" content="{}">' in page
    english = company.get(f"tenders/{tender}/bid?lang=en").text
    assert english.count("Do not open them") == 2 and "%(tries)s" in english
