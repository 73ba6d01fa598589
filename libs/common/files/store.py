"""`Store`: limits, types and names in one place, over a folder or an S3-compatible store."""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from libs.common.errors import Invalid, NotFound, TooLarge, say
from libs.common.files.folder import Folder
from libs.common.files.kinds import HEAD, media_type_of
from libs.common.ids import new_id

CHUNK = 256 * 1024
_TENANT = re.compile(r"[0-9]{6}|-")
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """`size` in bytes, `sha256` in hex, `media_type` from the content."""

    id: str
    size: int
    sha256: str
    media_type: str


@dataclass(frozen=True, slots=True)
class OpenFile:
    """`size` of the whole file; `chunks` give the bytes from `start` up to, not including, `end`."""

    size: int
    start: int
    end: int
    chunks: Iterator[bytes]


class Keeper(Protocol):
    """Where the bytes are. Keys are `<tenant>/<id>`; a key appears with all its bytes or not at all."""

    def write(self, key: str, chunks: Iterator[bytes]) -> None: ...
    def size(self, key: str) -> int | None: ...
    def read(self, key: str, start: int, end: int) -> Iterator[bytes]: ...
    def place(self, key: str) -> str | None: ...
    def delete(self, key: str) -> None: ...
    def list(self, prefix: str) -> Iterator[tuple[str, int, datetime]]: ...
    def forget_half_written(self, now: datetime) -> int: ...


