"""One way to write a document as bytes, and one way to hash it: what Python, the browser and the verifier agree on."""

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

DOMAIN = b"kyodo-ebid/v1/"


def canonical(document: Any) -> bytes:
    """Canonical JSON: keys sorted, no spaces, UTF-8. Numbers are integers below 2⁵³ (a float raises ValueError): JavaScript
    must write the same bytes. Keys are ASCII."""
    _refuse_floats(document)
    return _ENCODER.encode(document).encode()


_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _refuse_floats(document: Any) -> None:
    if isinstance(document, float) or (isinstance(document, int) and abs(document) >= 1 << 53):
        raise ValueError("only integers below 2^53 have one canonical form")
    if isinstance(document, dict):
        for key, value in document.items():
            if not (isinstance(key, str) and key.isascii()):
                raise ValueError("keys are ASCII")
            if type(value) is not str:  # nearly everything is one
                _refuse_floats(value)
    elif isinstance(document, list | tuple):
        for value in document:
            if type(value) is not str:
                _refuse_floats(value)


def tagged(tag: str, *parts: bytes) -> bytes:
    """SHA-256 over the tag and each part with its length before it (8 bytes, big-endian): 32 bytes. No two lists collide."""
    digest = hashlib.sha256(DOMAIN + tag.encode() + b"\0")
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def hkdf(key: bytes, salt: bytes) -> Callable[[str], bytes]:
    """HKDF-SHA256 (RFC 5869): gives 32 bytes for each `info` of this system's name space. What is extracted from the key is
    extracted once: an envelope takes eight keys from one seed."""
    extracted = hmac.digest(salt, key, "sha256")
    return lambda info: hmac.digest(extracted, DOMAIN + info.encode() + b"\1", "sha256")
