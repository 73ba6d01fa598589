"""Every kind of page, found by following links from where each role begins: fit, accessible, in three languages.

A new page is in it without anybody adding it, once something links to it. One page of each kind is looked at.
"""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from libs.common.testing.browser import WIDTHS, serving
from tests.browser import looks, people, record
from tests.browser.people import USING
from tests.browser.record import kind_of

Open = Callable[..., Page]
_sqlite = pytest.mark.parametrize("cloud", ["sqlite+embedded"], indirect=True)
"""The pages are the same on both stores."""


def a_walk(test: Any) -> Any:
    """Minutes of a browser: in `make slow`."""
    return _sqlite(pytest.mark.slow(pytest.mark.timeout(3600)(test)))


HOME, EAPPLY = f"/t/{USING}/", f"/t/{USING}/eapply"
PHONE = min(WIDTHS)
LANGUAGES = {"en": (PHONE,), "ja-easy": ()}
"""With the widths at which axe looks."""
NOT_PAGES = re.compile(
    r"\.(csv|xlsx|ics|pdf|yaml|json|jsonl|geojson|jsonld|ttl|atom|xml|rdf|zip|pyz|png|webp|svg)$|/ocds/|/ebid/log/|/api/\d|/lines$|/files/|/archive$|^/static/|/resume/"
)


@dataclass(frozen=True)
class Walk:
    """Who walks: from where, and in which part of the cloud. A start is looked at even if another of its kind was."""

    email: str
    starts: tuple[str, ...]
    within: str
    at_least: int


WALKS = {
    "citizen": Walk("citizen@home.example", ("/account/", f"{EAPPLY}/mine", "/portal/"), r"/account/", 3),
    "administrator": Walk(people.USING_ADMIN, (f"/portal/{USING}/", f"{HOME}desk/", "/account/"), r"/portal/", 7),
    "staff": Walk(
        people.USING_STAFF, (f"{HOME}desk/", f"{EAPPLY}/desk/", f"/portal/{USING}/"), rf"/t/{USING}/(eapply/)?desk/", 5
    ),
    "bidding": Walk(people.USING_STAFF, (f"{HOME}ebid/desk/",), rf"/t/{USING}/ebid/desk/", 5),
    "data": Walk(people.USING_STAFF, (f"{HOME}opendata/desk/",), rf"/t/{USING}/opendata/desk/", 5),
    "backup": Walk(people.USING_STAFF, (f"{HOME}backup/desk/",), rf"/t/{USING}/backup/desk/", 2),
    "company": Walk(people.COMPANY, ("/ebid/company", f"{HOME}ebid/mine"), rf"/ebid/company|/t/{USING}/ebid/mine", 2),
    "council": Walk(people.COUNCIL, ("/council/?on=2018-09-15",), r"/council/", 4),
    "operator": Walk(people.OPERATOR, ("/operator/",), r"/operator/", 6),
}


def walk(page: Page, url: str, starts: tuple[str, ...], within: str) -> tuple[list[str], list[str]]:
    """(kinds of pages looked at, faults)."""
    waiting, seen, found = deque(starts), {kind_of(urlsplit(start).path) for start in starts}, []
    kinds: list[str] = []
    while waiting:
        path = waiting.popleft()
        if not is_page(page, url + path):
            continue
        found += look(page, url, path)
        kinds.append(kind_of(urlsplit(path).path))
        for link in links(page, url):
            if re.match(within, link) and not NOT_PAGES.search(link) and kind_of(link) not in seen:
                seen.add(kind_of(link))
                waiting.append(link)
    return kinds, found


def look(page: Page, url: str, path: str) -> list[str]:
    """English and easy Japanese on the smallest phone, Japanese at each width; leaves the page in Japanese.

    axe looks twice: the narrow layout in English, the wide one in Japanese.
    """
    found: list[str] = []
    for language, axe_at in LANGUAGES.items():
        page.goto(with_language(url + path, language))
        found += looks.faults(page, language, (PHONE,), axe_at)
    page.goto(with_language(url + path, "ja"))
    return found + looks.faults(page, axe_at=(max(WIDTHS),))


def is_page(page: Page, address: str) -> bool:
    """Links lead to files and to answers for programs, too."""
    answer = page.request.get(address, headers={"accept": "text/html"})
    return answer.headers.get("content-type", "").startswith("text/html")


def with_language(address: str, language: str) -> str:
    return f"{address}{'&' if '?' in address else '?'}lang={language}"


def links(page: Page, url: str) -> list[str]:
    """Paths of the pages this one leads to, without their queries."""
    found = page.evaluate("""() => [...document.querySelectorAll("a[href]:not([download])")]
          .map((link) => new URL(link.getAttribute("href"), location.href).href)""")
    return sorted({urlsplit(link).path for link in found if link.startswith(f"{url}/")})


