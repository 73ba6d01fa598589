"""Staff make a repository and a key, follow what the page says word for word, and see what arrived."""

import base64
import html
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from libs.common.audit import AuditEntryRow
from libs.common.notices import NoticeRow
from libs.common.testing.matrix import Matrix
from libs.common.testing.matrix import Town as MatrixTown
from services.backup.db import repositories as db
from services.backup.tests.test_two_sites import copy_all
from services.backup.tests.town import GIB, HOME, OTHER, Cloud, fill, named, restored
from services.backup.use_cases import drill, watch
from services.backup.use_cases.alerts import raise_alert

DESK = f"/t/{HOME}/backup/desk/"
NEW = {"name": "juki", "title": "住民記録システム", "quota": "10", "retention_days": "30", "promised_hours": "26"}


class Desk:
    def __init__(self, cloud: Cloud, tenant: str = HOME) -> None:
        headers = cloud.issuers.headers(cloud.staff(tenant), "backup", html=True)
        self.client = TestClient(cloud.app, headers=headers, follow_redirects=False)

    def get(self, path: str = "", status: int = 200, **query: str) -> str:
        answer = self.client.get(DESK + path, params=query)
        assert answer.status_code == status, answer.text
        return html.unescape(answer.text)

    def post(self, path: str, status: int = 303, **form: str) -> str:
        answer = self.client.post(DESK + path, data=form)
        assert answer.status_code == status, answer.text
        return answer.headers.get("location", "") if status == 303 else html.unescape(answer.text)

    def make(self) -> str:
        return self.post("repositories", **NEW).removeprefix(DESK)


@pytest.fixture
def desk(small_cloud: Cloud) -> Iterator[Desk]:
    yield Desk(small_cloud)


def test_the_script_on_the_page_makes_the_first_backup(small_cloud: Cloud, desk: Desk, tmp_path: Path) -> None:
    """Everything the script does but for installing packages and the timer, which belong to a machine of the town."""
    assert "保管庫はまだありません" in desk.get()
    small_cloud.service.settings.public_url = small_cloud.url
    repository_id = desk.make()
    page = desk.post(f"{repository_id}/keys", 201, mode="append", key_name="住基サーバー1号", days="365")
    script = re.search(r"#!/bin/sh.*?timer\n", page, re.DOTALL)
    assert script
    fill(tmp_path / "data", files=10)
    text = script[0].split("cat > /etc/systemd")[0]
    text = text.replace("/etc/kyodo-backup", str(tmp_path / "etc")).replace("/srv/data", str(tmp_path / "data"))
    text = text.replace("/var/cache/kyodo-backup", str(tmp_path / "cache"))
    subprocess.run(["sh", "-c", text], check=True, capture_output=True, env={**os.environ, "NO_PROXY": "127.0.0.1"})
    assert (tmp_path / "etc" / "juki.env").stat().st_mode & 0o077 == 0, "the key is readable by root only"
    page = desk.get(repository_id)
    assert "届いています" in page and "2か所目へ写しています" in page
    copy_all(small_cloud)
    assert "2か所にあります" in desk.get(repository_id)
    assert "住民記録システム" in desk.get()


def test_a_key_is_shown_once_and_ends_at_once(small_cloud: Cloud, desk: Desk) -> None:
    repository_id = desk.make()
    page = desk.post(f"{repository_id}/keys", 201, mode="full", key_name="整理用", days="30")
    secret = re.search(r"kyodo_[0-9a-f]{16}_s+", page)
    assert secret
    assert secret[0] not in desk.get(repository_id) + desk.get()
    number = small_cloud.tokens.made[secret[0]][0]
    desk.post(f"{repository_id}/keys/{number}/revoke")
    assert "取り消しました" in desk.get(repository_id)
    assert small_cloud.tokens.revoked == {number}


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [("name", "Juki", "半角の小文字"), ("name", "data", "半角の小文字"), ("title", " ", "何のデータか"),
     ("quota", "0", "1GB以上"), ("quota", "99999", "自治体全体の上限"), ("retention_days", "3", "7日から"),
     ("promised_hours", "x", "1時間から"), ("alert_address", "a@b@c", "メールアドレス")],
)  # fmt: skip
def test_what_is_typed_wrongly_is_explained_and_kept(desk: Desk, field: str, value: str, sentence: str) -> None:
    page = desk.post("repositories", 422, **(NEW | {field: value}))
    assert sentence in page
    assert value.strip() == "" or f'value="{value}"' in page
    assert "保管庫はまだありません" in desk.get()


