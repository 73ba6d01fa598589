"""Which of the two usual charsets a file is in, and which of its lines are not. One broken byte does not make a file of the other
charset: many bytes of UTF-8 read as Shift_JIS are characters too, only none that anybody wrote."""

import codecs
import re
from typing import Literal

Charset = Literal["utf-8", "cp932"]
_NO_TEXT = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UNASSIGNED = re.compile("[\x80\xa0\uf8f0-\uf8f3]")
"""What Python makes of bytes that CP932 gives no character."""


def read(content: bytes) -> tuple[str, list[int]] | None:
    """The text, and the numbers of its lines (from 1) with bytes that are no character of its charset: of UTF-8 and CP932 the one
    that fits more lines. None where neither fits half of the lines that are not ASCII, and for UTF-16."""
    if content.startswith(_NO_TEXT) or b"\0" in content:
        return None
    lines = content.removeprefix(codecs.BOM_UTF8).split(b"\n")
    told = [number for number, line in enumerate(lines, start=1) if not line.isascii()]
    wrong = {charset: [n for n in told if not _fits(lines[n - 1], charset)] for charset in ("utf-8", "cp932")}
    charset: Charset = "utf-8" if 2 * len(wrong["utf-8"]) <= len(told) else "cp932"
    if 2 * len(wrong[charset]) > len(told):
        return None
    return b"\n".join(lines).decode(charset, "replace"), wrong[charset]


def _fits(line: bytes, charset: str) -> bool:
    try:
        text = line.decode(charset)
    except UnicodeDecodeError:
        return False
    return charset == "utf-8" or _UNASSIGNED.search(text) is None
