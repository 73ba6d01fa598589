"""Files that are published as they were sent, being no tables of a spreadsheet: what one is by its content, whatever its name says, and
what of it the guard of personal data can read. Nothing in them is changed."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, NoReturn

from PIL import Image, UnidentifiedImageError

from libs.common.errors import Invalid, TooLarge, say
from services.opendata.domain.table import Finding, Findings, Table
from services.opendata.reading import features, markup, zipped
from services.opendata.reading.limits import LIMITS, Limits

Words = Callable[[], Iterator[str]]
HEAD, TAIL = 4096, 2048
PDF_START = re.compile(rb"%PDF-[12]\.\d")
XML_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*<\?xml\b", re.IGNORECASE)
JSON_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*[\[{]")
JSON_NAMES, XML_NAMES = frozenset({".json", ".geojson"}), frozenset({".xml", ".kml", ".gml", ".rdf"})
PICTURES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "TIFF": "image/tiff"}
PICTURE_STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"II*\x00", b"MM\x00*")
GPS = 0x8825
"""The tag of EXIF that leads to where a photograph was taken."""
NAMES = {
    "PDF": (".pdf",), "PNG": (".png",), "JPEG": (".jpg", ".jpeg"), "WEBP": (".webp",), "TIFF": (".tif", ".tiff"), "JSON": (".json",),
    "GEOJSON": (".geojson", ".json"), "XML": (".xml",), "KML": (".kml",), "GML": (".gml", ".xml"), "RDF": (".rdf", ".xml"),
    "KMZ": (".kmz",), "GTFS": (".zip",), "SHP": (".zip",), "DOCX": (".docx",), "PPTX": (".pptx",), "ODT": (".odt",),
}  # fmt: skip
"""Format, as catalogues write it → endings of names; the first is given to a file that has another."""


@dataclass(frozen=True)
class Document:
    """`words` gives its text piece by piece (lines, rows), None where nobody can read it without eyes; `table` what of it can be looked at
    as rows; `taken_at`: a photograph that says where it was taken."""

    format: str
    media_type: str
    words: Words | None = None
    table: Table | None = None
    findings: tuple[Finding, ...] = ()
    taken_at: bool = False

    def name(self, given: str) -> str:
        """The clerk's name of the file, with an ending that says what it is."""
        return given if PurePath(given).suffix.lower() in NAMES[self.format] else f"{given}{NAMES[self.format][0]}"

    def named_otherwise(self, given: str) -> Finding | None:
        """The word to the clerk whose file's name says that it is something else."""
        suffix = PurePath(given).suffix.lower()
        if not suffix or suffix in NAMES[self.format]:
            return None
        sentence = "名前は「%(suffix)s」ですが、中身は%(format)sです。中身に合う名前で公開します。"
        return Finding("named-otherwise", "info", say(sentence, suffix=suffix[:12], format=self.format))


def read_document(path: Path, name: str = "", limits: Limits = LIMITS) -> Document | None:
    """What the file at `path` is, None where it is to be read as a table. Raises Invalid (`damaged`, `empty`, `not-published`,
    `encrypted`) and TooLarge (`too-large`, `zip-bomb`)."""
    with path.open("rb") as file:
        start = file.read(HEAD)
    suffix = PurePath(name).suffix.lower()
    if PDF_START.match(start):
        return _pdf(path)
    if start.startswith(PICTURE_STARTS):
        return _picture(path)
    if start.startswith(b"PK\x03\x04"):
        found = zipped.look(path, limits)
        return found and Document(found.format, found.media_type, found.words, found.table, found.findings)
    if XML_START.match(start) or (suffix in XML_NAMES and start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"):
        form, media_type = markup.kind_of(path)
        return Document(form, media_type, lambda: markup.words(path))
    if JSON_START.match(start):
        return _json(path, certain=suffix in JSON_NAMES, limits=limits)
    return None


def _pdf(path: Path) -> Document:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        if b"%%EOF" not in file.read():
            raise Invalid("PDFが途中で切れています。もう一度保存して、送り直してください。", code="damaged")
    return Document("PDF", "application/pdf")


def _picture(path: Path) -> Document | None:
    try:
        with Image.open(path) as image:
            image.verify()
        with Image.open(path) as image:  # verifying leaves nothing that could be read on
            form, where = image.format or "", bool(image.getexif().get_ifd(GPS))
    except UnidentifiedImageError:
        return None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Invalid("画像を開けませんでした。もう一度保存して、送り直してください。", code="damaged") from error
    return Document(form, PICTURES[form], taken_at=where) if form in PICTURES else None


def _json(path: Path, *, certain: bool, limits: Limits) -> Document | None:
    """`certain`: its name says that it is JSON; else what does not read as JSON may be a table."""
    if path.stat().st_size > limits.document:
        if not certain:
            return None
        sentence = say("JSONは%(limit)sMBまで受け取れます。分けて登録してください。", limit=limits.document // 1024**2)
        raise TooLarge(sentence, code="too-large")
    try:
        told = json.loads(path.read_text("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        if not certain:
            return None
        raise Invalid(_why_no_json(error), code="damaged") from error
    return _of_json(told)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _why_no_json(error: Exception) -> Any:
    if isinstance(error, UnicodeDecodeError):
        return "JSONの文字コードがUTF-8ではありません。UTF-8で保存して、送り直してください。"
    if isinstance(error, json.JSONDecodeError):
        return say("JSONとして読めません（%(line)s行目の%(column)s文字目）。", line=error.lineno, column=error.colno)
    return "JSONとして読めません。入れ子が深すぎるか、NaNのような値があります。"


def _of_json(told: Any) -> Document:
    if features.is_geojson(told):
        found = Findings()
        table = features.table_of(told, found)
        return Document("GEOJSON", "application/geo+json", lambda: _said(told), table, tuple(found))
    rows = told if isinstance(told, list) and told and all(isinstance(each, Mapping) for each in told) else None
    return Document("JSON", "application/json", lambda: _said(told), features.table_of_records(rows) if rows else None)


def _said(told: Any) -> Iterator[str]:
    """All texts in it, and names with their values."""
    waiting = [("", told)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting.extend((str(key), each) for key, each in value.items())
        elif isinstance(value, list):
            waiting.extend((name, each) for each in value if not isinstance(each, float))
        elif isinstance(value, str | int) and not isinstance(value, bool):
            yield f"{name} {value}"