def test_a_second_repository_of_the_same_name_is_refused(desk: Desk) -> None:
    desk.make()
    assert "もうあります" in desk.post("repositories", 409, **NEW)


def test_the_way_back_to_a_moment_is_one_date_away(small_cloud: Cloud, desk: Desk) -> None:
    repository_id = desk.make()
    small_cloud.clock.advance(days=3)
    page = desk.get(repository_id, date="2026-11-21", time="09:30")
    assert "/backup/restic-asof/2026-11-21T09:30/" in page
    assert "--no-lock" in page
    assert "いまより前の日時" in desk.get(repository_id, date="2030-01-01")
    assert "読み取れませんでした" in desk.get(repository_id, date="0001-01-01"), "no moment of Japan in UTC"


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [("folder", "data", "先頭から"), ("folder", "/srv\n/x", "先頭から"), ("folder", 'D:\\x"; del', "先頭から"),
     ("folder", "D:\\$(calc)", "先頭から"), ("folder", "D:\\”; calc; “", "先頭から"), 
     ("at", "25:00", "時刻"), ("at", "1:30; rm", "時刻"), ("days", "367", "366日"),
     ("key_name", "", "どの機械"), ("mode", "root", "1つ選んで")],
)  # fmt: skip
def test_what_would_go_into_a_script_is_looked_at_first(desk: Desk, field: str, value: str, sentence: str) -> None:
    repository_id = desk.make()
    form = {"mode": "append", "key_name": "住基1号", "days": "30", "folder": "/srv/data", "at": "02:00"}
    assert sentence in desk.post(f"{repository_id}/keys", 422, **(form | {field: value}))
    assert "キーはまだありません" in desk.get(repository_id)


def test_a_folder_with_any_name_is_quoted_and_backed_up(small_cloud: Cloud, desk: Desk, tmp_path: Path) -> None:
    small_cloud.service.settings.public_url = small_cloud.url
    repository_id = desk.make()
    folder = tmp_path / "町's $HOME; data"
    fill(folder, files=3)
    page = desk.post(
        f"{repository_id}/keys", 201, mode="append", key_name="1号", days="3", folder=str(folder), at="22:15"
    )
    assert "OnCalendar=*-*-* 22:15:00" in page
    script = re.search(r"#!/bin/sh.*?timer\n", page, re.DOTALL)
    assert script
    text = script[0].split("cat > /etc/systemd")[0].replace("/etc/kyodo-backup", str(tmp_path / "etc"))
    text = text.replace("/var/cache/kyodo-backup", str(tmp_path / "cache"))
    done = subprocess.run(
        ["sh", "-c", text], capture_output=True, text=True, env={**os.environ, "NO_PROXY": "127.0.0.1"}
    )
    assert done.returncode == 0, done.stderr
    assert "3 new" in done.stdout


