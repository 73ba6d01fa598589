"""Bytes in a local folder. A file is there with all its bytes, flushed to the disk, or it is not there."""

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from libs.common.errors import Unavailable, say
from libs.common.ids import new_id

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CHUNK = 256 * 1024
INCOMING = ".incoming"
STALE_AFTER = 24 * 3600
"""Seconds after which a half-written file must be of a process that died."""


class Folder:
    """`<root>/<tenant>/<last two characters of the id>/<id>`; half-written files are in `<root>/.incoming/`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, key: str, chunks: Iterator[bytes]) -> None:
        target = self._path(key)
        try:
            incoming = self._incoming()
            try:
                _write_through(incoming, chunks)
                _move(incoming, target)
            except BaseException:
                incoming.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise _unavailable(error) from error

    def _incoming(self) -> Path:
        folder = self._root / INCOMING
        folder.mkdir(parents=True, exist_ok=True)
        return folder / new_id()

    def size(self, key: str) -> int | None:
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, key: str, start: int, end: int) -> Iterator[bytes]:
        with self._path(key).open("rb") as file:
            file.seek(start)
            left = end - start
            while left > 0 and (chunk := file.read(min(_CHUNK, left))):
                left -= len(chunk)
                yield chunk

    def place(self, key: str) -> str | None:
        """Where the file lies under the root, as a path with `/` in front: for a server that sends it in our stead."""
        path = self._path(key)
        return f"/{path.relative_to(self._root).as_posix()}" if path.exists() else None

    def delete(self, key: str) -> None:
        path = self._path(key)
        path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty, or not there
            path.parent.rmdir()
            path.parent.parent.rmdir()

    def list(self, prefix: str) -> Iterator[tuple[str, int, datetime]]:
        for path in sorted((self._root / prefix).glob("*/*")):
            with suppress(FileNotFoundError):
                known = path.stat()
                yield f"{prefix}{path.name}", known.st_size, datetime.fromtimestamp(known.st_mtime, UTC)

    def forget_half_written(self, now: datetime) -> int:
        """Remove what processes that died left half-written; how many files that were."""
        stale = [
            path for path in (self._root / INCOMING).glob("*") if path.stat().st_mtime < now.timestamp() - STALE_AFTER
        ]
        for path in stale:
            path.unlink(missing_ok=True)
        return len(stale)

    def _path(self, key: str) -> Path:
        tenant, _, name = key.partition("/")
        return self._root / tenant / name[-2:] / name


def _write_through(path: Path, chunks: Iterator[bytes]) -> None:
    with path.open("xb") as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def _move(incoming: Path, target: Path) -> None:
    """Give the file its name. Once more from the start if a deletion has just taken the emptied folder away."""
    for last in (False, False, True):
        _make_folder(target.parent)
        try:
            incoming.rename(target)
            return _flush_folder(target.parent)
        except FileNotFoundError:
            if last:
                raise


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    _flush_folder(folder.parent)
    _flush_folder(folder.parent.parent)


def _flush_folder(folder: Path) -> None:
    """A new name is only safe when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unavailable(error: OSError) -> Unavailable:
    if error.errno in _FULL:
        sentence = say(
            "保存する場所がいっぱいのため、ファイルを預かれませんでした。係が空けますので、時間をおいてお試しください。"
        )
        return Unavailable(sentence, code="disk-full", retry_after=600)
    return Unavailable(
        say("いまファイルを保存できませんでした。時間をおいてもう一度お試しください。"), code="files-unavailable"
    )
