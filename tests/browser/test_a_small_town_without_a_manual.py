"""A village whose one clerk does everything: let in, sees what joining costs, joins, uses, leaves with the data.

Every step is found by the words on the pages, as somebody finds it who has read no manual; once with a phone, once at a desk.
"""

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page

from services.sample import PASSWORD
from tests.browser import people

pytestmark = pytest.mark.slow

Open = Callable[..., Page]
SERVICE = "遠隔地データバックアップサービス"
TOTAL, POPULATION = 6_000_000, 2_000
"""Yen a year, and people: numbers for the test, of no real place."""
TOWNS = Path(__file__).parents[2] / "services" / "tenants" / "data" / "municipalities.csv"


@pytest.mark.parametrize("cloud", ["sqlite+embedded"], indirect=True)
@pytest.mark.parametrize(
    ("width", "code", "name"),
    [(people.PHONE, "404489", "東峰村"), (people.DESK, "406091", "赤村")],
    ids=["phone", "desk"],
)
def test_a_village_sees_the_cost_joins_uses_and_leaves_with_its_data(
    cloud: Any, browser_page: Open, tmp_path: Path, width: int, code: str, name: str
) -> None:
    the_council_decides_how_the_cost_is_shared(browser_page(people.DESK), cloud.url)
    operator, clerk = browser_page(people.DESK), browser_page(width)
    people.sign_in(operator, cloud.url, people.OPERATOR)
    the_operator_lets_the_clerk_in(operator, cloud.url, code, name)
    the_clerk_comes_in_by_the_mail(clerk, cloud.url, code, name)
    share = the_clerk_reads_what_it_costs(clerk)
    assert 0 < share < TOTAL // 10, "a small place pays little by population"
    the_clerk_joins(clerk, operator, cloud.url, name)
    the_clerk_follows_the_first_hour(clerk, cloud.url, code)
    left = the_clerk_leaves_with_the_data(clerk, cloud.url, code, tmp_path)
    assert any("vault" in each or "repositor" in each for each in left), left
    everything = the_clerk_takes_what_the_portal_keeps(clerk, cloud.url, code, tmp_path)
    assert "registry/members.jsonl" in everything and "registry/participation.jsonl" in everything


def the_council_decides_how_the_cost_is_shared(council: Page, url: str) -> None:
    people.sign_in(council, url, people.COUNCIL)
    with TOWNS.open(encoding="utf-8") as file:
        codes = [row["code"] for row in csv.DictReader(file)]
    table = "団体コード,人口\n" + "".join(f"{code},{POPULATION * (1 + n % 30)}\n" for n, code in enumerate(codes))
    council.goto(f"{url}/council/populations")
    file = {"name": "people.csv", "mimeType": "text/csv", "buffer": table.encode()}
    council.get_by_label("CSVファイル").set_input_files(file)
    council.get_by_label("いつの人口ですか").fill("2026-04-01")
    council.get_by_label("出典").fill("検査のための数")
    people.press(council, "取り込む")
    council.goto(f"{url}/council/sharing/backup")
    for label, value in (("1年の費用", TOTAL), ("均等割", 50), ("人口割", 50)):
        council.get_by_label(label).first.fill(str(value))
    people.press(council, "決まりとして登録する")
    assert "6,000,000円" in council.inner_text("main")


def the_operator_lets_the_clerk_in(operator: Page, url: str, code: str, name: str) -> None:
    operator.goto(f"{url}/operator/registry")
    people.follow(operator, name)
    people.follow(operator, "はじめの管理者を招待する")
    operator.get_by_label("メールアドレス").fill(_address(code))
    operator.get_by_label("お名前").fill("役場 一人")
    people.press(operator, "招待のメールを送る")
    assert "招待中" in operator.inner_text("main")


def _address(code: str) -> str:
    return f"jouhou@{code}.example"


def the_clerk_comes_in_by_the_mail(clerk: Page, url: str, code: str, name: str) -> None:
    came = lambda page: page.locator("main li", has_text=_address(code)).count() > 0  # noqa: E731
    people.open_when(clerk, f"{url}/mail/", came, "the invitation")
    clerk.locator("main li", has_text=_address(code)).first.get_by_role("link").click()
    clerk.wait_for_load_state()
    link = re.search(r"http://\S+", clerk.inner_text("main"))
    assert link
    clerk.goto(link.group())
    clerk.get_by_label("パスワード").fill(PASSWORD)
    people.press(clerk, "始める")
    people.open_when(clerk, f"{url}/", lambda page: f"{name}の管理者の窓口" in page.inner_text("main"), "the way in")
    people.follow(clerk, f"{name}の管理者の窓口")
    assert "使うサービスを選ぶ" in clerk.inner_text("h1")