def test_a_first_backup_on_a_disk_and_the_script_after_it_have_the_same_password(
    small_cloud: Cloud, desk: Desk, tmp_path: Path
) -> None:
    """Both as the pages say them, in that order; the script must not make another password, or the disk is of no use."""
    small_cloud.service.settings.public_url = small_cloud.url
    repository_id = desk.make()
    fill(tmp_path / "data", files=3)
    on_disk = re.search(r"install -d -m 700 /etc/kyodo-backup.*?backup /srv/data", desk.get(repository_id), re.DOTALL)
    key_page = desk.post(f"{repository_id}/keys", 201, mode="append", key_name="1号", days="3")
    assert "/etc/kyodo-backup/juki.password</code> にあります" in key_page
    script = re.search(r"#!/bin/sh.*?timer\n", key_page, re.DOTALL)
    assert on_disk and script
    places = {
        "/etc/kyodo-backup": "etc",
        "/srv/data": "data",
        "/var/cache/kyodo-backup": "cache",
        "/media/disk": "disk",
    }
    for commands in (on_disk[0], script[0].split("cat > /etc/systemd")[0]):
        for place, ours in places.items():
            commands = commands.replace(place, str(tmp_path / ours))
        subprocess.run(
            ["sh", "-ec", commands], check=True, capture_output=True, env={**os.environ, "NO_PROXY": "127.0.0.1"}
        )
        password = tmp_path / "etc" / "juki.password"
        check = ["restic", "-r", str(tmp_path / "disk" / "juki"), "-p", str(password), "snapshots"]
        subprocess.run(check, check=True, capture_output=True)
    assert password.stat().st_mode & 0o077 == 0, "readable by root only"


def test_who_has_lost_the_machine_reads_on_the_page_what_a_new_one_needs(desk: Desk) -> None:
    repository_id = desk.make()
    page = desk.get(repository_id)
    assert "まだ何もありません" in page and "2か所にあります" not in page, "an empty repository has no copies"
    page = desk.post(f"{repository_id}/keys", 201, mode="read", key_name="復元", days="7")
    assert "apt-get install restic" in page and "restore latest --target /srv/restored" in page
    assert "同じ命令で2か所目から" in page


def test_a_town_restores_and_clears_as_the_pages_say_and_no_key_stands_in_a_command(
    small_cloud: Cloud, desk: Desk, tmp_path: Path
) -> None:
    """Reading, reading as it was before, tidying: a key in a command stays in the shell's history and among the processes."""
    small_cloud.service.settings.public_url = small_cloud.url
    repository_id = desk.make()
    with small_cloud.database.reading(tenant=HOME) as session:
        machine = small_cloud.machine(db.by_id(session, repository_id), "append")
    original = fill(tmp_path / "town", files=4)
    machine.restic("init")
    machine.restic("backup", str(tmp_path / "town"))

    def saved(mode: str) -> str:
        """The command of the page; its file lies in the folder."""
        page = desk.post(f"{repository_id}/keys", 201, mode=mode, key_name="手元", days="3")
        name, href = re.search(r'download="([^"]+)"', page), re.search(r'href="data:[^"]+base64,([^"]+)"', page)
        assert name and href
        secret = re.search(r"kyodo_[0-9a-f]{16}_s+", (content := base64.b64decode(href[1]).decode()))
        assert secret and content.strip().endswith(f"/t/{HOME}/backup/restic/juki/")
        (tmp_path / name[1]).write_text(content)
        command = re.search(r"restic --repository-file [^<]+", page)
        assert command and "<pre" in page and secret[0] not in "".join(re.findall(r"<pre.*?</pre>", page, re.DOTALL))
        return command[0]

    def run(commands: str, target: str) -> None:
        commands = commands.replace("/srv/restored", str(tmp_path / target))
        environment = {name: value for name, value in machine.environment().items() if name != "RESTIC_REPOSITORY"}
        subprocess.run(["sh", "-ec", commands], check=True, capture_output=True, env=environment, cwd=tmp_path)

    run(saved("read"), "now")
    assert restored(tmp_path / "now", tmp_path / "town") == original
    small_cloud.clock.advance(hours=1)
    run(saved("full").replace("--keep-daily 14 --keep-weekly 8 --keep-monthly 12", "--keep-tag none"), "none")
    assert json.loads(machine.restic("snapshots", "--json", "--no-lock").stdout) == []
    point = re.search(r'href="([^"]+[?]at=[^"#]+)', desk.get(repository_id))
    assert point
    page = html.unescape(desk.client.get(point[1]).text)
    then = re.search(r"\(umask 077.*?restored", page, re.DOTALL)
    assert then
    run(then[0], "then")
    assert restored(tmp_path / "then", tmp_path / "town") == original
    assert (tmp_path / "kyodo-backup-juki-then.key").stat().st_mode & 0o077 == 0