def assert_fine(found: list[str]) -> None:
    assert not found, f"{len(found)} faults\n" + "\n".join(found)


@a_walk
def test_pages_for_everybody(cloud: Any, browser_page: Open, tmp_path: Path) -> None:
    """With an application that was sent, and a claim that only waits to be confirmed: its steps are pages too."""
    page = browser_page(people.PHONE)
    people.apply_for_event(page, cloud.url, USING)
    found = [f"the receipt: {fault}" for fault in looks.faults(page)]
    people.follow(page, "申請の状況を見る")
    application = urlsplit(page.url).path
    people.fill_claim(page, cloud.url, USING, tmp_path)
    confirm = urlsplit(page.url).path
    starts = ("/", "/?q=くるめ", HOME, "/t/401005/", application, confirm, f"{EAPPLY}/mine", "/mail/", "/sign-in", "/sign-up",
              "/reset", "/docs/", "/status/", "/nowhere", "/t/999999/", f"{HOME}desk/", f"{EAPPLY}/?q=ないもの")  # fmt: skip
    kinds, more = walk(page, cloud.url, starts, r"/")
    assert_fine(found + more)
    assert {"/t/*/eapply/*/", "/t/*/eapply/drafts/*/children", "/t/*/eapply/applications/*/withdraw"} <= set(kinds)


@a_walk
@pytest.mark.parametrize("who", WALKS)
def test_pages_of_each_role(cloud: Any, browser_page: Open, who: str) -> None:
    page, role = browser_page(people.DESK), WALKS[who]
    people.sign_in(page, cloud.url, role.email)
    kinds, found = walk(page, cloud.url, role.starts, role.within)
    assert_fine(found)
    assert len(set(kinds)) >= role.at_least, f"the walk went astray: {kinds}"


@a_walk
def test_pages_that_answer_a_mistake(cloud: Any, browser_page: Open) -> None:
    page = browser_page(people.PHONE)
    found: list[str] = []
    page.goto(f"{cloud.url}/sign-in")
    page.get_by_label("メールアドレス").fill("nobody@home.example")
    page.get_by_label("パスワード").fill("something else")
    people.press(page, "サインインする")
    found += looks.faults(page)
    page.goto(f"{cloud.url}{EAPPLY}/enquiry")
    people.press(page, "状況を確かめる")
    found += looks.faults(page)
    people.begin_claim(page, cloud.url, USING)
    people.go_on(page)
    assert page.locator("[role=alert]").count() == 1
    found += looks.faults(page)
    assert_fine(found)


def test_the_walk_finds_what_is_wrong(browser_page: Open) -> None:
    """Planted: a page behind a link, too wide, without a heading, in no language, with a button too small to press, and a field that Tab
    does not leave.

    A picture and a file are no pages, and two towns' pages are one kind.
    """
    pages = {
        "/": '<!doctype html><html lang="ja"><title>はじめ｜見本</title><main id="main"><h1>はじめ</h1><a href="/bad">次</a>'
        '<a href="/pictures/desk.webp">写真</a><a href="/rows">表</a>'
        '<a href="/kept/402036">久留米市</a><a href="/kept/401307">福岡市</a></main>',
        "/bad": '<!doctype html><title>悪い</title><main id="main"><p style="width:90rem">長い</p>'
        '<button style="height:20px"></button>'
        '<label>名 <input onkeydown="event.preventDefault()"></label><a href="/">戻る</a></main>',
    }

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = pages.get(scope["path"], pages["/"]).encode()
        kind = b"text/csv" if scope["path"] == "/rows" else b"text/html; charset=utf-8"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": body})

    with serving(app) as url:
        kinds, found = walk(browser_page(people.PHONE), url, ("/",), "/")
    assert sorted(kinds) == ["/", "/bad", "/kept/*"]
    told = "\n".join(found)
    for fault in ("not exactly one h1", "lang is ''", "wider than the screen", "too small to press", "button-name",
                  "no way on for the keyboard after 2 stops"):  # fmt: skip
        assert fault in told, told


def test_a_day_of_three_parts_is_no_trap_for_the_keyboard_and_a_trap_is_one(browser_page: Open) -> None:
    page = browser_page(people.PHONE)
    page.set_content('<a href="/">前</a><label>日 <input type="date"></label><a href="/next">次</a>')
    assert record.walked(page) == {"stops": 3, "trap": False}
    assert not record.walked(page)["trap"], "walked again"
    caught = '<script>document.querySelector("input").onkeydown = (key) => key.preventDefault()</script>'
    page.set_content(f'<a href="/">前</a><label>名 <input></label><a href="/next">次</a>{caught}')
    assert record.walked(page) == {"stops": 2, "trap": True}
