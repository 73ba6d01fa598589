"""By keyboard alone, on a phone and at a desk: a clerk sends a messy list, sees what is wrong, writes the cell anew, publishes it
in two minutes; a developer finds it with a typo and looks at the map."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from libs.common.db import Database
from libs.common.testing.browser import browser, browser_page, serving  # noqa: F401 (pytest finds fixtures by name)
from libs.common.testing.database import open_database
from services.opendata.tests import messy
from services.opendata.tests.people import Town
from services.opendata.tests.test_the_story_in_a_browser import SIGNED_IN, Door, look

pytestmark = [pytest.mark.browser, pytest.mark.slow]
STEPS = 120
"""Keys a clerk may press from the desk to the published data set, what is typed not counted: one a second is two minutes."""
NAME = """() => { const e = document.activeElement; if (!e || e === document.body) return "";
  const label = e.labels && e.labels[0] ? e.labels[0].textContent : "";
  return (e.getAttribute("aria-label") || label || e.textContent || e.value || "").replace(/\\s+/g, " ").trim(); }"""


@pytest.fixture
def database(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One store is enough here: the pages are the same on both."""
    yield from open_database("sqlite", "opendata", "services.opendata", tmp_path, tmp_path_factory)


@pytest.fixture
def address(town: Town) -> Iterator[str]:
    with serving(Door(town)) as found:
        yield found


class Keyboard:
    """Somebody without a mouse; `pressed` counts the keys, typed texts aside."""

    def __init__(self, page: Page) -> None:
        self.page, self.pressed = page, 0

    def press(self, key: str) -> None:
        self.pressed += 1
        self.page.keyboard.press(key)

    def go_to(self, words: str) -> None:
        """Tab until what has the focus has these words."""
        for _ in range(200):
            self.press("Tab")
            if words in (name := self.page.evaluate(NAME)):
                assert self._seen(), f"{name}: the focus is drawn"
                return
        pytest.fail(f"the keyboard does not reach {words}")

    def _seen(self) -> bool:
        return self.page.evaluate(
            "() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle !== 'none' || s.boxShadow !== 'none'; }"
        )

    def choose_file(self, words: str, file: Path) -> None:
        self.go_to(words)
        with self.page.expect_file_chooser() as asked:
            self.press("Enter")
        asked.value.set_files(file)

    def enter(self, words: str, address: str) -> None:
        self.go_to(words)
        self.press("Enter")
        self.page.wait_for_url(address)


@pytest.mark.parametrize("width", [375, 1280])
def test_a_clerk_publishes_a_messy_list_by_keyboard_alone_and_a_developer_finds_it_on_the_map(
    address: str,
    town: Town,
    browser_page: Callable[..., Page],  # noqa: F811
    tmp_path: Path,
    width: int,
):
    file = tmp_path / "AED一覧（最新）.csv"
    file.write_bytes(messy.CSV)
    clerk = Keyboard(browser_page(width))
    page = clerk.page
    page.context.add_cookies([{"name": SIGNED_IN, "value": "staff", "url": address}])
    page.goto(f"{address}/t/{town.code}/opendata/desk/")
    clerk.choose_file("公開したいファイル", file)
    clerk.enter("ファイルを送って、内容を確かめる", "**/drafts/*")
    look(page, "keyboard-draft")
    page.get_by_text("暦にない日").wait_for()
    page.get_by_role("heading", name="標準への準拠").wait_for()
    clerk.go_to("J6 の正しい値")
    page.keyboard.type("平成31年2月28日")
    clerk.enter("入力した値で読み直す", "**/drafts/*#found")
    look(page, "keyboard-draft-corrected")
    assert page.get_by_text("暦にない日").count() == 0
    clerk.enter("この内容で公開する", "**/datasets/*")
    look(page, "keyboard-published")
    page.get_by_text("標準への準拠").first.wait_for()
    assert clerk.pressed <= STEPS, f"{clerk.pressed} keys"

    developer = Keyboard(browser_page(width))
    page = developer.page
    page.goto(f"{address}/opendata/")
    developer.go_to("さがすことば")
    page.keyboard.type("ＡＥＤ設地箇所")
    developer.press("Enter")
    page.wait_for_url("**q=**")
    developer.enter("AED設置箇所一覧", "**/datasets/*")
    developer.enter("表と地図で見る", "**/resources/*")
    assert page.locator("svg.map circle").count() == 4
    look(page, "keyboard-map")
    assert page.get_by_text("2019-02-28").count() == 1
