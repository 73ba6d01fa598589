"""How an envelope is made from its seed: standard library only, with the three primitives passed in.

`envelope.py` gives it `cryptography`'s, the verifier its own slow ones: both must make the same bytes, and the browser too.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from libs.common.errors import Invalid, say
from services.ebid.sealing import schedule, shamir
from services.ebid.sealing.canonical import canonical, hkdf, tagged

PAYLOAD_BYTES = 512
"""Every payload is padded to this with spaces: the length of an envelope tells nothing."""
PURPOSES = ("bid", "limits", "breakdown")
NONCE = bytes(12)  # each key seals one message only
Envelope = dict[str, Any]


class Primitives(Protocol):
    """X25519 (RFC 7748) and AES-GCM (SP 800-38D), 16- or 32-byte keys."""

    def public(self, private: bytes) -> bytes: ...
    def exchange(self, private: bytes, public: bytes) -> bytes: ...
    def encrypt(self, key: bytes, nonce: bytes, message: bytes, bound: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Header:
    """What an envelope is bound to (its associated data): an envelope moved to another tender, round or bidder does not open.

    `purpose` one of PURPOSES; `tender`, `bidder` ASCII ids of fixed length; `round` from 1; `terms` SHA-256 (hex) of the
    canonical announced terms; `threshold` k; `trustees` their public keys as hex, in the announced order.
    """

    purpose: str
    tender: str
    round: int
    bidder: str
    terms: str
    threshold: int
    trustees: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As it stands in the envelope."""
        return {
            "v": 1, "purpose": self.purpose, "tender": self.tender, "round": self.round, "bidder": self.bidder,
            "terms": self.terms, "threshold": self.threshold, "trustees": list(self.trustees),
        }  # fmt: skip


def padded(payload: Mapping[str, Any]) -> bytes:
    text = canonical(dict(payload))
    if len(text) > PAYLOAD_BYTES:
        raise Invalid("封入する内容が長すぎます。", code="payload")
    return text.ljust(PAYLOAD_BYTES)


def make(
    seed: bytes, content: bytes, head: Mapping[str, Any], primitives: Primitives, bound: bytes | None = None
) -> Envelope:
    """The envelope that `seed` and `content` determine; sealing and checking an opened one are the same computation. `bound`: the
    canonical head, where the caller has it."""
    bound = bound or canonical(dict(head))
    sealed = primitives.encrypt(content_key(seed, bound), NONCE, content, bound)
    return {
        "head": dict(head),
        "content": sealed.hex(),
        "seed_commit": seed_commit(seed, bound).hex(),
        "content_commit": content_commit(content, bound).hex(),
        "shares": sealed_shares(seed, bound, head, primitives),
    }


@lru_cache(maxsize=4)
def _head_tag(bound: bytes) -> bytes:
    """Of the header everything is bound to; asked for a dozen times while one envelope is made."""
    return tagged("head", bound)


def content_key(seed: bytes, bound: bytes) -> bytes:
    return hkdf(seed, _head_tag(bound))("key")


def seed_commit(seed: bytes, bound: bytes) -> bytes:
    """Commits to the seed, and so to one content key: AES-GCM by itself would let one ciphertext open to two contents."""
    return tagged("seed", seed, bound)


def content_commit(content: bytes, bound: bytes) -> bytes:
    """Commits to the padded payload; its blind keeps the amount from being guessed."""
    return tagged("content", content, bound)


def sealed_shares(seed: bytes, bound: bytes, head: Mapping[str, Any], primitives: Primitives) -> list[dict[str, str]]:
    derived, made = hkdf(seed, _head_tag(bound)), []
    values = _values(seed, derived, head)
    for place, (key, value) in enumerate(zip(head["trustees"], values, strict=True), 1):
        ephemeral = derived(f"ephemeral/{place}")
        sealed = seal_to(primitives, bytes.fromhex(key), value, share_info(bound, place), ephemeral)
        made.append({"commit": share_commit(value, bound, place).hex(), "sealed": sealed.hex()})
    return made


def shares_of(seed: bytes, bound: bytes, head: Mapping[str, Any]) -> list[bytes]:
    """All shares of the seed, 32 bytes each, in the order of the trustees."""
    return _values(seed, hkdf(seed, _head_tag(bound)), head)


def _values(seed: bytes, derived: Callable[[str], bytes], head: Mapping[str, Any]) -> list[bytes]:
    powers = [derived(f"coefficient/{power}") for power in range(1, head["threshold"])]
    return [shamir.share(seed, powers, place) for place in range(1, len(head["trustees"]) + 1)]


def seal_to(primitives: Primitives, public_key: bytes, message: bytes, info: bytes, ephemeral: bytes) -> bytes:
    """HPKE (RFC 9180) base mode, one message: enc ‖ ciphertext, len(message) + 48 bytes.

    `ephemeral`: 32 secret bytes, never used for another message. It is derived from the seed, so that the sealed shares can be made
    again once the envelope is open; libraries' `encrypt` takes no ephemeral key, which is why sealing is written out.
    """
    enc = primitives.public(ephemeral)
    shared = schedule.shared_secret(primitives.exchange(ephemeral, public_key), enc, public_key)
    key, nonce = schedule.key_and_nonce(shared, info)
    return enc + primitives.encrypt(key, nonce, message, b"")


def share_commit(value: bytes, bound: bytes, place: int) -> bytes:
    return tagged("share", place.to_bytes(1, "big"), value, bound)


def share_info(bound: bytes, place: int) -> bytes:
    """HPKE's info: binds a sealed share to its envelope's header and place."""
    return b"kyodo-ebid/v1/share" + place.to_bytes(1, "big") + _head_tag(bound)


def digest(envelope: Envelope) -> str:
    """SHA-256 (hex) of the envelope: what is logged, shown to the bidder and compared on a second device."""
    return tagged("envelope", canonical(envelope)).hex()


def check_form(envelope: Any, header: Header) -> Envelope:
    """What the server can check of a sealed envelope without opening it. Raises Invalid for anything but a well-formed envelope
    of exactly this header (tender, round, bidder, terms, trustees)."""
    sizes = {"content": PAYLOAD_BYTES + 16, "seed_commit": 32, "content_commit": 32}
    good = (
        isinstance(envelope, dict)
        and set(envelope) == {*sizes, "head", "shares"}
        and all(is_hex(envelope[name], size) for name, size in sizes.items())
        and isinstance(envelope["shares"], list)
        and len(envelope["shares"]) == len(header.trustees)
        and all(_is_share(share) for share in envelope["shares"])
    )
    if not good:
        raise Invalid(say("封書の形式が正しくありません。もう一度、画面から作り直してください。"), code="envelope")
    if envelope["head"] != header.document() or isinstance(envelope["head"].get("v"), bool):
        raise Invalid(
            say(
                "この封書は、別の案件・回・会社のものか、案件の条件が変わる前に作られたものです。もう一度作り直してください。"
            ),
            code="envelope-header",
        )
    return envelope


def _is_share(share: Any) -> bool:
    return (
        isinstance(share, dict)
        and set(share) == {"commit", "sealed"}
        and is_hex(share["commit"], 32)
        and is_hex(share["sealed"], 32 + schedule.OVERHEAD)
    )


def is_hex(text: Any, size: int) -> bool:
    """Whether `text` is `size` bytes in lower-case hex."""
    return isinstance(text, str) and len(text) == 2 * size and not set(text) - set("0123456789abcdef")


def payload(content: bytes) -> dict[str, Any] | None:
    """The payload of opened content; None when it is not a JSON object with a blind of 32 bytes."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and is_hex(document.get("blind"), 32) else None
