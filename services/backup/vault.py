"""Deposited repository passwords: sealed with AES-256-GCM, bound to the repository they are of, opened for drills only."""

import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.backup.db import RepositoryRow

_NONCE = 12


def seal(key: bytes, repository: RepositoryRow, password: str) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, password.encode(), _context(repository))


def open_sealed(key: bytes, repository: RepositoryRow) -> str:
    """Raises InvalidTag when it was sealed for another repository or with another key."""
    sealed = repository.sealed_password or b""
    return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], _context(repository)).decode()


def _context(repository: RepositoryRow) -> bytes:
    return f"{repository.tenant_id}/{repository.id}".encode()
