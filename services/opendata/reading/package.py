"""The ZIP package of a workbook: bounds before anything is unpacked, and what stands in it beside cells."""

import re
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

from libs.common.errors import Invalid, TooLarge
from services.opendata.reading.limits import MEGABYTE, Limits
from services.opendata.reading.merges import Merge

_RANGE = re.compile(r"([A-Z]{1,3})(\d+)(?::([A-Z]{1,3})(\d+))?")
MOST_MERGES = 20_000
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, ValueError)
"""What reading a ZIP that is damaged raises."""
DAMAGED = "Excelのファイルが壊れていて読めません。Excelで開いて保存し直してください。"


@dataclass
class SheetFacts:
    """What a sheet's XML says that its values do not. Formulas: the first few places and how many; hidden rows and columns by number."""

    merges: list[Merge] = field(default_factory=list)
    formulas: int = 0
    formula_places: list[tuple[int, int]] = field(default_factory=list)
    without_value: list[tuple[int, int]] = field(default_factory=list)
    hidden_rows: list[int] = field(default_factory=list)
    hidden_columns: list[int] = field(default_factory=list)
    drawings: bool = False


def open_package(path: Path, limits: Limits) -> zipfile.ZipFile:
    """The package, when its directory keeps to `limits`. Raises TooLarge `zip-bomb` or `too-large`, Invalid `damaged` or `not-a-table`.

    The sizes of the directory are what reading stops at (zipfile hands out no byte more), so that they need not be believed.
    """
    if path.stat().st_size > limits.workbook:
        raise TooLarge("Excelのファイルが大きすぎます。CSVで保存して登録してください。", code="too-large")
    try:
        package = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise Invalid(DAMAGED, code="damaged") from error
    entries = package.infolist()
    check_bounds(entries, limits)
    for entry in entries:
        if entry.filename.endswith("sharedStrings.xml") and entry.file_size > limits.shared_strings:
            raise TooLarge("Excelの中の文字が多すぎます。CSVで保存して登録してください。", code="too-large")
    if not any(entry.filename == "xl/workbook.xml" for entry in entries):
        raise Invalid(
            "Excel（.xlsx）のファイルではありません。ZIPの場合は中のファイルを1つずつ登録してください。",
            code="not-a-table",
        )
    return package


def check_bounds(entries: Sequence[zipfile.ZipInfo], limits: Limits) -> None:
    """Of any ZIP, before something is unpacked. Raises TooLarge `zip-bomb`, Invalid `encrypted`."""
    if len(entries) > limits.entries or sum(entry.file_size for entry in entries) > limits.unpacked:
        raise TooLarge("展開すると大きすぎるファイルです（zip爆弾の疑い）。受け付けられません。", code="zip-bomb")
    for entry in entries:
        if entry.file_size > 10 * MEGABYTE and entry.file_size > limits.ratio * max(entry.compress_size, 1):
            raise TooLarge("展開すると大きすぎるファイルです（zip爆弾の疑い）。受け付けられません。", code="zip-bomb")
        if entry.flag_bits & 1:
            raise Invalid("パスワードの付いたファイルです。パスワードを外して登録してください。", code="encrypted")


def has(package: zipfile.ZipFile, start: str) -> bool:
    return any(entry.startswith(start) for entry in package.namelist())


def acts(file: BinaryIO) -> bool:
    """Whether it is an Office file that does something when it is opened: macros, or links to other files. It is left at its start."""
    try:
        with zipfile.ZipFile(file) as package:
            return any("vbaProject" in name or "/externalLinks/" in name for name in package.namelist())
    except BROKEN:
        return False
    finally:
        file.seek(0)


def sheet_facts(package: zipfile.ZipFile, entry: str) -> SheetFacts:
    """One pass over the sheet's XML at flat memory. Raises Invalid `damaged`."""
    parser = _parser()
    taking = _Taking(SheetFacts(), parser)
    parser.StartElementHandler = taking.start
    parser.EndElementHandler = taking.end
    _parse(package, entry, parser)
    return taking.facts


def refuse_definitions(package: zipfile.ZipFile) -> None:
    """Raises Invalid `damaged` when any part defines entities or names a document type: Excel writes none, attackers do."""
    for entry in package.namelist():
        if entry.endswith((".xml", ".rels", ".vml")):
            _parse(package, entry, _parser())


def _parser() -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_doctype
    return parser


def _refuse_doctype(*_: object) -> None:
    raise ValueError("a document type is declared")


def _parse(package: zipfile.ZipFile, entry: str, parser: expat.XMLParserType) -> None:
    try:
        with package.open(entry) as file:
            parser.ParseFile(file)
    except (expat.ExpatError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
        raise Invalid(DAMAGED, code="damaged") from error


class _Taking:
    """Takes facts from the elements as they come; expat's C code does the rest."""

    def __init__(self, facts: SheetFacts, parser: expat.XMLParserType) -> None:
        self.facts = facts
        self._parser = parser
        self._cell = "A1"
        self._formula = self._value = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        facts = self.facts
        name = name.rpartition(":")[2]
        if name == "c":
            self._cell, self._formula, self._value = attributes.get("r", "A1"), False, False
        elif name == "f":
            self._formula = True
        elif name == "v" and self._formula:
            self._parser.CharacterDataHandler = self._text
        elif name == "row" and attributes.get("hidden") in ("1", "true"):
            facts.hidden_rows.append(int(attributes.get("r", "0")))
        elif name == "col" and attributes.get("hidden") in ("1", "true"):
            last = min(int(attributes.get("max", "0")), 16_384)
            facts.hidden_columns.extend(range(int(attributes.get("min", "0")), last + 1))
        elif name == "mergeCell":
            if len(facts.merges) >= MOST_MERGES:
                raise TooLarge("結合されたセルが多すぎます。結合を解除して登録してください。", code="too-many-merges")
            facts.merges.append(merge_of(attributes.get("ref", "")))
        elif name in ("drawing", "legacyDrawing", "picture", "oleObjects"):
            facts.drawings = True

    def _text(self, text: str) -> None:
        self._value = True

    def end(self, name: str) -> None:
        name = name.rpartition(":")[2]
        if name == "v":
            self._parser.CharacterDataHandler = None
        if name != "c" or not self._formula:
            return
        self.facts.formulas += 1
        place = merge_of(self._cell)
        if not self._value and len(self.facts.without_value) < 1_000:
            self.facts.without_value.append((place.top, place.left))
        elif self._value and len(self.facts.formula_places) < 200:
            self.facts.formula_places.append((place.top, place.left))


def merge_of(reference: str) -> Merge:
    """`B2:D5` → Merge(2, 2, 5, 4); a single cell is a rectangle of one. Raises ValueError for anything else."""
    found = _RANGE.fullmatch(reference)
    if not found:
        raise ValueError(f"not a range: {reference!r}")
    left, top, right, bottom = found.groups()
    return Merge(int(top), _column(left), int(bottom or top), _column(right or left))


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number
