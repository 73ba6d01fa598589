"""The first table of a file that fits in memory."""

import tempfile
from dataclasses import replace
from pathlib import Path

from services.opendata.domain.table import Row, Table
from services.opendata.reading.read import read


def table_of_bytes(content: bytes, name: str) -> Table:
    """Refusals are those of `read`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        table = read(path, name).tables[0]
        rows: list[Row] = list(table.rows())
    return replace(table, source=lambda: iter(rows))
