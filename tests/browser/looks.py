"""What every page owes to everybody: it is accessible, fits, can be pressed, and says what it is and in which language."""

import os

from playwright.sync_api import Page

from libs.common.testing.browser import SMALL_TARGETS, WIDTHS, axe_violations, sideways_scroll
from tests.browser import record

HTML_LANG = {"ja": "ja", "en": "en", "ja-easy": "ja"}
HEIGHT = 900


def faults(
    page: Page,
    language: str = "ja",
    widths: tuple[int, ...] = WIDTHS,
    axe_at: tuple[int, ...] = (min(WIDTHS), max(WIDTHS)),
) -> list[str]:
    """What is wrong with the page as it stands, at each width; empty when nothing is. Leaves it at the last width.

    axe, which costs most, looks at the widths of `axe_at`: the layouts between the narrowest and the widest are one of these two.
    Tab goes round it in Japanese only: the same fields in the same order.
    """
    found = said(page, language)
    for width in widths:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        if width in axe_at:
            found += [f"{width}px: {fault}" for fault in axe_violations(page)]
        found += [f"{width}px: wider than the screen: {fault}" for fault in sideways_scroll(page)]
        found += [f"{width}px: too small to press: {fault}" for fault in page.evaluate(SMALL_TARGETS)]
    way = record.walked(page) if language == "ja" else {}
    if os.environ.get(record.RECORD):
        record.note(page, language, found, way)
    if way.get("trap"):
        found.append(f"no way on for the keyboard after {way['stops']} stops")
    return [f"{page.url} ({language}) {fault}" for fault in found]


def said(page: Page, language: str) -> list[str]:
    """One h1, a title that begins with what the page is, the language, and a main part to skip to."""
    about = page.evaluate(
        """() => ({ lang: document.documentElement.lang, title: document.title,
          headings: [...document.querySelectorAll("h1")].map((heading) => heading.textContent.trim()),
          mains: document.querySelectorAll("main#main").length })"""
    )
    found = []
    if len(about["headings"]) != 1 or not about["headings"][0]:
        found.append(f"not exactly one h1: {about['headings']}")
    if "｜" not in about["title"]:
        found.append(f"the title does not say whose page it is: {about['title']!r}")
    if not about["lang"].startswith(HTML_LANG[language]):
        found.append(f"lang is {about['lang']!r}")
    if about["mains"] != 1:
        found.append("no main part to skip to")
    return found
