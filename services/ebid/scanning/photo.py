"""Photographs: where they were taken, by whom, with what."""

import struct
from collections.abc import Iterator

Raw = tuple[str, str, str]
_TAGS = {0x010E: "説明", 0x013B: "作者", 0x8825: "位置情報", 0x9C9D: "作者"}
_TEXT_CHUNKS = {b"tEXt", b"iTXt", b"zTXt", b"eXIf"}


def look(content: bytes) -> list[Raw]:
    return list(_jpeg(content) if content.startswith(b"\xff\xd8") else _png(content))


def _jpeg(content: bytes) -> Iterator[Raw]:
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != 0xDA:
        length = int.from_bytes(content[at + 2 : at + 4], "big")
        segment = content[at + 4 : at + 2 + length]
        if content[at + 1] == 0xE1 and segment.startswith(b"Exif\0\0"):
            yield from (("metadata", "写真", word) for word in _exif(segment[6:]))
        at += 2 + length


def _exif(tiff: bytes) -> Iterator[str]:
    """Names of telling tags in the first directory (TIFF 6.0)."""
    order = "<" if tiff.startswith(b"II") else ">"
    (start,) = struct.unpack_from(f"{order}I", tiff, 4)
    (count,) = struct.unpack_from(f"{order}H", tiff, start)
    for number in range(count):
        (tag,) = struct.unpack_from(f"{order}H", tiff, start + 2 + 12 * number)
        if tag in _TAGS:
            yield _TAGS[tag]


def _png(content: bytes) -> Iterator[Raw]:
    at = 8
    while at + 8 <= len(content):
        length, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        if kind in _TEXT_CHUNKS:
            yield ("metadata", "画像", content[at + 8 : at + 8 + min(length, 40)].split(b"\0")[0].decode("latin-1"))
        at += 12 + length
