"""Rows → CSV that opens well in a spreadsheet and cannot act there (RFC 4180; ASVS 5.0 1.2.10, OWASP CSV injection).

    pieces = csvout.rows([["例", -3]], header=["名前", "増減"])                     # UTF-8 with a byte order mark
    report = csvout.Replaced()
    pieces = csvout.rows(data, header=head, charset="shift_jis", replaced=report)   # report.characters afterwards

Both give bytes piece by piece, so that an endpoint can stream any number of rows. A cell that a spreadsheet would take
for a formula gets an apostrophe in front; `original` takes it off again. Numbers, negative ones too, stay numbers.
"""

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import chain, repeat
from typing import Any, Literal
from urllib.parse import quote

from libs.common.clock import JST

Charset = Literal["utf-8", "shift_jis"]

CONTENT_TYPES: dict[Charset, str] = {"utf-8": "text/csv; charset=utf-8", "shift_jis": "text/csv; charset=Shift_JIS"}
ROWS_PER_PIECE = 200
FORMULA = re.compile(r"'*[\s\x00-\x1f]*[=+\-@＝＋－＠\t\r\n]")
NUMBER = re.compile(r"-?(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?")
DASHES = re.compile(r"[-－]+")
"""What tables write for "none": there is nothing to calculate in it, and an apostrophe before it would be another value."""
GETA = "〓"  # what Japanese offices print for a character the machine does not have
# The same sign at another place: Unicode's own choice against Microsoft's table of Shift_JIS (CP932).
SAME_SIGN = str.maketrans("〜−—‖¢£¬¥", "～－―∥￠￡￢￥")
UNSAFE_IN_NAMES = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]')


@dataclass
class Replaced:
    """What Shift_JIS could not carry: character → how often, and its places: row (1 is the first below the header) and column."""

    characters: Counter[str] = field(default_factory=Counter)
    places: dict[str, dict[tuple[int, str], None]] = field(default_factory=dict)

    def add(self, character: str, row: int, column: str) -> None:
        self.characters[character] += 1
        self.places.setdefault(character, {})[row, column] = None

    def lines(self) -> list[str]:
        """One sentence per character, for the person who downloads."""
        return [
            f"「{character}」（{_codepoints(character)}）を「{_instead(character)}」に置き換えました："
            f"{count}か所（{_place_list(self.places[character])}）"
            for character, count in self.characters.items()
        ]


def rows(
    data: Iterable[Sequence[Any]],
    *,
    header: Sequence[str],
    charset: Charset = "utf-8",
    replaced: Replaced | None = None,
) -> Iterator[bytes]:
    """Pieces of a CSV file with CRLF line ends. `replaced` is filled while the pieces are taken; give it with
    shift_jis."""
    if charset == "shift_jis" and replaced is None:
        raise ValueError("Shift_JIS loses characters: pass a `Replaced` and show it to the person")
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    first = True
    for number, row in enumerate(_with_header(header, data)):
        cells = [cell(value) for value in row]
        if replaced is not None and charset == "shift_jis":
            named = chain(header, repeat(""))
            cells = [_representable(text, number, column, replaced) for text, column in zip(cells, named, strict=False)]
        writer.writerow(cells)
        if (number + 1) % ROWS_PER_PIECE == 0:
            yield _taken(buffer, charset, first)
            first = False
    if first or buffer.tell():
        yield _taken(buffer, charset, first)


def _with_header(header: Sequence[str], data: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    yield header
    yield from data


def _taken(buffer: io.StringIO, charset: Charset, first: bool) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    if charset == "shift_jis":
        return text.encode("cp932")
    return (("\ufeff" if first else "") + text).encode("utf-8")


def cell(value: Any) -> str:
    """The text of one cell. Moments are written in Japanese time with their offset; None is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float | Decimal):
        return format(value, "f") if isinstance(value, Decimal) else str(value)
    if isinstance(value, datetime):
        return value.astimezone(JST).isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    return harmless(str(value))


def harmless(text: str) -> str:
    """`text` so that no spreadsheet calculates it. NUL is dropped: readers stop at it."""
    text = text.replace("\x00", "")
    return f"'{text}" if FORMULA.match(text) and not (NUMBER.fullmatch(text) or DASHES.fullmatch(text)) else text


def original(text: str) -> str:
    """What `harmless` was given."""
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text


def _representable(text: str, row: int, column: str, replaced: Replaced) -> str:
    """The text with characters CP932 has. Cell by cell: a combining mark at the start of one belongs to no comma before it."""
    return text if _fits(text) else "".join(_fitted(text, row, column, replaced))


def _fitted(text: str, row: int, column: str, replaced: Replaced) -> Iterator[str]:
    for cluster in _clusters(text):
        instead = _instead(cluster)
        if instead != cluster:
            replaced.add(cluster, row, column)
        yield instead


def _clusters(text: str) -> Iterator[str]:
    """Characters, each with the variation selectors and combining marks that belong to it."""
    held = ""
    for character in text:
        if held and (_is_selector(character) or unicodedata.combining(character)):
            held += character
            continue
        if held:
            yield held
        held = character
    if held:
        yield held


def _is_selector(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def _instead(cluster: str) -> str:
    """The nearest that CP932 can write: itself, the same sign elsewhere, the composed form, the base character, else
    〓."""
    plain = "".join(character for character in cluster if not _is_selector(character))
    for candidate in (cluster, plain, unicodedata.normalize("NFC", plain), plain.translate(SAME_SIGN)):
        if _fits(candidate):
            return candidate
    return GETA


def _fits(text: str) -> bool:
    try:
        return text.encode("cp932").decode("cp932") == text
    except UnicodeEncodeError:
        return False


def _codepoints(text: str) -> str:
    return " ".join(f"U+{ord(character):04X}" for character in text)


def _place_list(places: Iterable[tuple[int, str]]) -> str:
    """All of them, by the lines of the file, its header being the first: as a spreadsheet numbers them for whoever looks each up."""
    return "、".join(f"見出しの「{column}」" if row == 0 else f"{row + 1}行目の「{column}」" for row, column in places)


def attachment(name: str) -> str:
    """The value of `Content-Disposition` for a download called `name` (RFC 6266; RFC 8187, before: RFC 5987)."""
    return _disposition("attachment", name)


def inline(name: str) -> str:
    """The same for something shown in the page's place."""
    return _disposition("inline", name)


def _disposition(kind: str, name: str) -> str:
    clean = safe_name(name)
    ascii_name = re.sub(r"[^A-Za-z0-9._ ()\-]", "_", clean)
    return f"{kind}; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(clean, safe='')}"


def safe_name(name: str) -> str:
    """A file name without folders, control characters, signs that turn the reading direction, or leading dots; ≤ 120
    characters."""
    name = name.encode("utf-8", "ignore").decode("utf-8")  # a lone surrogate cannot be sent
    clean = UNSAFE_IN_NAMES.sub("_", name).strip(" .") or "file"
    stem, dot, ending = clean.rpartition(".")
    if not dot or len(ending) > 10:
        return clean[:120]
    return f"{stem[: 119 - len(ending)]}.{ending}"
