"""A file may be longer than any memory: it is kept, read and made a table in pieces, and refused in words before it fills the disk."""

import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from libs.common.errors import TooLarge
from libs.common.files import StoredFile
from services.opendata.datastore import Built
from services.opendata.reading.read import read
from services.opendata.tests.people import Town
from services.opendata.use_cases import drafts

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
MIB, GIB = 1024**2, 1024**3
FLAT = 24 * MIB
"""Bytes of Python's objects: a batch of 2,000 wide rows and their copies, whatever the file's length."""
HEAD = "番号,名称,説明\n".encode()
ROW = "{n},施設{n}," + "大木町の施設の説明です。" * 100 + "\n"
BATCH = 256


class Generated(io.RawIOBase):
    """A CSV of about `size` bytes that is nowhere: its rows are made as they are read. `read_bytes`: how many were taken."""

    def __init__(self, size: int) -> None:
        self._size, self._number, self.read_bytes = size, 0, 0
        self._waiting = HEAD

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._waiting and self.read_bytes < self._size:
            rows = range(self._number, self._number + BATCH)
            self._waiting, self._number = "".join(ROW.format(n=n) for n in rows).encode(), self._number + BATCH
        piece, self._waiting = self._waiting[: len(buffer)], self._waiting[len(buffer) :]
        buffer[: len(piece)] = piece
        self.read_bytes += len(piece)
        return len(piece)

    @property
    def rows(self) -> int:
        return self._number


def peak(step: Callable[[], Any]) -> tuple[Any, int]:
    """(what it gives, bytes of Python's objects at most)"""
    tracemalloc.start()
    try:
        return step(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def stored_file(town: Town, stored: StoredFile) -> Path:
    return next(path for path in (town.service.settings.data_dir / "files").rglob("*") if path.name == stored.id)


def test_a_file_of_64_mb_is_kept_read_and_made_a_table_in_flat_memory(town: Town):
    actor, sent = town.staff().actor, Generated(64 * MIB)

    def all_of_it() -> Built:
        table = read(stored_file(town, drafts.keep(town.service, actor, sent)), "long.csv").tables[0]
        tables = town.service.extras["tables"]
        return tables.make(town.code, table.columns, lambda: (row.cells for row in table.rows()))[1]

    built, most = peak(all_of_it)
    print(f"{sent.read_bytes / MIB:.0f} MB, {sent.rows:,} rows: {most / MIB:.1f} MB of memory")
    assert built.rows == sent.rows > 15_000
    assert most < FLAT


def test_a_file_of_5_gb_is_stopped_while_it_arrives(town: Town):
    town.service.settings.opendata_file_limit = 32 * MIB
    sent = Generated(5 * GIB)
    kept = town.service.settings.data_dir / "files"
    with pytest.raises(TooLarge):
        _, _most = peak(lambda: drafts.keep(town.service, town.staff().actor, sent))
    assert sent.read_bytes < 40 * MIB, "the rest was never asked for"
    assert sum(path.stat().st_size for path in kept.rglob("*") if path.is_file()) < MIB, "nothing of it stays"


@pytest.mark.slow
def test_a_file_of_5_gb_is_kept_and_read_where_the_operator_allows_it(town: Town):
    town.service.settings.opendata_file_limit = 6 * GIB
    sent = Generated(5 * GIB)
    stored, keeping = peak(lambda: drafts.keep(town.service, town.staff().actor, sent))
    assert stored.size == sent.read_bytes >= 5 * GIB
    path = stored_file(town, stored)
    rows, reading = peak(lambda: sum(1 for _ in read(path, "long.csv").tables[0].rows()))
    print(
        f"{stored.size / GIB:.2f} GB, {rows:,} rows: {keeping / MIB:.1f} MB of memory to keep it, {reading / MIB:.1f} MB to read it"
    )
    assert rows == sent.rows
    assert max(keeping, reading) < FLAT
