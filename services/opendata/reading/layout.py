"""Where the table is in a sheet: title rows above, headers of several rows, merged cells, blank rows, notes below."""

import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from libs.common.errors import Invalid, TooLarge, say
from services.opendata.domain.headers import candidates, tidy
from services.opendata.domain.table import Finding, Findings, Row, Table
from services.opendata.reading.limits import Limits
from services.opendata.reading.merges import Merge, fill

HEAD = 60
TAIL = 60
MOST_HEADER_ROWS = 3
_NUMBER = re.compile(r"[-+▲△]?[\d０-９,，.．]+[%％]?")
_NOTE = re.compile(
    r"^\s*+(?:[※*＊]|[（(]?注[\d０-９）):：.]?|[（(]?備考[）):：]|出典|資料|[（(]単位|.*(?:現在|時点)[）)]?$)"
)
_TOTAL = re.compile(r"^(?:合\s*計|総\s*計|小\s*計|計)$")


class Source(Protocol):
    """A fresh pass over a sheet's rows as they stand in the file; what reading itself finds goes to `findings` when given."""

    def __call__(self, findings: Findings | None = None) -> Iterator[Row]: ...


@dataclass(frozen=True)
class Layout:
    """Row numbers of the file. `header` may be empty: then there is no header. `last` is the last row of data; notes follow it."""

    columns: tuple[str, ...]
    header: tuple[int, ...]
    first: int
    last: int
    merges: tuple[Merge, ...] = ()
    repeated: frozenset[int] = frozenset()


@dataclass
class _Scan:
    """What one pass over all rows leaves: the first and the last rows that hold anything, and how many there are."""

    head: list[Row] = field(default_factory=list)
    tail: deque[Row] = field(default_factory=lambda: deque(maxlen=TAIL))
    rows: int = 0
    blank: int = 0
    first_blank: int = 0


def table_from(source: Source, sheet: str, limits: Limits, findings: Findings, merges: Sequence[Merge] = ()) -> Table:
    """The table of one sheet. Two passes: one to find its place, one to name rows of the wrong width. Raises Invalid `empty`."""
    scan = _scan(source(findings), limits)
    if not scan.head:
        raise Invalid("表が見つかりません。データの入った表を登録してください。", code="empty")
    layout = find_layout(scan, tuple(merges), sheet, findings)
    _note_rows(source(), layout, sheet, findings)
    return Table(layout.columns, lambda: _rows(source(), layout), sheet, layout.header[-1] if layout.header else None)


def _scan(rows: Iterator[Row], limits: Limits) -> _Scan:
    scan = _Scan()
    for row in rows:
        if len(row.cells) > limits.columns:
            raise TooLarge(
                say("列が多すぎます（上限%(limit)s列）。列を見直して登録してください。", limit=limits.columns),
                code="too-many-columns",
            )
        if not any(row.cells) or not any(cell.strip() for cell in row.cells):
            scan.blank += 1
            continue
        scan.rows += 1
        if scan.rows > limits.rows:
            raise too_many_rows(limits)
        if len(scan.head) < HEAD:
            scan.head.append(row)
        scan.tail.append(row)
    return scan


def too_many_rows(limits: Limits) -> TooLarge:
    sentence = say("行が多すぎます（上限%(limit)s行）。分けて登録してください。", limit=limits.rows)
    return TooLarge(sentence, code="too-many-rows")


def find_layout(scan: _Scan, merges: tuple[Merge, ...], sheet: str, findings: Findings) -> Layout:
    """Chooses the header and the last row, and says what was passed by."""
    at = _header_at(scan.head)
    if at is None:
        width = max(len(_trimmed(row.cells)) for row in scan.head)
        message = "項目名の行が見つかりません。1行目に項目名を書いてください。仮の名前を付けました。"
        findings.add(Finding("no-header", "error", message, sheet, scan.head[0].number))
        columns = tuple(f"列{number}" for number in range(1, width + 1))
        return Layout(columns, (), scan.head[0].number, _last(scan, width, sheet, findings), merges)
    for row in scan.head[:at]:
        text = " ".join(cell.strip() for cell in row.cells if cell.strip())
        message = f"表の前に「{text[:60]}」があります。表題や説明の欄に移し、表は項目名から始めます。"
        findings.add(Finding("row-above-header", "warning", message, sheet, row.number, value=text))
    header = _header_rows(scan.head, at, merges)
    columns = _names(header, scan.head[at + len(header) :], merges, sheet, findings)
    first = header[-1].number + 1
    last = _last(scan, len(columns), sheet, findings, beyond=header[-1].number)
    return Layout(columns, tuple(row.number for row in header), first, last, merges)


