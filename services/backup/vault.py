"""Deposited repository passwords: sealed with AES-256-GCM, bound to the repository they are of, opened for drills only."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.backup.db import RepositoryRow

_NONCE = 12


class SealedOtherwise(Exception):
    """Nobody can open it here."""


def seal(key: bytes, repository: RepositoryRow, password: str) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, password.encode(), _context(repository))


def open_sealed(key: bytes, repository: RepositoryRow) -> str:
    """Raises SealedOtherwise when it was sealed for another repository or with another key."""
    sealed = repository.sealed_password or b""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], _context(repository)).decode()
    except InvalidTag as error:
        raise SealedOtherwise(repository.id) from error


def _context(repository: RepositoryRow) -> bytes:
    return f"{repository.tenant_id}/{repository.id}".encode()
