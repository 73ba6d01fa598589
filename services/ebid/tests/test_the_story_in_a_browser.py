"""An official seals the limits, companies bid, trustees open, all in real browsers: no amount is ever sent, every page is axe clean
and fits a phone."""

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Request, expect

from libs.common.actor import Actor
from libs.common.db import Database
from libs.common.testing.browser import (  # noqa: F401 (pytest finds fixtures by name)
    assert_axe_clean,
    assert_no_sideways_scroll,
    assert_targets_large_enough,
    browser,
    browser_page,
    serving,
)
from libs.common.testing.database import open_database
from libs.common.web import static_app
from services.ebid.sealing import trustee
from services.ebid.tests.people import Town

pytestmark = pytest.mark.browser
SIGNED_IN = "signed-in-as"
WORDS = "correct horse battery"
AMOUNT, WITH_TAX, MINIMUM = "9123457", "11234575", "8345671"


@pytest.fixture
def database(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One store is enough here: the pages are the same on both."""
    yield from open_database("sqlite", "ebid", "services.ebid", tmp_path, tmp_path_factory)


class Door:
    """What the gateway does, as far as these pages need it: static files, and a token for whoever is signed in."""

    def __init__(self, town: Town) -> None:
        self._town, self._static = town, static_app()
        self.actors: dict[str, Actor] = {"guest": town.guest().actor}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/static/"):
            await self._static(scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
        cookies = dict(headers).get(b"cookie", b"").decode()
        found = re.search(rf"{SIGNED_IN}=([\w-]+)", cookies)
        actor = self.actors[found.group(1) if found else "guest"]
        token = self._town.issuers.headers(actor, "ebid")["Authorization"].encode()
        await self._town.app({**scope, "headers": [*headers, (b"authorization", token)]}, receive, send)


class Scene:
    """Opens pages for people and remembers everything they send."""

    def __init__(self, town: Town, door: Door, base: str, open_page: Callable[..., Page]) -> None:
        self.town, self._door, self._base, self._open = town, door, base, open_page
        self.sent: list[str] = []

    def page(self, who: str, actor: Actor, width: int) -> Page:
        self._door.actors[who] = actor
        opened = self._open(width)
        opened.context.add_cookies([{"name": SIGNED_IN, "value": who, "url": self._base}])
        opened.on("request", self._note)
        return opened

    def _note(self, request: Request) -> None:
        body = request.post_data_buffer or b""
        self.sent.append(request.url + body.decode("latin-1"))

    def go(self, page: Page, path: str) -> None:
        page.goto(path if path.startswith("http") else f"{self._base}{path}")


@pytest.fixture
def scene(town: Town, browser_page: Callable[..., Page]) -> Iterator[Scene]:  # noqa: F811
    door = Door(town)
    with serving(door) as base:
        yield Scene(town, door, base, browser_page)


REFUSES_SILENTLY = """() => [...document.querySelectorAll("form:not([novalidate])")].flatMap((form) =>
    [...form.elements].filter((field) => field.willValidate && field.required && !field.checkVisibility()
        && !form.closest("details:not([open])")).map((field) => `${form.action}: ${field.name || field.id}`))"""
"""Fields that a browser would ask for where nobody sees them: pressing the button would do nothing, and say nothing."""


def assert_no_form_refuses_silently(page: Page) -> None:
    """Also after the page's script has emptied what it sealed (data-seal)."""
    assert page.evaluate(REFUSES_SILENTLY) == []
    emptied = "form[data-ebid-seal]:not([novalidate]) [data-seal][required]:not([type=file])"
    assert page.locator(emptied).count() == 0, "sealing empties it, and then the browser would ask for it again"


def look(page: Page, name: str) -> None:
    """The page as it stands: axe, width, targets, forms; a picture where SCREENSHOTS names a folder."""
    assert_no_form_refuses_silently(page)
    assert_axe_clean(page)
    assert_no_sideways_scroll(page)
    assert_targets_large_enough(page)
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_limits_and_bids_are_sealed_in_the_browser_and_trustees_open(scene: Scene, tmp_path: Path):
    town = scene.town
    town.register_trustees()
    tender = town.draft()
    desk = f"/t/{town.code}/ebid/desk"
    officer = scene.page("officer", town.officer.actor, 1280)
    scene.go(officer, f"{desk}/tenders/{tender}")
    look(officer, "10-draft")
    officer.get_by_role("link", name="予定価格に封をする").click()
    officer.get_by_label(re.compile("予定価格（税込")).fill(WITH_TAX)
    expect(officer.get_by_label(re.compile("入札書比較価格"))).to_have_value(str(int(WITH_TAX) * 100 // 110))
    officer.get_by_label(re.compile("最低制限価格")).fill(MINIMUM)
    look(officer, "11-limits")
    officer.get_by_role("button", name="封をして保存する").click()
    officer.get_by_role("button", name="公告の承認を頼む").click()
    officer.wait_for_load_state()
    manager = scene.page("manager", town.manager.actor, 1280)
    scene.go(manager, f"{desk}/approvals")
    look(manager, "12-approvals")
    manager.get_by_role("link", name="市道中央線舗装工事").click()
    look(manager, "13-approval")
    manager.get_by_role("button", name="承認して公告する").click()
    manager.get_by_role("button", name="はい、進める").click()
    manager.wait_for_url(f"**/tenders/{tender}/")
    bid(scene, tender, "phone", 375)
    bid(scene, tender, "laptop", 1280, "9234568")
    secrets = (AMOUNT, "9234568", WITH_TAX, MINIMUM, str(int(WITH_TAX) * 100 // 110))
    assert len(scene.sent) > 20
    assert [secret for secret in secrets if any(secret in each for each in scene.sent)] == []
    town.close()
    for number, subject in enumerate(("trustee-1", "trustee-2"), start=1):
        open_as(scene, tender, subject, tmp_path, 320 if number == 1 else 1280)
    town.work()
    scene.go(officer, f"{desk}/tenders/{tender}")
    look(officer, "20-opened")
    assert "9,123,457円" in officer.inner_text("main")
    officer.get_by_role("button", name="審査の結果、適格と認める").click()
    officer.get_by_role("button", name="落札者を決定して公表する").click()
    officer.get_by_role("button", name="はい、進める").click()
    officer.wait_for_url(f"**/tenders/{tender}/**")
    everybody(scene, tender)


def bid(scene: Scene, tender: str, who: str, width: int, amount: str = AMOUNT) -> None:
    company = scene.town.company(width)
    page = scene.page(who, company.actor, width)
    scene.go(page, f"/t/{scene.town.code}/ebid/tenders/{tender}/")
    look(page, f"14-tender-{who}")
    page.get_by_role("link", name="入札書か辞退届を出す").click()
    page.get_by_label(re.compile("入札金額")).fill("0")
    page.get_by_label(re.compile("くじ番号")).fill("733")
    page.get_by_role("button", name="封をして入札書を出す").click()
    page.locator("[data-seal-error]").wait_for()  # 0 yen is refused before anything is sealed
    page.get_by_label(re.compile("入札金額")).fill(amount)
    page.get_by_label(re.compile("くじ番号")).fill("733")
    look(page, f"15-bid-{who}")
    page.get_by_role("button", name="封をして入札書を出す").dblclick()
    page.get_by_text("入札書受付票").wait_for()
    look(page, f"16-receipt-{who}")


def open_as(scene: Scene, tender: str, subject: str, folder: Path, width: int) -> None:
    key_file = folder / f"{subject}.json"
    locked = trustee.lock(scene.town.keys[subject], WORDS, iterations=1000)
    key_file.write_text(json.dumps(locked))
    page = scene.page(subject, scene.town.trustee(subject).actor, width)
    page.clock.set_fixed_time(scene.town.service.clock.now())  # the trustee's own clock is asked, too
    scene.go(page, f"/t/{scene.town.code}/ebid/desk/trustees")
    look(page, f"17-trustees-{width}")
    page.get_by_role("link", name="市道中央線舗装工事").click()
    page.get_by_label("かぎのファイル").set_input_files(key_file)
    page.get_by_label("合言葉").fill("wrong words")
    page.get_by_role("button", name="かぎを使う").click()
    page.get_by_text(re.compile("合言葉が違う")).wait_for()
    page.get_by_label("合言葉").fill(WORDS)
    look(page, f"18-opening-{width}")
    page.get_by_role("button", name="かぎを使う").click()
    page.get_by_text("あなたの分は届いています").wait_for()
    private = scene.town.keys[subject].hex()
    assert [each for each in scene.sent if WORDS in each or private in each] == []


def everybody(scene: Scene, tender: str) -> None:
    """The public pages at the narrowest and at desk width."""
    for width in (320, 1280):
        page = scene.page("guest", scene.town.guest().actor, width)
        for name, path in (
            ("30-index", f"/t/{scene.town.code}/ebid/"),
            ("31-everywhere", "/ebid/"),
            ("32-result", f"/t/{scene.town.code}/ebid/tenders/{tender}/"),
        ):
            scene.go(page, path)
            look(page, f"{name}-{width}")
        assert "株式会社" in page.inner_text("main")


@pytest.mark.slow
def test_every_other_page_is_clean_on_a_phone_and_at_a_desk(scene: Scene):
    town = scene.town
    tender = town.publish(method="open", apply_until=town.form()["questions_until"])
    company = town.company(1)
    company.post(f"tenders/{tender}/send", {"act": "apply", "statement": "許可あり"})
    company.post(f"tenders/{tender}/send", {"act": "ask", "question": "工期は？"})
    draft = town.draft(title="下書き")
    letter = re.findall(r"/letters/([0-9a-f-]{36})", company.get("mine").text)[0]
    base = f"/t/{town.code}/ebid"
    pages = {
        "officer": (town.officer.actor, ["desk/", "desk/new", f"desk/tenders/{tender}", f"desk/tenders/{draft}/edit", "desk/suspensions"]),
        "company": (company.actor, ["/ebid/company", "mine", f"letters/{letter}", f"tenders/{tender}/"]),
        "newcomer": (Actor("person", "new", "新", town.code, town.code, sid="n"), ["mine", "/ebid/company"]),
        "outsider": (town.trustee("trustee-9").actor, [f"desk/trustees/{tender}"]),
    }  # fmt: skip
    for width in (320, 1280):
        for who, (actor, paths) in pages.items():
            page = scene.page(who, actor, width)
            for number, path in enumerate(paths):
                scene.go(page, path if path.startswith("/ebid") else f"{base}/{path}")
                look(page, f"4-{who}-{number}-{width}")


def test_without_script_a_sealed_file_is_sent(scene: Scene, tmp_path: Path):
    """The tool seals, the page takes its file: no script needed."""
    town = scene.town
    tender = town.publish()
    company = town.company(1)
    file = tmp_path / "入札書.json"
    file.write_text(json.dumps(company.sealed(tender, 9_000_000)))
    page = scene.page("quiet", company.actor, 375)
    plain = page.context.browser.new_context(java_script_enabled=False)  # type: ignore[union-attr]
    try:
        plain.add_cookies(page.context.cookies())
        reader = plain.new_page()
        scene.go(reader, f"/t/{town.code}/ebid/tenders/{tender}/bid")
        reader.get_by_text("道具で封をした入札書を出す", exact=True).click()
        assert reader.get_by_role("button", name="封をして入札書を出す").is_disabled(), "nothing can be sent unsealed"
        reader.get_by_label(re.compile("封をした入札書のファイル")).set_input_files(file)
        reader.get_by_role("button", name="このファイルを出す").click()
        assert "入札書受付票" in reader.inner_text("main")
    finally:
        plain.close()
