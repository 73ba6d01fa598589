"""A whole single box is copied while it runs, brought back elsewhere, and what was on its way is sent again."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from libs.common import keeping, outbox
from libs.common.db import Database
from libs.common.events import Event
from libs.common.keeping import NotKept
from libs.common.outbox import OutboxRow
from libs.common.testing.service import NOW


class OrderKept(Event, type="shop.order.kept.v1"):
    order_id: str


def box(folder: Path) -> tuple[Path, Path]:
    """Two stores, between which a number goes to and fro, a file and a key."""
    data, keys = folder / "data", folder / "keys"
    (data / "files" / "402036").mkdir(parents=True)
    keys.mkdir()
    (data / "files" / "402036" / "a").write_bytes(b"file")
    (keys / "shop.key").write_bytes(b"key")
    for name in ("shop", "bank"):
        with sqlite3.connect(data / f"{name}.sqlite") as store:
            store.execute("PRAGMA journal_mode=WAL")
            store.execute("CREATE TABLE counts (n INTEGER)")
            store.execute("INSERT INTO counts VALUES (0)")
    return data, keys


def count(folder: Path, name: str) -> int:
    with sqlite3.connect(folder / f"{name}.sqlite") as store:
        return store.execute("SELECT n FROM counts").fetchone()[0]


def test_what_is_kept_comes_back_elsewhere_to_the_byte(tmp_path: Path) -> None:
    data, keys = box(tmp_path)
    keeping.keep(data, keys, tmp_path / "copy", NOW)
    elsewhere = tmp_path / "elsewhere"
    assert keeping.restore(tmp_path / "copy", elsewhere / "data", elsewhere / "keys") == NOW
    assert (elsewhere / "data" / "files" / "402036" / "a").read_bytes() == b"file"
    assert (elsewhere / "keys" / "shop.key").read_bytes() == b"key"
    assert count(elsewhere / "data", "shop") == 0


def test_what_no_copy_may_hold_is_left_out_with_what_was_deleted_before(tmp_path: Path) -> None:
    data, keys = box(tmp_path)
    (keys / "shop-safe.secret").write_bytes(b"of the safe")
    with sqlite3.connect(data / "shop.sqlite") as store:
        store.execute("CREATE TABLE safe (secret TEXT)")
        store.execute("CREATE TRIGGER guard BEFORE DELETE ON safe BEGIN SELECT RAISE(ABORT, 'not you'); END")
        store.executemany("INSERT INTO safe VALUES (?)", [("kept out " * 1000,), ("deleted " * 1000,)])
        store.execute("CREATE TABLE gone (secret TEXT)")
        store.execute("INSERT INTO gone SELECT secret FROM safe")
        store.execute("DELETE FROM gone")
    left_out = keeping.LeftOut({"shop": ["safe"]}, ["shop-safe*"])
    for name, kept in (("whole", keeping.NOTHING), ("copy", left_out)):
        keeping.keep(data, keys, tmp_path / name, NOW, kept)
    for words in (b"kept out ", b"deleted "):
        assert words in (tmp_path / "whole" / "shop.sqlite").read_bytes(), "a search would find it"
        assert words not in (tmp_path / "copy" / "shop.sqlite").read_bytes()
    assert [path.name for path in (tmp_path / "copy" / "keys").iterdir()] == ["shop.key"]
    with sqlite3.connect(tmp_path / "copy" / "shop.sqlite") as store:
        assert store.execute("SELECT count(*) FROM sqlite_master WHERE name IN ('safe', 'guard')").fetchone() == (2,)
    assert count(tmp_path / "copy", "shop") == 0


def test_all_stores_are_of_one_same_instant_while_people_write(tmp_path: Path) -> None:
    """The writer counts in one store, then in the other: a copy in which the second is ahead of the first cannot be."""
    data, keys = box(tmp_path)
    stop = threading.Event()

    def write() -> None:
        stores = [sqlite3.connect(data / f"{name}.sqlite", timeout=30) for name in ("shop", "bank")]
        while not stop.is_set():
            for store in stores:
                with store:
                    store.execute("UPDATE counts SET n = n + 1")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            copy = keeping.keep(data, keys, tmp_path / f"copy-{number}", NOW)
            assert count(copy, "shop") - count(copy, "bank") in (0, 1)
    finally:
        stop.set()
        writer.join()
    assert count(data, "shop") > 0


@pytest.mark.parametrize("name", ["shop.sqlite", "files/402036/a", "keys/shop.key"])
def test_a_copy_that_has_changed_or_is_half_is_not_brought_back(tmp_path: Path, name: str) -> None:
    data, keys = box(tmp_path)
    copy = keeping.keep(data, keys, tmp_path / "copy", NOW)
    with (copy / name).open("ab") as file:
        file.write(b"x")
    with pytest.raises(NotKept, match="changed"):
        keeping.restore(copy, tmp_path / "new", tmp_path / "new-keys")
    (copy / keeping.MANIFEST).unlink()
    with pytest.raises(NotKept, match="whole"):
        keeping.restore(copy, tmp_path / "new", tmp_path / "new-keys")
    assert not (tmp_path / "new").exists()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    data, keys = box(tmp_path)
    copy = keeping.keep(data, keys, tmp_path / "copy", NOW)
    with pytest.raises(NotKept, match="holds stores"):
        keeping.restore(copy, data, keys)
    with pytest.raises(NotKept, match="there already"):
        keeping.keep(data, keys, copy, NOW)
    assert json.loads((copy / keeping.MANIFEST).read_text())["kept_at"] == NOW.isoformat()


def test_events_of_the_last_hours_go_out_once_more_older_ones_do_not(database: Database) -> None:
    with database.transaction() as session:
        for number in range(3):
            outbox.add(session, OrderKept(order_id=str(number)), subject=str(number), now=NOW)
    with database.transaction() as session:
        for row, hours in zip(session.scalars(select(OutboxRow).order_by(OutboxRow.position)), (5, 1, 0), strict=True):
            row.published_at = NOW - timedelta(hours=hours)
    assert keeping.resend(database, NOW, hours=2) == 2
    with database.reading() as session:
        assert [row.published_at is None for row in session.scalars(select(OutboxRow).order_by(OutboxRow.position))] == [
            False, True, True,
        ]  # fmt: skip


@pytest.mark.slow
def test_each_service_sends_its_own_events_once_more_where_it_runs_alone(tmp_path: Path) -> None:
    """In Kubernetes no process reaches every store: `kubectl exec deployment/<service>-api -- /app/run resend 24`."""
    environment = {**os.environ, "DATA_DIR": str(tmp_path), "KEYS_DIR": str(tmp_path / "keys"), "BUS": "embedded"}
    environment.pop("DATABASE_URL", None)
    steps = (
        ("libs.common.keys", "ensure", "gateway", "tenants", "ebid"),
        ("services.ebid", "migrate"),
        ("services.ebid", "resend", "24"),
    )
    for step in steps:
        command = [sys.executable, "-m", *step]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert done.stdout == "ebid: 0 events go out once more\n"
