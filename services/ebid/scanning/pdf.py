"""PDF: letters that nobody sees, layers that are off, attachments, notes, and what the writing program left behind."""

import io
from collections.abc import Iterator
from typing import Any

from pypdf import PageObject, PdfReader

Raw = tuple[str, str, str]
"""Kind, place in the file, excerpt."""
MOST_PAGES = 300
TINY = 1.5
"""Points below which letters count as unseen."""
EXCERPT = 80
_KEPT = ("/Author", "/Subject", "/Keywords", "/Company", "/Manager", "/SourceModified")
_WHITE = {"g": (1.0,), "rg": (1.0, 1.0, 1.0), "k": (0.0, 0.0, 0.0, 0.0), "sc": (1.0, 1.0, 1.0), "scn": (1.0, 1.0, 1.0)}
_INVISIBLE = {3, 7}
"""Text rendering modes (ISO 32000-1, 9.3.6) that paint nothing."""


def look(content: bytes) -> list[Raw]:
    reader = PdfReader(io.BytesIO(content))
    if reader.is_encrypted and not reader.decrypt(""):
        return [("unreadable", "", "パスワードがかかっています")]
    found = [*_metadata(reader), *_attachments(reader), *_layers(reader)]
    for number, page in enumerate(reader.pages[:MOST_PAGES], start=1):
        found += [(kind, f"{number}ページ", text) for kind, text in _page(page)]
    return found


def _metadata(reader: PdfReader) -> Iterator[Raw]:
    for key, value in (reader.metadata or {}).items():
        if key in _KEPT and str(value).strip():
            yield ("metadata", key.strip("/"), str(value)[:EXCERPT])


def _attachments(reader: PdfReader) -> Iterator[Raw]:
    for name in reader.attachments:
        yield ("attachment", "", str(name)[:EXCERPT])


def _layers(reader: PdfReader) -> Iterator[Raw]:
    properties: Any = reader.trailer["/Root"].get_object().get("/OCProperties")  # type: ignore[union-attr]
    off = properties.get_object().get("/D", {}).get("/OFF", ()) if properties else ()
    for layer in off:
        yield ("hidden-layer", "", str(layer.get_object().get("/Name", ""))[:EXCERPT])


def _page(page: PageObject) -> Iterator[tuple[str, str]]:
    watch = _Watch()
    page.extract_text(visitor_operand_before=watch.operand, visitor_text=watch.text)
    for text in watch.hidden:
        yield ("hidden-text", text)
    for note in page.get("/Annots") or ():
        words = note.get_object().get("/Contents")
        if words and str(words).strip():
            yield ("note", str(words)[:EXCERPT])


class _Watch:
    """Follows the graphics state and keeps what was written while nothing could be seen: white, invisible or tiny."""

    def __init__(self) -> None:
        self.hidden: list[str] = []
        self._white, self._mode, self._size = False, 0, 10.0
        self._kept: list[tuple[bool, int, float]] = []
        self._unseen = False

    def operand(self, operator: bytes, operands: Any, cm: Any, tm: Any) -> None:
        name = operator.decode("latin-1")
        if name in _WHITE:
            self._white = _WHITE[name] == tuple(float(each) for each in operands if isinstance(each, int | float))
        elif name == "Tr":
            self._mode = int(operands[0])
        elif name == "Tf":
            self._size = abs(float(operands[1]))
        elif name == "q":
            self._kept.append((self._white, self._mode, self._size))
        elif name == "Q" and self._kept:
            self._white, self._mode, self._size = self._kept.pop()
        elif name in ("Tj", "TJ", "'", '"'):
            self._unseen = self._unseen or self._is_unseen(cm, tm)

    def _is_unseen(self, cm: Any, tm: Any) -> bool:
        scale = max(abs(float(tm[0])), abs(float(tm[1]))) * max(abs(float(cm[0])), abs(float(cm[1])))
        return self._white or self._mode in _INVISIBLE or self._size * scale < TINY

    def text(self, text: str, cm: Any, tm: Any, font: Any, size: Any) -> None:
        if self._unseen and text.strip():
            self.hidden.append(" ".join(text.split())[:EXCERPT])
        if text.strip():
            self._unseen = False
