"""What every place can do, and what can go wrong at it."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, Self

BLOCK = 1024 * 1024


class SiteDown(Exception):
    """The site is not there: lost, its disk not mounted, its server not answering."""


class SiteFull(Exception):
    """No space is left."""


class SiteBroken(Exception):
    """The disk refused to make bytes durable, or to give them. Never tried again with the same bytes."""


class WrongContent(Exception):
    """The bytes are not those their name promises."""


@dataclass(frozen=True, slots=True)
class Key:
    """Which file: of a tenant's repository, of a type, with the SHA-256 of its bytes as name."""

    tenant: str
    repository: str
    type: str
    name: str


class Reader(Protocol):
    """An open file; a context manager that closes it. `size` is what lies there, in bytes; `fd` its descriptor, where the
    kernel can send it by itself, else None."""

    size: int

    @property
    def fd(self) -> int | None: ...

    def ready(self, start: int, end: int) -> bytes | bytearray | None:
        """Bytes `start` up to, not including, `end`, if they can be had without waiting for a disk or a network."""
        ...

    def blocks(self, start: int, end: int, *, once: bool = False) -> Iterator[bytes]:
        """Bytes `start` up to, not including, `end`. `once`: nobody else will want them soon (a check of everything)."""
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Upload(Protocol):
    """One file on its way into the site of that name. `abandon` ends it, after `keep` too; leaving the `with` block does it."""

    site: str
    size: int

    @property
    def name(self) -> str:
        """SHA-256 of what has been written, in hex."""
        ...

    def write(self, chunks: Iterable[bytes | memoryview]) -> None:
        """Append. Raises SiteFull, SiteBroken."""
        ...

    def seal(self, key: Key) -> None:
        """Make the bytes durable if they are what the key's name promises; else WrongContent."""
        ...

    def keep(self) -> None:
        """Give the sealed bytes their name, in the place of whatever lies there: that may have rotted unnoticed."""
        ...

    def abandon(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Site(Protocol):
    """`mark` is what the service knows this site by; without it there the site counts as down."""

    name: str
    mark: str

    @property
    def up(self) -> bool: ...

    def prepare(self) -> str:
        """Make an empty place ready as a new site; returns its mark, which is this site's from now on."""
        ...

    def size(self, key: Key) -> int | None:
        """Bytes of the file as it lies there, None if there is none or nobody can tell."""
        ...

    def open(self, key: Key) -> Reader:
        """Raises FileNotFoundError if there is no such file, SiteDown if nobody can tell."""
        ...

    def begin(self) -> Upload:
        """A new upload. Raises SiteDown, SiteFull."""
        ...

    def remove(self, key: Key) -> None: ...

    def remove_tenant(self, tenant: str) -> None:
        """Everything of one municipality, for a room that is removed."""
        ...

    def files(self, tenant: str, repository: str) -> Iterator[Key]:
        """Every file that lies there, in no particular order."""
        ...

    def sweep(self, older_than: float) -> int:
        """Remove what killed uploads left behind, if older than so many seconds. Returns how many."""
        ...

    def lay_out(self, key: Key, path: Path) -> None:
        """Let the file be found at the local `path` too, which is below `workspace`. FileNotFoundError if there is none."""
        ...

    def hold(self, key: Key, until: datetime) -> None:
        """Where the place itself can: let nobody remove the file before `until`. It can be asked for longer, never shorter."""
        ...

    def bring_back(self, key: Key) -> bool:
        """Where the place keeps versions: find the file's bytes among them and keep them again. False if there are none."""
        ...

    def workspace(self, name: str) -> Path:
        """Where a folder called `name` for `lay_out` may be made."""
        ...


def sha256_of(reader: Reader) -> tuple[str, int]:
    """(hex digest, bytes) of an open file."""
    digest, size = hashlib.sha256(), 0
    for block in reader.blocks(0, reader.size, once=True):
        digest.update(block)
        size += len(block)
    return digest.hexdigest(), size
