"""Make and read the Ed25519 keys by which processes know each other.

python -m libs.common.keys ensure gateway tenants …     makes what is missing in KEYS_DIR, touches nothing else
python -m libs.common.keys next eapply                  makes the pair that will follow: eapply.next.key, eapply.next.pub
python -m libs.common.keys promote eapply               puts that pair in the place of the present one

A key is replaced without a refused call in three steps (docs/operators.md): everybody gets `<issuer>.next.pub` and believes both; the
issuer gets the new private key; everybody gets the new `<issuer>.pub` and no `<issuer>.next.pub` any more.
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

NEXT = ".next"
"""Behind an issuer's name: the key that will follow. It is believed for the issuer itself, and is no issuer."""


def ensure(folder: Path, issuers: list[str]) -> list[str]:
    """Make a key pair for each issuer that has none, and the secret of the database roles. Returns what was made."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = []
    if not (folder / "database-roles.secret").exists():
        _write_secret(folder / "database-roles.secret", secrets.token_bytes(32))
    for issuer in issuers:
        if not (folder / f"{issuer}.key").exists():
            _write_pair(folder, issuer)
            made.append(issuer)
    return made


def _write_pair(folder: Path, name: str) -> None:
    key = Ed25519PrivateKey.generate()
    _write_secret(folder / f"{name}.key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / f"{name}.pub").write_bytes(public)


def make_next(folder: Path, issuer: str) -> None:
    """The pair that will follow. SystemExit where one waits already: it may be believed by then."""
    if (folder / f"{issuer}{NEXT}.key").exists():
        raise SystemExit(f"{issuer}{NEXT}.key is there already: promote it, or delete it if nobody got it")
    _write_pair(folder, issuer + NEXT)


def promote(folder: Path, issuer: str) -> None:
    """The pair that was to follow is the present one. SystemExit where there is none."""
    if not (folder / f"{issuer}{NEXT}.key").exists():
        raise SystemExit(f"there is no {issuer}{NEXT}.key: make it first (next {issuer})")
    for end in ("key", "pub"):
        (folder / f"{issuer}{NEXT}.{end}").replace(folder / f"{issuer}.{end}")


def private_key(folder: Path, issuer: str) -> Ed25519PrivateKey:
    key = load_pem_private_key((folder / f"{issuer}.key").read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"the key of {issuer} is not Ed25519")
    return key


def public_keys(folder: Path) -> dict[str, Ed25519PublicKey]:
    """Every issuer's public key, by issuer; one that will follow, by `<issuer>.next`."""
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
        case ["next" | "promote" as step, issuer]:
            from libs.common.settings import Settings

            (make_next if step == "next" else promote)(Settings().keys_dir, issuer)
        case _:
            sys.exit(__doc__)
