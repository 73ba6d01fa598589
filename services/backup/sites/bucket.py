"""A bucket of an S3-compatible store. Bytes are hashed in a local file first, then sent whole; the store says when they are durable.

The bytes are sent when they are sealed, outside of every transaction, and under their own name: the same name is always
the same content. `keep`, under the municipality's lock, only makes sure that nobody has removed them meanwhile.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Self, TypeVar

from libs.common.errors import Unavailable
from libs.common.files.bucket import Bucket
from libs.common.ids import new_id
from services.backup.sites import spool
from services.backup.sites.lock import ObjectLock
from services.backup.sites.place import BLOCK, Key, SiteBroken, SiteDown
from services.backup.sites.spool import Spooled

_MARK = "site-mark"
_LOOK_AGAIN = 5.0
"""Seconds for which the last look at the mark is believed."""
T = TypeVar("T")


class BucketSite:
    """See `place.Site`. `spool_folder` is local: uploads and folders of drills are made there."""

    def __init__(
        self, name: str, bucket: Bucket, spool_folder: Path, mark: str = "", lock: ObjectLock | None = None
    ) -> None:
        self.name, self.mark = name, mark
        self._bucket, self._spool, self._lock = bucket, spool_folder, lock
        self._looked_at, self._was_up = 0.0, False

    @property
    def up(self) -> bool:
        if time.monotonic() - self._looked_at > _LOOK_AGAIN:
            self._was_up = self._has_mark()
            self._looked_at = time.monotonic()
        return self._was_up

    def _has_mark(self) -> bool:
        try:
            return bool(self.mark) and self._read_mark() == self.mark
        except SiteDown:
            return False

    def _read_mark(self) -> str:
        size = _asked(lambda: self._bucket.size(_MARK))
        return _asked(lambda: b"".join(self._bucket.read(_MARK, 0, size or 0)).decode("ascii"))

    def prepare(self) -> str:
        """An existing mark is kept: the site comes back."""
        self.mark = self._read_mark() or new_id()
        _asked(lambda: self._bucket.write(_MARK, iter([self.mark.encode("ascii")])))
        self._looked_at = 0.0
        return self.mark

    @staticmethod
    def path(key: Key) -> str:
        return f"{key.tenant}/{key.repository}/{key.type}/{key.name}"

    def size(self, key: Key) -> int | None:
        try:
            return _asked(lambda: self._bucket.size(self.path(key)))
        except SiteDown:
            return None

    def open(self, key: Key) -> "BucketReader":
        size = _asked(lambda: self._bucket.size(self.path(key)))
        if size is None:
            raise FileNotFoundError(key.name)
        return BucketReader(self._bucket, self.path(key), size)

    def begin(self) -> "BucketUpload":
        if not self.up:
            raise SiteDown(self.name)
        folder = self._spool / "uploads"
        folder.mkdir(parents=True, exist_ok=True)
        return BucketUpload(self.name, self._bucket, folder)

    def remove(self, key: Key) -> None:
        _asked(lambda: self._bucket.delete(self.path(key)))

    def remove_tenant(self, tenant: str) -> None:
        for path, _, _ in _asked(lambda: list(self._bucket.list(f"{tenant}/"))):
            _asked(lambda path=path: self._bucket.delete(path))

    def files(self, tenant: str, repository: str) -> Iterator[Key]:
        try:
            for path, _, _ in self._bucket.list(f"{tenant}/{repository}/"):
                yield Key(*path.split("/")[-4:])
        except Unavailable as error:
            raise SiteDown(str(error)) from error

    def sweep(self, older_than: float) -> int:
        return spool.sweep(self._spool / "uploads", older_than)

    def lay_out(self, key: Key, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with self.open(key) as reader, path.open("wb") as file:
            for block in reader.blocks(0, reader.size):
                file.write(block)

    def hold(self, key: Key, until: datetime) -> None:
        if self._lock is not None:
            self._lock.hold(self.path(key), until)

    def bring_back(self, key: Key) -> bool:
        for chunks in self._lock.versions(self.path(key)) if self._lock is not None else ():
            with self.begin() as upload:
                upload.write(chunks)
                if upload.name == key.name:
                    upload.seal(key)
                    upload.keep()
                    return True
        return False

    def workspace(self, name: str) -> Path:
        return self._spool / name


class BucketReader:
    """An object of a bucket; bytes come when they are asked for."""

    def __init__(self, bucket: Bucket, path: str, size: int) -> None:
        self._bucket, self._path, self.size = bucket, path, size
        self.fd = None

    def ready(self, start: int, end: int) -> bytes | None:
        return None

    def blocks(self, start: int, end: int, *, once: bool = False) -> Iterator[bytes]:
        try:
            yield from self._bucket.read(self._path, start, end)
        except Unavailable as error:
            raise SiteDown(str(error)) from error

    def close(self) -> None:
        """Nothing is held open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


class BucketUpload(Spooled):
    """See `place.Upload`."""

    def __init__(self, site: str, bucket: Bucket, folder: Path) -> None:
        super().__init__(site, folder)
        self._bucket = bucket
        self._final = ""

    def seal(self, key: Key) -> None:
        self.check_name(key)
        self._final = BucketSite.path(key)
        self._send()

    def keep(self) -> None:
        if _asked(lambda: self._bucket.size(self._final)) != self.size:
            self._send()

    def _send(self) -> None:
        _asked(lambda: self._bucket.write(self._final, self._blocks()))

    def _blocks(self) -> Iterator[bytes]:
        """Hashed once more on the way: what the local disk gave back is what was promised, or nothing is sent."""
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
                yield block
        if digest.hexdigest() != self.name:
            raise SiteBroken("the spooled bytes changed on the local disk")


def _asked(do: Callable[[], T]) -> T:
    try:
        return do()
    except Unavailable as error:
        raise SiteDown(str(error)) from error
