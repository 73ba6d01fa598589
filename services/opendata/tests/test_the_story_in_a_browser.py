"""The whole story in a real browser: a clerk publishes a messy AED list, a developer finds it with a typo, sees it on a map.
Every page it passes is axe clean, fits a phone, and can be pressed."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

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
from services.opendata.tests.people import AED, Town

pytestmark = pytest.mark.browser
SIGNED_IN = "signed-in-as"
"""A cookie that stands for the gateway's session."""


@pytest.fixture
def database(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One store is enough here: the pages are the same on both."""
    yield from open_database("sqlite", "opendata", "services.opendata", tmp_path, tmp_path_factory)


class Door:
    """What the gateway does, as far as these pages need it: static files, and a token for whoever is signed in."""

    def __init__(self, town: Town) -> None:
        self._town, self._static = town, static_app()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/static/"):
            await self._static(scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
        cookies = dict(headers).get(b"cookie", b"").decode()
        found = re.search(rf"{SIGNED_IN}=([\w-]+)", cookies)
        in_town = scope["path"].startswith("/t/")
        actor = self._town.staff().actor if found and in_town else self._guest(in_town)
        token = self._town.issuers.headers(actor, "opendata")["Authorization"].encode()
        await self._town.app({**scope, "headers": [*headers, (b"authorization", token)]}, receive, send)

    def _guest(self, in_town: bool) -> Actor:
        return self._town.guest().actor if in_town else self._town.visitor().actor


@pytest.fixture
def address(town: Town) -> Iterator[str]:
    with serving(Door(town)) as found:
        yield found


def look(page: Page, name: str) -> None:
    """Axe clean, no sideways scroll, targets large enough; a picture where PICTURES names a folder."""
    assert_axe_clean(page)
    assert_no_sideways_scroll(page)
    assert_targets_large_enough(page)
    folder = os.environ.get("PICTURES")
    if folder:
        page.screenshot(path=f"{folder}/{name}-{page.viewport_size['width']}.png", full_page=True)  # type: ignore[index]


@pytest.mark.parametrize("width", [320, pytest.param(1280, marks=pytest.mark.slow)])
def test_a_clerk_publishes_and_a_developer_finds_it_with_a_typo(
    address: str,
    town: Town,
    browser_page: Callable[..., Page],  # noqa: F811
    tmp_path: Path,
    width: int,
):
    file = tmp_path / "AED一覧.csv"
    file.write_bytes(AED)
    clerk = browser_page(width)
    clerk.context.add_cookies([{"name": SIGNED_IN, "value": "staff", "url": address}])
    clerk.goto(f"{address}/t/{town.code}/opendata/desk/")
    look(clerk, "desk-empty")
    clerk.get_by_label("公開したいファイル").set_input_files(file)
    clerk.get_by_role("button", name="ファイルを送って、内容を確かめる").click()
    clerk.wait_for_url("**/drafts/*")
    look(clerk, "draft")
    clerk.get_by_text("2019/2/30").first.wait_for()
    clerk.get_by_role("button", name="この内容で公開する").click()
    clerk.wait_for_url("**/datasets/*")
    look(clerk, "desk-dataset")

    developer = browser_page(width)
    developer.goto(f"{address}/opendata/")
    look(developer, "search-all")
    developer.get_by_role("searchbox").fill("ＡＥＤ設地箇所")
    developer.get_by_role("searchbox").press("Enter")
    developer.wait_for_url("**q=**")
    look(developer, "search-typo")
    developer.get_by_role("link", name="AED設置箇所一覧").first.click()
    look(developer, "dataset")
    developer.get_by_role("link", name="表と地図で見る").click()
    look(developer, "table")
    assert developer.locator("svg.map circle").count() == 4
    developer.get_by_text("条件を付けて見る").click()
    developer.get_by_label("ふくまれることば").fill("小学校")
    developer.get_by_role("button", name="この条件で見る").click()
    developer.wait_for_url("**q=**")
    assert developer.locator("svg.map circle").count() == 2
    look(developer, "table-filtered")
    developer.goto(f"{address}/opendata/api/")
    look(developer, "api")


def test_a_new_version_is_compared_and_a_data_set_withdrawn(
    address: str,
    town: Town,
    browser_page: Callable[..., Page],  # noqa: F811
    tmp_path: Path,
):
    dataset = town.publish()
    file = tmp_path / "new.csv"
    file.write_bytes(AED.replace("職員室前".encode("cp932"), "昇降口".encode("cp932")))
    clerk = browser_page(1280)
    clerk.context.add_cookies([{"name": SIGNED_IN, "value": "staff", "url": address}])
    clerk.goto(f"{address}/t/{town.code}/opendata/desk/datasets/{dataset}")
    clerk.get_by_label("新しい版のファイル").set_input_files(file)
    clerk.get_by_role("button", name="送って、違いを確かめる").click()
    clerk.wait_for_url("**/drafts/*")
    look(clerk, "draft-new-version")
    clerk.get_by_role("button", name="この内容で公開する").click()
    clerk.wait_for_url("**/datasets/*")
    clerk.get_by_role("link", name="前の版との違い").click()
    clerk.get_by_text("昇降口").wait_for()
    look(clerk, "changes")
    clerk.goto(f"{address}/t/{town.code}/opendata/desk/datasets/{dataset}")
    clerk.get_by_label("理由").fill("設置場所に誤りがありました。")
    clerk.get_by_role("button", name="公開を取りやめる").click()
    clerk.get_by_role("button", name="はい、進める").click()
    clerk.get_by_text("公開を取りやめています").wait_for()
    look(clerk, "withdrawn")
