"""XLSX: every sheet with a table, values as text. Macros and links to other files are never followed, and said."""

import marshal
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from itertools import islice, pairwise
from pathlib import Path
from threading import Lock
from typing import Any
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile, ZipFile

from openpyxl import load_workbook
from openpyxl.styles.numbers import BUILTIN_FORMATS, BUILTIN_FORMATS_MAX_SIZE
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.workbook.workbook import Workbook

from libs.common.errors import Invalid, TooLarge, say
from services.opendata.domain.table import BLOCK, Finding, Findings, Row, Table
from services.opendata.reading import package as packages
from services.opendata.reading.layout import tables_from, too_many_rows
from services.opendata.reading.limits import Limits
from services.opendata.reading.package import DAMAGED, SheetFacts

_BROKEN = (
    InvalidFileException,
    BadZipFile,
    ParseError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    EOFError,
)


def read_workbook(path: Path, limits: Limits) -> tuple[tuple[Table, ...], Findings]:
    """The tables of all visible sheets that have one. Raises as `read` says."""
    findings = Findings()
    tables: list[Table] = []
    with packages.open_package(path, limits) as package:
        packages.refuse_definitions(package)
        _note_package(package, findings)
        with _open(path) as workbook:
            names = [sheet.title for sheet in workbook.worksheets if sheet.sheet_state == "visible"]
            entries = {sheet.title: sheet._worksheet_path for sheet in workbook.worksheets}  # type: ignore[attr-defined]
            _note_hidden_sheets(workbook, findings)
        if len(names) > limits.sheets:
            raise TooLarge(
                say("シートが多すぎます（上限%(limit)s）。分けて登録してください。", limit=limits.sheets),
                code="too-many-sheets",
            )
        for name in names:
            facts = packages.sheet_facts(package, entries[name].lstrip("/"))
            _note_facts(facts, name, findings)
            try:
                tables.extend(tables_from(_Rows(path, name, limits), name, limits, findings, facts.merges))
            except Invalid as refusal:
                if refusal.code != "empty":
                    raise
                findings.add(
                    Finding("sheet-empty", "info", f"シート「{name}」には表がありません。除いて読みました。", name)
                )
    if not tables:
        raise Invalid("表が見つかりません。データの入った表を登録してください。", code="empty")
    return tuple(tables), findings


@contextmanager
def _open(path: Path) -> Iterator[Workbook]:
    """Read-only, cached results of formulas, no links kept: openpyxl opens no other file and runs nothing."""
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles and extensions that openpyxl does not know change no value
            workbook = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            try:
                yield workbook
            finally:
                workbook.close()
    except _BROKEN as error:
        raise Invalid(DAMAGED, code="damaged") from error


class _Rows:
    """A sheet's rows. The XML is gone through once; further passes read what the first one laid down in a temporary file, many times
    faster. The file has no name to clean up: it goes with this object."""

    def __init__(self, path: Path, sheet: str, limits: Limits) -> None:
        self._path, self._sheet, self._limits = path, sheet, limits
        self._kept = tempfile.TemporaryFile()  # noqa: SIM115 lives as long as the tables that read it
        self._lock = Lock()
        self._blocks: list[int] | None = None

    def __call__(self, findings: Findings | None = None) -> Iterator[Row]:
        with self._lock:
            if self._blocks is None:
                self._blocks = self._lay_down()
        for at, end in pairwise(self._blocks):
            block = marshal.loads(os.pread(self._kept.fileno(), end - at, at))  # noqa: S302 our own file, without a name
            for number, cells in block:
                yield Row(number, cells)

    def _lay_down(self) -> list[int]:
        """Where each block of rows begins in the file, and where the last one ends."""
        starts = [0]
        rows = _records(self._path, self._sheet, self._limits)
        while block := [(row.number, row.cells) for row in islice(rows, BLOCK)]:
            starts.append(starts[-1] + self._kept.write(marshal.dumps(block)))
        self._kept.flush()
        return starts


