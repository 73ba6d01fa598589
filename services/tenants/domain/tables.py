"""A table as a CSV, its lines numbered as a spreadsheet numbers them: whoever mends a line must find it there."""

import csv
import io
from collections.abc import Callable

Line = tuple[int, dict[str, str]]
"""The number of a line, and its cells by heading, without blanks around them; a cell that is not there is ""."""


def read(text: str, plain: Callable[[str], str] = str.strip, *, strict: bool = False) -> tuple[list[str], list[Line]]:
    """Headings, each made `plain`, and the lines below. Lines with nothing in them are left out, but counted. `strict`: csv.Error for
    quotation marks that do not fit."""
    rows = enumerate(csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=strict), start=1)
    filled = ((number, row) for number, row in rows if any(cell.strip() for cell in row))
    headings = [plain(cell) for cell in next(filled, (0, []))[1]]
    blank = [""] * len(headings)
    return headings, [
        (number, dict(zip(headings, (cell.strip() for cell in [*row, *blank]), strict=False))) for number, row in filled
    ]
