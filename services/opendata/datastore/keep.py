"""Where the tables are: kept in the file store like any other file, read from copies on this machine's disk."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from libs.common.errors import Unavailable
from libs.common.files import Store, StoredFile
from libs.common.ids import new_id
from services.opendata.datastore.build import Built, Column, Row, build
from services.opendata.datastore.compare import Comparison, compare
from services.opendata.datastore.indexes import LEAST_ROWS, MOST_COLUMNS, Indexer
from services.opendata.datastore.query import Table, open_table
from services.opendata.datastore.write import Copy, changing

T = TypeVar("T")

MAX_TABLE = 64 * 1024**3
"""Bytes."""


@contextmanager
def _room_on_the_disk() -> Iterator[None]:
    """A full disk is told as the store tells it; what stood before stays, and the half-written file goes."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            raise
        sentence = (
            "保存する場所がいっぱいのため、表を作れませんでした。公開中の版はそのままです。時間をおいてお試しください。"
        )
        raise Unavailable(sentence, code="disk-full", retry_after=600) from error


def _used(place: Path) -> Path:
    """Somebody asked for it: it is not swept."""
    os.utime(place)
    return place


class Tables:
    """`seconds`: how long a question may take. The folder is a cache: it can be emptied at any time."""

    def __init__(self, store: Store, folder: Path, *, seconds: float) -> None:
        self._store, self._folder, self.seconds = store, folder, seconds
        self.indexer = Indexer()

    def make(self, tenant: str, names: Sequence[str], rows: Callable[[], Iterable[Row]]) -> tuple[str, Built]:
        """(id, what was written). Durable when it returns; what a killed process leaves is swept as a loose file."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{new_id()}.new"
        try:
            with _room_on_the_disk():
                built = build(path, names, rows)
            with path.open("rb") as file:
                stored = self._store.put(tenant, file, limit=MAX_TABLE)
            path.replace(self._place(tenant, stored.id))
        finally:
            path.unlink(missing_ok=True)
        return stored.id, built

    def change(
        self, tenant: str, table_id: str | None, work: Callable[[Copy], T]
    ) -> tuple[StoredFile, list[Column], T]:
        """A new table made of a copy of the old one (None: of nothing) by `work`; the old one stays as it is."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{new_id()}.new"
        try:
            if table_id:
                shutil.copyfile(self._local(tenant, table_id), path)
            with _room_on_the_disk(), changing(path) as copy:
                answer = work(copy)
            with path.open("rb") as file:
                stored = self._store.put(tenant, file, limit=MAX_TABLE)
            path.replace(self._place(tenant, stored.id))
        finally:
            path.unlink(missing_ok=True)
        return stored, copy.columns, answer

    @contextmanager
    def open(self, tenant: str, table_id: str, seconds: float | None = None) -> Iterator[Table]:
        """NotFound if the tenant has no such table."""
        indexed = self._indexed(tenant, table_id)
        place = _used(indexed) if indexed.exists() else self._local(tenant, table_id)
        with open_table(place, seconds or self.seconds) as table:
            try:
                yield table
            finally:  # what took too long without an index needs it most
                wanted = table.compared - {"_id"} | table.indexed
                if table.rows >= LEAST_ROWS and wanted - table.indexed and len(wanted) <= MOST_COLUMNS:
                    self.indexer.order(self._local(tenant, table_id), indexed, wanted)

    def compare(self, tenant: str, before: str, after: str) -> Comparison:
        """What changed from one table to another of the same tenant."""
        with self.open(tenant, before) as old, self.open(tenant, after) as new:
            names = old.names, new.names
        return compare(self._local(tenant, before), self._local(tenant, after), *names)

    def forget(self, tenant: str, table_id: str) -> None:
        self._store.delete(tenant, table_id)
        self._place(tenant, table_id).unlink(missing_ok=True)
        self._indexed(tenant, table_id).unlink(missing_ok=True)

    def _local(self, tenant: str, table_id: str) -> Path:
        place = self._place(tenant, table_id)
        if not place.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            copy = self._folder / f"{new_id()}.new"
            with self._store.open(tenant, table_id) as opened, copy.open("wb") as file:
                for chunk in opened.chunks:
                    file.write(chunk)
            copy.replace(place)
        return _used(place)

    def _indexed(self, tenant: str, table_id: str) -> Path:
        return self._folder / f"{tenant}-{table_id}.indexed.sqlite"

    def _place(self, tenant: str, table_id: str) -> Path:
        return self._folder / f"{tenant}-{table_id}.sqlite"

    def sweep(self, before: float) -> int:
        """Remove copies nobody asked for since `before` (seconds since 1970), and what killed imports left; how many."""
        old = [path for path in self._folder.glob("*") if path.stat().st_mtime < before]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)
