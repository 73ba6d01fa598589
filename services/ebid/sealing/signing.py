"""The log's Ed25519 key, by `cryptography`."""

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class Signer:
    """`origin` names the log (a host name with a path, without scheme); `public` 32 raw bytes."""

    origin: str
    key: Ed25519PrivateKey

    @property
    def public(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self.key.sign(message)


def signer_of(origin: str, raw: bytes) -> Signer:
    """From 32 secret bytes."""
    return Signer(origin, Ed25519PrivateKey.from_private_bytes(raw))


def check(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` is `public_key`'s over `message`."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