def test_a_key_that_ends_within_two_weeks_is_marked(small_cloud: Cloud, desk: Desk) -> None:
    repository_id = desk.make()
    desk.post(f"{repository_id}/keys", 201, mode="append", key_name="1号", days="30")
    for days, marked in ((0, False), (17, True), (14, False)):
        small_cloud.clock.advance(days=days)
        assert ("まもなく切れます" in desk.get(repository_id)) == marked, days
    assert "期限切れ" in desk.get(repository_id)


def test_a_windows_folder_gives_a_windows_script(desk: Desk) -> None:
    repository_id = desk.make()
    page = desk.post(
        f"{repository_id}/keys", 201, mode="append", key_name="1号", days="3", folder="D:\\住基 データ", at="03:10"
    )
    assert "Register-ScheduledTask" in page and '"D:\\住基 データ"' in page and '-At "03:10"' in page
    assert "systemd" not in page
    for typed, written in (("D:\\住基 データ\\", '"D:\\住基 データ"'), ("D:\\", '"D:\\"')):
        page = desk.post(f"{repository_id}/keys", 201, mode="append", key_name="1号", days="3", folder=typed)
        assert f"--use-fs-snapshot {written}\n" in page, (
            "a backslash before the quotation mark would be part of the name"
        )


def test_two_weeks_of_promises_stand_beside_what_arrived(small_cloud: Cloud, desk: Desk) -> None:
    repository_id = desk.make()
    with small_cloud.database.reading(tenant=HOME) as session:
        machine = small_cloud.machine(db.by_id(session, repository_id), "append")
    with machine.client as client:
        for number, days in enumerate((1, 1, 3)):
            small_cloud.clock.advance(days=days)
            content = str(number).encode()
            assert client.post(f"snapshots/{named(content)}", content=content).status_code == 200
    page = desk.get(repository_id)
    table = page[page.index("この2週間に届いた回数") : page.index("回線では何日もかかる")]
    assert [table.count(words) for words in ("1回", "0回", "約束どおりです", "間があきました")] == [3, 3, 3, 3]


def test_each_point_that_arrived_links_to_its_own_moment(small_cloud: Cloud, desk: Desk) -> None:
    repository_id = desk.make()
    with small_cloud.database.reading(tenant=HOME) as session:
        machine = small_cloud.machine(db.by_id(session, repository_id), "full")
    with machine.client as client:
        client.post(f"snapshots/{named(b'one')}", content=b"one")
        link = re.search(r'href="([^"]+[?]at=[^"#]+)', desk.get(repository_id))
        assert link
        small_cloud.clock.advance(hours=1)
        client.delete(f"snapshots/{named(b'one')}")
        page = desk.client.get(html.unescape(link[1])).text
        moment = re.search(r"restic-asof/[^/]+/", page)
        assert moment, page
        assert client.get(f"{machine.url}/t/{HOME}/backup/{moment[0]}juki/snapshots/{named(b'one')}").content == b"one"
    assert "読み取れませんでした" in desk.get(repository_id, at="yesterday")
    assert "読み取れませんでした" in desk.get(repository_id, at="9999-12-31T23:59:59+00:00")


def test_a_drill_is_asked_for_and_its_evidence_is_handed_out(small_cloud: Cloud, desk: Desk) -> None:
    repository_id = desk.make()
    desk.post(f"{repository_id}/password", password="合言葉", act="deposit")
    page = desk.get(repository_id)
    assert "合言葉をお預かりしています" in page and 'value="合言葉"' not in page
    desk.post(f"{repository_id}/password", act="withdraw")
    desk.post(f"{repository_id}/drills")
    assert "もう始まっています" in desk.post(f"{repository_id}/drills", 409)
    assert "行っています" in desk.get(repository_id)
    with small_cloud.database.reading(tenant=HOME) as session:
        (asked,) = db.drills(session, repository_id, 5)
    desk.get(f"{repository_id}/drills/{asked.id}", 404)
    drill.carry_out(small_cloud.service, HOME, asked.id)
    evidence = desk.client.get(f"{DESK}{repository_id}/drills/{asked.id}").json()
    assert evidence["evidence"]["passed"] is False and evidence["signature"], "an empty repository proves nothing"
    assert "戻せないものがありました" in desk.get(repository_id)


