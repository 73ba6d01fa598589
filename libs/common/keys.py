"""Make, read and replace the Ed25519 keys by which processes know each other.

python -m libs.common.keys ensure gateway tenants …     makes what is missing in KEYS_DIR, touches nothing else

A key is replaced in three steps. After each, the processes that read what changed are restarted, one after another; no call
is refused meanwhile:

python -m libs.common.keys announce ebid    the next key is made, and every process will believe it too (restart all)
python -m libs.common.keys switch ebid      it takes the place of the key in use (restart the issuer)
python -m libs.common.keys retire ebid      the one before is believed no more (restart all)
"""

import os
import secrets
import sys
from collections.abc import Iterator
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

_BEGIN = b"-----BEGIN"


def ensure(folder: Path, issuers: list[str]) -> list[str]:
    """Make a key pair for each issuer that has none, and the secret of the database roles. Returns what was made."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = []
    secret_once(folder / "database-roles.secret")
    for issuer in issuers:
        if not (folder / f"{issuer}.key").exists():
            _make(folder / f"{issuer}.key")
            _write_public(folder, issuer, [_private(folder / f"{issuer}.key").public_key()])
            made.append(issuer)
    return made


def announce(folder: Path, issuer: str) -> None:
    """Make `issuer`'s next key, in a file beside, and let it be believed beside the one in use. Repeatable."""
    following = folder / f"{issuer}.key.next"
    if not following.exists():
        _make(following)
    _write_public(folder, issuer, [private_key(folder, issuer).public_key(), _private(following).public_key()])


def switch(folder: Path, issuer: str) -> None:
    """Put the announced key in the place of the one in use. FileNotFoundError if none was announced."""
    (folder / f"{issuer}.key.next").replace(folder / f"{issuer}.key")


def retire(folder: Path, issuer: str) -> None:
    """Believe only the key in use. FileExistsError while another is announced and not in use yet."""
    if (folder / f"{issuer}.key.next").exists():
        raise FileExistsError(f"{issuer}: a key is announced and not in use yet: switch first")
    _write_public(folder, issuer, [private_key(folder, issuer).public_key()])


def secret_once(path: Path, size: int = 32) -> bytes:
    """The secret in `path`: `size` random bytes, made the first time anybody asks. Raises OSError where it cannot be written."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return write_once(path, secrets.token_bytes(size))


def write_once(path: Path, content: bytes) -> bytes:
    """Let `content` lie in `path`, whole, on the disk, readable by this user only, unless something lies there already.

    Returns what lies there: of several who come at once the first has made it, and all have the same.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = written_beside(path, content)
    try:
        os.link(new, path)
    except FileExistsError:
        pass
    finally:
        new.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return path.read_bytes()


def written_beside(path: Path, content: bytes) -> Path:
    """`content` in a new file beside `path`, on the disk and of mode 0600, to be linked or renamed to it."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")  # neither *.key nor *.pub: nobody reads it
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return new


def private_key(folder: Path, issuer: str) -> Ed25519PrivateKey:
    return _private(folder / f"{issuer}.key")


def public_keys(folder: Path) -> dict[str, tuple[Ed25519PublicKey, ...]]:
    """Every issuer's public keys, by issuer: one, or two while the key is being replaced."""
    return {path.stem: tuple(_public_in(path)) for path in sorted(folder.glob("*.pub"))}


def _private(path: Path) -> Ed25519PrivateKey:
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path.name} is not an Ed25519 key")
    return key


def _public_in(path: Path) -> Iterator[Ed25519PublicKey]:
    for block in path.read_bytes().split(_BEGIN)[1:]:
        key = load_pem_public_key(_BEGIN + block)
        if isinstance(key, Ed25519PublicKey):
            yield key


def _make(path: Path) -> None:
    private = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_once(path, private)


def _write_public(folder: Path, issuer: str, believed: list[Ed25519PublicKey]) -> None:
    blocks = [key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) for key in believed]
    half = folder / f"{issuer}.pub.half"  # not *.pub: nobody reads it before it is whole
    half.write_bytes(b"".join(blocks))
    half.replace(folder / f"{issuer}.pub")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["ensure", *names] if names:
            from libs.common.settings import Settings

            print(*ensure(Settings().keys_dir, names))
        case ["announce" | "switch" | "retire" as step, issuer]:
            from libs.common.settings import Settings

            {"announce": announce, "switch": switch, "retire": retire}[step](Settings().keys_dir, issuer)
        case _:
            sys.exit(__doc__)
