"""A folder on one disk.

write → fsync(file) → link → fsync(folder), in this order. The caller commits its row after that and answers last.
A failed fsync is never tried again: the kernel may have thrown the pages away (Rebello et al., USENIX ATC 2020).
"""

import errno
import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Self

from libs.common.ids import new_id
from services.backup.sites import spool
from services.backup.sites.place import BLOCK, Key, SiteBroken, SiteDown
from services.backup.sites.spool import Spooled, translated

_MARK = "site-mark"
_UPLOADS = "uploads"
_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK)


class FolderSite:
    """See `place.Site`. An empty mount point has no mark, so it is not taken for the site."""

    def __init__(self, name: str, root: Path, mark: str = "") -> None:
        self.name, self.root, self.mark = name, root, mark

    @property
    def up(self) -> bool:
        try:
            return (self.root / _MARK).read_text("ascii").strip() == self.mark
        except OSError:
            return False

    def prepare(self) -> str:
        """An existing mark is kept: the site comes back."""
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / _UPLOADS).mkdir(exist_ok=True)
        mark = self.root / _MARK
        if not mark.exists():
            new = self.root / f"{_MARK}.new"
            new.write_text(new_id(), "ascii")
            _sync(new)
            new.replace(mark)
            _sync(self.root)
        self.mark = mark.read_text("ascii").strip()
        return self.mark

    def path(self, key: Key) -> Path:
        return self.root / key.tenant / key.repository / key.type / key.name[:2] / key.name

    def size(self, key: Key) -> int | None:
        try:
            return self.path(key).stat(follow_symlinks=False).st_size
        except OSError:
            return None

    def open(self, key: Key) -> "FileReader":
        try:
            return FileReader(os.open(self.path(key), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW))
        except FileNotFoundError:
            if not self.up:
                raise SiteDown(self.name) from None
            raise
        except OSError as error:
            raise SiteBroken(str(error)) from error

    def begin(self) -> "FolderUpload":
        if not self.up:
            raise SiteDown(self.name)
        return FolderUpload(self)

    def remove(self, key: Key) -> None:
        self.path(key).unlink(missing_ok=True)

    def remove_tenant(self, tenant: str) -> None:
        try:
            shutil.rmtree(self.root / tenant)
        except FileNotFoundError:
            if (self.root / tenant).exists():  # somebody else removed a part of it meanwhile
                raise
        except OSError as error:
            raise translated(error) from error

    def files(self, tenant: str, repository: str) -> Iterator[Key]:
        for path in (self.root / tenant / repository).glob("*/??/*"):
            yield Key(tenant, repository, path.parts[-3], path.name)

    def sweep(self, older_than: float) -> int:
        return spool.sweep(self.root / _UPLOADS, older_than)

    def lay_out(self, key: Key, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(self.path(key), path)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            shutil.copyfile(self.path(key), path)

    def hold(self, key: Key, until: datetime) -> None:
        """A folder cannot: whoever is root on its machine may remove anything. That is what the other site is for."""

    def bring_back(self, key: Key) -> bool:
        return False

    def workspace(self, name: str) -> Path:
        return self.root / name


class FileReader:
    """An open file of a folder. It is closed with the last that knows it, if nobody has closed it before."""

    def __init__(self, fd: int) -> None:
        self.fd = self._fd = fd
        self.size = os.fstat(fd).st_size

    def ready(self, start: int, end: int) -> bytearray | None:
        """What lies in the page cache (preadv2, RWF_NOWAIT); None where the kernel would have to wait, or cannot tell."""
        found = bytearray(end - start)
        try:
            return found if os.preadv(self._fd, [found], start, os.RWF_NOWAIT) == len(found) else None
        except OSError:
            return None

    def blocks(self, start: int, end: int, *, once: bool = False) -> Iterator[bytes]:
        """With `once` the pages are dropped behind the reader: a check of everything must not push others out."""
        while start < end:
            try:
                block = os.pread(self._fd, min(BLOCK, end - start), start)
            except OSError as error:
                raise SiteBroken(str(error)) from error
            if not block:
                return
            yield block
            if once:
                os.posix_fadvise(self._fd, start, len(block), os.POSIX_FADV_DONTNEED)
            start += len(block)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    __del__ = close

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FolderUpload(Spooled):
    """See `place.Upload`."""

    def __init__(self, site: FolderSite) -> None:
        super().__init__(site.name, site.root / _UPLOADS)
        self._place = site
        self._final: Path | None = None

    def seal(self, key: Key) -> None:
        self.check_name(key)
        try:
            os.fsync(self.fd)
        except OSError as error:
            raise translated(error) from error
        self._final = self._place.path(key)

    def keep(self) -> None:
        assert self._final is not None, "seal comes first"
        try:
            _make_folders(self._final.parent, self._place.root)
            try:
                os.link(self.path, self._final)
            except FileExistsError:
                self._put_in_place(self._final)
            _sync(self._final.parent)
        except OSError as error:
            raise translated(error) from error

    def _put_in_place(self, final: Path) -> None:
        """What lies there has this name, which does not mean that it still has its bytes: ours were just hashed."""
        beside = self.path.with_suffix(".whole")
        os.link(self.path, beside)
        beside.replace(final)


def _make_folders(folder: Path, root: Path) -> None:
    """Make `folder` below `root`, each new name durable in its parent."""
    if folder.is_dir():
        return
    _make_folders(folder.parent, root)
    folder.mkdir(exist_ok=True)
    _sync(folder.parent)


def _sync(path: Path) -> None:
    """fsync a file or a folder."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
