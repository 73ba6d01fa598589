"""Office documents: authors, hidden sheets, rows and columns, comments, recorded changes, links to the writer's own folders."""

import re
import zipfile
from collections.abc import Iterator

Raw = tuple[str, str, str]
MOST_BYTES = 50 * 1024 * 1024
EXCERPT = 80
_TEXT = re.compile(rb"<(?:dc:creator|cp:lastModifiedBy|Company|Manager)[^>]*>([^<]+)<")
_HIDDEN_SHEET = re.compile(rb'<sheet\b(?=[^>]*\bstate="(?:hidden|veryHidden)")[^>]*\bname="([^"]+)"')
_HIDDEN_PART = re.compile(rb'<(?:row|col)\b[^>]*\bhidden="(?:1|true)"')
_CHANGES = re.compile(rb"<w:(?:ins|del)\b|<w:vanish\b")
_LINK = re.compile(rb'Target="(file:[^"]+|\\\\[^"]+)"')


def is_office(packed: zipfile.ZipFile) -> bool:
    return "[Content_Types].xml" in packed.namelist()


def look(packed: zipfile.ZipFile) -> Iterator[Raw]:
    for member in packed.infolist():
        if not member.filename.endswith((".xml", ".rels")) or member.file_size > MOST_BYTES:
            continue
        yield from _part(member.filename, packed.read(member))


def _part(name: str, content: bytes) -> Iterator[Raw]:
    if name.startswith("docProps/"):
        yield from (("metadata", "", _words(match)) for match in _TEXT.findall(content))
    elif name == "xl/workbook.xml":
        yield from (("hidden-layer", "シート", _words(match)) for match in _HIDDEN_SHEET.findall(content))
    elif name.startswith("xl/worksheets/") and _HIDDEN_PART.search(content):
        yield ("hidden-layer", name.rpartition("/")[2], "隠した行か列")
    elif "comments" in name:
        yield ("note", name.rpartition("/")[2], "コメント")
    elif name == "word/document.xml" and _CHANGES.search(content):
        yield ("hidden-text", "", "変更履歴か隠し文字")
    if name.endswith(".rels"):
        yield from (("metadata", "リンク", _words(match)) for match in _LINK.findall(content))


def _words(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")[:EXCERPT]
