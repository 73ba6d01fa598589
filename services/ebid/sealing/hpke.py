"""HPKE opening and the primitives of sealing, by `cryptography`."""

from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from services.ebid.sealing.schedule import OVERHEAD

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)


class Library:
    """`making.Primitives` by `cryptography`."""

    def public(self, private: bytes) -> bytes:
        return _private(private).public_key().public_bytes_raw()

    def exchange(self, private: bytes, public: bytes) -> bytes:
        return _private(private).exchange(_public(public))

    def encrypt(self, key: bytes, nonce: bytes, message: bytes, bound: bytes) -> bytes:
        return AESGCM(key).encrypt(nonce, message, bound)


PRIMITIVES = Library()


def open_(sealed: bytes, private_key: bytes, info: bytes) -> bytes:
    """The message. Raises InvalidTag when the key, `info` or a byte is not the sealer's."""
    if len(sealed) < OVERHEAD:
        raise InvalidTag
    return SUITE.decrypt(sealed, _private(private_key), info)


def decrypt(key: bytes, nonce: bytes, sealed: bytes, bound: bytes) -> bytes:
    """AES-GCM. Raises InvalidTag."""
    return AESGCM(key).decrypt(nonce, sealed, bound)


@lru_cache(maxsize=32)
def _public(raw: bytes) -> X25519PublicKey:
    return X25519PublicKey.from_public_bytes(raw)


@lru_cache(maxsize=8)
def _private(raw: bytes) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(raw)
