"""Texts as typed: what is mended without a word, and how long they are.

Names and free texts keep their code points: never NFC or NFKC (神 U+FA19 would become U+795E; a variation selector
may be lost).
"""

import re
import unicodedata

import jaconv
import regex

_BIDI = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_UNWANTED = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff{_BIDI}\ufeff\ufff9-\ufffb]")
_UNSEEN = re.compile(
    "[\\s\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]*"
)
_HYPHENS = re.compile(r"[‐‑‒–—―−ー－ｰ]")


def cleaned(text: str, *, lines: bool = False) -> str:
    """`text` without NUL, control, direction and half surrogate characters, and without blanks at its ends."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _UNWANTED.sub("", text)
    return text.strip() if lines else re.sub(r"[\n\t]+", " ", text).strip()


def seen(text: str) -> bool:
    """Whether a reader sees anything: a name of zero-width and filler characters alone would be an empty place in every list."""
    return not _UNSEEN.fullmatch(text)


def graphemes(text: str) -> int:
    """How many characters a reader sees: 葛󠄀 (with its variation selector) is one."""
    return len(regex.findall(r"\X", text))


def narrow(text: str) -> str:
    """Digits, letters and signs in one width, hyphens as one sign. For numbers and addresses of the net, never for
    names."""
    return _HYPHENS.sub("-", unicodedata.normalize("NFKC", text)).strip()


def whole(text: str) -> int | None:
    """A whole number of up to twelve digits as people type it, in any width and with commas; None where it is none."""
    plain = narrow(text).replace(",", "")
    return int(plain) if re.fullmatch("-?[0-9]{1,12}", plain) else None


def katakana(text: str) -> str:
    """Hiragana and half-width kana as full-width katakana; blanks become one full-width blank."""
    wide = jaconv.h2z(text, kana=True, ascii=False, digit=False)
    kana = unicodedata.normalize("NFC", jaconv.hira2kata(wide))
    return re.sub(r"\s+", "　", re.sub(r"(?<=[ァ-ヶ])[-‐‑‒–—―−－]", "ー", kana)).strip()


def search_key(text: str) -> str:
    """A folded copy for searching only: widths, case, kana and blanks made alike; variation selectors dropped."""
    folded = jaconv.hira2kata(unicodedata.normalize("NFKC", text)).casefold()
    return re.sub(r"[\s\ufe00-\ufe0f\U000e0100-\U000e01ef・]", "", folded)