def the_clerk_reads_what_it_costs(clerk: Page) -> int:
    """On the list, on the service's page and in the 見積書: the same yen of a whole year. Gives them."""
    offer = clerk.get_by_role("article", name=SERVICE)
    said = re.search(r"1年で([\d,]+)円", offer.inner_text())
    assert said, offer.inner_text()
    people.follow(clerk, "データバックアップを申し込む")
    page = clerk.inner_text("main")
    assert f"1年で{said.group(1)}円" in page
    assert "か月分で" in page, "what is left of this year is said where one may begin at once"
    people.follow(clerk, "見積書と参加の予定を見る")
    assert said.group(1) in clerk.inner_text("main") and "予算を要求する" in clerk.inner_text("main")
    people.follow(clerk, "サービスの画面へ戻る")
    return int(said.group(1).replace(",", ""))


def the_clerk_joins(clerk: Page, operator: Page, url: str, name: str) -> None:
    clerk.get_by_label("承認されたら、すぐ").check()
    people.press(clerk, "データバックアップを申し込む")
    operator.goto(f"{url}/operator/")
    people.press(operator, f"{name}の{SERVICE}を承認する")
    clerk.get_by_role("link", name="はじめの1時間の手順を読む").wait_for(timeout=people.PATIENCE * 1000)


def the_clerk_follows_the_first_hour(clerk: Page, url: str, code: str) -> None:
    """What to do next stands where joining ended, and leads to each page: rights first, then a vault."""
    people.follow(clerk, "はじめの1時間の手順を読む")
    assert "使う職員に権限を付けます" in clerk.inner_text("main")
    people.follow(clerk, re.compile("使う職員に権限を付けます"))
    clerk.get_by_label("データバックアップの管理").first.check()
    people.press(clerk, "この権限にする")
    desk = f"{url}/t/{code}/backup/desk/"
    people.open_when(clerk, desk, lambda page: page.get_by_label("何のデータか").count() > 0, "the desk opens")
    clerk.get_by_label("何のデータか").fill("住民記録")
    clerk.get_by_label("名前").fill("juki")
    people.press(clerk, "保管庫を作る")
    assert "住民記録" in clerk.inner_text("h1")


def the_clerk_leaves_with_the_data(clerk: Page, url: str, code: str, folder: Path) -> list[str]:
    """The data first, then the deletion and its signed record. Names of the files in the archive."""
    clerk.goto(f"{url}/portal/{code}/")
    people.follow(clerk, f"{SERVICE}の詳しい内容と手続き")
    clerk.get_by_label("今日まで。").check()
    people.press(clerk, "やめる手続きを始める")
    people.press(clerk, "はい、進める")
    clerk.get_by_role("link", name="データを受け取る").wait_for(timeout=people.PATIENCE * 1000)
    names = _names(_downloaded(clerk, "データを受け取る", folder / "left.zip"))
    clerk.get_by_label("サービスの名前").fill("バックアップ")
    people.press(clerk, "データを消して、利用を終える")
    assert f"「{SERVICE}」を入力してください" in clerk.locator("[role=alert]").inner_text(), "nothing goes by a slip"
    clerk.get_by_label("サービスの名前").fill(SERVICE)
    people.press(clerk, "データを消して、利用を終える")
    clerk.get_by_role("link", name="削除の記録を受け取る").wait_for(timeout=people.PATIENCE * 1000)
    record = json.loads(_downloaded(clerk, "削除の記録を受け取る", folder / "record.json").read_bytes())
    assert record["document"]["municipality"] == code and record["signature"]
    clerk.goto(f"{url}/portal/{code}/")
    assert SERVICE not in clerk.locator("section[aria-labelledby=now]").inner_text()
    return names


def the_clerk_takes_what_the_portal_keeps(clerk: Page, url: str, code: str, folder: Path) -> list[str]:
    people.follow(clerk, "データの受け取り")
    people.press(clerk, "書き出しを始める")
    clerk.get_by_role("link", name="データを受け取る（ZIP）").wait_for(timeout=people.PATIENCE * 1000)
    whole = _downloaded(clerk, "データを受け取る（ZIP）", folder / "everything.zip")
    assert the_line_breaks_and_the_rest_comes(clerk, url) == whole.read_bytes()
    return _names(whole)


def the_line_breaks_and_the_rest_comes(clerk: Page, url: str) -> bytes:
    """As a browser resumes a download: through the gateway, closed with the most still to come, then only what is missing."""
    path = clerk.get_by_role("link", name="データを受け取る（ZIP）").get_attribute("href")
    cookies = {cookie["name"]: cookie["value"] for cookie in clerk.context.cookies()}  # type: ignore[typeddict-item]
    with httpx.Client(base_url=url, cookies=cookies) as client:
        with client.stream("GET", path or "") as first:
            had, etag = next(first.iter_raw(1000)), first.headers["etag"]
        rest = client.get(path or "", headers={"Range": f"bytes={len(had)}-", "If-Range": etag})
    assert rest.status_code == 206
    return had + rest.content


def _downloaded(page: Page, words: str, target: Path) -> Path:
    with page.expect_download() as coming:
        page.get_by_role("link", name=words).click()
    coming.value.save_as(target)
    return target


def _names(archive: Path) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(archive.read_bytes())) as opened:
        assert opened.testzip() is None
        return opened.namelist()
