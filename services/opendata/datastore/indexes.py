"""Indexes made when somebody needs them: a column that rows are chosen by gets one, in a copy of the table beside the first.

Tables do not change, so a copy is as good as the original; it is a cache like it, swept when nobody asks. Making all indexes at once
would double the time of every import for columns nobody ever filters by.
"""

import shutil
import sqlite3
import threading
from collections.abc import Collection
from pathlib import Path

from libs.common import log
from libs.common.ids import new_id

LEAST_ROWS = 5_000
"""Fewer are looked through faster than a file is copied."""
MOST_COLUMNS = 6
LARGEST = 1024**3
"""Bytes of a table that is copied."""

_log = log.get(__name__)


class Indexer:
    """One per process: makes one copy at a time, in the background."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_work: threading.Thread | None = None

    def order(self, table: Path, target: Path, columns: Collection[str]) -> None:
        """`target` shall have indexes on `columns` (c0, c1, …). Where another copy is being made, the next question orders it again."""
        with self._lock:
            if (self._at_work and self._at_work.is_alive()) or table.stat().st_size > LARGEST:
                return
            self._at_work = threading.Thread(target=_make, args=(table, target, sorted(columns)), daemon=True)
            self._at_work.start()

    def wait(self) -> None:
        """Until what was ordered is there."""
        if self._at_work:
            self._at_work.join()


def _make(table: Path, target: Path, columns: list[str]) -> None:
    copy = target.with_name(f"{new_id()}.new")
    try:
        shutil.copyfile(table, copy)
        with sqlite3.connect(copy) as connection:
            for column in columns:
                connection.execute(f"CREATE INDEX {column}_ ON data ({column})")
        connection.close()
        copy.replace(target)
    except (OSError, sqlite3.Error) as error:
        _log.warning("index_not_made", error=type(error).__name__)
    finally:
        copy.unlink(missing_ok=True)
