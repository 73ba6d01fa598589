"""Staff's pages in a real browser: they fit a phone, axe finds nothing, everything can be pressed."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page
from sqlalchemy import select

from libs.common.clock import JST
from libs.common.testing.browser import (
    assert_axe_clean,
    assert_no_sideways_scroll,
    assert_targets_large_enough,
    browser,  # noqa: F401
    browser_page,  # noqa: F401
)
from libs.common.web import static_app
from services.backup.db import AllowanceRow
from services.backup.db import repositories as db
from services.backup.tests.test_staff_set_up_a_backup import DESK, NEW, Desk
from services.backup.tests.town import GIB, HOME, Cloud, fill, named, restic_program, restored, serving
from services.backup.use_cases import drill, sites

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class Front:
    """What the gateway does for these pages: static files, and the token of the clerk who is signed in."""

    def __init__(self, cloud: Cloud, *roles: str) -> None:
        self._cloud, self._static, self._roles = cloud, static_app(), roles

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        if scope["type"] == "http" and scope["path"].startswith("/static/"):
            return await self._static(scope, receive, send)
        token = self._cloud.issuers.signer("gateway").sign(self._cloud.staff(HOME, *self._roles), "backup")
        scope["headers"] = [*scope["headers"], (b"authorization", f"Bearer {token}".encode())]
        await self._cloud.app(scope, receive, send)


def look(page: Page, name: str, folder: Path) -> None:
    page.screenshot(path=folder / f"{name}.png", full_page=True)
    assert_no_sideways_scroll(page)
    assert_axe_clean(page)


def filled(cloud: Cloud, repository_id: str) -> None:
    """Points of four days, a drill that passed, a worker that has stopped."""
    with cloud.database.reading(tenant=HOME) as session:
        machine = cloud.machine(db.by_id(session, repository_id), "full")
    with machine.client as client:
        for type_ in ("config", "keys", "index"):
            client.post("config" if type_ == "config" else f"{type_}/{named(b'k')}", content=b"k")
        for day in range(4):
            body, point = bytes([day]) * 300_000, str(day).encode()
            client.post(f"data/{named(body)}", content=body)
            client.post(f"snapshots/{named(point)}", content=point)
            cloud.clock.advance(days=1 + day // 2)
    with cloud.database.transaction(tenant=HOME) as session:
        asked = drill.ask(session, cloud.staff(), repository_id, cloud.clock.now())
    drill.carry_out(cloud.service, HOME, asked.id)
    sites.advance_trusted_time(cloud.service)
    cloud.clock.advance(hours=1)


def test_a_clerk_makes_a_repository_and_a_key_on_a_phone_and_reads_it_at_a_desk(
    small_cloud: Cloud,
    browser_page: Callable[..., Page],  # noqa: F811
    tmp_path: Path,
) -> None:
    with serving(Front(small_cloud)) as url:
        phone = browser_page(320)
        phone.goto(url + DESK)
        look(phone, "list-empty-320", tmp_path)
        for name, value in NEW.items():
            phone.fill(f"[name={name}]", value)
        phone.click("text=保管庫を作る >> nth=-1")
        phone.wait_for_url("**/desk/0*")
        repository_id = phone.url.rpartition("/")[2]
        look(phone, "repository-new-320", tmp_path)
        phone.fill("[name=key_name]", "住基サーバー1号")
        phone.fill("[name=folder]", "D:\\Data")
        phone.click("text=キーと設定を作る")
        with phone.expect_download() as saving:
            phone.click("text=「kyodo-backup-juki.ps1」を保存する")
        assert saving.value.suggested_filename == "kyodo-backup-juki.ps1"
        assert "Register-ScheduledTask" in saving.value.path().read_text("utf-8-sig")
        look(phone, "key-320", tmp_path)
        filled(small_cloud, repository_id)
        desk = browser_page(1280)
        for page in (phone, desk):
            for address in (DESK, DESK + repository_id):
                page.goto(url + address)
                assert page.is_visible("text=見張りが止まっています")
                width = (page.viewport_size or {})["width"]
                look(page, f"{'list' if address == DESK else 'repository'}-{width}", tmp_path)
                assert_targets_large_enough(page)
            page.goto(f"{url}{DESK}{repository_id}?date=2026-11-21")
            look(page, f"past-{width}", tmp_path)


def test_a_clerk_chooses_a_moment_and_what_the_page_says_brings_it_back(
    small_cloud: Cloud,
    browser_page: Callable[..., Page],  # noqa: F811
    tmp_path: Path,
) -> None:
    """On a phone, with restic as it is: what was there before somebody pruned it away."""
    small_cloud.service.settings.public_url = small_cloud.url
    repository_id = Desk(small_cloud).make()
    with small_cloud.database.reading(tenant=HOME) as session:
        row = db.by_id(session, repository_id)
    machine, source = small_cloud.machine(row, "full"), tmp_path / "src"
    original = fill(source, files=6)
    machine.restic("init")
    machine.restic("backup", str(source))
    small_cloud.clock.advance(hours=1)
    moment = small_cloud.clock.now().astimezone(JST)
    small_cloud.clock.advance(hours=1)
    fill(source, files=6, seed=2)
    machine.restic("backup", str(source))
    machine.restic("forget", "--keep-last", "1", "--prune")
    with serving(Front(small_cloud)) as url:
        phone = browser_page(375)
        phone.goto(url + DESK + repository_id)
        phone.fill("[name=key_name]", "復元する端末")
        phone.check("[name=mode][value=read]")
        phone.click("text=キーと設定を作る")
        with phone.expect_download() as saving:
            phone.click("text=「kyodo-backup-juki-read.key」を保存する")
        saving.value.save_as(tmp_path / saving.value.suggested_filename)
        phone.goto(url + DESK + repository_id)
        phone.fill("[name=date]", f"{moment:%Y-%m-%d}")
        phone.fill("[name=time]", f"{moment:%H:%M}")
        phone.click("text=この日時の読み方を見る")
        command = phone.locator("h3:text-is('Linux') + pre").inner_text()
        look(phone, "moment-375", tmp_path)
    command = command.replace("/srv/restored", str(tmp_path / "back")).replace("restic --", f"{restic_program()} --")
    environment = {name: value for name, value in machine.environment().items() if name != "RESTIC_REPOSITORY"}
    subprocess.run(["sh", "-ec", command], cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert restored(tmp_path / "back", source) == original


def test_an_operator_changes_an_allowance_by_keyboard_and_on_a_phone(
    small_cloud: Cloud,
    browser_page: Callable[..., Page],  # noqa: F811
    tmp_path: Path,
) -> None:
    with small_cloud.database.transaction(tenant=HOME) as session:
        session.scalars(select(AllowanceRow)).one().live = 60 * GIB
    with serving(Front(small_cloud, "operator", "backup.manager")) as url:
        for width in (375, 1280):
            page = browser_page(width)
            page.goto(url + DESK)
            page.click("text=市町村の上限（運用担当）")
            look(page, f"allowances-{width}", tmp_path)
            assert_targets_large_enough(page)
            page.focus("[name=municipality]")
            for typed in (HOME, "50", "ディスクを入れ替える"):
                page.keyboard.type(typed)
                page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            page.wait_for_selector("text=いま60GBを使っています")
            look(page, f"allowances-asked-{width}", tmp_path)
            page.focus("[name=even_below]")
            page.keyboard.press("Space")
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            page.wait_for_url(f"**/allowances?municipality={HOME}")
            assert page.is_visible("text=50GB")
