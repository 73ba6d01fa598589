"""Bytes on their way in: a file of their own, hashed while they are written, locked while somebody writes."""

import errno
import fcntl
import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from libs.common.ids import new_id
from services.backup.sites.place import Key, SiteBroken, SiteDown, SiteFull, WrongContent

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_AWAY = (errno.ENOENT, errno.ESTALE, errno.ENOTDIR, errno.ENODEV, errno.ENXIO)


class Spooled:
    """An upload to `site` whose bytes are in `folder` until they are kept."""

    def __init__(self, site: str, folder: Path) -> None:
        self.site = site
        self.path = folder / new_id()
        self._sha256 = hashlib.sha256()
        self.size = 0
        try:
            self.fd = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise translated(error) from error
        fcntl.flock(self.fd, fcntl.LOCK_EX)

    @property
    def name(self) -> str:
        return self._sha256.hexdigest()

    def write(self, chunks: Iterable[bytes | memoryview]) -> None:
        try:
            for chunk in chunks:
                self._sha256.update(chunk)
                self.size += len(chunk)
                rest = memoryview(chunk)
                while rest:
                    rest = rest[os.write(self.fd, rest) :]
        except OSError as error:
            raise translated(error) from error

    def check_name(self, key: Key) -> None:
        """WrongContent unless the bytes are what the key's name promises."""
        if self.name != key.name:
            raise WrongContent(key.name)

    def abandon(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abandon()


def sweep(folder: Path, older_than: float) -> int:
    """Remove what killed uploads left behind; those still running hold a lock on their file. Returns how many."""
    removed = 0
    for path in folder.glob("*"):
        if _is_abandoned(path, older_than):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _is_abandoned(path: Path, older_than: float) -> bool:
    try:
        if time.time() - path.stat().st_mtime < older_than:
            return False
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def translated(error: OSError) -> Exception:
    """What an error of the system means for a site."""
    if error.errno in _NO_SPACE:
        return SiteFull(str(error))
    return SiteDown(str(error)) if error.errno in _AWAY else SiteBroken(str(error))
