"""Mending a table: which column is which, which cell becomes what, and what only a person can decide. Nothing changes unseen."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from services.opendata.domain.cells import Cleaned, unsure
from services.opendata.domain.cells import mended as mended_cell
from services.opendata.domain.cleaning import cleaner
from services.opendata.domain.glance import glance
from services.opendata.domain.headers import standard_names
from services.opendata.domain.places import PREFECTURES, clean_code, is_degrees, is_latitude, is_longitude
from services.opendata.domain.publisher import Publisher
from services.opendata.domain.roles import Role, roles_of
from services.opendata.domain.standards import Definition
from services.opendata.domain.table import Finding, Findings, Row, Table, total_at
from services.opendata.domain.texts import full_kana

SHOWN = 1_000
DITTO = frozenset(["〃", "″", "仝", "同上"])
"""What stands for the cell above (機械判読性ルール L2-02)."""
ERRORS = frozenset({"date-impossible", "time-impossible", "excel-error", "code-wrong", "degrees-outside", "formula"})


@dataclass(frozen=True, slots=True)
class Change:
    """One cell as it was and as the repaired table has it; with `row` = the header's row, one column name; with `row` 0, the empty cells
    of a whole column (`code` "publisher-cells"), or a column that was not there ("publisher-column")."""

    row: int
    column: int
    column_name: str
    before: str
    after: str
    code: str
    message: str


@dataclass(frozen=True)
class Plan:
    """How one table is mended. `columns` are the new names; `roles` what each column holds. `filling`: the columns whose
    empty cells get one value; those that are not there yet stand behind the others."""

    table: Table
    columns: tuple[str, ...]
    roles: tuple[Role, ...]
    definition: Definition | None
    header_changes: tuple[Change, ...]
    filling: tuple[Change, ...] = ()


@dataclass
class Repair:
    """`table` is the mended table (its rows are mended as they are read). `changes` holds the first thousand; `counts` counts all of them
    by code. `findings` are the cells that stay as they were and need a person."""

    table: Table
    changes: list[Change] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    findings: Findings = field(default_factory=Findings)
    rows: int = 0


def plan(table: Table, definition: Definition | None = None, publisher: Publisher | None = None) -> Plan:
    """Reads the first rows of `table`. `definition` is the standard to follow (`conformance.recognise`), None keeps the names.
    `publisher` stands where the definition asks for it: all rows are read for whether any is another's."""
    wanted = tuple(column.name for column in definition.columns) if definition else ()
    names = tuple(map(full_kana, standard_names(table.columns, wanted)))
    changes = tuple(
        Change(table.header_row or 1, table.place(at), old, old, new, "header", f"項目名を「{new}」に直しました：{old}")
        for at, (old, new) in enumerate(zip(table.columns, names, strict=True))
        if old != new
    )
    missing = publisher.missing(table, names, wanted) if publisher else {}
    told = publisher.values if publisher else {}
    filling = tuple(_filling(table, names, name, told[name], count) for name, count in missing.items())
    return Plan(table, names, roles_of(table, names, definition), definition, changes, filling)


def _filling(table: Table, names: Sequence[str], name: str, value: str, empty: int) -> Change:
    if name in names:
        message = f"「{name}」が空欄の{empty}行に、公開する自治体の「{value}」を入れました。"
        return Change(0, table.place(names.index(name)), name, "", value, "publisher-cells", message)
    message = f"項目「{name}」の列を加え、すべての行に公開する自治体の「{value}」を入れました。"
    return Change(0, 0, name, "", value, "publisher-column", message)


def repair(plan: Plan, without: frozenset[str] = frozenset()) -> Repair:
    """Goes through all rows once. `without` holds codes of changes that are not wanted (`"header"`, `"publisher-column"` …).

    The returned table mends again each time it is read: equal to what was shown, at no memory.
    """
    filling = [change for change in plan.filling if change.code not in without]
    added = tuple(change.column_name for change in filling if change.code == "publisher-column")
    last = plan.table.place(len(plan.columns) - 1)
    places = (*plan.table.places, *range(last + 1, last + 1 + len(added))) if plan.table.places else ()
    table = replace(
        plan.table,
        columns=(*_names(plan, without), *added),
        places=places,
        source=lambda: _filled_rows(plan, filling, without),
    )
    result = Repair(table)
    for change in (*filling, *(plan.header_changes if "header" not in without else ())):
        _note(result, change)
    for _ in _mended_rows(plan, without, result):
        result.rows += 1
    return result


def _names(plan: Plan, without: frozenset[str]) -> tuple[str, ...]:
    return plan.table.columns if "header" in without else plan.columns


def _filled_rows(plan: Plan, filling: Sequence[Change], without: frozenset[str]) -> Iterator[Row]:
    """The mended rows with what is the same in all of them, where it stood nowhere."""
    gaps = [(plan.columns.index(each.column_name), each.after) for each in filling if each.code == "publisher-cells"]
    added = tuple(each.after for each in filling if each.code == "publisher-column")
    rows = _mended_rows(plan, without)
    if not filling:
        return rows
    return (Row(row.number, (*_without_gaps(row.cells, gaps), *added)) for row in rows)


def _without_gaps(cells: tuple[str, ...], gaps: Sequence[tuple[int, str]]) -> Sequence[str]:
    if not gaps:
        return cells
    filled = list(cells)
    for at, value in gaps:
        filled[at] = cells[at] if cells[at].strip() else value
    return filled


