"""One value each: a typed text in, the mended value out, or Invalid with the sentence beside the field."""

import re
from fractions import Fraction
from typing import TypeVar

from stdnum.jp import cn

from libs.common.errors import Invalid, say
from services.eapply.forms.definition import FormField
from services.eapply.forms.text import graphemes, katakana, narrow

YES = frozenset({"yes", "1", "on", "true"})
NO = frozenset({"no", "0", "off", "false"})
Number = TypeVar("Number", int, Fraction)
MAX_TEXT = 2_000
MAX_NAME = 200
MAX_POINTS = 5
"""Code points for one character as a reader sees it: more are marks heaped on one sign, and no column holds them."""
_KANA = re.compile(r"[ァ-ヿ　・ー゛゜,.'’\-A-Za-z（）]+")
_EMAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)


def text(each: FormField, typed: str) -> str:
    return _of_length(each, typed, each.max or MAX_TEXT)


def name(each: FormField, typed: str) -> str:
    """A person's name, code point for code point as typed (髙, 𠮷, variation selectors)."""
    return _of_length(each, typed, min(each.max or MAX_NAME, MAX_NAME))


def kana(each: FormField, typed: str) -> str:
    """Katakana; hiragana and half-width are converted, never refused."""
    value = katakana(typed)
    if not _KANA.fullmatch(value):
        raise Invalid(
            say("%(label)sに、かな以外の文字が入っています。ひらがなかカタカナで入力してください。", label=each.label)
        )
    return _of_length(each, value, each.max or MAX_NAME)


def phone(each: FormField, typed: str) -> str:
    """A telephone number in Japan, hyphens as typed. +81 is read as 0."""
    value = re.sub(r"^\+81-?\(?0?\)?", "0", re.sub(r"[\s.]", "", narrow(typed)))
    value = re.sub(r"[()]", "-", value).strip("-").replace("--", "-")
    digits = value.replace("-", "")
    if not digits.isascii() or not digits.isdigit():
        raise Invalid(
            say("%(label)sに、数字とハイフン以外の文字が入っています。数字で入力してください。", label=each.label)
        )
    if not 10 <= len(digits) <= 11:
        raise Invalid(
            say(
                "%(label)sが%(count)s桁です。市外局番から、10桁か11桁で入力してください。",
                label=each.label,
                count=len(digits),
            )
        )
    if not digits.startswith("0"):
        raise Invalid(say("%(label)sが0で始まっていません。市外局番から入力してください。", label=each.label))
    return value


def email(each: FormField, typed: str) -> str:
    value = re.sub(r"\s", "", narrow(typed)).replace("＠", "@")
    if value.count("@") != 1:
        raise Invalid(say("%(label)sには「@」が1つ必要です。例：yoko@example.jp", label=each.label))
    if len(value) > 254 or not _EMAIL.fullmatch(value) or ".." in value:
        raise Invalid(
            say(
                "%(label)sの形を確かめてください。@の前と後が、例のようになっているか見てください。例：yoko@example.jp",
                label=each.label,
            )
        )
    return value


def number(each: FormField, typed: str) -> int:
    """A whole number; commas, blanks and the unit are taken off."""
    value = re.sub(r"[,、\s]", "", narrow(typed))
    if each.unit:
        value = value.removesuffix(narrow(each.unit))
    if not re.fullmatch(r"-?[0-9]{1,15}", value):
        raise Invalid(say("%(label)sは、数字だけで入力してください。例：12000", label=each.label))
    return _within(each, int(value), each.unit)


def decimal(each: FormField, typed: str) -> str:
    """A number with up to `places` decimal places, exactly as typed: "12.50" stays so."""
    value = re.sub(r"[,、\s]", "", narrow(typed))
    if each.unit:
        value = value.removesuffix(narrow(each.unit))
    if not re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]+)?", value):
        raise Invalid(say("%(label)sは、数字で入力してください。例：12.5", label=each.label))
    if len(value.partition(".")[2]) > each.places:
        raise Invalid(
            say("%(label)sは、小数点以下%(places)s桁までで入力してください。", label=each.label, places=each.places)
        )
    _within(each, Fraction(value), each.unit)
    return value


def yen(each: FormField, typed: str) -> int:
    value = re.sub(r"[,、\s]", "", narrow(typed)).removesuffix("円").lstrip("¥\\")
    if not re.fullmatch(r"[0-9]{1,15}", value):
        raise Invalid(say("%(label)sは、数字だけで入力してください。例：12000", label=each.label))
    return _within(each, int(value), say("円"))