def test_the_time_of_keeping_only_grows(desk: Desk) -> None:
    repository_id = desk.make()
    desk.post(f"{repository_id}/retention", retention_days="90")
    assert "だれにも短くできない" in desk.post(f"{repository_id}/retention", 422, retention_days="89")


def test_a_full_repository_gets_more_room_and_alerts_go_to_the_next_clerk(small_cloud: Cloud, desk: Desk) -> None:
    """The answer 507 says to raise the limit, and in April somebody else must be told: both without a new repository."""
    repository_id = desk.make()
    form = {"title": "住民記録", "quota": "20", "promised_hours": "50", "alert_address": "next@town.example.jp"}
    desk.post(f"{repository_id}/settings", **form)
    page = desk.get(repository_id)
    assert "0B / 20GB" in page
    assert "50時間に1回" in page and 'value="next@town.example.jp"' in page and "住民記録</h1>" in page
    small_cloud.clock.advance(hours=51)
    with small_cloud.database.transaction(tenant=HOME) as session:
        assert watch.watch(session, small_cloud.clock.now()) == 1
        assert [row.address for row in session.scalars(select(NoticeRow))] == ["next@town.example.jp"]
    for field, value, sentence in (
        ("quota", "99999", "自治体全体の上限"),
        ("alert_address", "a@b@c", "メールアドレス"),
    ):
        page = desk.post(f"{repository_id}/settings", 422, **(form | {field: value}))
        assert sentence in page and f'value="{value}"' in page
    with small_cloud.database.reading(tenant=HOME) as session:
        row = db.by_id(session, repository_id)
        assert (row.name, row.quota, row.retention_days) == ("juki", 20 * GIB, 30), "the rest is as it was"
        changes = [
            json.loads(r.detail or "")
            for r in session.scalars(select(AuditEntryRow))
            if r.action == "backup.repository.changed"
        ]
    assert changes == [{"changed": ["title", "quota", "promised_hours", "alert_address"]}]


def test_no_route_lets_another_municipality_or_role_through(small_cloud: Cloud) -> None:
    canary = "カナリア保管庫"
    machine = small_cloud.machine(small_cloud.repository("canary-juki"), "append")
    with small_cloud.database.transaction(tenant=HOME) as session:
        row = db.by_id(session, machine.repository.id)
        row.title = canary
        asked = drill.ask(session, small_cloud.staff(), row.id, small_cloud.clock.now())
        raise_alert(session, row, "flood", small_cloud.clock.now())
        (alert,) = db.open_alerts(session)
    with machine.client as client:
        assert client.post(f"data/{named(b'canary')}", content=b"canary").status_code == 200
    values = {
        "repository_id": machine.repository.id,
        "token_id": machine.token_id,
        "drill_id": asked.id,
        "alert_id": alert.id,
        "repository": "canary-juki",
        "rest": f"data/{named(b'canary')}",
        "moment": "2026-11-20T10:00",
        "event_id": "none",
        "job_id": "none",
        "notice_id": "none",
        "kind": "none",
        "file": "none",
    }
    matrix = Matrix(
        small_cloud.app, "backup", small_cloud.issuers, home=MatrixTown(HOME, HOME), other=MatrixTown(OTHER, OTHER),
        values=values, canaries=[canary, "canary-juki"],
    )  # fmt: skip
    assert canary in Desk(small_cloud).get(), "the canary can be seen by its owner"
    walked = {route.path for route in matrix.routes()}
    assert any("/backup/restic/" in (path or "") for path in walked), "the data plane is walked too"
    assert matrix.count() > 150
    assert [str(finding) for finding in matrix.walk()] == []
