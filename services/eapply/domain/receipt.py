"""受付番号 and 照会キー: what an applicant keeps in hand.

`402036-2611-00427-3`: municipality, year and month of arrival (Japan), the number within the fiscal year, a check
digit.
The number counts per tenant and fiscal year, is never used twice, and may have gaps.
"""

import base64
import hashlib
import hmac
import re
import secrets
import unicodedata
from datetime import date

from libs.common.errors import Invalid, say

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Letters and digits that are not mistaken for each other on paper: no 0 O 1 I L."""
KEY_LENGTH = 12
_NUMBER = re.compile(r"([0-9]{6})-?([0-9]{4})-?([0-9]{5,9})-?([0-9])")


def receipt_number(code: str, arrived_on: date, serial: int) -> str:
    """The 受付番号 of the `serial`-th arrival of the fiscal year at the municipality `code`."""
    body = f"{code}{arrived_on:%y%m}{serial:05d}"
    return f"{code}-{arrived_on:%y%m}-{serial:05d}-{check_digit(body)}"


def check_digit(digits: str) -> int:
    """ISO/IEC 7064 MOD 11,10: finds every wrong digit and almost every exchange of neighbours."""
    carry = 10
    for digit in digits:
        carry = ((carry + int(digit)) % 10 or 10) * 2 % 11
    return (11 - carry) % 10


def read_receipt_number(typed: str) -> str:
    """The 受付番号 as issued, from what a person typed (any width, any hyphen). Raises Invalid."""
    found = _NUMBER.fullmatch(_plain(typed).replace("--", "-"))
    if found is None:
        raise Invalid(
            say("受付番号の形ではありません。控えのとおりに、例のように入力してください。例：402036-2611-00427-3")
        )
    code, month, serial, check = found.groups()
    if check_digit(code + month + serial) != int(check):
        raise Invalid(say("受付番号に打ちまちがいがあるようです。控えの番号と、1文字ずつ見くらべてください。"))
    return f"{code}-{month}-{serial}-{check}"


def new_enquiry_key() -> str:
    """A fresh 照会キー, 59 bits: `H7KM-2QXD-94TP`. Shown once; only its hash is kept."""
    return grouped("".join(secrets.choice(ALPHABET) for _ in range(KEY_LENGTH)))


def derived_enquiry_key(secret: str, application_id: str) -> str:
    """The 照会キー of a program's application: made anew from its own Idempotency-Key when it asks again, so that no
    copy is
    kept. Without that key, the application's id (74 random bits that only its applicant is told) still stands before
    it."""
    digest = hmac.new(secret.encode(), f"enquiry:{application_id}".encode(), hashlib.sha256).digest()
    number, letters = int.from_bytes(digest), ""
    for _ in range(KEY_LENGTH):
        number, place = divmod(number, len(ALPHABET))
        letters += ALPHABET[place]
    return grouped(letters)


def derived_link(once: str, *about: str) -> str:
    """The secret of a link that one press of a form makes: the same form pressed again makes the same one, so that what is shown
    once is not lost with the first answer. `once`: drawn for that form, at least 22 letters; else a secret drawn here."""
    if len(once) < 22:
        return secrets.token_urlsafe(24)
    digest = hmac.new(once.encode(), "\0".join(("link", *about)).encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:24]).decode()


def read_enquiry_key(typed: str) -> str:
    """The 照会キー as issued, from what a person typed."""
    return grouped(plain_code(typed))


def plain_code(typed: str) -> str:
    """A code of `ALPHABET` as stored, from what a person typed."""
    return _plain(typed).replace("-", "").upper()


def grouped(key: str) -> str:
    return "-".join(key[start : start + 4] for start in range(0, len(key), 4))


def _plain(typed: str) -> str:
    text = unicodedata.normalize("NFKC", typed)
    return re.sub(r"[‐‑‒–—―−ーｰ]", "-", re.sub(r"\s+", "", text))
