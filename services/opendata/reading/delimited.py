"""CSV and TSV: lines → records, in a memory that does not grow. Written by hand because the standard reader lets one lost quotation
mark swallow the rest of a file and says nothing."""

import codecs
import csv
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from libs.common.errors import Invalid, TooLarge
from services.opendata.domain.table import Finding, Findings, Row, Table
from services.opendata.reading.encoding import NAMES, decode_line, detect
from services.opendata.reading.layout import tables_from
from services.opendata.reading.limits import Limits

_MARK = "\ufeff"
"""Files put one behind another have a byte order mark in the middle: it is no letter of a name."""
Delimited = tuple[Literal["csv", "tsv"], str, tuple[Table, ...], Findings]


def read_delimited(path: Path, name: str, limits: Limits) -> Delimited:
    """Format, encoding, the tables (mostly one) and the findings of the text file at `path`."""
    encoding = detect(path)
    findings = Findings()
    _note_encoding(encoding, findings)
    delimiter = _delimiter(path, encoding, limits)
    _note_kind(name, delimiter, findings)
    source = partial(_records, path, encoding, delimiter, limits)
    tables = tables_from(source, "", limits, findings)
    return ("tsv" if delimiter == "\t" else "csv"), encoding, tables, findings


def _note_encoding(encoding: str, findings: Findings) -> None:
    if encoding not in ("utf-8", "utf-8-sig", "mixed"):
        findings.add(
            Finding(
                "encoding",
                "info",
                f"文字コードは{NAMES[encoding]}でした。公開するファイルはUTF-8にします。",
                value=encoding,
                proposal="utf-8",
            )
        )


def _note_kind(name: str, delimiter: str, findings: Findings) -> None:
    if delimiter == "\t" and name.lower().endswith(".csv"):
        findings.add(
            Finding(
                "tabs",
                "info",
                "名前は.csvですが、列がタブで区切られていました。公開するファイルはカンマで区切ります。",
                value="\\t",
                proposal=",",
            )
        )
    if delimiter == ";":
        findings.add(
            Finding(
                "semicolons",
                "info",
                "列がセミコロンで区切られていました。公開するファイルはカンマで区切ります。",
                value=";",
                proposal=",",
            )
        )


def _lines(path: Path, encoding: str, limits: Limits, findings: Findings | None = None) -> Iterator[tuple[int, str]]:
    """(line number, text with its line end). A line over the limit ends the reading: there is no table in such a file."""
    if encoding == "mixed":
        yield from _mixed_lines(path, limits, findings)
        return
    with path.open(encoding=encoding, newline="", errors="strict") as file:
        number = 0
        try:
            while line := file.readline(limits.line + 1):
                number += 1
                _check_line(line, number, limits)
                yield number, line.lstrip(_MARK) if line[0] == _MARK else line
        except UnicodeDecodeError as error:
            raise Invalid(f"{number + 1}行目から文字コードが壊れていて読めません。", code="damaged") from error


def _mixed_lines(path: Path, limits: Limits, findings: Findings | None) -> Iterator[tuple[int, str]]:
    """Each line by itself; the lines that differ from the first one that tells, and those nothing fits, are named."""
    usual = ""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(limits.line * 4):
            number += 1
            text, encoding = decode_line(line.removeprefix(codecs.BOM_UTF8))
            _check_line(text, number, limits)
            told = "" if line.isascii() else encoding
            usual = usual or told
            if findings is not None and not line.isascii() and encoding != usual:
                findings.add(_mixed(number, text, encoding, usual))
            yield number, text


def _mixed(number: int, text: str, encoding: str, usual: str) -> Finding:
    if not encoding:
        message = f"{number}行目に読めない文字があります。「�」になったところを直してください。"
        return Finding("unreadable-characters", "error", message, row=number, value=text[:200].strip())
    message = f"{number}行目だけ文字コードが{NAMES[encoding]}です（ほかは{NAMES.get(usual, usual)}）。文字が正しいか確かめてください。"
    return Finding("mixed-encoding", "warning", message, row=number, value=text[:200].strip())


def _check_line(line: str, number: int, limits: Limits) -> None:
    if len(line) > limits.line:
        raise TooLarge(f"{number}行目が長すぎます。表のファイルではないようです。", code="line-too-long")
    if "\x00" in line:
        raise Invalid(f"{number}行目に文字でないデータがあります。取り除いて登録し直してください。", code="binary")


def _delimiter(path: Path, encoding: str, limits: Limits) -> str:
    """The mark that most of the first fifty lines have in equal numbers, outside quotation marks; of equals the more frequent one."""
    lines = [line for _, (_, line) in zip(range(50), _lines(path, encoding, limits), strict=False)]
    plain = re.split(r"[\r\n]+", re.sub(r'"[^"]*"', "", "".join(lines)))
    best, most = ",", (0, 0)
    for mark in (",", "\t", ";"):
        counts = Counter(line.count(mark) for line in plain)
        counts.pop(0, None)
        usual, agreeing = counts.most_common(1)[0] if counts else (0, 0)
        if (agreeing, usual) > most:
            best, most = mark, (agreeing, usual)
    return best


def _records(
    path: Path, encoding: str, delimiter: str, limits: Limits, findings: Findings | None = None
) -> Iterator[Row]:
    """Records with the number of the line they start at. A quotation mark that is not closed within `limits.quoted_lines` lines is
    taken as a character of its own line, and named; what follows is read as usual."""
    lines = _lines(path, encoding, limits, findings)
    waiting: deque[tuple[int, str]] = deque()
    while True:
        number, line = waiting.popleft() if waiting else next(lines, (0, ""))
        if not number:
            return
        if '"' not in line:
            yield Row(number, tuple(line.rstrip("\r\n").split(delimiter)))
            continue
        taken, cells = _quoted(number, line, partial(_next_line, waiting, lines), delimiter, limits)
        if cells is None:
            waiting.extendleft(reversed(taken))
            _note_open_quote(number, line, findings)
            cells = tuple(cell.replace('"', "") for cell in line.rstrip("\r\n").split(delimiter))
        yield Row(number, cells)


Line = tuple[int, str]


def _next_line(waiting: deque[Line], lines: Iterator[Line]) -> Line | None:
    return waiting.popleft() if waiting else next(lines, None)


def _quoted(
    number: int, line: str, following: Callable[[], Line | None], delimiter: str, limits: Limits
) -> tuple[list[Line], tuple[str, ...] | None]:
    """The further lines that a record with quotation marks took, and its cells: None when a mark was not closed, or only by the opening
    mark of another cell. The standard reader takes lines as it needs them; a mark inside an unquoted cell is a character to it."""
    taken: list[Line] = []

    def feed() -> Iterator[str]:
        yield line
        while len(taken) < limits.quoted_lines and (more := following()):
            taken.append(more)
            yield more[1]

    try:
        cells = next(csv.reader(feed(), delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        if "field limit" in str(error):
            raise _too_long(number) from error
        if taken or line.count('"') % 2:
            return taken, None
        cells = next(csv.reader([line], delimiter=delimiter), [])
    if any(len(cell) > limits.cell for cell in cells):
        raise _too_long(number)
    return taken, tuple(cells)


def _too_long(number: int) -> TooLarge:
    return TooLarge(f"{number}行目に長すぎるセルがあります。", code="cell-too-long")


def _note_open_quote(number: int, line: str, findings: Findings | None) -> None:
    if findings is not None:
        message = f'{number}行目の「"」が閉じられていません。「"」を除いて読みました。'
        findings.add(Finding("quote-not-closed", "error", message, row=number, value=line.strip()[:200]))
