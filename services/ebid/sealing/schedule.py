"""The key schedule of HPKE (RFC 9180), base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM. Standard library only."""

import hmac

_KEM = b"KEM" + (0x0020).to_bytes(2, "big")
_HPKE = b"HPKE" + b"".join(value.to_bytes(2, "big") for value in (0x0020, 0x0001, 0x0001))
OVERHEAD = 32 + 16
"""Bytes that sealing adds: the encapsulated key and the tag."""


def shared_secret(exchanged: bytes, enc: bytes, public_key: bytes) -> bytes:
    """ExtractAndExpand of RFC 9180, 4.1."""
    extracted = labeled_extract(_KEM, b"", b"eae_prk", exchanged)
    return labeled_expand(_KEM, extracted, b"shared_secret", enc + public_key, 32)


def key_and_nonce(shared: bytes, info: bytes) -> tuple[bytes, bytes]:
    """(key, base nonce) of RFC 9180, 5.1, mode_base."""
    context = _NO_PSK + labeled_extract(_HPKE, b"", b"info_hash", info)
    secret = labeled_extract(_HPKE, shared, b"secret", b"")
    return labeled_expand(_HPKE, secret, b"key", context, 16), labeled_expand(_HPKE, secret, b"base_nonce", context, 12)


def labeled_extract(suite: bytes, salt: bytes, label: bytes, key: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + key, "sha256")


def labeled_expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    """`length` ≤ 32: one block is enough for this suite."""
    return hmac.digest(key, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info + b"\1", "sha256")[:length]


_NO_PSK = b"\0" + labeled_extract(_HPKE, b"", b"psk_id_hash", b"")
"""mode_base and the hash of no pre-shared key: the beginning of every context."""
