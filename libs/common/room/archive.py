"""The archive of a room: one ZIP with a manifest of SHA-256 sums, written by `export`, read by `import_`. Open formats only.

A service says what its archive is (`Format`), adds members, and reads them back; rows of tables are in `rows.py`.
"""

import hashlib
import io
import json
import tempfile
import zipfile
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from libs.common.errors import Invalid, say
from libs.common.files import Store
from libs.common.room.contract import RoomRequest

MANIFEST = "manifest.json"
MAX_RATIO = 300
"""A member that unpacks to more than this many times its size was not written by us, unless the service's form allows more."""
CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Format:
    """`name` and `version` stand in the manifest; `called` is what a person calls the service; `compressed` is for bytes
    that are not encrypted already; `max_ratio` for services whose honest files are emptier than others'."""

    name: str
    version: int
    called: str
    compressed: bool = True
    max_ratio: int = MAX_RATIO


class Sent(io.RawIOBase):
    """A target of `Writer` that keeps nothing: what was written is taken by `taken` and sent on."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._waiting.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        """Everything written since the last time."""
        found, self._waiting = b"".join(self._waiting), []
        return found


class Writer:
    """Writes members one after another; the manifest comes last, so that half an archive has none."""

    def __init__(self, target: IO[bytes] | Sent, form: Format, tenant: str, now: datetime) -> None:
        method = zipfile.ZIP_DEFLATED if form.compressed else zipfile.ZIP_STORED
        self._zip = zipfile.ZipFile(target, "w", method, allowZip64=True)
        self._manifest: dict[str, Any] = {
            "format": form.name,
            "version": form.version,
            "tenant": tenant,
            "exported_at": now.isoformat(),
            "members": {},
        }

    def add(self, name: str, pieces: Iterable[bytes]) -> None:
        deque(self.adding(name, pieces), maxlen=0)

    def adding(self, name: str, pieces: Iterable[bytes]) -> Iterator[None]:
        """The same, giving back control after each piece: for an archive that is sent while it is written."""
        digest, size = hashlib.sha256(), 0
        with self._zip.open(name, "w", force_zip64=True) as member:
            for piece in pieces:
                member.write(piece)
                digest.update(piece)
                size += len(piece)
                yield
        self._manifest["members"][name] = {"size": size, "sha256": digest.hexdigest()}

    def __del__(self) -> None:
        """One that was given up: its file is closed by now, and no directory may be written into it."""
        self._zip.fp = None  # type: ignore[assignment]

    def close(self) -> None:
        self._zip.writestr(MANIFEST, json.dumps(self._manifest, ensure_ascii=False, indent=1))
        self._zip.close()


class Reader:
    """Reads an archive that may come from anywhere: every member is measured and its sum compared. `tenant`: whose it must be
    (None: anybody's; the attribute then tells)."""

    def __init__(self, source: IO[bytes], form: Format, tenant: str | None) -> None:
        try:
            self._zip, self._max_ratio = zipfile.ZipFile(source), form.max_ratio
            self._manifest = json.loads(self._zip.read(MANIFEST))
            self._members = dict(self._manifest["members"])
        except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
            raise Invalid(f"{form.called}の書き出しファイルとして読めませんでした。", code="bad-archive") from error
        if (self._manifest.get("format"), self._manifest.get("version")) != (form.name, form.version):
            raise Invalid(say("この版では読めない書き出しファイルです。"), code="bad-archive")
        self.tenant = str(self._manifest.get("tenant"))
        if tenant is not None and self.tenant != tenant:
            raise Invalid(say("ほかの自治体の書き出しファイルです。"), code="another-tenant")

    @property
    def names(self) -> list[str]:
        return list(self._members)

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes of a member. Raises Invalid when they are not those the manifest tells of."""
        told = self._members.get(name)
        try:
            info = self._zip.getinfo(name)
        except KeyError:
            raise _changed(name) from None
        if told is None or info.file_size != told["size"]:
            raise _changed(name)
        if info.file_size > max(1, info.compress_size) * self._max_ratio + CHUNK:
            raise _changed(name)
        digest = hashlib.sha256()
        with self._zip.open(name) as member:
            while piece := member.read(CHUNK):
                digest.update(piece)
                yield piece
        if digest.hexdigest() != told["sha256"]:
            raise _changed(name)

    def wrong(self) -> list[str]:
        """Names of all members that are not as the manifest tells, of those it tells of and does not hold, and the other way."""
        found = sorted({info.filename for info in self._zip.infolist()} ^ {*self._members, MANIFEST})
        for name in self._members:
            try:
                deque(self.pieces(name), maxlen=0)
            except (Invalid, zipfile.BadZipFile, zlib.error, OSError):
                found.append(name)
        return sorted(set(found))

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a member; none of one that an older archive did not have yet."""
        rest = b""
        for piece in self.pieces(name) if name in self._members else ():
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole
        if rest:
            yield rest


@contextmanager
def fetched(store: Store, request: RoomRequest) -> Iterator[IO[bytes]]:
    """The archive that an import names, as a file to seek in. NotFound when there is none."""
    with tempfile.TemporaryFile() as target, store.open(request.tenant, request.archive or "") as opened:
        for chunk in opened.chunks:
            target.write(chunk)
        target.seek(0)
        yield target


def _changed(name: str) -> Invalid:
    return Invalid(say("書き出しファイルの中身が、目録と合いません。"), code="bad-archive", member=name)
