"""Where the tables are in a sheet: title rows above, headers of several rows, units, merged cells, blank rows, notes below, and
a second table under the first."""

import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from libs.common.errors import Invalid, TooLarge, say
from services.opendata.domain.cells import half_width
from services.opendata.domain.headers import candidates, tidy
from services.opendata.domain.numbers import SIGNS, UNIT
from services.opendata.domain.table import Finding, Findings, Row, Table, column_letters, is_total, total_at
from services.opendata.reading.limits import Limits
from services.opendata.reading.merges import Merge, fill

HEAD = 60
TAIL = 60
MOST_HEADER_ROWS = 3
_NUMBER = re.compile(r"[-+▲△]?[\d０-９,，.．]+[%％]?")
_NOTE = re.compile(
    r"^\s*+(?:[※*＊]|[（(]?注[\d０-９）):：.]?|[（(]?備考[）):：]|出典|資料|[（(]単位|.*(?:現在|時点)[）)]?$)"
)
_PLACE_OR_TIME = re.compile(r"[町村字]\d|\d(?:番地|番|丁目|-\d)|\d:\d\d")
_SECTION = re.compile(r"^\s*[■□◆◇●▼▽★☆【《〈<＜]")
_UNIT_CELL = re.compile(
    r"\([^()]{1,8}\)|\[[^\[\]]{1,8}\]|単位|"
    rf"(?:単位:)?(?:[千万億]|百万)?(?:{UNIT.pattern}|[%‰]|°C|kWh|ppm|dB|mg/L|トン|時間|人/km2)",
    UNIT.flags,
)
GAPS = 50
"""Blank places in a sheet after which a second table is looked for."""


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
    empty: frozenset[int] = frozenset()
    """Columns (from 0) that have neither a name nor a value, and are left out."""


@dataclass(frozen=True)
class _Gap:
    """A blank place: the row above it and up to three rows that follow it."""

    above: Row
    below: tuple[Row, ...]


@dataclass
class _Scan:
    """What one pass over all rows leaves: the first and the last rows that hold anything, and how many there are."""

    head: list[Row] = field(default_factory=list)
    tail: deque[Row] = field(default_factory=lambda: deque(maxlen=TAIL))
    rows: int = 0
    gaps: list[_Gap] = field(default_factory=list)


def tables_from(
    source: Source, sheet: str, limits: Limits, findings: Findings, merges: Sequence[Merge] = ()
) -> tuple[Table, ...]:
    """The tables of one sheet, one below another. Passes over the rows: one to find a table's place, one to name rows of the wrong
    width. Raises Invalid `empty`."""
    tables: list[Table] = []
    rest: Source | None = source
    while rest:
        name = _sheet_of(sheet, tables, rest)
        scan = _scan(rest(findings if not tables else None), limits)
        if not scan.head:
            raise Invalid("表が見つかりません。データの入った表を登録してください。", code="empty")
        here, below = rest, _second(scan)
        rest = None
        if below:
            _note_second(below, sheet, findings)
            here, rest = _between(here, 0, below[0].number), _between(here, below[0].number, None)
            scan = _scan(here(), limits)
        tables.append(_table(here, scan, tuple(merges), name, findings))
    return tuple(tables)


def _sheet_of(sheet: str, above: list[Table], rest: Source) -> str:
    """What a clerk chooses a further table by: the sheet and the row it begins in."""
    if not above:
        return sheet
    place = f"{next(row.number for row in rest() if _filled(row))}行目からの表"
    return f"{sheet}（{place}）" if sheet else place


def _table(source: Source, scan: _Scan, merges: tuple[Merge, ...], sheet: str, findings: Findings) -> Table:
    layout = find_layout(source, scan, merges, sheet, findings)
    grouped = _note_rows(source(), layout, sheet, findings)
    header_row = layout.header[-1] if layout.header else None
    if not layout.empty:
        return Table(layout.columns, lambda: _rows(source(), layout), sheet, header_row, grouped=grouped)
    kept = [at for at in range(len(layout.columns)) if at not in layout.empty]
    return Table(
        tuple(layout.columns[at] for at in kept),
        lambda: (Row(row.number, tuple(row.cells[at] for at in kept)) for row in _rows(source(), layout)),
        sheet, header_row, tuple(at + 1 for at in kept), grouped,
    )  # fmt: skip


