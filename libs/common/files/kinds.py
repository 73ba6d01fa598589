"""What a file is, by its first bytes. What its name or the browser says about it counts for nothing."""

import codecs
import re

import puremagic

HEAD = 8192
"""How many first bytes are looked at."""

PDF = frozenset({"application/pdf"})
IMAGES = frozenset({"image/jpeg", "image/png", "image/heic"})
TEXT = frozenset({"text/plain"})
CSV = TEXT  # a table as text cannot be told from any other text
ZIP = frozenset({"application/zip"})

UNKNOWN = "application/octet-stream"
# Signatures at the very start only: a file that begins as one thing and is another further on is refused as unknown.
_STARTS = (
    (re.compile(rb"%PDF-[12]\.\d"), "application/pdf"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), "image/png"),
    (re.compile(rb"....ftyp(?:heic|heix|heim|heis|hevc|hevx|mif1|msf1)", re.DOTALL), "image/heic"),
    (re.compile(rb"PK(?:\x03\x04|\x05\x06)"), "application/zip"),
)
_NOT_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_ACTIVE_TEXT = re.compile(r"\s*(?:<\?xml|<!doctype|<html|<svg|<script|<!--|#!)", re.IGNORECASE)


def media_type_of(head: bytes) -> str:
    """The media type of a file that begins with `head`: one of ours, else puremagic's best guess, else octet-stream."""
    for start, name in _STARTS:
        if start.match(head):
            return name
    if _is_text(head):
        return "text/plain"
    try:
        return puremagic.magic_string(head)[0].mime_type or UNKNOWN
    except (puremagic.PureError, ValueError, IndexError):
        return UNKNOWN


def _is_text(head: bytes) -> bool:
    """UTF-8 or Shift_JIS without control characters, and not something a browser would run."""
    if not head:
        return False
    for encoding in ("utf-8-sig", "cp932"):
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(head)  # the last character may be cut in two
        except UnicodeDecodeError:
            continue
        return not _NOT_IN_TEXT.search(text) and not _ACTIVE_TEXT.match(text)
    return False
