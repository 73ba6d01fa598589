"""Merged cells: the value stands in the first of them only; a machine needs it in each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.opendata.domain.table import Row


@dataclass(frozen=True, slots=True)
class Merge:
    """A rectangle of merged cells, rows and columns from 1, both ends inside."""

    top: int
    left: int
    bottom: int
    right: int


def fill(rows: Iterator[Row], merges: Sequence[Merge], first: int) -> Iterator[Row]:
    """`rows` with the value of each merged rectangle that starts at row `first` or later in all of its cells."""
    waiting = sorted((merge for merge in merges if merge.top >= first), key=lambda merge: merge.top, reverse=True)
    if not waiting:
        yield from rows
        return
    active: list[tuple[Merge, str]] = []
    for row in rows:
        active = [(merge, value) for merge, value in active if merge.bottom >= row.number]
        while waiting and waiting[-1].top <= row.number:
            merge = waiting.pop()
            if merge.top == row.number:
                value = row.cells[merge.left - 1] if merge.left <= len(row.cells) else ""
                active.append((merge, value))
        yield _filled(row, active) if active else row


def _filled(row: Row, active: list[tuple[Merge, str]]) -> Row:
    width = max(len(row.cells), *(merge.right for merge, _ in active))
    cells = [*row.cells, *[""] * (width - len(row.cells))]
    for merge, value in active:
        cells[merge.left - 1 : merge.right] = [value] * (merge.right - merge.left + 1)
    return Row(row.number, tuple(cells))
