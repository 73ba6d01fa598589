"""PDFs that do something by themselves when they are opened: scripts, programs to start (ISO 32000-1, 12.6.4); and PDFs that other
programs read as a file of another kind.

What it does is looked for in the plain text of the file and in its object streams (7.5.7), by names however they are written
(7.3.5). What an encrypted file hides is not found; every PDF is therefore only ever handed out as a download.
"""

import io
import re
import zipfile
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


MOST_BEHIND = 1024
"""Bytes after the end of a PDF: some scanners leave a few there. Acrobat looks for the end in the last 1024 (Annex H.3, note 18)."""


def is_another_file_too(content: bytes) -> bool:
    """Whether the PDF can be read as an archive, or has something behind its end: nobody sees that when looking at the pages.

    An archive is read from its end, a PDF from its beginning: one file can be both, and a program that unpacks it finds what no
    person was shown.
    """
    _, end, behind = content.rpartition(b"%%EOF")
    return zipfile.is_zipfile(io.BytesIO(content)) or len(behind.strip(b"\0\t\n\f\r ") if end else b"") > MOST_BEHIND


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
