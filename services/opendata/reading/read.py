"""`read` is the way in: it looks at the first bytes, chooses the reader, and refuses what is no table."""

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from libs.common.errors import Invalid, TooLarge, say
from services.opendata.domain.table import Findings, Table
from services.opendata.reading.delimited import read_delimited
from services.opendata.reading.limits import LIMITS, Limits
from services.opendata.reading.workbook import read_workbook

Format = Literal["csv", "tsv", "xlsx"]
OTHER_KINDS = (
    (b"%PDF", "PDF"),
    (b"\x89PNG", "画像（PNG）"),
    (b"\xff\xd8\xff", "画像（JPEG）"),
    (b"GIF8", "画像（GIF）"),
    (b"\x1f\x8b", "gzipで圧縮されたファイル"),
    (b"7z\xbc\xaf", "7-Zipで圧縮されたファイル"),
    (b"Rar!", "RARで圧縮されたファイル"),
    (b"SQLite format 3", "SQLiteのデータベース"),
)
DOCUMENTS = {".json", ".geojson", ".xml", ".kml", ".gml", ".html", ".htm", ".rdf", ".jsonld"}
"""Files whose name says what they are, when their first letter says it too."""
START = 1024
"""Bytes that are looked at; documents may begin with blank lines."""
OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@dataclass(frozen=True)
class Reading:
    """What a file holds. `encoding` is None for XLSX, else `utf-8`, `utf-8-sig`, `cp932`, `utf-16`, `euc_jp`, `iso2022_jp` or `mixed`.

    `tables` has at least one; `findings` is about the file as it came (reading changes no value but reports what stands around them).
    """

    format: Format
    encoding: str | None
    tables: tuple[Table, ...]
    findings: Findings


def read(path: Path, name: str = "", limits: Limits = LIMITS) -> Reading:
    """The tables of the file at `path`, which must stay there as long as their rows are read. `name` is the clerk's name for it.

    Memory does not grow with the number of rows. Raises Invalid (`not-a-table`, `empty`, `old-excel`, `binary`, `damaged`) and
    TooLarge (`too-large`, `too-many-columns`, `too-many-rows`, `zip-bomb`).
    """
    size = path.stat().st_size
    if size == 0:
        raise Invalid("ファイルが空です。データの入ったファイルを選んでください。", code="empty")
    if size > limits.size:
        raise TooLarge(
            say("ファイルが大きすぎます（上限%(limit)sMB）。分けて登録してください。", limit=limits.size // 1024**2),
            code="too-large",
        )
    with path.open("rb") as file:
        start = file.read(START)
    if start.startswith(b"PK\x03\x04"):
        tables, findings = read_workbook(path, limits)
        return Reading("xlsx", None, tables, findings)
    _refuse_other_kinds(start)
    suffix = PurePath(name).suffix.lower()
    if suffix in DOCUMENTS and start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[", b"<"):
        raise Invalid(
            say("%(kind)sは表として読めません。CSVかExcel（.xlsx）にしてください。", kind=suffix[1:].upper()),
            code="not-a-table",
        )
    return Reading(*read_delimited(path, name, limits))


def _refuse_other_kinds(start: bytes) -> None:
    if start.startswith(OLD_OFFICE):
        raise Invalid(
            "古い形式のExcel（.xls）か、パスワードの付いたExcelです。Excelで開き、パスワードを外して「Excelブック（.xlsx）」で保存し直してください。",
            code="old-excel",
        )
    for magic, kind in OTHER_KINDS:
        if start.startswith(magic):
            raise Invalid(
                say("%(kind)sは表として読めません。CSVかExcel（.xlsx）にしてください。", kind=kind), code="not-a-table"
            )
