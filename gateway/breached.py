"""Passwords that are known from breaches: a file of an operator's choice, read where it lies."""

import hashlib
import os
from pathlib import Path

from gateway import domain

_LONGEST_LINE = 128


class Breached:
    """A sorted file with one SHA-1 in hexadecimal a line, `:` and whatever else behind it or not: the form in which "Have I Been
    Pwned" publishes its list (tens of gigabytes, so it is searched on the disk, some forty looks a password). None: no list.

    Raises OSError for a file that cannot be read, ValueError for one of another form.
    """

    def __init__(self, path: Path | None) -> None:
        self._file = os.open(path, os.O_RDONLY) if path else None
        self._size = os.fstat(self._file).st_size if self._file is not None else 0
        if self._file is not None:
            head = self._line_from(0)[1].partition(b":")[0].strip()
            if len(head) != 40 or not all(letter in b"0123456789ABCDEFabcdef" for letter in head):
                raise ValueError(f"{path} is not a list of SHA-1, one a line")

    def __contains__(self, password: object) -> bool:
        """Whether the list has this password, as it was typed or in the form in which it is kept."""
        if self._file is None or not isinstance(password, str):
            return False
        return any(self._has(text) for text in {password, domain.normal_password(password)})

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _has(self, text: str) -> bool:
        wanted = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().upper().encode()
        low, high = 0, self._size
        while low < high:
            middle = (low + high) // 2
            start, line = self._line_from(middle)
            found = line[:40].upper()
            if start >= high or found > wanted:
                high = middle
            elif found < wanted:
                low = start + len(line)
            else:
                return True
        return False

    def _line_from(self, offset: int) -> tuple[int, bytes]:
        """The first line that begins at `offset` or behind it, and where; at the end of the file nothing."""
        assert self._file is not None
        before = max(0, offset - 1)
        block = os.pread(self._file, 2 * _LONGEST_LINE, before)
        skipped = 0 if offset == 0 else block.find(b"\n") + 1
        if offset and not skipped:
            return self._size, b""
        line = block[skipped:]
        end = line.find(b"\n")
        return before + skipped, line[: end + 1] if end >= 0 else line
