"""ZIP packages that are published as they are: timetables (GTFS), Shapefiles, documents of Word, PowerPoint and OpenDocument, KMZ.

Only what was looked at goes out: a package with anything else in it is refused, and the entry is named.
"""

import io
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from libs.common.errors import Invalid, say
from services.opendata.domain.table import Finding, Row, Table
from services.opendata.reading import markup
from services.opendata.reading.limits import Limits
from services.opendata.reading.package import BROKEN, check_bounds

TIMETABLE = frozenset({"agency.txt", "stops.txt", "routes.txt", "trips.txt", "stop_times.txt"})
CALENDARS = frozenset({"calendar.txt", "calendar_dates.txt"})
SHAPE_PARTS = frozenset({".shp", ".shx", ".dbf", ".prj", ".cpg", ".sbn", ".sbx", ".qix", ".qmd", ".xml", ".txt"})
OFFICE = {
    "word/document.xml": ("DOCX", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "word/"),
    "ppt/presentation.xml": ("PPTX", "application/vnd.openxmlformats-officedocument.presentationml.presentation", "ppt/"),
}  # fmt: skip
ODT = "application/vnd.oasis.opendocument.text"
PARAGRAPHS = frozenset({"p", "h"})
DAMAGED = "ZIPのファイルが壊れていて読めません。"
ACCEPTED = "ZIPで公開できるのは、バスの時刻表（GTFS）、シェープファイル、KMZです。ほかは中のファイルを1つずつ登録してください。"

Words = Callable[[], Iterator[str]]


@dataclass(frozen=True)
class Package:
    format: str
    media_type: str
    words: Words
    table: Table | None = None
    findings: tuple[Finding, ...] = ()


def look(path: Path, limits: Limits) -> Package | None:
    """What the package is; None for a workbook. Raises Invalid (`damaged`, `encrypted`, `not-published`) and TooLarge `zip-bomb`."""
    try:
        with zipfile.ZipFile(path) as package:
            entries = [each for each in package.infolist() if not each.is_dir()]
            names = [each.filename for each in entries]
            if "xl/workbook.xml" in names:
                return None
            check_bounds(entries, limits)
            found = _of(path, package, names)
            return replace(found, words=_whole(found.words))
    except BROKEN as error:
        raise Invalid(DAMAGED, code="damaged") from error


def _whole(words: Words) -> Words:
    """A package that breaks off within an entry is told as one that does at its end."""

    def read() -> Iterator[str]:
        try:
            yield from words()
        except BROKEN as error:
            raise Invalid(DAMAGED, code="damaged") from error

    return read


def _of(path: Path, package: zipfile.ZipFile, names: list[str]) -> Package:
    for entry, (form, media_type, folder) in OFFICE.items():
        if entry in names:
            return _office(path, names, form, media_type, folder)
    if "mimetype" in names and package.read("mimetype") == ODT.encode():
        return Package("ODT", ODT, lambda: _xml_words(path, ["content.xml"]))
    base = {PurePosixPath(name).name for name in names}
    if len(base & TIMETABLE) >= 3:
        return _timetable(path, names)
    if any(name.lower().endswith(".shp") for name in names):
        return _shapes(path, names)
    if any(name.lower().endswith(".kml") for name in names):
        return _kmz(path, names)
    raise Invalid(ACCEPTED, code="not-published")


def _office(path: Path, names: list[str], form: str, media_type: str, folder: str) -> Package:
    for name in names:
        if "vbaProject" in name or "/embeddings/" in name or "/activeX/" in name:
            sentence = "マクロや、ほかのファイルの埋め込みがある文書は公開できません。外して送り直してください。"
            raise Invalid(sentence, code="not-published")
    found = [name for name in names if name.startswith(folder) and name.endswith(".xml")]
    return Package(form, media_type, lambda: _xml_words(path, found), findings=tuple(_left_over(path, found)))


def _left_over(path: Path, names: list[str]) -> Iterator[Finding]:
    """What the author's colleagues wrote, which the reader of a printed page does not see."""
    if any("comments" in name.rpartition("/")[2].lower() for name in names):
        yield Finding("comments", "warning", "コメントが残っています。公開してよいか確かめてください。")
    with zipfile.ZipFile(path) as package:
        if "word/document.xml" in names and b"<w:del " in package.read("word/document.xml"):
            yield Finding(
                "changes-kept", "warning", "変更履歴（消した文字）が残っています。公開してよいか確かめてください。"
            )


