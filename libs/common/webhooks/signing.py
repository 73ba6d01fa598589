"""Standard Webhooks 1.0, symmetric: `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    """What both sides share: `whsec_` and the base64 of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def headers(delivery_id: str, at: datetime, body: bytes, secrets_: Iterable[str]) -> dict[str, str]:
    """The headers of one sending. With two secrets (while one takes the other's place) both signatures are there."""
    stamp = str(int(at.timestamp()))
    signatures = " ".join(signature(secret, delivery_id, stamp, body) for secret in secrets_)
    return {"webhook-id": delivery_id, "webhook-timestamp": stamp, "webhook-signature": signatures}


def signature(secret: str, delivery_id: str, stamp: str, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = hmac.new(key, f"{delivery_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()