def _between(source: Source, first: int, end: int | None) -> Source:
    """The rows of `source` numbered `first` and up, below `end`."""

    def rows(findings: Findings | None = None) -> Iterator[Row]:
        for row in source(findings):
            if end is not None and row.number >= end:
                return
            if row.number >= first:
                yield row

    return rows


def _second(scan: _Scan) -> tuple[Row, ...] | None:
    """The rows a second table begins with: below a blank row, at most one row of title, a row of words over numbers where the first
    table has numbers, too. Both must be tables with names of their own: what only stands apart stays together."""
    for gap in scan.gaps:
        above = [row for row in scan.head if row.number < gap.below[0].number]
        at = _header_at(above) if above else None
        if at is None or at + 1 >= len(above):
            continue
        start = next((n for n, row in enumerate(gap.below) if _filled(row) > 1), None)
        if start is None or start > 1 or start + 1 >= len(gap.below):
            continue
        if _begins_table(gap.above, gap.below[start], gap.below[start + 1], above[at]):
            return gap.below
    return None


def _begins_table(last: Row, names: Row, first: Row, header: Row) -> bool:
    if list(map(tidy, names.cells)) == list(map(tidy, header.cells)) or not _all_words(names):
        return False
    if _is_number_at(first, names) and any(_NUMBER.fullmatch(cell.strip()) for cell in last.cells):
        return True
    return _known(names) > 1 and _known(header) > 1 and _known(first) == 0


def _all_words(row: Row) -> bool:
    cells = [cell.strip() for cell in row.cells if cell.strip()]
    return len(set(cells)) == len(cells) and not any(
        _NUMBER.fullmatch(cell) or half_width(cell).lower() in SIGNS for cell in cells
    )


def _is_number_at(first: Row, names: Row) -> bool:
    """Whether a number stands under one of the names."""
    return any(
        name.strip() and _NUMBER.fullmatch(cell.strip()) for name, cell in zip(names.cells, first.cells, strict=False)
    )


def _known(row: Row) -> int:
    return sum(bool(candidates(cell)) for cell in row.cells if cell.strip())


def _note_second(below: tuple[Row, ...], sheet: str, findings: Findings) -> None:
    text = " ".join(cell.strip() for row in below[:2] for cell in row.cells if cell.strip())
    message = (
        f"{below[0].number}行目から別の表（{text[:40]}）があります。1つのファイルに1つの表とし、別々に読みました。"
    )
    findings.add(Finding("second-table", "warning", message, sheet, below[0].number, value=text[:200]))


def _scan(rows: Iterator[Row], limits: Limits) -> _Scan:
    scan = _Scan()
    above: Row | None = None
    blank = False
    for row in rows:
        if len(row.cells) > limits.columns:
            raise TooLarge(
                say("列が多すぎます（上限%(limit)s列）。列を見直して登録してください。", limit=limits.columns),
                code="too-many-columns",
            )
        if not any(row.cells) or not any(cell.strip() for cell in row.cells):
            blank = True
            continue
        if above:
            _take_gap(scan, above, row, blank)
        above, blank = row, False
        scan.rows += 1
        if scan.rows > limits.rows:
            raise too_many_rows(limits)
        if len(scan.head) < HEAD:
            scan.head.append(row)
        scan.tail.append(row)
    return scan


def _take_gap(scan: _Scan, above: Row, row: Row, blank: bool) -> None:
    if blank and len(scan.gaps) < GAPS:
        scan.gaps.append(_Gap(above, (row,)))
    elif not blank and scan.gaps and len(scan.gaps[-1].below) < 3 and scan.gaps[-1].below[-1:] == (above,):
        scan.gaps[-1] = _Gap(scan.gaps[-1].above, (*scan.gaps[-1].below, row))


