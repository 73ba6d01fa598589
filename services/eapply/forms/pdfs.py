"""PDFs that do something by themselves when they are opened: scripts, programs to start (ISO 32000-1, 12.6.4).

Looked for in the plain text of the file and in its object streams (7.5.7), by names however they are written (7.3.5). What an
encrypted file hides is not found; every PDF is therefore only ever handed out as a download.
"""

import re
import zlib
from collections.abc import Iterator
from itertools import islice

MOST_UNPACKED = 32 * 1024 * 1024
"""Bytes of object streams that are looked through: a small file may unpack to gigabytes."""
MOST_STREAMS = 20_000
ACTIONS = ("JavaScript", "Launch")
_BEGIN = re.compile(rb"stream\r?\n")
_OBJECT_STREAM = re.compile(rb"\s*\d+\s+\d+\s")
"""It begins with pairs of numbers: which object, and where. So do some drawings, which are looked through for nothing."""


def _named(word: str) -> str:
    """The name in any writing: /JavaScript, /J#61vaScript."""
    letters = (f"(?:{letter}|#{ord(letter):02x}|#{ord(letter):02X})" for letter in word)
    return "/" + "".join(letters) + r"(?![A-Za-z0-9#])"


_ACTS = re.compile("|".join(_named("S") + r"\s{0,32}" + _named(word) for word in ACTIONS).encode())
"""The kind of an action stands under /S; the word alone may be part of an address."""


def acts(content: bytes) -> bool:
    """Whether the PDF would do something by itself."""
    return any(_ACTS.search(text) for text in (content, *_object_streams(content)))


def _object_streams(content: bytes) -> Iterator[bytes]:
    left, end = MOST_UNPACKED, 0
    for begin in islice(_BEGIN.finditer(content), MOST_STREAMS):
        if (
            end < begin.end()
        ):  # found once for all that begin before it: however many say "stream", the file is read once
            found = content.find(b"endstream", begin.end())
            end = found if found >= 0 else len(content)
        packed = memoryview(content)[begin.end() : end]
        try:
            head = zlib.decompressobj().decompress(packed[:1024], 64)
            text = zlib.decompressobj().decompress(packed, left) if left and _OBJECT_STREAM.match(head) else b""
        except zlib.error:
            continue
        left -= len(text)
        yield text
