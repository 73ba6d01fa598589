"""Make and read the Ed25519 keys by which processes know each other.

python -m libs.common.keys ensure gateway tenants …     makes what is missing in KEYS_DIR, touches nothing else
"""

import os
import secrets
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)


def ensure(folder: Path, issuers: list[str]) -> list[str]:
    """Make a key pair for each issuer that has none, and the secret of the database roles. Returns what was made."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = []
    if not (folder / "database-roles.secret").exists():
        _write_secret(folder / "database-roles.secret", secrets.token_bytes(32))
    for issuer in issuers:
        if not (folder / f"{issuer}.key").exists():
            key = Ed25519PrivateKey.generate()
            _write_secret(
                folder / f"{issuer}.key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            )
            public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            (folder / f"{issuer}.pub").write_bytes(public)
            made.append(issuer)
    return made


def private_key(folder: Path, issuer: str) -> Ed25519PrivateKey:
    key = load_pem_private_key((folder / f"{issuer}.key").read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"the key of {issuer} is not Ed25519")
    return key


def public_keys(folder: Path) -> dict[str, Ed25519PublicKey]:
    """Every issuer's public key, by issuer."""
    keys = {}
    for path in sorted(folder.glob("*.pub")):
        key = load_pem_public_key(path.read_bytes())
        if isinstance(key, Ed25519PublicKey):
            keys[path.stem] = key
    return keys


def _write_secret(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["ensure", *names] if names:
            from libs.common.settings import Settings

            print(*ensure(Settings().keys_dir, names))
        case _:
            sys.exit(__doc__)