def digits(each: FormField, typed: str) -> str:
    """A number that is a name: leading zeros stay. `min` and `max` are how many digits."""
    value = re.sub(r"[-\s]", "", narrow(typed))
    if not value.isascii() or not value.isdigit():
        raise Invalid(say("%(label)sに、数字以外の文字が入っています。数字で入力してください。", label=each.label))
    least, most = each.min or 1, each.max or MAX_NAME
    if not least <= len(value) <= most:
        span = (
            say("%(count)s桁", count=least)
            if least == most
            else say("%(least)s桁から%(most)s桁", least=least, most=most)
        )
        raise Invalid(
            say(
                "%(label)sが%(count)s桁です。%(span)sで入力してください。",
                label=each.label,
                count=len(value),
                span=span,
            )
        )
    return value


def postal(each: FormField, typed: str) -> str:
    """Seven digits."""
    value = narrow(typed).lstrip("〒").replace("-", "").replace(" ", "")
    if not re.fullmatch(r"[0-9]{7}", value):
        digits = len(re.sub(r"[^0-9]", "", value))
        raise Invalid(say("郵便番号が%(digits)s桁です。7桁の数字で入力してください。例：830-0022", digits=digits))
    return value


def url(each: FormField, typed: str) -> str:
    value = narrow(typed).replace(" ", "")
    value = value if "://" in value else f"https://{value}"
    if len(value) > 2000 or not re.fullmatch(r"https?://[^\s/?#]+\.[^\s/?#]+[^\s<>\"]*", value):
        raise Invalid(say("%(label)sを確かめてください。例：https://www.example.jp", label=each.label))
    return value


def corporate_number(each: FormField, typed: str) -> str:
    """法人番号: thirteen digits, of which the first checks the others (法人番号の指定等に関する省令2条)."""
    value = re.sub(r"[-\s]", "", narrow(typed))
    if not re.fullmatch(r"[0-9]{13}", value):
        raise Invalid(say("%(label)sは13桁の数字です。国税庁の法人番号公表サイトで確かめられます。", label=each.label))
    if not cn.is_valid(value):
        raise Invalid(say("%(label)sに誤りがあります。番号を1桁ずつ確かめてください。", label=each.label))
    return value


def yesno(each: FormField, typed: str) -> bool:
    if typed not in YES | NO:
        raise Invalid(say("%(label)sを、もう一度選んでください。", label=each.label))
    return typed in YES


def choice(each: FormField, typed: str) -> str:
    if typed not in {option.value for option in each.options}:
        raise Invalid(say("%(label)sを、もう一度選んでください。", label=each.label))
    return typed


def consent(each: FormField, typed: str) -> bool | None:
    return True if typed in YES else None


def address(each: FormField, parts: dict[str, str]) -> dict[str, str]:
    """Postal code as seven digits; city and street are needed, the building is not."""
    errors: dict[str, str] = {}
    code = ""
    if not parts["postal"]:
        errors[".postal"] = say("%(label)sの郵便番号を入力してください。", label=each.label)
    else:
        try:
            code = postal(each, parts["postal"])
        except Invalid as error:
            errors[".postal"] = error.message
    for part, named in (("city", say("市区町村")), ("street", say("町名・番地"))):
        if not parts[part]:
            errors[f".{part}"] = say("%(label)sの%(part)sを入力してください。", label=each.label, part=named)
    for part in ("city", "street", "house"):
        if graphemes(parts[part]) > MAX_NAME:
            errors[f".{part}"] = say(
                "%(label)sが長すぎます。%(most)s文字までで入力してください。", label=each.label, most=MAX_NAME
            )
    if errors:
        raise Invalid(say("%(label)sを確かめてください。", label=each.label), fields=errors)
    return {"postal": code, "city": parts["city"], "street": parts["street"], "house": parts["house"]}


def _of_length(each: FormField, value: str, most: int) -> str:
    length = max(graphemes(value), len(value) // MAX_POINTS)
    if length > most:
        raise Invalid(
            say(
                "%(label)sが%(length)s文字です。%(most)s文字までで入力してください。",
                label=each.label,
                length=length,
                most=most,
            )
        )
    if each.min is not None and length < each.min:
        raise Invalid(
            say(
                "%(label)sが%(length)s文字です。%(least)s文字以上で入力してください。",
                label=each.label,
                length=length,
                least=each.min,
            )
        )
    return value


def _within(each: FormField, value: Number, unit: str) -> Number:
    if each.min is not None and value < each.min:
        raise Invalid(
            say(
                "%(label)sは%(least)s%(unit)s以上で入力してください。",
                label=each.label,
                least=f"{each.min:,}",
                unit=unit,
            )
        )
    if each.max is not None and value > each.max:
        raise Invalid(
            say(
                "%(label)sは%(most)s%(unit)s以下で入力してください。", label=each.label, most=f"{each.max:,}", unit=unit
            )
        )
    return value
