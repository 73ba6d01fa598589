"""Bytes in an S3-compatible store, through obstore (the Rust `object_store`)."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from libs.common.errors import Unavailable, say

_CHUNK = 256 * 1024
_PART = 8 * 1024 * 1024


class Bucket:
    """Keys are kept as they are. A multipart upload that is not finished leaves no object."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def at(cls, url: str, **options: Any) -> "Bucket":
        return cls(from_url(url, **options))

    def write(self, key: str, chunks: Iterator[bytes]) -> None:
        try:
            # One object, put whole when it is small, else in parts; a failing iterator aborts the parts.
            obstore.put(self._store, key, chunks, chunk_size=_PART, max_concurrency=2, mode="overwrite")
        except BaseError as error:
            raise _unavailable() from error

    def size(self, key: str) -> int | None:
        try:
            return obstore.head(self._store, key)["size"]
        except FileNotFoundError:
            return None
        except BaseError as error:
            raise _unavailable() from error

    def read(self, key: str, start: int, end: int) -> Iterator[bytes]:
        if start >= end:
            return
        try:
            answer = obstore.get(self._store, key, options={"range": (start, end)})
            for chunk in answer.stream(min_chunk_size=_CHUNK):
                yield bytes(chunk)
        except BaseError as error:
            raise _unavailable() from error

    def place(self, key: str) -> str | None:
        """None: what lies in a bucket is in nobody's folder."""
        return None

    def delete(self, key: str) -> None:
        try:
            obstore.delete(self._store, key)
        except FileNotFoundError:
            return
        except BaseError as error:
            raise _unavailable() from error

    def list(self, prefix: str) -> Iterator[tuple[str, int, datetime]]:
        try:
            for batch in obstore.list(self._store, prefix):
                for entry in batch:
                    yield entry["path"], entry["size"], entry["last_modified"]
        except BaseError as error:
            raise _unavailable() from error

    def forget_half_written(self, now: datetime) -> int:
        """Nothing is ever visible half; parts of broken uploads are the store's own matter (a life-cycle rule)."""
        return 0


def _unavailable() -> Unavailable:
    return Unavailable(
        say("いまファイルの保管場所につながりません。時間をおいてもう一度お試しください。"), code="files-unavailable"
    )