def _records(path: Path, sheet: str, limits: Limits) -> Iterator[Row]:
    with _open(path) as workbook:
        worksheet = workbook[sheet]
        worksheet.reset_dimensions()  # the size written in the file may be wrong
        for number, cells in enumerate(_values(workbook, worksheet), start=1):
            if number > limits.rows:
                raise too_many_rows(limits)
            end = len(cells)
            while end and cells[end - 1] is None:
                end -= 1
            yield Row(number, tuple(map(text_of, cells[:end])))


def _values(workbook: Workbook, worksheet: Any) -> Iterator[Sequence[object]]:
    """The rows' values. Formats of single cells are looked at only where the workbook has one with ％: 0.359 that Excel shows as 35.9%
    is read as 35.9%, for the column is called 増減率（％）, and others have written 35.9 in it."""
    if not _has_percent(workbook):
        yield from worksheet.iter_rows(values_only=True)
        return
    for cells in worksheet.iter_rows():
        yield [_percent(cell.value) if _is_percent(cell) else cell.value for cell in cells]


def _has_percent(workbook: Any) -> bool:
    formats = {**dict(enumerate(workbook._number_formats, start=BUILTIN_FORMATS_MAX_SIZE)), **BUILTIN_FORMATS}
    return any("%" in formats.get(style.numFmtId, "") for style in workbook._cell_styles)


def _is_percent(cell: Any) -> bool:
    return type(cell.value) in (int, float) and "%" in cell.number_format


def _percent(value: float) -> str:
    return f"{text_of(round(value * 100, 10))}%"


def text_of(value: object) -> str:
    """A cell's value as it stands in CSV: 3.0 → `3`, dates in ISO 8601, a day with time 0:00 as a day, TRUE/FALSE in capitals."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time(0) else value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return value.isoformat(timespec="seconds" if value.second else "minutes")
    if isinstance(value, timedelta):
        minutes = round(value.total_seconds() / 60)
        return f"{minutes // 60:02}:{minutes % 60:02}"
    return str(value)


def _note_package(package: ZipFile, findings: Findings) -> None:
    if packages.has(package, "xl/vbaProject"):
        findings.add(Finding("macros", "warning", "マクロが入っています。マクロは読まず、公開もしません。"))
    if packages.has(package, "xl/externalLinks/"):
        message = "ほかのファイルへのリンクがあります。リンク先は見ずに、最後に保存された値を読みました。"
        findings.add(Finding("external-links", "warning", message))


def _note_hidden_sheets(workbook: Workbook, findings: Findings) -> None:
    for sheet in workbook.worksheets:
        if sheet.sheet_state != "visible":
            message = f"シート「{sheet.title}」は非表示です。読まず、公開もしません。公開する場合は表示してください。"
            findings.add(Finding("sheet-hidden", "warning", message, sheet.title))


def _note_facts(facts: SheetFacts, sheet: str, findings: Findings) -> None:
    for merge in facts.merges:
        message = "結合されたセルです。データの行では、結合したすべてのセルに同じ値を入れて読みました。"
        findings.add(Finding("merged-cells", "warning", message, sheet, merge.top, merge.left))
    for row, column in facts.without_value:
        message = "計算式の結果が保存されていません。Excelで開いて保存し直すか、値を入れてください。"
        findings.add(Finding("formula-without-value", "error", message, sheet, row, column))
    for row, column in facts.formula_places:
        message = "計算式のセルです。最後に計算された値を読みました。"
        findings.add(Finding("formula-cell", "info", message, sheet, row, column))
    findings.counts["formula-cell"] += max(0, facts.formulas - len(facts.without_value) - len(facts.formula_places))
    if facts.hidden_rows:
        message = (
            f"非表示の行が{len(facts.hidden_rows)}行あります。データとして読みました。公開してよいか確かめてください。"
        )
        findings.add(Finding("hidden-rows", "warning", message, sheet, facts.hidden_rows[0]))
    if facts.hidden_columns:
        message = f"非表示の列が{len(facts.hidden_columns)}列あります。データとして読みました。公開してよいか確かめてください。"
        findings.add(Finding("hidden-columns", "warning", message, sheet, None, facts.hidden_columns[0]))
    if facts.drawings:
        message = "図や画像、コメントがあります。表の値だけを読みました。"
        findings.add(Finding("drawings", "warning", message, sheet))
