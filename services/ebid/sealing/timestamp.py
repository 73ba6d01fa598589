"""RFC 3161 time stamps over checkpoints, by `rfc3161-client` (Trail of Bits, Apache-2.0): request, reply, local verification.

The accredited Japanese authorities (総務大臣認定の時刻認証業務) speak this protocol. Which authority and which root certificates are
settings of the operator: neither can come from the reply itself.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import httpx
from cryptography.x509 import load_pem_x509_certificate
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from libs.common.errors import Unavailable

MOST_BYTES = 100_000


class BadStamp(ValueError):
    """A reply that does not prove the time of this checkpoint."""


def stamp(url: str, note: str, roots: Sequence[bytes], *, seconds: float = 10) -> bytes:
    """Ask the authority at `url` for a stamp over the note's bytes; the verified reply (DER), to be kept with the checkpoint.

    `roots`: the authority's root certificates (PEM). Raises Unavailable when it does not answer well, BadStamp when what it
    answers does not verify. Asking again later is right: a later stamp still proves that nothing was changed after it.
    """
    request = TimestampRequestBuilder().data(note.encode()).hash_algorithm(HashAlgorithm.SHA256).build()
    headers = {"content-type": "application/timestamp-query", "accept": "application/timestamp-reply"}
    try:
        answer = httpx.post(url, content=request.as_bytes(), headers=headers, timeout=seconds, trust_env=False)
        answer.raise_for_status()
    except httpx.HTTPError:
        raise Unavailable("時刻認証局が応答しません。あとで自動的にやり直します。", code="timestamp") from None
    reply = answer.content
    verify(reply, note, roots, nonce=request.nonce)
    return reply


def verify(reply: bytes, note: str, roots: Sequence[bytes], *, nonce: int | None = None) -> datetime:
    """The time (aware, UTC) that the authority attests for the note. Raises BadStamp."""
    builder = VerifierBuilder(nonce=nonce)
    for root in roots:
        builder = builder.add_root_certificate(load_pem_x509_certificate(root))
    try:
        if len(reply) > MOST_BYTES:
            raise ValueError("too long")
        answer = decode_timestamp_response(reply)
        builder.build().verify_message(answer, note.encode())
    except (ValueError, VerificationError) as error:
        raise BadStamp(str(error)) from None
    return _time(answer)


def _time(answer: TimeStampResponse) -> datetime:
    return answer.tst_info.gen_time.astimezone(UTC)
