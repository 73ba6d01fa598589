"""Pages in a real browser: Chromium by playwright, axe-core from the package `axe-playwright-python`.

In a test module: `from libs.common.testing.browser import browser, browser_page  # noqa: F401` (pytest finds fixtures by name).
A machine without Chromium fails the test and says what to install: a test that is left out proves nothing.
"""

import atexit
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError
from starlette.types import ASGIApp

WIDTHS = (320, 375, 1280)
"""Smallest width pages must fit (WCAG 1.4.10), a common phone, a common desk."""
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""The same engine without the browser's own windows goes first: it needs a third of the processor."""
HOW_TO = (
    "Chromium was not found. Install it (`apt-get install chromium`, or `.venv/bin/playwright install --with-deps chromium`), "
    "or name it in the environment variable CHROMIUM."
)
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--force-prefers-reduced-motion"]
AXE_OPTIONS = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
"""Only of what is wrong are the places asked for: those of what is right cost a quarter of the time, and nobody reads them."""


def chromium() -> str | None:
    """The system's Chromium, or None for the one playwright brought itself."""
    named = os.environ.get("CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser() -> Browser:
    """One browser for the whole run, whichever module asks first."""
    return _the_browser()


@cache
def _the_browser() -> Browser:
    """Playwright runs once in a process: every module that imports the fixture has one of its own, all get this browser."""
    playwright = sync_playwright().start()
    try:
        opened = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
    except PlaywrightError as error:
        playwright.stop()
        pytest.fail(f"{HOW_TO}\n{error.message}", pytrace=False)
    atexit.register(playwright.stop)
    return opened


@pytest.fixture
def browser_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """`page = browser_page(320)`: a fresh page of that width, in a context of its own. At the end of the test, errors of the
    browser's console and refusals by the content security policy fail it; `page.expected_errors` may list texts to let pass."""
    contexts, errors = [], []

    def open_page(width: int = 375, height: int = 800, **options: Any) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height}, locale="ja-JP", timezone_id="Asia/Tokyo", **options
        )
        contexts.append(context)
        page = context.new_page()
        page.expected_errors = []  # type: ignore[attr-defined]
        page.on("console", lambda message: errors.append((page, message.text)) if troubling(message) else None)
        page.on("pageerror", lambda error: errors.append((page, str(error))))
        return page

    yield open_page
    for context in contexts:
        context.close()
    unexpected = [text for page, text in errors if not any(part in text for part in page.expected_errors)]  # type: ignore[attr-defined]
    assert not unexpected, "the browser reported: " + "; ".join(unexpected)


def troubling(message: ConsoleMessage) -> bool:
    """An error in the console, other than the status of the page itself (error pages are pages too)."""
    return message.type == "error" and not (message.page and message.location.get("url") == message.page.url)


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """`app` on a free port of this machine; gives its address, without a slash at the end."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the server under test did not start")
        thread.join(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


def axe_violations(page: Page, options: dict[str, Any] | None = None) -> list[str]:
    """What axe finds on the page as it stands: one line per kind, with the places."""
    page.evaluate(AXE_FILE_PATH.read_text(encoding="utf-8"))
    result = page.evaluate("options => axe.run(document, options)", options or AXE_OPTIONS)
    return [
        f"{found['id']}: {found['help']} — "
        + ", ".join(" ".join(map(str, node["target"])) for node in found["nodes"][:5])
        for found in result["violations"]
    ]


def assert_axe_clean(page: Page) -> None:
    found = axe_violations(page)
    assert not found, f"{page.url}: axe found\n" + "\n".join(found)


def sideways_scroll(page: Page) -> list[str]:
    """Elements that reach beyond the right edge although nothing around them scrolls or hides them; empty when the page fits."""
    return page.evaluate(
        """() => {
          const width = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= width) return [];
          const held = (e) => { for (let p = e.parentElement; p && p !== document.body; p = p.parentElement)
            if (getComputedStyle(p).overflowX !== "visible") return true; return false; };
          const beyond = (e) => e.getBoundingClientRect().right > width + 0.5 && !held(e);
          const wide = [...document.body.querySelectorAll("*")].filter(beyond);
          const edge = (e) => Math.round(e.getBoundingClientRect().right);
          const name = (e) => `${e.tagName.toLowerCase()}.${e.getAttribute("class") || ""} (${edge(e)}px)`;
          return [`page ${document.documentElement.scrollWidth}px of ${width}px`, ...wide.slice(0, 8).map(name)];
        }"""
    )


def assert_no_sideways_scroll(page: Page) -> None:
    found = sideways_scroll(page)
    assert not found, f"{page.url}: wider than the screen: " + ", ".join(found)


SMALL_TARGETS = """() => [...document.querySelectorAll('a[href], button, summary, select, input:not([type=hidden])')].filter((e) => {
  const box = (e.matches('input[type=checkbox], input[type=radio]') && e.closest('label') || e).getBoundingClientRect();
  const seen = e.checkVisibility() && box.width > 1 && box.height > 1;
  const inSentence = e.matches('a') && getComputedStyle(e).display === 'inline';
  return seen && !inSentence && !e.closest('svg') && e.tabIndex >= 0 && box.height < 43.5;
}).map((e) => `${e.tagName.toLowerCase()} ${e.textContent.trim().slice(0, 20)} ${Math.round(e.getBoundingClientRect().height)}px`)"""


def assert_targets_large_enough(page: Page) -> None:
    """Everything to press is 44 px high, except links inside a sentence and tiles of a map (whose table has the same links)."""
    found = page.evaluate(SMALL_TARGETS)
    assert not found, f"{page.url}: too small to press: " + ", ".join(found)


def tab_stops(page: Page, most: int = 300) -> list[str]:
    """Walks through the page with the Tab key from its start; the accessible words of each stop, in order.

    A stop whose focus cannot be seen (no outline) is a failure.
    """
    stops: list[str] = []
    page.evaluate("document.activeElement?.blur(); window.getSelection()?.removeAllRanges()")
    page.keyboard.press("Tab")
    for _ in range(most):
        stop = page.evaluate(
            """() => { const e = document.activeElement; if (!e || e === document.body) return null;
              if (e.dataset.tabbed) return null; e.dataset.tabbed = "1";
              const style = getComputedStyle(e);
              return { words: (e.getAttribute("aria-label") || e.labels?.[0]?.textContent || e.textContent || e.name || e.tagName).trim(),
                       seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 }; }"""
        )
        if stop is None:
            break
        assert stop["seen"], f"focus cannot be seen on: {stop['words']}"
        stops.append(stop["words"])
        page.keyboard.press("Tab")
    return stops
