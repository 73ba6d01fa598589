"""Values that travel in a cookie: nobody reads or changes them on the way, and they open for one purpose until a moment.

AES-256-GCM with a key derived from the gateway's own, so that every replica opens what another one sealed.
"""

import base64
import binascii
import json
import os
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


class Seal:
    """Seals dictionaries of plain JSON for one `purpose`: what was sealed for another one does not open."""

    def __init__(self, key: bytes, purpose: str) -> None:
        self._cipher = AESGCM(key)
        self._purpose = purpose.encode()

    def close(self, values: dict[str, Any], until: datetime) -> str:
        nonce = os.urandom(_NONCE)
        text = json.dumps({**values, "until": until.timestamp()}, ensure_ascii=False).encode()
        return base64.urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, text, self._purpose)).decode().rstrip("=")

    def open(self, sealed: str, now: datetime) -> dict[str, Any] | None:
        """What was sealed and, as `until`, when it ends (seconds since 1970);
        None for anything changed, made by somebody else, of another purpose or too old."""
        try:
            raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
            values = json.loads(self._cipher.decrypt(raw[:_NONCE], raw[_NONCE:], self._purpose))
        except (binascii.Error, ValueError, InvalidTag):
            return None
        return values if values["until"] > now.timestamp() else None