def _note(result: Repair, change: Change) -> None:
    result.counts[change.code] += 1
    if len(result.changes) < SHOWN:
        result.changes.append(change)


def _mended_rows(plan: Plan, without: frozenset[str], result: Repair | None = None) -> Iterator[Row]:
    standards = [plan.definition.column(name) if plan.definition else None for name in plan.columns]
    columns = [
        (at, role, cleaner(role, standard), glance(role, standard))
        for at, (role, standard) in enumerate(zip(plan.roles, standards, strict=True))
    ]
    pair = _pair(plan.roles)
    prefecture_at = _index(plan.columns, "都道府県名", "所在地_都道府県")
    one_each = _one_each(plan.definition) and "total-row" not in without
    grouped = plan.table.grouped and "group-blank" not in without
    above: Sequence[str] = ("",) * len(plan.columns)
    for block in plan.table.blocks():
        rows = [row for row in block if not _is_sum(plan, row, result)] if one_each else block
        cells = [row.cells for row in rows]
        doubtful = [
            column for column, values in zip(columns, zip(*cells, strict=True), strict=True) if not column[3](values)
        ] if rows else []  # fmt: skip
        if not doubtful and not grouped:
            yield from rows
            above = cells[-1] if cells else above
            continue
        for row in rows:
            mended = list(row.cells)
            for at, role, clean, _ in doubtful:
                if value := row.cells[at]:
                    if value.strip() in DITTO:
                        cleaned = _as_above(value, above[at])
                    else:
                        cleaned = clean_code(value, _prefecture(row, prefecture_at)) if role == "code" else clean(value)
                    _mend(plan, row, mended, at, cleaned, without, result)
            if pair:
                _mend_position(plan, row, mended, pair, without, result)
            if grouped and not mended[0].strip() and total_at(row) is None:
                message = f"まとまりの最初の行の値を入れました：{above[0]}"
                _mend(plan, row, mended, 0, mended_cell(above[0], "group-blank", message), without, result)
            above = mended
            yield Row(row.number, tuple(mended))


def _one_each(definition: Definition | None) -> bool:
    """Whether each row is one thing somewhere (a facility, a sign): a row that sums up the others is none of them."""
    return definition is not None and definition.column("緯度") is not None


def _is_sum(plan: Plan, row: Row, result: Repair | None) -> bool:
    at = total_at(row)
    if at is None or at >= len(plan.columns):
        return False
    if result:
        word = row.cells[at]
        message = f"「{word.strip()}」の行を除きました。1行に1つの場所だけを書く表です。"
        _note(result, Change(row.number, plan.table.place(at), plan.columns[at], word, "", "total-row", message))
    return True


def _as_above(value: str, above: str) -> Cleaned:
    if above.strip() in ("", *DITTO):
        return unsure(value, "ditto", f"「{value}」が指す上の行の値がありません。値を書いてください。")
    return mended_cell(above, "ditto", f"「{value}」を上の行の値に直しました：{above}")


def _prefecture(row: Row, at: int | None) -> str:
    name = row.cells[at].strip() if at is not None else ""
    return name if name in PREFECTURES else ""


def _mend(
    plan: Plan, row: Row, cells: list[str], at: int, cleaned: Cleaned, without: frozenset[str], result: Repair | None
) -> None:
    if not cleaned.code:
        return
    if cleaned.sure and cleaned.code not in without:
        before, cells[at] = cells[at], cleaned.value
        if result:
            _note(
                result,
                Change(
                    row.number,
                    plan.table.place(at),
                    plan.columns[at],
                    before,
                    cleaned.value,
                    cleaned.code,
                    cleaned.problem,
                ),
            )
    elif result:
        result.findings.add(
            Finding(
                cleaned.code,
                "error" if cleaned.code in ERRORS else "warning",
                cleaned.problem,
                plan.table.sheet,
                row.number,
                plan.table.place(at),
                plan.columns[at],
                row.cells[at],
                cleaned.value if cleaned.value != row.cells[at] or cleaned.sure else None,
            )
        )


def _mend_position(
    plan: Plan, row: Row, cells: list[str], pair: tuple[int, int], without: frozenset[str], result: Repair | None
) -> None:
    """Latitude and longitude in each other's columns are put right; a place outside Japan is named."""
    north, east = cells[pair[0]], cells[pair[1]]
    if not (is_degrees(north) and is_degrees(east)) or (is_latitude(north) and is_longitude(east)):
        return
    if is_longitude(north) and is_latitude(east):
        message = f"緯度と経度が入れ替わっていたので直しました：{north}, {east}"
        for at, value in zip(pair, (east, north), strict=True):
            _mend(plan, row, cells, at, Cleaned(value, "degrees-swapped", message), without, result)
        return
    message = f"緯度 {north}・経度 {east} は日本の中にありません。"
    _mend(plan, row, cells, pair[0], Cleaned(north, "degrees-outside", message, sure=False), without, result)


def _pair(roles: Sequence[Role]) -> tuple[int, int] | None:
    return (roles.index("latitude"), roles.index("longitude")) if "latitude" in roles and "longitude" in roles else None


def _index(columns: Sequence[str], *names: str) -> int | None:
    return next((columns.index(name) for name in names if name in columns), None)
