"""A person without a mouse: Tab, Space, Enter, arrows and typing; what has the focus must be seen."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import FileChooser, Page

from libs.common.testing.browser import assert_no_sideways_scroll

HERE = """() => {
  const at = document.activeElement;
  if (!at || at === document.body) return null;
  const style = getComputedStyle(at), box = at.getBoundingClientRect(), field = at.closest("fieldset");
  const described = (at.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id)?.textContent || "");
  return {
    words: (at.getAttribute("aria-label") || at.labels?.[0]?.textContent || described.join(" ").trim() || at.textContent || "").trim(),
    kind: at.tagName.toLowerCase(), name: at.name || "", checked: !!at.checked, legend: field?.querySelector("legend")?.textContent || "",
    outlined: !at.matches(":focus") || (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2),
    onScreen: box.bottom > 0 && box.top < innerHeight && box.width > 0, forwards: at.tabIndex <= 0 };
}"""
"""Of a date input's calendar button, which is inside the input, the input is the active element but not `:focus`: the browser outlines
the button itself."""
MOST = 250
"""Stops of one page: more is a page nobody walks through."""


def here(page: Page) -> dict[str, Any] | None:
    """What has the focus: words, kind, name, legend. None: nothing has."""
    return page.evaluate(HERE)


def step(page: Page, key: str = "Tab") -> dict[str, Any] | None:
    """One press; what is then focused must be outlined, on the screen, and in the page's own order."""
    page.keyboard.press(key)
    stop = here(page)
    if stop:
        assert stop["outlined"], f"focus cannot be seen on: {stop['words'] or stop['name']}"
        assert stop["onScreen"], f"focus is off the screen: {stop['words'] or stop['name']}"
        assert stop["forwards"], f"a tabindex of its own breaks the order: {stop['words']}"
    return stop


def tab_to(page: Page, words: str | re.Pattern[str], *, legend: str = "", name: str = "") -> dict[str, Any]:
    """Forwards with Tab from where the focus is, until a stop whose words begin with `words`."""
    for _ in range(MOST):
        stop = step(page)
        if stop and _fits(stop, words, legend, name):
            return stop
    raise AssertionError(f"{words or name} cannot be reached with the Tab key at {page.url}")


def _fits(stop: dict[str, Any], words: str | re.Pattern[str], legend: str, name: str) -> bool:
    text = stop["words"]
    said = bool(words.search(text)) if isinstance(words, re.Pattern) else text.startswith(words)
    return said and legend in stop["legend"] and name in stop["name"]


def write(page: Page, words: str, text: str, *, name: str = "") -> None:
    """As an input method does: the whole text at once."""
    tab_to(page, words, name=name)
    page.keyboard.insert_text(text)


def choose(page: Page, legend: str, words: str) -> None:
    """One of several: Tab into the group, arrows to the one, Space."""
    stop = tab_to(page, "", legend=legend)
    for _ in range(12):
        if stop and stop["words"].startswith(words):
            page.keyboard.press("Space")
            assert page.evaluate("document.activeElement.checked"), f"Space does not choose {words}"
            return
        stop = step(page, "ArrowDown")
    raise AssertionError(f"{words} is not in {legend}")


def date(page: Page, legend: str, era: str, year: int, month: int, day: int) -> None:
    """The era from its list with an arrow or its first letter, then the numbers."""
    tab_to(page, "元号", legend=legend)
    options = page.evaluate("[...document.activeElement.options].map((option) => option.textContent)")
    at = page.evaluate("document.activeElement.selectedIndex")
    for _ in range(abs(options.index(era) - at)):
        page.keyboard.press("ArrowDown" if options.index(era) > at else "ArrowUp")
    assert page.evaluate("document.activeElement.selectedOptions[0].textContent") == era
    for words, value in (("年", year), ("月", month), ("日", day)):
        write(page, words, str(value))


def moment(page: Page, words: str, at: datetime) -> None:
    """Into `<input type="datetime-local">`: its parts are stops of one input, in the order of the browser's own language (the
    machine's, not the page's), each left when it is full or with an arrow."""
    tab_to(page, words)
    value = "document.activeElement.value"
    for parts in (f"{at:%m%d%Y}→{at:%I%M%p}", f"{at:%Y}→{at:%m%d%H%M}"):
        for part in parts:
            page.keyboard.press("ArrowRight" if part == "→" else part)
        if page.evaluate(value) == f"{at:%Y-%m-%dT%H:%M}":
            return
        for _ in range(6):
            page.keyboard.press("ArrowLeft")
    raise AssertionError(f"{words}: typing {at:%Y-%m-%d %H:%M} makes {page.evaluate(value) or 'nothing'}")


def attach(page: Page, words: str, path: Path) -> None:
    """Enter on the input opens the chooser. On a busy machine the browser may take a press for too old, so it is tried again;
    the choosers are listened for all the while, as one that comes late would else open where nobody sees it."""
    choosers: list[FileChooser] = []
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    stop = tab_to(page, words)
    for patience in (10, 20, 30):
        page.keyboard.press("Enter")
        for _ in range(patience * 10):
            if choosers:
                choosers[0].set_files(path)
                return
            page.wait_for_timeout(100)
    raise AssertionError(f"Enter on {stop['words']} ({here(page)} has the focus) opens no chooser")


def enter(page: Page, words: str | re.Pattern[str], *, legend: str = "") -> None:
    """To the link or button of these words, and Enter."""
    tab_to(page, words, legend=legend)
    send(page)


def send(page: Page) -> None:
    """Enter where the focus is; waits for the page that comes."""
    page.evaluate("window.before = true")
    page.keyboard.press("Enter")
    page.wait_for_function("() => !window.before")
    page.wait_for_load_state()
    assert_no_sideways_scroll(page)
