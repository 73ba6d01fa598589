"""Whoever signs in to the sample follows every link, two pages of each kind: none leads nowhere, none breaks, none shows a variable.

No browser: what is drawn, and how it fits, is looked at by tests/browser/test_every_page.py.
"""

import re
from collections import Counter, deque
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx
import pytest

from tests.browser import people
from tests.browser.record import kind_of
from tests.visitors import signed_in

BEGINNINGS = ("/", f"/t/{people.USING}/", "/account/", "/opendata/", "/ebid/")
WHO = [
    "",
    "citizen@home.example",
    "company1@bidder.example",
    people.USING_ADMIN,
    people.USING_STAFF,
    people.COUNCIL,
    people.OPERATOR,
]
OF_EACH_KIND = 2
MOST = 400
"""Pages that one person opens."""
LEFT_OVER = re.compile(r"\{\{|\}\}|\bundefined\b|\[object |\bNone\b|\bTraceback\b")


class Read(HTMLParser):
    """The links, ids and words of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: Counter[str] = Counter()
        self.words: list[str] = []
        self._hidden = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self._hidden += tag in ("script", "style", "pre", "code")
        if said.get("id"):
            self.ids[str(said["id"])] += 1
        if tag == "a" and said.get("href"):
            self.links.append(str(said["href"]))

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style", "pre", "code")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)


@pytest.mark.parametrize("cloud", ["sqlite+embedded"], indirect=True)  # pages are the same on both stores
@pytest.mark.parametrize("email", [pytest.param(who, marks=pytest.mark.slow if who else ()) for who in WHO])
def test_every_link_leads_to_a_page_that_is_whole(cloud: Any, email: str) -> None:
    guest = partial(httpx.Client, base_url=cloud.url, timeout=30, trust_env=False)
    with signed_in(cloud.url, email) if email else guest() as browser:
        walked, faults = 0, []
        for path, answer in walk(browser):
            walked += 1
            faults += faults_of(path, answer)
    assert not faults, "\n".join(faults)
    assert walked >= 20


def walk(browser: httpx.Client) -> Iterator[tuple[str, httpx.Response]]:
    waiting, seen, opened = deque(BEGINNINGS), Counter[str](), set[str]()
    while waiting and len(opened) < MOST:
        path = waiting.popleft()
        kind = f"{kind_of(urlsplit(path).path)}?{sorted(name for name, _ in parse_qsl(urlsplit(path).query))}"
        if path in opened or seen[kind] == OF_EACH_KIND:
            continue
        opened.add(path)
        seen[kind] += 1
        answer = browser.get(path, follow_redirects=True)
        yield path, answer
        if answer.headers.get("content-type", "").startswith("text/html"):
            waiting += [link for each in Read(answer.text).links if (link := inside(answer.url, each))]


def inside(page: httpx.URL, link: str) -> str | None:
    target = urlsplit(urljoin(str(page), link))
    if target.netloc != urlsplit(str(page)).netloc or "lang=" in target.query:
        return None
    return target.path + (f"?{target.query}" if target.query else "")


def faults_of(path: str, answer: httpx.Response) -> list[str]:
    if answer.status_code not in (200, 401, 403):  # the start page names the doors of staff to everybody
        return [f"{path}: {answer.status_code}"]
    if not answer.headers.get("content-type", "").startswith("text/html"):
        return []
    page = Read(answer.text)
    twice = [name for name, times in page.ids.items() if times > 1]
    left_over = LEFT_OVER.findall(" ".join(page.words))
    return [f"{path}: id {name} twice" for name in twice] + [f"{path}: shows {word}" for word in left_over]
