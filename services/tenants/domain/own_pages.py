"""A municipality's own pages: which there are, what may stand in them, and how plain text becomes headings, lists and paragraphs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Literal
from urllib.parse import urlsplit

from libs.common.errors import Invalid, NotFound, say

ABOUT = "about"
KINDS: dict[str, str] = {
    ABOUT: say("窓口の名前と連絡先"),
    "privacy": say("個人情報の取扱い"),
    "terms": say("利用の決まり"),
    "accessibility": say("アクセシビリティ"),
}
TEXTS = tuple(kind for kind in KINDS if kind != ABOUT)
MAX_TEXT = 20_000
"""Characters of one page."""
FIELDS: dict[str, int] = {"window": 40, "address": 200, "phone": 40, "hours": 200, "mail": 254, "site": 300}
"""What `about` holds beside the logo, with the most characters of each; every one may be empty."""

_PHONE = re.compile(r"[0-9+()（）\-－ 　、,内線]+")
_MAIL = re.compile(r"[\w.+\-/=]+@[\w\-]+(?:\.[\w\-]+)+", re.ASCII)
"""Without what has a meaning in an address of a link (? & %): it becomes one."""
_SIGNS = {"head": re.compile(r"(?:■|＃+|#{1,4}\s)\s*(\S.*)"), "list": re.compile(r"(?:・|[-*]\s)\s*(\S.*)")}
_NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Block:
    """`kind`: head, list or text. `lines` are the points of a list, else one line per line written."""

    kind: Literal["head", "list", "text"]
    lines: tuple[str, ...]


def checked_kind(kind: str) -> str:
    if kind not in KINDS:
        raise NotFound(say("このページは見つかりません。"))
    return kind


def checked_text(text: str) -> str:
    """Line ends as one, no blank lines at the ends. Raises Invalid; an empty text means the common one again."""
    tidy = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(tidy) > MAX_TEXT:
        sentence = say("%(most)s文字までで入力してください。", most=MAX_TEXT)
        raise Invalid(sentence, fields={"text": sentence})
    if _NOT_TEXT.search(tidy):
        sentence = say("使えない文字（制御文字）が含まれています。貼り付けた元の文を確かめてください。")
        raise Invalid(sentence, fields={"text": sentence})
    return tidy


def checked_about(typed: Mapping[str, str]) -> dict[str, str]:
    """The fields of `about`, tidied. Raises Invalid with a sentence for each that is wrong."""
    about = {name: " ".join(typed.get(name, "").split()) for name in FIELDS}
    wrong = {
        name: say("%(most)s文字までで入力してください。", most=most)
        for name, most in FIELDS.items()
        if len(about[name]) > most
    }
    if about["phone"] and not _PHONE.fullmatch(about["phone"]):
        wrong.setdefault("phone", say("電話番号は、数字とハイフンで入力してください。"))
    if about["mail"] and not _MAIL.fullmatch(about["mail"]):
        wrong.setdefault("mail", say("メールアドレスの形が合いません。「@」を含めて入力してください。"))
    if about["site"] and not _is_web(about["site"]):
        wrong.setdefault("site", say("「https://」から始まるアドレスを入力してください。"))
    wrong |= {
        name: say("使えない文字（制御文字）が含まれています。貼り付けた元の文を確かめてください。")
        for name, text in about.items()
        if name not in wrong and _NOT_TEXT.search(text)
    }
    if wrong:
        raise Invalid(say("直していただくところがあります。"), fields=wrong)
    return about


def _is_web(address: str) -> bool:
    """Only https and http, with a host and without a sign-in in it: what a citizen is sent to by a click."""
    try:
        parts = urlsplit(address)
        return parts.scheme in ("https", "http") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False


def blocks(text: str) -> list[Block]:
    """What was written, in parts. A line that begins with ■ or # is a heading, one with ・ or - a point of a list; an empty
    line ends a paragraph. Nothing else is markup: a page shows every other character as it is."""
    found: list[Block] = []
    for kind, lines in groupby((_read(line) for line in text.split("\n")), key=lambda pair: pair[0]):
        words = tuple(words for _, words in lines)
        if kind == "head":
            found += [Block("head", (one,)) for one in words]
        elif kind != "none":
            found.append(Block("list" if kind == "list" else "text", words))
    return found


def _read(line: str) -> tuple[str, str]:
    words = line.strip()
    for kind, signs in _SIGNS.items():
        found = signs.fullmatch(words)
        if found:
            return kind, found[1]
    return ("text", words) if words else ("none", "")
