"""The rules about persons, passwords, sessions and secrets. Standard library and errors only."""

import hashlib
import hmac
import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address, ip_network

from libs.common.errors import Invalid, say

PASSWORD_LEAST = 12
PASSWORD_MOST = 256
_EMAIL = re.compile(r"[^\s@<>\"(),:;\\\[\]]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)+")

TICKET_LIFE = {
    "sign-up": timedelta(hours=24),
    "reset": timedelta(hours=1),
    "invitation": timedelta(days=14),
    "address": timedelta(hours=24),
}
"""How long a link in a mail opens a door, by what it is for."""


@dataclass(frozen=True, slots=True)
class SessionLife:
    """`idle` since the last use, `absolute` since sign-in."""

    idle: timedelta = timedelta(minutes=60)
    absolute: timedelta = timedelta(hours=12)


SHARED_LIFE = SessionLife(timedelta(minutes=5), timedelta(minutes=30))
"""On a machine that many people use."""


def email_of(text: str) -> str:
    """An e-mail address in the one form it is kept and compared in. Full-width letters are put right, not refused."""
    address = unicodedata.normalize("NFKC", text).strip().lower()
    if len(address) > 254 or not _EMAIL.fullmatch(address):
        sentence = say("メールアドレスを読み取れませんでした。「名前@example.jp」のような形で入力してください。")
        raise Invalid(sentence, fields={"email": sentence})
    return address


def display_name_of(text: str) -> str:
    """A name as it was typed (髙, 𠮷 and variation selectors stay), without what cannot be seen or printed."""
    name = " ".join("".join(c for c in text if not _unprintable(c)).split())
    if not name or len(name) > 100:
        sentence = say("お名前を100文字までで入力してください。")
        raise Invalid(sentence, fields={"display_name": sentence})
    return name


def _unprintable(character: str) -> bool:
    """Controls and direction marks; U+FE00…, U+E0100… (variation selectors) are part of a name."""
    return (
        unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn")
        or character in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068"
    )


def normal_password(text: str) -> str:
    """NFKC, so that the same keys give the same password on every keyboard (NIST SP 800-63B, 5.1.1.2)."""
    return unicodedata.normalize("NFKC", text)


def check_password_length(password: str) -> None:
    """Long is what counts; no rule about kinds of characters (NIST SP 800-63B, 5.1.1.2)."""
    if len(password) < PASSWORD_LEAST:
        missing = PASSWORD_LEAST - len(password)
        raise weak(
            say(
                "パスワードがあと%(missing)s文字足りません。%(least)s文字以上にしてください。",
                missing=missing,
                least=PASSWORD_LEAST,
            )
        )
    if len(password) > PASSWORD_MOST:
        raise weak(say("パスワードは%(most)s文字までにしてください。", most=PASSWORD_MOST))


def weak(sentence: str) -> Invalid:
    return Invalid(sentence, code="weak-password", fields={"password": sentence})


# ---- secrets --------------------------------------------------------------------------------------------------------


def new_secret() -> str:
    """256 random bits as text for cookies and links."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """How a random secret is kept: SHA-256, 64 hex characters. (Passwords are kept by argon2id.)"""
    return hashlib.sha256(secret.encode()).hexdigest()


def keyed_digest(key: bytes, text: str) -> str:
    """How something guessable (an address, a network) is kept when only equality matters."""
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


# ---- how somebody came in ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Voucher:
    """What another provider's word on a session is, as long as it lives; all None for a password or passkey of ours.

    `provider`: by whose account (its key); `sid`: by which session there, where it says so; `corporate_number`: of the company for which
    it vouches.
    """

    provider: str | None = None
    sid: str | None = None
    corporate_number: str | None = None


OURS = Voucher()


# ---- slowing down ---------------------------------------------------------------------------------------------------

FREE_TRIES = 5
FREE_TRIES_OF_NETWORK = 100
"""A town hall or a school is one network: its people share an address."""
FORGET_AFTER = timedelta(hours=1)
_LONGEST = timedelta(minutes=15)
_LONGEST_OF_NETWORK = timedelta(seconds=20)
"""A network that has failed often waits as a whole, with all who have nothing to do with it: short, but 180 tries an hour guess nothing."""


def pause_after(failures: int, free: int = FREE_TRIES, *, whole_network: bool = False) -> timedelta:
    """How long the next try must wait. Doubles from 1 s; holds for one account from one network, or for a network as a whole."""
    if failures < free:
        return timedelta(0)
    return min(timedelta(seconds=2 ** min(failures - free, 20)), _LONGEST_OF_NETWORK if whole_network else _LONGEST)


@lru_cache(20_000)
def network_of(address: str) -> str:
    """The network an address belongs to: /24 and /56, what one customer usually has."""
    try:
        ip = ip_address(address)
    except ValueError:
        return "unknown"
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    return str(ip_network(f"{ip}/{24 if ip.version == 4 else 56}", strict=False))


# ---- recovery codes -------------------------------------------------------------------------------------------------

RECOVERY_CODES = 10
_CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without I, O, 0 and 1: they are read from paper."""


def new_recovery_code() -> str:
    """140 random bits in seven groups of four letters (ASVS 5.0, 11.5.1: 128 bits). Those made before have six groups, and go on."""
    return recovery_code_of("".join(secrets.choice(_CODE_LETTERS) for _ in range(28)))


def recovery_code_of(typed: str) -> str:
    """What somebody typed, in the form codes are kept in: width, case, blanks and hyphens do not matter."""
    letters = [c for c in unicodedata.normalize("NFKC", typed).upper() if c in _CODE_LETTERS]
    return "-".join("".join(letters[i : i + 4]) for i in range(0, len(letters), 4))


# ---- machine tokens -------------------------------------------------------------------------------------------------

_MACHINE_TOKEN = re.compile(r"kyodo_([a-z0-9]{16})_([A-Za-z0-9-]{43})")
SCOPE = re.compile(r"[a-z]+(?:\.[a-z_]+)+")
MACHINE_TOKEN_LONGEST = timedelta(days=366)


def new_machine_token() -> tuple[str, str, str]:
    """(id, secret, the token as it is shown once)."""
    ident = secrets.token_hex(8)
    return ident, *new_secret_of(ident)


OVERLAP_LONGEST = timedelta(days=30)


def new_secret_of(ident: str) -> tuple[str, str]:
    """(secret, the token as it is shown once) for a key that has an id already."""
    secret = secrets.token_urlsafe(32).replace("_", "-")
    return secret, f"kyodo_{ident}_{secret}"


def overlap(days: int) -> timedelta:
    """How long an earlier secret goes on beside the new one. Raises Invalid."""
    if not 0 <= days <= OVERLAP_LONGEST.days:
        sentence = say("前のキーを使える日数は、0日から%(most)s日の間で入力してください。", most=OVERLAP_LONGEST.days)
        raise Invalid(sentence, fields={"overlap": sentence})
    return timedelta(days=days)


def read_machine_token(text: str) -> tuple[str, str] | None:
    """(id, secret), or None when `text` is no machine token at all."""
    match = _MACHINE_TOKEN.fullmatch(text)
    return (match[1], match[2]) if match else None


def expires(now: datetime, days: int) -> datetime:
    """Raises Invalid for a life a token must not have."""
    if not 1 <= days <= MACHINE_TOKEN_LONGEST.days:
        sentence = say("有効な日数を1日から%(most)s日の間で入力してください。", most=MACHINE_TOKEN_LONGEST.days)
        raise Invalid(sentence, fields={"days": sentence})
    return now + timedelta(days=days)
