"""What the log signs: checkpoints (C2SP tlog-checkpoint in a signed note), entries and receipts. Standard library only.

Signing and checking Ed25519 are passed in: `signing.py` has `cryptography`'s, `verify/curve.py` a pure one.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.ebid.sealing import merkle
from services.ebid.sealing.canonical import canonical, tagged

Sign = Callable[[bytes], bytes]
Check = Callable[[bytes, bytes, bytes], bool]
"""(public key, message, signature) → whether it is that key's."""
_ED25519 = b"\x01"


class BadNote(ValueError):
    """A note or receipt that is not what it claims; the message says why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log's state: `origin` its unique name, `size` leaves, `root` 32 bytes, `at` when it was signed (aware UTC)."""

    origin: str
    size: int
    root: bytes
    at: datetime

    def text(self) -> str:
        """The note's text. The last line is an extension line: `time <UTC, microseconds>`."""
        root = base64.b64encode(self.root).decode()
        return f"{self.origin}\n{self.size}\n{root}\ntime {stamp(self.at)}\n"


def stamp(moment: datetime) -> str:
    """`2026-01-31T08:00:00.000000Z`, the only form in signed texts."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    """The aware UTC moment of a `stamp`. Raises ValueError for any other form."""
    found = datetime.fromisoformat(text)
    if stamp(found) != text:
        raise ValueError(f"not a moment as it is written here: {text}")
    return found


def key_id(name: str, public_key: bytes) -> bytes:
    """C2SP signed-note: the first 4 bytes of SHA-256(name ‖ LF ‖ 0x01 ‖ key)."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:4]


def signed_note(checkpoint: Checkpoint, public_key: bytes, sign: Sign, name: str | None = None) -> str:
    """The checkpoint with one signature line. `name` defaults to the origin; a witness adds its own with `cosign`."""
    text = checkpoint.text()
    return text + "\n" + signature_line(name or checkpoint.origin, public_key, sign(text.encode()))


def cosign(note: str, name: str, public_key: bytes, sign: Sign) -> str:
    """The note with a witness's signature added."""
    text, _, _ = note.partition("\n\n")
    return note + signature_line(name, public_key, sign((text + "\n").encode()))


def signature_line(name: str, public_key: bytes, signature: bytes) -> str:
    return f"— {name} {base64.b64encode(key_id(name, public_key) + signature).decode()}\n"


def open_note(note: str, name: str, public_key: bytes, check: Check) -> Checkpoint:
    """The checkpoint, if `name` signed it with `public_key`. Raises BadNote."""
    text, gap, signatures = note.partition("\n\n")
    text += "\n"
    wanted = f"— {name} "
    if not all(line.startswith("— ") for line in signatures.splitlines()):
        raise BadNote("not all that stands behind the text are signatures")
    for line in signatures.splitlines() if gap else []:
        if not line.startswith(wanted):
            continue
        try:
            raw = base64.b64decode(line.removeprefix(wanted), validate=True)
        except ValueError:
            continue
        if raw[:4] == key_id(name, public_key) and check(public_key, text.encode(), raw[4:]):
            return _read(text)
    raise BadNote(f"no valid signature of {name}")


def _read(text: str) -> Checkpoint:
    try:
        origin, size, root, *extensions = text.splitlines()
        times = [line.removeprefix("time ") for line in extensions if line.startswith("time ")]
        return Checkpoint(origin, int(size), base64.b64decode(root, validate=True), moment(times[0]))
    except (ValueError, IndexError):
        raise BadNote("not a checkpoint") from None


def entry(kind: str, at: datetime, digest: str, **facts: Any) -> dict[str, Any]:
    """One event for the log. `kind`: "terms", "limits", "bid", "refused", "postponed", "closing", "opened", …; `at` when it was
    accepted; `digest` SHA-256 (hex) of what it is about; `facts` further canonical-JSON facts (tenant, tender, round)."""
    return {"kind": kind, "at": stamp(at), "digest": digest, **facts}


def leaf_data(entry_: Mapping[str, Any], salt: bytes) -> bytes:
    """What the tree hashes: 32 bytes that tell nothing about the entry without its `salt` (32 random bytes)."""
    return tagged("leaf", salt, canonical(dict(entry_)))


def receipt(
    entry_: Mapping[str, Any], salt: bytes, index: int, origin: str, public_key: bytes, sign: Sign
) -> dict[str, Any]:
    """The log's promise that `entry_` is its leaf `index`: given at once, valid for ever, proof follows with a checkpoint."""
    body = {
        "v": 1,
        "origin": origin,
        "key": public_key.hex(),
        "index": index,
        "salt": salt.hex(),
        "entry": dict(entry_),
    }
    return {**body, "signature": sign(tagged("receipt", canonical(body))).hex()}


CHANGE = "log-key"
"""The kind of the entry by which the log's key promises another one: facts `key` (the next one, hex) and `size`, the last that this key
signs. What stands at `size` and behind it is the next one's to promise and to sign."""


def change_digest(key: str, size: int) -> str:
    """Digest of a CHANGE entry."""
    return tagged("log-key", canonical({"key": key, "size": size})).hex()


def check_receipt(receipt_: Mapping[str, Any], public_key: bytes, check: Check) -> None:
    """Raises BadNote unless the log of `public_key` signed this receipt."""
    body = {name: value for name, value in receipt_.items() if name != "signature"}
    try:
        signature = bytes.fromhex(str(receipt_["signature"]))
        good = body["key"] == public_key.hex() and check(public_key, tagged("receipt", canonical(body)), signature)
    except (KeyError, ValueError):
        good = False
    if not good:
        raise BadNote("the receipt is not signed by this log")


def check_logged(
    entry_: Mapping[str, Any], salt: bytes, index: int, proof: list[bytes], checkpoint: Checkpoint
) -> bool:
    """Whether the entry is leaf `index` of the tree that the checkpoint signs."""
    leaf = merkle.leaf_hash(leaf_data(entry_, salt))
    return merkle.verify_inclusion(leaf, index, checkpoint.size, proof, checkpoint.root)
