"""How much of a file is read before it is refused. Each bound has a test that goes over it."""

from dataclasses import dataclass

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Bytes unless the name says otherwise. `unpacked` bounds what a workbook may become when it is unzipped."""

    size: int = 8192 * MEGABYTE  # what is taken in at all is the operator's to say (OPENDATA_FILE_LIMIT)
    rows: int = 5_000_000
    columns: int = 1_999  # with the row's number, what one table of SQLite holds
    line: int = 1 * MEGABYTE
    cell: int = 100_000
    quoted_lines: int = 200
    workbook: int = 100 * MEGABYTE
    document: int = 64 * MEGABYTE  # JSON, which is held in memory
    unpacked: int = 1024 * MEGABYTE
    shared_strings: int = 200 * MEGABYTE
    ratio: int = 200
    entries: int = 2_000
    sheets: int = 50


LIMITS = Limits()
