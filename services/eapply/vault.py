"""The vault's sealing: each マイナンバー under a key of its municipality, each such key under the vault's own (envelope).

The vault's key is a file that no database, export or copy of a database holds; with a copy alone nobody opens anything. A sealed
number is still a 個人番号 in law (個人情報保護委員会のガイドライン): it is kept and deleted as one.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from libs.common import vaults
from libs.common.errors import Unavailable, say
from libs.common.service import Service

KEY = vaults.SIZE


@dataclass(frozen=True, slots=True)
class Vault:
    """Seals and opens with `key`, which may be changed meanwhile. Raises Unavailable where no key opens, or there is none."""

    key: vaults.KeyFile

    def new_key(self, tenant: str, key_id: str) -> bytes:
        """A fresh key for a municipality, wrapped: as it may be kept. The vault's own is made with the first of all."""
        with _said():
            self.key.make()
            return self.key.seal(secrets.token_bytes(KEY), f"{tenant}:{key_id}")

    def seal(self, wrapped: bytes, tenant: str, key_id: str, entry_id: str, number: str) -> bytes:
        with _said():
            return vaults.seal(self._key(wrapped, tenant, key_id), number.encode(), f"{tenant}:{entry_id}")

    def open(self, wrapped: bytes, tenant: str, key_id: str, entry_id: str, sealed: bytes) -> str:
        """The number. Raises Unavailable when it was sealed elsewhere, for something else, or was changed."""
        with _said():
            return vaults.unseal(self._key(wrapped, tenant, key_id), sealed, f"{tenant}:{entry_id}").decode()

    def wrapped_anew(self, wrapped: bytes, tenant: str, key_id: str) -> bytes | None:
        """A municipality's key under the present key; None where it is so already. Raises vaults.Closed where no key opens it."""
        return self.key.sealed_anew(wrapped, f"{tenant}:{key_id}")

    def _key(self, wrapped: bytes, tenant: str, key_id: str) -> bytes:
        return self.key.unseal(wrapped, f"{tenant}:{key_id}")


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except vaults.Closed as error:
        raise Unavailable(
            say("マイナンバーの保管庫を開けません。運用担当に、保管庫の鍵を確かめるようお伝えください。"),
            code="vault-closed",
        ) from error


def at(folder: Path) -> Vault:
    return Vault(vaults.KeyFile(folder / "eapply-vault.secret"))


def of(service: Service[Any]) -> Vault:
    return at(service.settings.keys_dir)
