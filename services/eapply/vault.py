"""The vault's sealing: each マイナンバー under a key of its municipality, each such key under the vault's own (envelope).

AES-256-GCM. The vault's key is a file that no database, export or copy of a database holds; with a copy alone nobody
opens anything. A sealed number is still a 個人番号 in law (個人情報保護委員会のガイドライン): it is kept and deleted as one.
"""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs.common.errors import Unavailable, say
from libs.common.service import Service

KEY = 32
_NONCE = 12


@dataclass(frozen=True, slots=True, repr=False)
class Vault:
    """Seals and opens; `master` stays in this process."""

    master: bytes

    def new_key(self, tenant: str, key_id: str) -> bytes:
        """A fresh key for a municipality, wrapped: as it may be kept."""
        return _seal(self.master, secrets.token_bytes(KEY), f"{tenant}:{key_id}")

    def seal(self, wrapped: bytes, tenant: str, key_id: str, entry_id: str, number: str) -> bytes:
        return _seal(self._key(wrapped, tenant, key_id), number.encode(), f"{tenant}:{entry_id}")

    def open(self, wrapped: bytes, tenant: str, key_id: str, entry_id: str, sealed: bytes) -> str:
        """The number. Raises Unavailable when it was sealed elsewhere, for something else, or was changed."""
        return _open(self._key(wrapped, tenant, key_id), sealed, f"{tenant}:{entry_id}").decode()

    def _key(self, wrapped: bytes, tenant: str, key_id: str) -> bytes:
        return _open(self.master, wrapped, f"{tenant}:{key_id}")


def _seal(key: bytes, content: bytes, place: str) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, content, place.encode())


def _open(key: bytes, sealed: bytes, place: str) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], place.encode())
    except InvalidTag as error:
        raise Unavailable(
            say("マイナンバーの保管庫を開けません。運用担当に、保管庫の鍵を確かめるようお伝えください。"),
            code="vault-closed",
        ) from error


def load(path: Path) -> Vault:
    """The vault of the key in `path`, which is made once where it is not there. Raises Unavailable when that cannot be."""
    try:
        if not path.exists():
            _make(path)
        master = path.read_bytes()
    except OSError as error:
        raise Unavailable(
            say("マイナンバーの保管庫の鍵がありません。運用担当にお伝えください。"), code="vault-closed"
        ) from error
    if len(master) != KEY:
        raise Unavailable(say("マイナンバーの保管庫の鍵がありません。運用担当にお伝えください。"), code="vault-closed")
    return Vault(master)


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_suffix(f".{os.getpid()}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(KEY))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(new, path)  # whoever is first has made it
    except FileExistsError:
        pass
    finally:
        new.unlink()


def of(service: Service[Any]) -> Vault:
    """The vault of this process, its key read once."""
    if "vault" not in service.extras:
        service.extras["vault"] = load(service.settings.keys_dir / "eapply-vault.secret")
    return service.extras["vault"]
