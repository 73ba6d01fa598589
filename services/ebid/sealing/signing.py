"""The log's Ed25519 key, by `cryptography`, and the one before it while it is being changed."""

from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True, slots=True)
class Signers:
    """The keys of the log `origin` that are here: 32 secret bytes in `path` and, until they are forgotten, those before in `before`. Read
    at every use: which of them signs now is what the log itself says, at once for every process (`use_cases/log.py · in_force`)."""

    origin: str
    path: Path
    before: Path

    def present(self) -> Signer:
        return signer_of(self.origin, self.path.read_bytes())

    def of(self, public: str | None) -> Signer:
        """Whose public key this is (hex); None: the log's first. Raises LookupError where it is not here."""
        here = [signer_of(self.origin, path.read_bytes()) for path in (self.before, self.path) if path.exists()]
        for signer in here:
            if public in (None, signer.public.hex()):
                return signer
        raise LookupError("the key by which the log signs is not here")


def check(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` is `public_key`'s over `message`."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
