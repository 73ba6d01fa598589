"""A table as rows of text, and what is found in it. Rows are read again from their source each time: a table of millions fits."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "info"]
SHOWN_PER_CODE = 200
BLOCK = 512


class Row(NamedTuple):
    """`number` is the row in the clerk's file, from 1 as Excel counts; `cells` are texts, `""` for an empty cell."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a clerk should know about one place of a file.

    `code` is a stable word. `row` and `column` count from 1 as Excel does; None means the whole sheet or the whole column/row.
    `proposal` is the value that would be right, None when only a person can tell.
    """

    code: str
    severity: Severity
    message: str
    sheet: str = ""
    row: int | None = None
    column: int | None = None
    column_name: str = ""
    value: str = ""
    proposal: str | None = None

    @property
    def place(self) -> str:
        """The place as a clerk finds it in Excel: 「C5」, 「5行目」, 「C列」 or empty."""
        if self.row and self.column:
            return f"{column_letters(self.column)}{self.row}"
        if self.row:
            return f"{self.row}行目"
        return f"{column_letters(self.column)}列" if self.column else ""


@dataclass
class Findings:
    """All findings are counted; of each code only the first `SHOWN_PER_CODE` are kept, so that a bad file stays small in memory."""

    counts: Counter[str] = field(default_factory=Counter)
    shown: list[Finding] = field(default_factory=list)
    errors: int = 0

    def add(self, finding: Finding) -> None:
        self.counts[finding.code] += 1
        self.errors += finding.severity == "error"
        if self.counts[finding.code] <= SHOWN_PER_CODE:
            self.shown.append(finding)

    def extend(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.add(finding)

    def of(self, code: str) -> list[Finding]:
        return [finding for finding in self.shown if finding.code == code]

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.shown)

    def __len__(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True)
class Table:
    """`sheet` is empty for CSV. `header_row` is the file's row the names stand in (the last of several), None when there is none.

    `source` gives a fresh iterator over the data rows; each row has exactly `len(columns)` cells.
    """

    columns: tuple[str, ...]
    source: Callable[[], Iterator[Row]]
    sheet: str = ""
    header_row: int | None = 1
    places: tuple[int, ...] = ()
    """The file's column, from 1, in which each column stands, where empty ones were left out."""
    grouped: bool = False
    """Whether the first column is written in the first row of each group only, as merged cells are saved in CSV."""

    def place(self, at: int) -> int:
        """The file's column (from 1) of the table's column (from 0)."""
        return self.places[at] if self.places else at + 1

    def rows(self) -> Iterator[Row]:
        return self.source()

    def with_cells(self, values: Mapping[str, str]) -> "Table":
        """The table with other values in some cells, named as Excel names them (`{"J6": "2019-02-28"}`); what is no cell of it is left."""
        if not values:
            return self
        at_place = {column_letters(self.place(at)): at for at in range(len(self.columns))}
        by_row: dict[int, dict[int, str]] = {}
        for place, value in values.items():
            letters, number = place.rstrip("0123456789"), place.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
            if letters in at_place and number.isdecimal():
                by_row.setdefault(int(number), {})[at_place[letters]] = value
        return replace(self, source=lambda: (_with(row, by_row.get(row.number, {})) for row in self.source()))

    def blocks(self) -> Iterator[list[Row]]:
        """The rows, `BLOCK` at a time: what is right is told of a whole column faster than of each cell."""
        rows = self.source()
        while block := list(islice(rows, BLOCK)):
            yield block

    @classmethod
    def of(cls, columns: Sequence[str], rows: Sequence[Sequence[str]], sheet: str = "") -> "Table":
        """A table held in memory; its rows count from 2, below the header."""
        kept = tuple(Row(number, tuple(cells)) for number, cells in enumerate(rows, start=2))
        return cls(tuple(columns), lambda: iter(kept), sheet)


def _with(row: Row, values: Mapping[int, str]) -> Row:
    return Row(row.number, tuple(values.get(at, cell) for at, cell in enumerate(row.cells))) if values else row


_TOTAL = re.compile(r"^(?:合\s*計|総\s*計|小\s*計|総\s*数|[市区町村県郡]\s*計|計|平\s*均)$")


def is_total(cell: str) -> bool:
    """Whether a cell says that its row sums up others (合計, 小 計, 平均)."""
    return bool(_TOTAL.match(cell.strip()))


def total_at(row: Row) -> int | None:
    """The column (from 0) whose cell says that the row sums up others: the first that is filled."""
    at = next((at for at, cell in enumerate(row.cells) if cell.strip()), None)
    return at if at is not None and is_total(row.cells[at]) else None


def column_letters(column: int) -> str:
    """1 → A, 27 → AA, as Excel names columns."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