def too_many_rows(limits: Limits) -> TooLarge:
    sentence = say("行が多すぎます（上限%(limit)s行）。分けて登録してください。", limit=limits.rows)
    return TooLarge(sentence, code="too-many-rows")


def find_layout(source: Source, scan: _Scan, merges: tuple[Merge, ...], sheet: str, findings: Findings) -> Layout:
    """Chooses the header and the last row, and says what was passed by."""
    at = _header_at(scan.head)
    if at is None:
        width = max(len(_trimmed(row.cells)) for row in scan.head)
        message = "項目名の行が見つかりません。1行目に項目名を書いてください。仮の名前を付けました。"
        findings.add(Finding("no-header", "error", message, sheet, scan.head[0].number))
        columns = tuple(f"列{number}" for number in range(1, width + 1))
        return Layout(columns, (), scan.head[0].number, _last(scan, width, sheet, findings), merges)
    header = _header_rows(scan.head, at, merges)
    for row in scan.head[:at]:
        if row.number < header[0].number:
            text = " ".join(cell.strip() for cell in row.cells if cell.strip())
            message = f"表の前に「{text[:60]}」があります。表題や説明の欄に移し、表は項目名から始めます。"
            findings.add(Finding("row-above-header", "warning", message, sheet, row.number, value=text))
    units = _units_below(header, scan.head)
    taken = (*header, units) if units else tuple(header)
    following = [row for row in scan.head if row.number > taken[-1].number]
    width = _width(header, following)
    last = _last(scan, width, sheet, findings, beyond=taken[-1].number)
    empty = _empty_columns(source, taken, following, width, last)
    columns = _names(header, units, width, empty, merges, sheet, findings)
    return Layout(columns, tuple(row.number for row in taken), taken[-1].number + 1, last, merges, empty)