class Store:
    """Stored files of all tenants. Every call names the tenant; `"-"` is for files of none."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def put(
        self,
        tenant: str,
        stream: BinaryIO | Iterable[bytes],
        *,
        limit: int,
        allowed: Collection[str] | None = None,
        file_id: str | None = None,
    ) -> StoredFile:
        """Keep the bytes of `stream`, at most `limit`, if their content is of an `allowed` media type (None: any).

        `file_id` only where a room is carried in: the file keeps the id that its rows know it by.

        Durable when it returns; on any refusal nothing is left. Refusals: TooLarge, Invalid (wrong type, empty),
        Unavailable (no space, store away).
        """
        chunks = _chunks(stream)
        head = _head(chunks)
        media_type = media_type_of(head)
        if not head:
            raise Invalid(
                say("ファイルの中身が空です。開いて確かめてから、もう一度選んでください。"), code="empty-file"
            )
        if allowed is not None and media_type not in allowed:
            raise Invalid(_wrong_type(allowed), code="wrong-file-type", media_type=media_type)
        file_id, measured = file_id or new_id(), _Measured(head, chunks, limit)
        self._keeper.write(_key(tenant, file_id), iter(measured))
        return StoredFile(file_id, measured.size, measured.sha256.hexdigest(), media_type)

    @contextmanager
    def open(self, tenant: str, file_id: str, range: tuple[int, int] | None = None) -> Iterator[OpenFile]:
        """The file, or its bytes `range = (start, end)` (end excluded, cut to the size). NotFound if it is not this
        tenant's."""
        key = _key(tenant, file_id)
        size = self._keeper.size(key)
        if size is None:
            raise _not_found()
        start, end = range or (0, size)
        start, end = min(max(start, 0), size), min(max(end, start), size)
        chunks = self._keeper.read(key, start, end)
        try:
            yield OpenFile(size, start, end, chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()

    def stream(self, tenant: str, file_id: str, range: tuple[int, int] | None = None) -> OpenFile:
        """The file, or its bytes `range`, for an answer of HTTP: it is open when this returns, and closes with the last chunk.

        So a file that is missing is a NotFound, not an answer that breaks off.
        """
        opened = self.open(tenant, file_id, range)
        file = opened.__enter__()

        def chunks() -> Iterator[bytes]:
            try:
                yield from file.chunks
            finally:
                opened.__exit__(None, None, None)

        return replace(file, chunks=chunks())

    def place(self, tenant: str, file_id: str) -> str | None:
        """Its path in the folder of this store, for X-Accel-Redirect; None in a bucket, and for a file that is not there."""
        return self._keeper.place(_key(tenant, file_id))

    def read(self, tenant: str, file_id: str) -> bytes:
        """The whole of a small file."""
        with self.open(tenant, file_id) as opened:
            return b"".join(opened.chunks)

    def delete(self, tenant: str, file_id: str) -> None:
        """Remove a file; one that is gone already is as good."""
        self._keeper.delete(_key(tenant, file_id))

    def list(self, tenant: str) -> Iterator[tuple[str, int, datetime]]:
        """Id, size and moment of every file of `tenant`."""
        for key, size, at in self._keeper.list(f"{_checked_tenant(tenant)}/"):
            yield key.rpartition("/")[2], size, at

    def delete_all(self, tenant: str) -> int:
        """Remove everything of `tenant` (its room is deleted); how many files that were."""
        ids = [file_id for file_id, _, _ in self.list(tenant)]
        for file_id in ids:
            self.delete(tenant, file_id)
        return len(ids)

    def forget_unknown(self, tenant: str, known: Collection[str], now: datetime, age: timedelta) -> int:
        """Remove files older than `age` that no row knows: their transaction was rolled back. How many were removed."""
        unknown = [file_id for file_id, _, at in self.list(tenant) if file_id not in known and at < now - age]
        for file_id in unknown:
            self.delete(tenant, file_id)
        return len(unknown)

    def forget_half_written(self, now: datetime) -> int:
        """Remove what processes that were killed left half-written, after a day; how many files that were."""
        return self._keeper.forget_half_written(now)


class _Measured:
    """Counts and hashes what goes by, and stops it at the limit."""

    def __init__(self, head: bytes, rest: Iterator[bytes], limit: int) -> None:
        self._head, self._rest, self._limit = head, rest, limit
        self.size, self.sha256 = 0, hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        yield self._counted(self._head)
        for chunk in self._rest:
            yield self._counted(chunk)

    def _counted(self, chunk: bytes) -> bytes:
        self.size += len(chunk)
        if self.size > self._limit:
            sentence = say(
                "ファイルが大きすぎます。%(most)sまでのファイルを選んでください。", most=_readable(self._limit)
            )
            raise TooLarge(sentence, code="file-too-large", limit=self._limit)
        self.sha256.update(chunk)
        return chunk


def _chunks(stream: BinaryIO | Iterable[bytes]) -> Iterator[bytes]:
    """Pieces of at most CHUNK bytes, whatever sizes arrive."""
    if hasattr(stream, "read"):
        while chunk := cast(BinaryIO, stream).read(CHUNK):
            yield chunk
        return
    for piece in stream:
        for start in range(0, len(piece), CHUNK):
            yield bytes(piece[start : start + CHUNK])


def _head(chunks: Iterator[bytes]) -> bytes:
    head = b""
    while len(head) < HEAD:
        chunk = next(chunks, None)
        if chunk is None:
            break
        head += chunk
    return head


def _checked_tenant(tenant: str) -> str:
    if not _TENANT.fullmatch(tenant):
        raise ValueError("a tenant is six digits, or '-' for none")
    return tenant


def _key(tenant: str, file_id: str) -> str:
    if not _ID.fullmatch(file_id):
        raise _not_found()
    return f"{_checked_tenant(tenant)}/{file_id}"


def _not_found() -> NotFound:
    return NotFound(say("このファイルは見つかりません。"))


_NAMES = {
    "application/pdf": "PDF",
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/heic": "HEIC",
    "text/plain": "テキスト",
    "application/zip": "ZIP",
}


def _wrong_type(allowed: Collection[str]) -> str:
    names = "、".join(_NAMES.get(name, name) for name in sorted(allowed))
    return say("この種類のファイルは受け取れません。%(names)sのファイルを選んでください。", names=names)


def _readable(size: int) -> str:
    return f"{size / 1_000_000:g}MB" if size >= 1_000_000 else f"{size:,}バイト"


def local(folder: Path) -> Store:
    """Files in a folder of this machine."""
    return Store(Folder(folder))


def s3(url: str, **options: Any) -> Store:
    """Files in an S3-compatible store: `s3://bucket/prefix`; options and AWS_* variables as obstore takes them."""
    from libs.common.files.bucket import Bucket  # 5 MB that nobody needs who keeps files in a folder

    return Store(Bucket.at(url, **options))
