"""A whole single box, kept in a folder and brought back: every service's SQLite store at one same instant, stored files, keys.

    python -m services keep /mnt/copies/2026-11-20      while the cloud runs; people wait less than a second
    python -m services restore /mnt/copies/2026-11-20   into an empty DATA_DIR, before the cloud is started
    python -m services resend 2                          after any restore, PostgreSQL's too: the events of the last 2 hours go out
                                                         once more; readers know those they have had

Nothing of PostgreSQL or of an object store is kept here: they have means of their own (docs/operators.md). The sites of the
backups are not kept either: they are copies already, on disks of their own.
"""

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import update

from libs.common.db import Database
from libs.common.outbox import OutboxRow

MANIFEST = "manifest.json"
FOLDERS = ("files", "keys")
WAIT = 30
"""Seconds that a writer is waited for."""


class NotKept(Exception):
    """It was not done; the message says why, and nothing was half done that would look whole."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What no copy may hold, though it lies in the stores: service → tables whose rows are left out, and names of key files
    (as patterns)."""

    tables: Mapping[str, Sequence[str]] = field(default_factory=dict)
    keys: Sequence[str] = ()


NOTHING = LeftOut()


def keep(data: Path, keys: Path, target: Path, now: datetime, left_out: LeftOut = NOTHING) -> Path:
    """Copy everything but `left_out` into the new folder `target`. The manifest is written last: a copy without one is not
    whole."""
    if target.exists():
        raise NotKept(f"{target} is there already")
    stores = sorted(data.glob("*.sqlite"))
    if not stores:
        raise NotKept(f"there are no stores in {data}")
    target.mkdir(parents=True, mode=0o700)
    _copy_new(data / "files", target / "files")
    with standing_still(stores):
        at = now
        for store in stores:
            _copy_store(store, target / store.name)
    # Once more: what a row of that instant names was there before it. What went meanwhile was copied before.
    _copy_new(data / "files", target / "files")
    for store in stores:
        empty(target / store.name, left_out.tables.get(store.stem, ()))
    shutil.copytree(keys, target / "keys", dirs_exist_ok=True, ignore=shutil.ignore_patterns(*left_out.keys))
    manifest = {"kept_at": at.isoformat(), "sums": dict(_sums(target))}
    (target / MANIFEST).write_text(json.dumps(manifest, indent=1), "utf-8")
    return target


@contextmanager
def standing_still(stores: Sequence[Path]) -> Iterator[None]:
    """Nobody writes to any of the stores meanwhile; everybody may read. What was committed before is in the copies, what comes
    after is not: one same line through all of them."""
    with ExitStack() as stack:
        for store in stores:
            connection = stack.enter_context(_opened(store))
            connection.execute("BEGIN IMMEDIATE")
            stack.callback(connection.rollback)
        yield


@contextmanager
def _opened(store: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(store, timeout=WAIT, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def _copy_store(store: Path, target: Path) -> None:
    with _opened(store) as source, _opened(target) as copy:
        source.backup(copy)
        [[verdict]] = copy.execute("PRAGMA integrity_check")
    if verdict != "ok":
        raise NotKept(f"the copy of {store.name} is not whole: {verdict}")


def empty(copy: Path, tables: Sequence[str]) -> None:
    """Take every row of `tables` out of a copied store. It is written anew: what was deleted in a SQLite file stays in its free
    pages, and they were copied, too."""
    if not tables:
        return
    with closing(sqlite3.connect(copy, isolation_level=None)) as store:
        for table in tables:
            guards = store.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (table,)
            )
            guards = guards.fetchall()
            for name, _ in guards:
                store.execute(f'DROP TRIGGER "{name}"')
            store.execute(f'DELETE FROM "{table}"')  # noqa: S608 (our own names)
            for _, sql in guards:
                store.execute(sql)
        store.execute("VACUUM")


def _copy_new(source: Path, target: Path) -> None:
    """Every file that `target` does not have yet. Stored files never change; one that goes meanwhile is gone."""
    for path in sorted(source.rglob("*")) if source.exists() else ():
        place = target / path.relative_to(source)
        if path.is_dir() or place.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy2(path, place)
        except FileNotFoundError:
            continue


def _sums(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(each for each in folder.rglob("*") if each.is_file() and each.name != MANIFEST):
        with path.open("rb") as file:
            yield str(path.relative_to(folder)), hashlib.file_digest(file, "sha256").hexdigest()


def restore(source: Path, data: Path, keys: Path) -> datetime:
    """Bring a copy back into an empty place; the instant it is of. Every byte is compared with the manifest first."""
    if not (source / MANIFEST).exists():
        raise NotKept(f"{source} is not a whole copy: it has no {MANIFEST}")
    if data.exists() and any(data.glob("*.sqlite")):
        raise NotKept(f"{data} holds stores: nothing is written over. Move them away first")
    manifest = json.loads((source / MANIFEST).read_text("utf-8"))
    if dict(_sums(source)) != manifest["sums"]:
        raise NotKept(f"{source} has changed since it was made")
    for store in source.glob("*.sqlite"):
        data.mkdir(parents=True, exist_ok=True)
        shutil.copy2(store, data / store.name)
    for name, place in zip(FOLDERS, (data / "files", keys), strict=True):
        if (source / name).exists():
            shutil.copytree(source / name, place, dirs_exist_ok=True)
    return datetime.fromisoformat(manifest["kept_at"])


def resend(database: Database, now: datetime, hours: float) -> int:
    """Let the relay send once more what it sent in the last `hours`; how many events. A broker, or another service's store, may
    have lost them; whoever has had one knows its id and leaves it."""
    since = now - timedelta(hours=hours)
    with database.transaction() as session:
        sent = update(OutboxRow).where(OutboxRow.published_at >= since).values(published_at=None)
        return len(session.scalars(sent.returning(OutboxRow.position)).all())
