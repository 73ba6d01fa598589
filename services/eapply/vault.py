"""The vault's sealing: each マイナンバー under a key of its municipality, each such key under the vault's own (envelope).

AES-256-GCM. The vault's key is a file that no database, export or copy of a database holds; with a copy alone nobody
opens anything. A sealed number is still a 個人番号 in law (個人情報保護委員会のガイドライン): it is kept and deleted as one.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs.common import keys
from libs.common.errors import Unavailable, say
from libs.common.service import Service

KEY = 32
_NONCE = 12


@dataclass(frozen=True, slots=True)
class Vault:
    """Seals and opens with the key in `path`. It is read at every use, so that a new key is used from the moment it is there.

    While the key is being changed the one before lies beside it (`old`): the new one seals, either opens.
    """

    path: Path

    @property
    def old(self) -> Path:
        return self.path.with_name(f"{self.path.stem}.old{self.path.suffix}")

    def new_key(self, tenant: str, key_id: str) -> bytes:
        """A fresh key for a municipality, wrapped: as it may be kept. The vault's own is made with the first of all."""
        if not self.path.exists():
            _make(self.path)
        return _seal(_read(self.path), secrets.token_bytes(KEY), f"{tenant}:{key_id}")

    def seal(self, wrapped: bytes, tenant: str, key_id: str, entry_id: str, number: str) -> bytes:
        return _seal(self._key(wrapped, tenant, key_id), number.encode(), f"{tenant}:{entry_id}")

    def open(self, wrapped: bytes, tenant: str, key_id: str, entry_id: str, sealed: bytes) -> str:
        """The number. Raises Unavailable when it was sealed elsewhere, for something else, or was changed."""
        return _open(self._key(wrapped, tenant, key_id), sealed, f"{tenant}:{entry_id}").decode()

    def change_key(self) -> None:
        """A new key, the one before kept beside it. Stopped anywhere and called again, it goes on; begun before (`old` is
        another key), it is not begun again. Raises OSError where keys cannot be written, Unavailable without a key."""
        with _alone(self.path.parent):
            present = _read(self.path)
            if not self.old.exists():
                os.link(self.path, self.old)  # before the new one is in place: at no moment is the old one nowhere
            if _read(self.old) == present:
                keys.written_beside(self.path, secrets.token_bytes(KEY)).rename(self.path)

    def wrapped_anew(self, wrapped: bytes, tenant: str, key_id: str) -> bytes | None:
        """A municipality's key under the present key; None where it is so already. Raises Unavailable where no key opens it."""
        try:
            _open(_read(self.path), wrapped, f"{tenant}:{key_id}")
        except Unavailable:
            return _seal(_read(self.path), self._key(wrapped, tenant, key_id), f"{tenant}:{key_id}")

    def _key(self, wrapped: bytes, tenant: str, key_id: str) -> bytes:
        place = f"{tenant}:{key_id}"
        try:
            return _open(_read(self.path), wrapped, place)
        except Unavailable:
            if not self.old.exists():
                raise
            return _open(_read(self.old), wrapped, place)


def _seal(key: bytes, content: bytes, place: str) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, content, place.encode())


def _open(key: bytes, sealed: bytes, place: str) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], place.encode())
    except InvalidTag as error:
        raise _closed() from error


def _closed() -> Unavailable:
    return Unavailable(
        say("マイナンバーの保管庫を開けません。運用担当に、保管庫の鍵を確かめるようお伝えください。"),
        code="vault-closed",
    )


def _read(path: Path) -> bytes:
    """The key in `path`. Raises Unavailable where there is none."""
    try:
        key = path.read_bytes()
    except OSError as error:
        raise _closed() from error
    if len(key) != KEY:
        raise _closed()
    return key


def _make(path: Path) -> None:
    try:
        keys.secret_once(path, KEY)
    except OSError as error:
        raise _closed() from error


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


def of(service: Service[Any]) -> Vault:
    return Vault(service.settings.keys_dir / "eapply-vault.secret")
