"""A trustee's key and work: the key is made off-line and never seen by the service; a file under a passphrase and paper sheets
keep it. At the opening the trustee's tool takes shares out of the envelopes of one tender, and of nothing else.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from shamir_mnemonic import MnemonicError, combine_mnemonics, generate_mnemonics

from libs.common.errors import Conflict, Invalid
from services.ebid.sealing import envelope
from services.ebid.sealing.canonical import canonical, tagged
from services.ebid.sealing.note import moment

ITERATIONS = 600_000
"""OWASP's figure for PBKDF2-HMAC-SHA256 (2023); the browser's WebCrypto has no memory-hard function."""
_FILE = "kyodo-ebid-trustee-key/1"
OPENING, SHARES = "kyodo-ebid-opening/1", "kyodo-ebid-shares/1"


def generate() -> bytes:
    """A new private key, 32 secret bytes."""
    return secrets.token_bytes(32)


def public_of(private: bytes) -> str:
    """The public key as hex: what is registered and announced."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw().hex()


def fingerprint(public: str) -> str:
    """Five groups of four digits of a public key, to be compared by telephone."""
    number = int.from_bytes(tagged("fingerprint", bytes.fromhex(public)), "big") % 10**20
    text = f"{number:020d}"
    return " ".join(text[at : at + 4] for at in range(0, 20, 4))


def lock(private: bytes, passphrase: str, *, iterations: int = ITERATIONS) -> dict[str, Any]:
    """The key file's document: AES-256-GCM under PBKDF2 of the passphrase (12 characters at least)."""
    if len(passphrase) < 12:
        raise Invalid(
            "合言葉は、12文字以上にしてください。", fields={"passphrase": "合言葉は、12文字以上にしてください。"}
        )
    public, salt = public_of(private), secrets.token_bytes(16)
    key = _derive(passphrase, salt, iterations)
    sealed = AESGCM(key).encrypt(bytes(12), private, public.encode())
    return {"format": _FILE, "public": public, "salt": salt.hex(), "iterations": iterations, "sealed": sealed.hex()}


def unlock(document: dict[str, Any], passphrase: str) -> bytes:
    """The private key of a key file. Raises Invalid for a wrong passphrase or a file that is not one."""
    try:
        iterations = int(document["iterations"])
        if document["format"] != _FILE or not 1 <= iterations <= 100 * ITERATIONS:
            raise ValueError
        key = _derive(passphrase, bytes.fromhex(document["salt"]), iterations)
        private = AESGCM(key).decrypt(bytes(12), bytes.fromhex(document["sealed"]), document["public"].encode())
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Invalid("開封のかぎのファイルではありません。", code="key-file") from None
    except InvalidTag:
        raise Invalid("合言葉が違うか、かぎのファイルが壊れています。", code="passphrase") from None
    if public_of(private) != document["public"]:
        raise Invalid("かぎのファイルが壊れています。", code="key-file")
    return private


def _derive(passphrase: str, salt: bytes, iterations: int) -> bytes:
    return PBKDF2HMAC(SHA256(), 32, salt, iterations).derive(passphrase.encode())


# ---- paper


def paper(private: bytes, *, needed: int = 2, sheets: int = 3) -> list[str]:
    """The key as `sheets` sheets of 33 English words (SLIP-39, `shamir-mnemonic`), any `needed` of which restore it.

    One sheet alone tells nothing. Kept apart, they also survive a trustee's absence.
    """
    return generate_mnemonics(1, [(needed, sheets)], private)[0]


def from_paper(sheets: Sequence[str]) -> bytes:
    """The private key from enough sheets, in any order. Raises Invalid: too few, mistyped (a checksum tells), or of other keys."""
    try:
        private = combine_mnemonics([" ".join(sheet.lower().split()) for sheet in sheets])
    except MnemonicError as error:
        raise Invalid(f"紙の控えからかぎを戻せません（{error}）。", code="paper") from None
    if len(private) != 32:
        raise Invalid("開封のかぎの控えではありません。", code="paper")
    return private


# ---- the opening


def check_public(public: str) -> str:
    """A public key as a trustee registers it: 64 hex digits of a key that can be sealed to. Raises Invalid."""
    try:
        X25519PrivateKey.from_private_bytes(b"\1" * 32).exchange(
            X25519PublicKey.from_public_bytes(bytes.fromhex(public))
        )
    except ValueError:  # also a point of small order, which would make every shared secret zero
        raise Invalid("公開鍵が正しくありません。", fields={"public_key": "公開鍵が正しくありません。"}) from None
    if public != public.lower():
        raise Invalid("公開鍵は、小文字の16進で入力してください。", fields={"public_key": "小文字で入力してください。"})
    return public


def opening_time(request: Mapping[str, Any]) -> datetime | None:
    """When the tender may be opened by its announced terms, if the file carries them (they are bound to every envelope)."""
    terms = request.get("terms")
    if not isinstance(terms, Mapping) or "opens_at" not in terms:
        return None
    digest = tagged("terms", canonical(dict(terms))).hex()
    if any(each["head"]["terms"] != digest for each in request["envelopes"]):
        raise Invalid("公表された条件が、封書に結び付けられたものと違います。開けてはいけません。", code="terms")
    return moment(terms["opens_at"])


def answer(request: Mapping[str, Any], private: bytes, now: datetime) -> dict[str, Any]:
    """The trustee's shares for an opening file: digest of the envelope → hex, None where the share was broken.

    Refuses what an honest trustee must not open: envelopes of another tender or round than the file names, envelopes that are not
    sealed to this key, and, where the file carries the announced terms, anything before the announced opening. Raises Invalid or
    Conflict.
    """
    try:
        good = request["format"] == OPENING and all(_belongs(each["head"], request) for each in request["envelopes"])
        begins = opening_time(request)
    except (KeyError, TypeError, ValueError):
        raise Invalid("開封のファイルではありません。", code="opening") from None
    if not good:
        raise Invalid("ほかの案件か、ほかの回の封書が混じっています。開けてはいけません。", code="other-tender")
    if begins is not None and now < begins:
        raise Conflict("まだ開く日時ではありません。時刻より前に開けてはいけません。", code="too-early")
    public, shares = public_of(private), {}
    for each in request["envelopes"]:
        if public not in each["head"]["trustees"]:
            raise Invalid("この案件の封書は、あなたのかぎあてではありません。", code="other-key")
        value = envelope.open_share(each, each["head"]["trustees"].index(public) + 1, private)
        shares[envelope.digest(each)] = None if value is None else value.hex()
    return {
        "format": SHARES,
        "tender": request["tender"],
        "round": request["round"],
        "trustee": public,
        "shares": shares,
    }


def _belongs(head: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    of_round = head["round"] == request["round"] or (head["purpose"] == "limits" and head["round"] == 1)
    return head["tender"] == request["tender"] and of_round