def _header_at(head: Sequence[Row]) -> int | None:
    """The index in `head` of the first header row: the row with most known names, else the first full row of words over other rows."""
    known = [sum(bool(candidates(cell)) for cell in row.cells if cell.strip()) for row in head[:20]]
    if max(known) >= 3:
        return known.index(max(known))
    usual = Counter(_filled(row) for row in head).most_common(1)[0][0]
    widest = max(_filled(row) for row in head[-max(len(head) // 2, 1) :])
    wanted = max(1, round(0.6 * max(usual, widest)))
    for at, row in enumerate(head[:20]):
        if _filled(row) >= wanted:
            return at if _is_wordy(row) else None
    return None


def _filled(row: Row) -> int:
    return sum(bool(cell.strip()) for cell in row.cells)


def _is_wordy(row: Row) -> bool:
    """A header has words, mostly different ones: numbers that are years (2020, 令和2年) may be names too, but not all of them."""
    cells = [cell.strip() for cell in row.cells if cell.strip()]
    numbers = sum(bool(_NUMBER.fullmatch(cell)) and not re.fullmatch(r"(?:19|20)\d\d", cell) for cell in cells)
    return numbers * 5 <= len(cells) and len(set(cells)) * 2 > len(cells)


def _header_rows(head: Sequence[Row], at: int, merges: tuple[Merge, ...]) -> list[Row]:
    """The header row and those below that complete it: one says 災害種別, the next 洪水, 高潮 under it."""
    rows = [head[at]]
    while len(rows) < MOST_HEADER_ROWS and at + len(rows) < len(head) - 1:
        upper, lower = rows[-1], head[at + len(rows)]
        if lower.number != upper.number + 1 or not _completes(upper, lower, merges):
            break
        rows.append(lower)
    if at > 0 and len(rows) == 1 and _completes(head[at - 1], head[at], merges) and _filled(head[at - 1]) > 1:
        return [head[at - 1], *rows]
    return rows


def _completes(upper: Row, lower: Row, merges: tuple[Merge, ...]) -> bool:
    width = max(len(upper.cells), len(lower.cells))
    above, below = _padded(upper.cells, width), _padded(lower.cells, width)
    if any(_NUMBER.fullmatch(cell.strip()) for cell in below if cell.strip()):
        return False
    filled_below = any(b.strip() and not a.strip() for a, b in zip(above, below, strict=True))
    if any(merge.top == upper.number and merge.bottom == upper.number and merge.right > merge.left for merge in merges):
        return filled_below
    filled_above = any(a.strip() and not b.strip() for a, b in zip(above, below, strict=True))
    under_a_name = any(a.strip() and b.strip() for a, b in zip(above, below, strict=True))
    return filled_below and filled_above and under_a_name


def _names(
    header: list[Row], data: Sequence[Row], merges: tuple[Merge, ...], sheet: str, findings: Findings
) -> tuple[str, ...]:
    width = max(len(_trimmed(row.cells)) for row in header)
    usual = sorted(len(_trimmed(row.cells)) for row in data)
    if usual and usual[len(usual) // 2] > width:
        width = usual[len(usual) // 2]
    rows = [
        _spread(row, width, header[at + 1] if at + 1 < len(header) else None, merges) for at, row in enumerate(header)
    ]
    names: list[str] = []
    for column in range(width):
        parts = list(dict.fromkeys(tidy(row[column]) for row in rows if row[column].strip()))
        names.append(_name("_".join(parts), column, names, header[-1].number, sheet, findings))
    if len(header) > 1:
        message = f"{len(header)}行に分かれた項目名を1行にまとめました。"
        findings.add(Finding("header-of-several-rows", "warning", message, sheet, header[0].number))
    return tuple(names)


def _spread(row: Row, width: int, lower: Row | None, merges: tuple[Merge, ...]) -> list[str]:
    """A group's name stands over all its columns: by its merged cell, or (in CSV) over the blanks right of it with a name below."""
    cells = list(_padded(row.cells, width))
    if merges:
        for merge in merges:
            if merge.top <= row.number <= merge.bottom and merge.top == row.number:
                for column in range(merge.left, min(merge.right + 1, width + 1)):
                    cells[column - 1] = cells[merge.left - 1]
        return cells
    below = _padded(lower.cells, width) if lower else ()
    for column in range(1, width):
        if below and not cells[column].strip() and below[column].strip() and below[column - 1].strip():
            cells[column] = cells[column - 1]
    return cells


def _name(name: str, column: int, before: list[str], row: int, sheet: str, findings: Findings) -> str:
    if not name:
        new = f"列{column + 1}"
        message = f"{column + 1}列目に項目名がありません。仮に「{new}」としました。"
        findings.add(Finding("header-blank", "error", message, sheet, row, column + 1, proposal=new))
        return new
    if name in before:
        new = next(f"{name}_{number}" for number in range(2, 10_000) if f"{name}_{number}" not in before)
        message = f"項目名「{name}」が2つ以上あります。仮に「{new}」としました。"
        findings.add(Finding("header-twice", "error", message, sheet, row, column + 1, name, name, new))
        return new
    return name


def _last(scan: _Scan, width: int, sheet: str, findings: Findings, beyond: int = 0) -> int:
    """The last row of data: from below, rows that are notes are left out and named. A row is a note when it has one filled cell in a
    table of three or more columns, or starts as notes do and is nearly empty."""
    last = scan.tail[-1].number
    notes = []
    for row in reversed(scan.tail):
        last = row.number
        if row.number <= beyond or not _is_note(row, width):
            break
        notes.append(row)
    for row in reversed(notes):
        text = " ".join(cell.strip() for cell in row.cells if cell.strip())
        message = f"表の下に「{text[:60]}」があります。表から除き、説明の欄に移します。"
        findings.add(Finding("note-below", "warning", message, sheet, row.number, value=text))
    return last


def _is_note(row: Row, width: int) -> bool:
    first = next(cell for cell in row.cells if cell.strip())
    if _TOTAL.match(first.strip()):
        return False
    return (_filled(row) == 1 and width >= 3) or (_filled(row) * 3 <= width and bool(_NOTE.match(first)))


def _rows(rows: Iterator[Row], layout: Layout) -> Iterator[Row]:
    width = len(layout.columns)
    for row in fill(rows, layout.merges, layout.first) if layout.merges else rows:
        if row.number < layout.first:
            continue
        if row.number > layout.last:
            return
        cells = row.cells
        if len(cells) != width:
            cells = _padded(cells[:width], width)
        if any(cells) and any(cell.strip() for cell in cells) and not _is_header_again(cells, layout):
            yield Row(row.number, cells)


def _is_header_again(cells: tuple[str, ...], layout: Layout) -> bool:
    return cells[0] == layout.columns[0] and tuple(map(tidy, cells)) == layout.columns


def _note_rows(rows: Iterator[Row], layout: Layout, sheet: str, findings: Findings) -> None:
    width = len(layout.columns)
    blanks = 0
    for row in rows:
        if row.number < layout.first or row.number > layout.last:
            continue
        if not any(row.cells) or not any(cell.strip() for cell in row.cells):
            blanks += 1
            if blanks == 1:
                findings.add(
                    Finding(
                        "blank-row", "warning", f"{row.number}行目が空の行です。除いて読みました。", sheet, row.number
                    )
                )
        elif len(row.cells) != width:
            _note_width(row, width, sheet, findings)
        elif _is_header_again(row.cells, layout):
            message = f"{row.number}行目に項目名がもう一度あります。除いて読みました。"
            findings.add(Finding("header-again", "warning", message, sheet, row.number))
        if row.cells and _TOTAL.match(row.cells[0].strip()):
            message = f"{row.number}行目は「{row.cells[0].strip()}」の行です。データと合計が混ざらないよう、除くことを検討してください。"
            findings.add(
                Finding("total-row", "warning", message, sheet, row.number, 1, layout.columns[0], row.cells[0])
            )


def _note_width(row: Row, width: int, sheet: str, findings: Findings) -> None:
    if len(row.cells) < width:
        if sheet:  # a workbook does not keep empty cells at the end of a row
            return
        message = (
            f"{row.number}行目は{len(row.cells)}列しかありません（項目は{width}列）。足りない列を空欄として読みました。"
        )
        findings.add(Finding("row-too-short", "warning", message, sheet, row.number, value=str(len(row.cells))))
    elif extra := [cell for cell in row.cells[width:] if cell.strip()]:
        message = f'{row.number}行目は列が{len(extra)}つ多く、「{extra[0][:40]}」などが余りました。値の中のカンマを「"」で囲んでください。'
        findings.add(
            Finding("row-too-long", "error", message, sheet, row.number, width + 1, value=",".join(extra)[:200])
        )


def _trimmed(cells: Sequence[str]) -> Sequence[str]:
    end = len(cells)
    while end and not cells[end - 1].strip():
        end -= 1
    return cells[:end]


def _padded(cells: Sequence[str], width: int) -> tuple[str, ...]:
    return tuple(cells) + ("",) * (width - len(cells))
