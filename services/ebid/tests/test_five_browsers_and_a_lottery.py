"""Done means, by hand: five companies bid from browsers of their own, two tie, trustees open in theirs, the lottery decides, and a loser
checks all of it without network with what the public page offers."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page

from services.ebid.tests.test_the_story_in_a_browser import (  # noqa: F401
    Scene,
    browser,
    browser_page,
    database,
    look,
    open_as,
    scene,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AMOUNTS = {1: "9,000,000", 2: "９００００００", 3: "9500000", 4: "7999999", 5: "10000001"}
"""税抜: two tie, one loses, one is below 最低制限価格, one above 予定価格."""


def test_five_companies_bid_two_tie_the_lottery_decides_and_a_loser_checks_it_alone(scene: Scene, tmp_path: Path):  # noqa: F811
    town = scene.town
    tender = town.publish()
    own = f"/t/{town.code}/ebid/tenders/{tender}/"
    pages = {serial: sealed_and_sent(scene, own, serial) for serial in AMOUNTS}
    assert len({page.context for page in pages.values()}) == 5
    loser = pages[3]
    early = saved(loser, "署名された受領証を保存する", tmp_path / "at-once.json")
    town.close()
    for subject in ("trustee-1", "trustee-3"):
        open_as(scene, tender, subject, tmp_path, 1280)
    town.work()
    officer = scene.page("officer", town.officer.actor, 1280)
    scene.go(officer, f"/t/{town.code}/ebid/desk/tenders/{tender}")
    officer.get_by_role("button", name="審査の結果、適格と認める").click()
    officer.get_by_role("button", name="落札者を決定して公表する").click()
    officer.get_by_role("button", name="はい、進める").click()
    officer.wait_for_url(f"**/tenders/{tender}/**")
    scene.go(loser, own)
    result = loser.inner_text("main")
    assert result.count("（くじ）") == 2 and "9,900,000円" in result
    bundle = saved(loser, "検証用のファイルを保存する", tmp_path / "bundle.json")
    tool = saved(loser, "検証の道具を保存する", tmp_path / "ebid-verify.pyz")
    look(loser, "90-result")
    late = saved(loser, "第1回の受領証を保存する", tmp_path / "later.json")
    loser.get_by_role("link", name="道具の使い方").click()
    look(loser, "91-tools")
    for receipt in (early, late):
        done = alone(tool, bundle, receipt)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "問題は見つかりませんでした" in done.stdout and "あなたの入札" in done.stdout
    bundle.write_text(bundle.read_text().replace('"amount":9500000', '"amount":9500001'))
    assert alone(tool, bundle, early).returncode == 1, "a changed line of the result is named"


def sealed_and_sent(scene: Scene, own: str, serial: int) -> Page:  # noqa: F811
    company = scene.town.company(serial)
    page = scene.page(f"company-{serial}", company.actor, 375 if serial % 2 else 1280)
    scene.go(page, f"{own}bid")
    page.get_by_label(re.compile("入札金額")).fill(AMOUNTS[serial])
    page.get_by_label(re.compile("くじ番号")).fill(f"{271 * serial % 1000:03d}")
    page.get_by_role("button", name="封をして入札書を出す").click()
    page.get_by_text("入札書受付票").wait_for()
    return page


def saved(page: Page, link: str, place: Path) -> Path:
    """What a click on a link of the page saves."""
    with page.expect_download() as download:
        page.get_by_role("link", name=link).click()
    download.value.save_as(place)
    return place


def alone(tool: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    """The saved verifier: without this folder, the environment's packages, the network."""
    command = [sys.executable, "-I", "-S", str(tool), *map(str, files)]
    return subprocess.run(command, cwd=tool.parent, capture_output=True, text=True, check=False)
