"""Sealing with a key that is a file outside every database, and changing that key while the cloud runs.

AES-256-GCM. While the key is changed the one before lies beside it: the new one seals, either opens. A service says how its rows are
sealed anew; the two steps, `new_key` and `forget_old`, are the same for all of them, and stopped anywhere they are called again.
"""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import keys
from libs.common.db import Database
from libs.common.room import RoomRow

SIZE = 32
"""Bytes of a key."""
_NONCE = 12


class Closed(Exception):
    """No key that is here opens it, or there is no key."""


class NotDone(Exception):
    """It was not done, or not whole; the message says why and what to do."""


def seal(key: bytes, content: bytes, place: str) -> bytes:
    """`content`, which opens only with `key` and for `place`: what it belongs to."""
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, content, place.encode())


def unseal(key: bytes, sealed: bytes, place: str) -> bytes:
    """Raises Closed when it was sealed by another key, for another place, or was changed."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], place.encode())
    except InvalidTag as error:
        raise Closed from error


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The key in `path`. It is read at every use, so that a new key is used from the moment it is there."""

    path: Path

    @property
    def old(self) -> Path:
        return before(self.path)

    def make(self) -> None:
        """The first key, unless there is one. Raises Closed where it cannot be written."""
        try:
            keys.secret_once(self.path, SIZE)
        except OSError as error:
            raise Closed from error

    def seal(self, content: bytes, place: str) -> bytes:
        return seal(_read(self.path), content, place)

    def unseal(self, sealed: bytes, place: str) -> bytes:
        """Raises Closed where neither key opens it."""
        try:
            return unseal(_read(self.path), sealed, place)
        except Closed:
            if not self.old.exists():
                raise
            return unseal(_read(self.old), sealed, place)

    def sealed_anew(self, sealed: bytes, place: str) -> bytes | None:
        """The same under the present key; None where it is so already. Raises Closed where no key opens it."""
        try:
            unseal(_read(self.path), sealed, place)
        except Closed:
            return self.seal(self.unseal(sealed, place), place)


def before(path: Path) -> Path:
    """Where the secret before the one in `path` lies while it is being changed."""
    return path.with_name(f"{path.stem}.old{path.suffix}")


def change_file(path: Path) -> None:
    """Another secret in `path`, the one before kept beside it. Stopped anywhere and called again, it goes on; begun before (what is
    kept differs from what is in use), it is not begun again. Raises NotDone where there is none or nothing can be written."""
    old = before(path)
    if not path.exists():
        raise NotDone(f"there is no key in {path}: it has not been used yet, or is lost")
    try:
        with _alone(path.parent):
            if not old.exists():
                os.link(path, old)  # before the new one is in place: at no moment is the old one nowhere
            if old.read_bytes() == path.read_bytes():
                keys.written_beside(path, secrets.token_bytes(SIZE)).rename(path)
    except OSError as error:
        raise NotDone(
            f"{path.parent} cannot be written here. Put the present key there as {old.name} and a new one of "
            f"{SIZE} bytes as {path.name}, then run this again"
        ) from error


def forget_file(path: Path) -> None:
    """Take the secret before `path`'s away. Raises NotDone where it cannot be."""
    old = before(path)
    try:
        old.unlink()
    except OSError as error:
        raise NotDone(f"nothing needs {old.name} any more: take it out of {path.parent} yourself") from error


# ---- for all municipalities

Again = Callable[[Session, str], int]
"""Seals what one municipality's rows hold under the present key; how many were not so yet. Raises Closed."""


def new_key(database: Database, key: KeyFile, again: Again) -> int:
    """Change the key and seal everything anew, one transaction for each municipality; how many. The cloud goes on meanwhile. Raises
    NotDone where something opens with neither key."""
    change_file(key.path)
    return seal_anew(database, key, again)


def seal_anew(database: Database, key: KeyFile, again: Again) -> int:
    with database.reading() as session:
        tenants = list(session.scalars(select(RoomRow.tenant).order_by(RoomRow.tenant)))
    done, closed = 0, []
    for tenant in tenants:
        try:
            with database.transaction(tenant=tenant) as session:
                done += again(session, tenant)
        except Closed:
            closed.append(tenant)
    if closed:
        raise NotDone(f"neither key opens what is kept for {', '.join(closed)}; {key.old.name} stays where it is")
    return done


def forget_old(database: Database, key: KeyFile, again: Again) -> int:
    """Take the key before away, once everything has been sealed anew; what was so only now. Raises NotDone."""
    if not key.old.exists():
        raise NotDone(f"there is no {key.old}")
    late = seal_anew(database, key, again)
    forget_file(key.path)
    return late


def _read(path: Path) -> bytes:
    try:
        key = path.read_bytes()
    except OSError as error:
        raise Closed from error
    if len(key) != SIZE:
        raise Closed
    return key


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else changes a key in `folder` meanwhile; what was changed is on the disk at the end."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
        os.fsync(opened)
    finally:
        os.close(opened)