def _xml_words(path: Path, names: list[str]) -> Iterator[str]:
    with zipfile.ZipFile(path) as package:
        for name in names:
            with package.open(name) as file:
                yield from markup.words_in(file, PARAGRAPHS)


def _timetable(path: Path, names: list[str]) -> Package:
    if any("/" in name for name in names):
        raise Invalid(
            "GTFSのファイルがフォルダーの中にあります。フォルダーに入れずにZIPにしてください。", code="not-published"
        )
    if missing := sorted(TIMETABLE - set(names)) + ([] if CALENDARS & set(names) else ["calendar.txt"]):
        raise Invalid(say("GTFSに必要な%(names)sがありません。", names="、".join(missing)), code="not-published")
    _refuse_others(names, frozenset({".txt"}))
    return Package("GTFS", "application/zip", lambda: _lines(path, names))


def _lines(path: Path, names: list[str]) -> Iterator[str]:
    with zipfile.ZipFile(path) as package:
        for name in names:
            with package.open(name) as file:
                yield from io.TextIOWrapper(file, "utf-8", errors="replace")


def _shapes(path: Path, names: list[str]) -> Package:
    _refuse_others(names, SHAPE_PARTS)
    there = {name.lower() for name in names}
    findings: list[Finding] = []
    for stem in sorted(name[:-4] for name in there if name.endswith(".shp")):
        if missing := [part for part in (".shx", ".dbf") if stem + part not in there]:
            raise Invalid(
                say("シェープファイルに%(names)sがありません。", names="、".join(stem + each for each in missing)),
                code="not-published",
            )
        if stem + ".prj" not in there:
            message = say(
                "%(name)sがありません。座標系が分からないので、地図に正しく重ねられません。", name=f"{stem}.prj"
            )
            findings.append(Finding("no-projection", "warning", message))
    attributes = [name for name in names if name.lower().endswith(".dbf")]
    table = _attributes(path, attributes[0]) if len(attributes) == 1 else None
    return Package("SHP", "application/zip", lambda: _bytes_as_words(path, attributes), table, tuple(findings))


def _attributes(path: Path, name: str) -> Table:
    """The table of a Shapefile (dBASE III). Its texts are in UTF-8 or Shift_JIS."""
    with zipfile.ZipFile(path) as package, package.open(name) as file:
        head = file.read(32)
        length, width = struct.unpack("<HH", head[8:12])
        fields = _fields(file.read(length - 32))
    columns = tuple(field for field, _ in fields)

    def rows() -> Iterator[Row]:
        with zipfile.ZipFile(path) as package, package.open(name) as file:
            file.read(length)
            number = 0
            while len(record := file.read(width)) == width and record[:1] in (b" ", b"*"):
                number += 1
                yield Row(number, tuple(_cells(record[1:], [size for _, size in fields])))

    return Table(columns, rows, header_row=None)


def _fields(told: bytes) -> list[tuple[str, int]]:
    """(name, bytes) of each column."""
    found = []
    for at in range(0, len(told) - 31, 32):
        if told[at] == 0x0D:
            break
        found.append((_decoded(told[at : at + 11].split(b"\0")[0]), told[at + 16]))
    return found


def _cells(record: bytes, widths: list[int]) -> Iterator[str]:
    at = 0
    for width in widths:
        yield _decoded(record[at : at + width]).strip()
        at += width


def _decoded(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("cp932", errors="replace")


def _bytes_as_words(path: Path, names: list[str]) -> Iterator[str]:
    for name in names:
        for row in _attributes(path, name).rows():
            yield " ".join(row.cells)


def _kmz(path: Path, names: list[str]) -> Package:
    _refuse_others(names, frozenset({".kml", ".png", ".jpg", ".jpeg", ".gif"}))
    layers = [name for name in names if name.lower().endswith(".kml")]
    return Package("KMZ", "application/vnd.google-earth.kmz", lambda: _kml_words(path, layers))


def _kml_words(path: Path, names: list[str]) -> Iterator[str]:
    with zipfile.ZipFile(path) as package:
        for name in names:
            with package.open(name) as file:
                yield from markup.words_in(file)


def _refuse_others(names: list[str], endings: frozenset[str]) -> None:
    for name in names:
        if PurePosixPath(name).suffix.lower() not in endings:
            raise Invalid(
                say("ZIPに「%(name)s」が入っています。外して送り直してください。", name=name[-60:]),
                code="not-published",
            )
