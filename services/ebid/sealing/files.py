"""A file (内訳書, 技術資料) sealed under a key of its own, which lies in an envelope of purpose "breakdown".

It is opened to the buyer alone: amounts become public, breakdowns do not, so their seed is another one than the bid's.
"""

import hashlib
import secrets
from typing import Any

from cryptography.exceptions import InvalidTag

from libs.common.errors import Invalid
from services.ebid.sealing import envelope, hpke
from services.ebid.sealing.canonical import canonical
from services.ebid.sealing.making import NONCE, Envelope, Header

BLOCK = 65_536
"""Files are padded to whole blocks: their length tells little."""


def seal_file(content: bytes, header: Header) -> tuple[Envelope, bytes]:
    """(envelope of the key, ciphertext). The ciphertext is whole blocks and a tag of 16 bytes."""
    key = secrets.token_bytes(32)
    padded = content.ljust(max(1, -(-len(content) // BLOCK)) * BLOCK, b"\0")
    sealed = hpke.PRIMITIVES.encrypt(key, NONCE, padded, canonical(header.document()))
    payload = {"key": key.hex(), "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    return envelope.seal(payload, header), sealed


def open_file(payload: dict[str, Any], sealed: bytes, head: dict[str, Any]) -> bytes:
    """The file, from the opened envelope's payload and head. Raises Invalid when it is not the one that was sealed."""
    try:
        padded = hpke.decrypt(bytes.fromhex(payload["key"]), NONCE, sealed, canonical(head))
        content = padded[: payload["size"]]
        good = hashlib.sha256(content).hexdigest() == payload["sha256"]
    except (InvalidTag, KeyError, TypeError, ValueError):
        good, content = False, b""
    if not good:
        raise Invalid("内訳書のファイルを開けません。封かんされたものと違います。", code="file")
    return content
