"""A template and data → the bytes of a PDF. The same input gives the same bytes."""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence, Set
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from starlette.responses import Response

from libs.common import csvout
from libs.common.errors import Invalid, Unavailable, say
from libs.common.pdf.letter import Letter

if TYPE_CHECKING:
    import typst  # where it is used: it takes 7 MB of each process, and most never print

COMMON = Path(__file__).with_name("letter.typ")
FAMILIES = {"IPAmjMincho", "IPAexGothic"}
"""What `letter.typ` sets in; Debian's fonts-ipamj-mincho and fonts-ipaexfont. Set-up and the image bring them."""
Standard = Literal["a-2a", "a-2b", "a-2u", "a-3a", "a-3b", "a-3u", "ua-1"]
ARCHIVABLE: tuple[Standard, ...] = ("a-2a", "ua-1")
"""ISO 19005-2 level A (what level B asks, and text and structure that can be read) and ISO 14289-1."""
GETA = "〓"
"""What a Japanese printer sets where a letter is missing."""
_NOT_SHOWN = re.compile(
    r'the text `"(.+?)"` could not be displayed|contains the (?:disallowed )?codepoint `"(.+?)"`', re.DOTALL
)
_FOREIGN = {
    "HANGUL",
    "THAI",
    "ARABIC",
    "DEVANAGARI",
    "BENGALI",
    "TAMIL",
    "SINHALA",
    "KHMER",
    "LAO",
    "MYANMAR",
    "TIBETAN",
}
"""Scripts that residents of Japan write and that the fonts of a town hall's letters do not have."""
_ESCAPED = re.compile(r"\\u\{([0-9a-f]+)\}")


class Unprintable(Invalid):
    """No font has these letters (`letters`): emoji, other scripts, letters of one computer's own."""

    def __init__(self, letters: str) -> None:
        super().__init__(say("印刷できない文字があります：%(letters)s", letters=letters), code="unprintable")
        self.letters = letters


def render(
    template: Path,
    data: Mapping[str, Any],
    *,
    title: str,
    at: datetime,
    lang: str = "ja",
    standards: Sequence[Standard] = ARCHIVABLE,
    files: Mapping[str, bytes] | None = None,
    stand_in: str | None = None,
) -> bytes:
    """The document as PDF. `at`: when it is made; it stands in the file, and with the same input the bytes are the same.

    `data` reaches the template as values only. `files` are images that it may show as `file("seal.png")`. `stand_in` is set
    where no font has a letter; without it such a letter raises Unprintable. Raises Unavailable where the fonts are missing.
    """
    sources = {"main": template.read_bytes(), "letter.typ": COMMON.read_bytes()}
    data = {**data, "files": {name: list(content) for name, content in (files or {}).items()}}
    values = {"data": _written(data, lang), "title": title, "lang": lang[:2]}
    while True:
        try:
            return _compiled(sources, values, at, standards)
        except Unprintable as refusal:
            replaced = {name: _without(text, refusal.letters, stand_in or "") for name, text in values.items()}
            if stand_in is None or replaced == values:
                raise
            values = replaced


def answer(document: bytes, name: str) -> Response:
    """The PDF as a download named `name`. It holds a person's data: no cache keeps it."""
    headers = {"Content-Disposition": csvout.attachment(name), "Cache-Control": "no-store"}
    return Response(document, media_type="application/pdf", headers=headers)


def _compiled(sources: Any, values: dict[str, str], at: datetime, standards: Sequence[Standard]) -> bytes:
    import typst

    try:
        made = typst.compile(
            sources, format="pdf", font_paths=fonts(FAMILIES), ignore_system_fonts=True, sys_inputs=values,
            pdf_standards=list(standards), timestamp=at.astimezone(UTC).replace(microsecond=0),  # typst refuses parts of a second
        )  # fmt: skip
    except typst.TypstError as fault:
        if found := _NOT_SHOWN.search(str(fault)):
            raise Unprintable(_unescaped(found[1] or found[2])) from fault
        raise
    assert isinstance(made, bytes)
    return made


def fonts(needed: Set[str]) -> "typst.Fonts":
    """The fonts of the system. Raises Unavailable, naming what is missing, where it lacks a family of `needed`."""
    found = _system_fonts()
    missing = needed - set(found.families())
    if missing:
        names = ", ".join(sorted(missing))
        raise Unavailable(say("書類を作れません。フォントがありません：%(names)s", names=names), code="fonts-missing")
    return found


@cache
def _system_fonts() -> "typst.Fonts":
    """Read once in a process."""
    import typst

    return typst.Fonts(include_system_fonts=True)


def _written(value: Any, lang: str) -> str:
    return json.dumps(value, ensure_ascii=False, default=lambda each: _as_data(each, lang))


def _as_data(value: Any, lang: str) -> Any:
    """Letter heads and days as a template reads them; anything else that JSON does not know is the caller's fault."""
    if isinstance(value, Letter):
        return value.data(lang)
    if isinstance(value, date) and not isinstance(value, datetime):
        return {"year": value.year, "month": value.month, "day": value.day}
    raise TypeError(f"a template cannot read {type(value).__name__}")


def _without(text: str, letters: str, stand_in: str) -> str:
    """`text` with `stand_in` for `letters` and for all of their script: a word half shown helps nobody, and it is quick."""
    kinds = {_kind(letter) for letter in letters}
    return "".join(stand_in if _kind(letter) in kinds else letter for letter in text)


@lru_cache(maxsize=4096)
def _kind(letter: str) -> str:
    """HANGUL, THAI, ARABIC …; pictures are one kind; a letter of the scripts that our fonts have is its own."""
    if "\U0001f000" <= letter < "\U00020000":
        return "picture"
    script = unicodedata.name(letter, "").split(" ")[0]
    return script if script in _FOREIGN else letter


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