def _width(header: Sequence[Row], data: Sequence[Row]) -> int:
    width = max(len(_trimmed(row.cells)) for row in header)
    usual = sorted(len(_trimmed(row.cells)) for row in data)
    return max(width, usual[len(usual) // 2]) if usual else width


def _empty_columns(source: Source, header: Sequence[Row], data: Sequence[Row], width: int, last: int) -> frozenset[int]:
    """Columns (from 0) in which nothing stands from the names to the last row: a table that begins in column B, a narrow column between
    two. All rows are looked at only where the first ones leave such columns."""

    def blank(row: Row, columns: set[int]) -> set[int]:
        return {at for at in columns if at >= len(row.cells) or not row.cells[at].strip()}

    found = set(range(width))
    for row in (*header, *(each for each in data if each.number <= last)):
        found = blank(row, found)
    for row in source() if found else ():
        if header[-1].number < row.number <= last:
            found = blank(row, found)
        if not found or row.number > last:
            break
    return frozenset(found)


def _units_below(header: Sequence[Row], head: Sequence[Row]) -> Row | None:
    """The row right below the names that says in what each column is counted: （人）, （世帯）, ％. A name may stand there, too, where
    none stands above."""
    row = next((row for row in head if row.number == header[-1].number + 1), None)
    if row is None or row is head[-1]:
        return None
    named = [
        any(column < len(each.cells) and each.cells[column].strip() for each in header)
        for column in range(len(row.cells))
    ]
    units = [bool(_UNIT_CELL.fullmatch(half_width(cell))) for cell in row.cells]
    filled = [column for column, cell in enumerate(row.cells) if cell.strip()]
    names = [column for column in filled if not units[column]]
    if any(named[column] or _NUMBER.fullmatch(row.cells[column].strip()) for column in names):
        return None
    after = [each for each in head if each.number > row.number][:5]
    counted = any(
        units[column] and _NUMBER.fullmatch(cell.strip())
        for each in after
        for column, cell in enumerate(each.cells[: len(units)])
    )
    return row if len(filled) > len(names) and counted else None


def _header_at(head: Sequence[Row]) -> int | None:
    """The index in `head` of the first header row: the row with most known names, else the first full row of words over other rows."""
    known = [sum(bool(candidates(cell)) for cell in row.cells if cell.strip()) for row in head[:20]]
    if max(known) >= 3:
        return known.index(max(known))
    usual = Counter(_filled(row) for row in head).most_common(1)[0][0]
    widest = max(_filled(row) for row in head[-max(len(head) // 2, 1) :])
    wanted = max(1, round(0.6 * max(usual, widest)))
    for at, row in enumerate(head[:20]):
        if _filled(row) >= wanted and not (wanted == 1 and usual == 2 and _is_title(row, head[at + 1 : at + 3])):
            wordy = _is_wordy(row) and not _is_data(row, head[at + 1 : at + 6])
            return at if wordy or _repeats_under(head[at - 1 : at], row) else None
    return None


def _is_data(row: Row, below: Sequence[Row]) -> bool:
    """Whether an address or a time stands where names are looked for, with its like in the rows below: a list without names."""
    for column, cell in enumerate(row.cells):
        if _PLACE_OR_TIME.search(half_width(cell)):
            under = [half_width(each.cells[column]) for each in below if column < len(each.cells)]
            if under and 2 * sum(bool(_PLACE_OR_TIME.search(each)) for each in under) > len(under):
                return True
    return False


def _repeats_under(above: Sequence[Row], row: Row) -> bool:
    """Whether `row` has the same names again under each group's: 1年, 2年, 3年 under 男 and under 女."""
    return any(_filled(upper) > 1 and _completes(upper, row, ()) for upper in above)


def _is_title(row: Row, below: Sequence[Row]) -> bool:
    """One cell over a table of two columns: a title when two names stand below it, else a name beside one that is missing."""
    if _filled(row) > 1 or _known(row) or len(below) < 2:
        return False
    names, first = below
    return _filled(names) == 2 and _all_words(names) and (_is_number_at(first, names) or _known(names) == 2)


def _filled(row: Row) -> int:
    return sum(bool(cell.strip()) for cell in row.cells)


def _is_wordy(row: Row) -> bool:
    """A header has words, mostly different ones: numbers that are years (2020, 令和2年) may be names too, but not all of them."""
    cells = [cell.strip() for cell in row.cells if cell.strip()]
    numbers = sum(bool(_NUMBER.fullmatch(cell)) and not re.fullmatch(r"(?:19|20)\d\d", cell) for cell in cells)
    return numbers * 5 <= len(cells) and (len(set(cells)) * 2 > len(cells) or _same_again(cells))


def _same_again(cells: Sequence[str]) -> bool:
    """Names of a table, and the same again beside it: 投票区, 投票所, 投票区, 投票所."""
    width = len(set(cells))
    return width > 1 and len(cells) % width == 0 and all(cells[at] == cells[at % width] for at in range(len(cells)))


def _header_rows(head: Sequence[Row], at: int, merges: tuple[Merge, ...]) -> list[Row]:
    """The header row and those below that complete it: one says 災害種別, the next 洪水, 高潮 under it."""
    rows = [head[at]]
    while len(rows) < MOST_HEADER_ROWS and at + len(rows) < len(head) - 1:
        upper, lower = rows[-1], head[at + len(rows)]
        if lower.number != upper.number + 1 or not _completes(upper, lower, merges):
            break
        rows.append(lower)
    if at > 0 and len(rows) == 1 and _filled(head[at - 1]) > 1 and _heads(head[at - 1], head[at], merges):
        return [head[at - 1], *rows]
    return rows


def _heads(upper: Row, lower: Row, merges: tuple[Merge, ...]) -> bool:
    """Whether `upper` names groups of the names below it: 令和5年 over 男, 女 and 令和6年 over 男, 女 again."""
    if upper.number + 1 != lower.number:
        return False
    names = [cell.strip() for cell in lower.cells if cell.strip()]
    again = len(set(names)) < len(names) and _filled(upper) < len(names)
    above = all(b.strip() for a, b in zip(upper.cells, lower.cells, strict=False) if a.strip())
    return (again and above) or _completes(upper, lower, merges)


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
    header: list[Row],
    units: Row | None,
    width: int,
    empty: frozenset[int],
    merges: tuple[Merge, ...],
    sheet: str,
    findings: Findings,
) -> tuple[str, ...]:
    rows = [
        _spread(row, width, header[at + 1] if at + 1 < len(header) else None, merges) for at, row in enumerate(header)
    ]
    names: list[str] = []
    for column in range(width):
        if column in empty:
            names.append(f"列{column + 1}")
            message = f"{column_letters(column + 1)}列は、項目名も値もない列です。除いて読みました。"
            findings.add(Finding("empty-column", "warning", message, sheet, column=column + 1))
            continue
        parts = list(dict.fromkeys(tidy(row[column]) for row in rows if row[column].strip()))
        name = _with_unit("_".join(parts), units.cells[column] if units and column < len(units.cells) else "")
        names.append(_name(name, column, names, header[-1].number, sheet, findings))
    if units:
        message = f"{units.number}行目の単位を項目名に移しました。"
        findings.add(Finding("units-row", "warning", message, sheet, units.number))
    if len(header) > 1:
        message = f"{len(header)}行に分かれた項目名を1行にまとめました。"
        findings.add(Finding("header-of-several-rows", "warning", message, sheet, header[0].number))
    return tuple(names)


def _with_unit(name: str, unit: str) -> str:
    """人口, (人) → 人口（人）; a name that stands in the units' row alone is the name."""
    bare = re.sub(r"^単位:?|[()\[\]]", "", half_width(unit))
    if not bare or not name or bare == name or f"({bare})" in half_width(name):
        return name or tidy(unit)
    return f"{name}（{bare}）"


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
    if is_total(first):
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


def _note_rows(rows: Iterator[Row], layout: Layout, sheet: str, findings: Findings) -> bool:
    """Names what is odd about rows; whether the first column is written once for each group."""
    width = len(layout.columns)
    blanks = 0
    group = _Group(min(at for at in range(width) if at not in layout.empty))
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
        if not group.again:
            group.take(row)
        if row.cells and _SECTION.match(row.cells[0]) and _filled(row) == 1 and width > 2:
            text = row.cells[0].strip()[:60]
            message = (
                f"{row.number}行目は「{text}」という見出しだけの行です。列を作ってその値とし、行は除いてください。"
            )
            findings.add(Finding("section-row", "warning", message, sheet, row.number, 1, layout.columns[0], text))
        if (at := total_at(row)) is not None and at < width:
            word = row.cells[at]
            message = f"{row.number}行目は「{word.strip()}」の行です。データと合計が混ざらないよう、除くことを検討してください。"
            findings.add(Finding("total-row", "warning", message, sheet, row.number, at + 1, layout.columns[at], word))
    return group.note(layout, sheet, findings)


@dataclass
class _Group:
    """Whether the first column (`column`, from 0) is written in the first row of each group only, as merged cells are saved in CSV."""

    column: int
    filled: int = 0
    blank: int = 0
    first: int | None = None
    last: str = ""
    again: bool = False

    def take(self, row: Row) -> None:
        value = row.cells[self.column].strip() if self.column < len(row.cells) else ""
        if value:
            # No blank in the first thousand rows is no group either: a million rows need not be watched for one.
            self.again = value == self.last or (self.filled > 1_000 and not self.blank)
            self.last, self.filled = value, self.filled + 1
        elif not self.filled:
            self.again = True  # a column that begins with a blank is one that not every row has
        elif _filled(row) > 1:
            self.blank += 1
            self.first = self.first or row.number

    def note(self, layout: Layout, sheet: str, findings: Findings) -> bool:
        found = self.filled > 1 and self.blank >= self.filled and not self.again and not layout.merges
        if found:
            name = layout.columns[self.column]
            message = f"「{name}」がまとまりの最初の行にしかありません（空欄{self.blank}行）。直した表では、すべての行に同じ値を入れます。"
            findings.add(Finding("group-blank", "warning", message, sheet, self.first, self.column + 1, name))
        return found


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
