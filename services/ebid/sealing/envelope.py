"""Sealing and opening envelopes, by `cryptography`. What an envelope is made of stands in making.py.

From one random seed of 32 bytes everything else is derived (HKDF): the content key, the polynomial that shares the seed k-of-n,
the ephemeral keys of the sealed shares. So before opening nobody but the sealer ever has the seed, and after opening anybody can
make the whole envelope again: an envelope whose shares were not all right is 無効 for every set of trustees alike, and a trustee
whose share is not the sealed one is named. The format is in services/ebid/verify/FORMAT.md.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag

from services.ebid.sealing import hpke, making, shamir
from services.ebid.sealing.canonical import canonical
from services.ebid.sealing.making import NONCE, Envelope, Header, check_form, digest

__all__ = ["Envelope", "Header", "NotEnough", "Opened", "check_form", "digest", "open_envelope", "open_share", "seal"]


@dataclass(frozen=True, slots=True)
class Opened:
    """`payload` None and `invalid` a sentence when the envelope was badly made. `wrong`: places (from 1) of trustees whose share
    was not the sealed one. `seed` 32 bytes, `content` the padded payload bytes, for the public bundle (None where unknown)."""

    payload: dict[str, Any] | None
    invalid: str
    wrong: tuple[int, ...]
    seed: bytes | None
    content: bytes | None


class NotEnough(Exception):
    """Fewer than k right shares. `wrong`: places whose share was not the sealed one; `right`: places whose share was."""

    def __init__(self, wrong: Sequence[int], right: Sequence[int]) -> None:
        super().__init__(f"right shares from {list(right)}, wrong shares from {list(wrong)}")
        self.wrong, self.right = tuple(wrong), tuple(right)


def seal(
    payload: Mapping[str, Any], header: Header, *, seed: bytes | None = None, blind: bytes | None = None
) -> Envelope:
    """Seal `payload` (JSON, ≤ 512 bytes as text together with its blind) to the header's trustees.

    `seed` and `blind` are random and only given by test vectors. Raises Invalid when the payload is too long.
    """
    seed, blind = seed or secrets.token_bytes(32), blind or secrets.token_bytes(32)
    content = making.padded({**payload, "blind": blind.hex()})
    return making.make(seed, content, header.document(), hpke.PRIMITIVES)


def open_share(envelope: Envelope, place: int, private_key: bytes) -> bytes | None:
    """The trustee at `place` (from 1) takes its share out: 32 bytes, or None when the sealed share does not open with this key
    or is not the committed one. (A trustee reports that as a broken share; the others decide whose fault it was.)"""
    bound = canonical(envelope["head"])
    sealed = envelope["shares"][place - 1]
    try:
        value = hpke.open_(bytes.fromhex(sealed["sealed"]), private_key, making.share_info(bound, place))
    except (InvalidTag, ValueError):
        return None
    return value if making.share_commit(value, bound, place).hex() == sealed["commit"] else None


def open_envelope(envelope: Envelope, shares: Mapping[int, bytes | None]) -> Opened:
    """Open with the shares of at least k trustees, place → 32 bytes (None: reported as broken).

    Every set of k right shares gives the same answer. Raises NotEnough, which names wrong shares.
    """
    head = envelope["head"]
    bound = canonical(head)
    right = {
        place: value
        for place, value in shares.items()
        if value is not None and _is_right(envelope, bound, place, value)
    }
    wrong = tuple(sorted(set(shares) - set(right)))
    if len(right) < head["threshold"]:
        raise NotEnough(wrong, sorted(right))
    chosen = dict(sorted(right.items())[: head["threshold"]])
    seed = shamir.join(chosen)
    if making.seed_commit(seed, bound).hex() != envelope["seed_commit"]:
        return Opened(None, "封かんの鍵が一致しません", wrong, None, None)
    return _read(envelope, seed, bound, wrong)


def _is_right(envelope: Envelope, bound: bytes, place: int, value: bytes) -> bool:
    known = 1 <= place <= len(envelope["shares"])
    return known and making.share_commit(value, bound, place).hex() == envelope["shares"][place - 1]["commit"]


def _read(envelope: Envelope, seed: bytes, bound: bytes, wrong: tuple[int, ...]) -> Opened:
    try:
        content = hpke.decrypt(making.content_key(seed, bound), NONCE, bytes.fromhex(envelope["content"]), bound)
    except InvalidTag:
        return Opened(None, "封入された内容を復号できません", wrong, seed, None)
    if making.make(seed, content, envelope["head"], hpke.PRIMITIVES, bound) != envelope:
        # Whoever sealed it did not follow the protocol; a trustee who could not open its share was not at fault.
        return Opened(None, "封かんの手順が守られていません", (), seed, content)
    payload = making.payload(content)
    if payload is None:
        return Opened(None, "封入された内容の形式が正しくありません", wrong, seed, content)
    return Opened(payload, "", wrong, seed, content)
