"""The inputs of one field, read by its type: a value, None for nothing typed, or Invalid with the sentence beside it."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

from libs.common.errors import Invalid, say
from libs.common.web import dates
from services.eapply.forms import partial_dates, values
from services.eapply.forms.definition import ADDRESS_PARTS, FormField
from services.eapply.forms.raw import Raw
from services.eapply.forms.text import cleaned, narrow, seen


class Typed:
    """The inputs of one field. What nobody can see counts as nothing typed."""

    def __init__(self, path: str, raw: Raw) -> None:
        self._path, self._raw = path, raw

    def __call__(self, part: str = "") -> str:
        return self._first(part, lines=False)

    def lines(self) -> str:
        return self._first("", lines=True)

    def _first(self, part: str, *, lines: bool) -> str:
        text = cleaned((self._raw.get(self._path + part) or [""])[0], lines=lines)
        return text if seen(text) else ""

    def all(self) -> list[str]:
        return [text for text in map(cleaned, self._raw.get(self._path, [])) if text]


Reader = Callable[[FormField, Typed, date], Any]
FIRST_INPUT = {"address": ".postal"}
"""Where the eye goes when a field of several inputs is empty."""


def missing(each: FormField) -> str:
    """The sentence for a needed field in which nothing was typed."""
    if each.type in {"choice", "select", "choices", "yesno"}:
        return say("%(label)sを選んでください。", label=each.label)
    if each.type == "consent":
        return say("「%(label)s」を確かめて、印を付けてください。", label=each.label)
    if each.type == "oath":
        return say("宣誓する方の氏名を入力してください。")
    if each.type == "address":
        return say("%(label)sの郵便番号を入力してください。", label=each.label)
    return say("%(label)sを入力してください。", label=each.label)


def _date(each: FormField, typed: Typed, today: date) -> str | None:
    parts = [typed(f"_{part}") for part in ("era", "year", "month", "day")]
    if each.partial and typed("_unknown") == "yes":
        found = _explained(each, lambda: partial_dates.read(*parts))
    elif any(parts[1:]):
        found = _explained(each, lambda: dates.read_date(*parts)).isoformat()
    elif typed():
        found = _explained(each, lambda: _written(each, typed()))
    else:
        return None
    now = today.isoformat()[: len(found)]
    if each.when == "past" and found != partial_dates.UNKNOWN and found > now:
        raise Invalid(say("%(label)sが今日より先の日付です。年月日を確かめてください。", label=each.label))
    if each.when == "future" and found != partial_dates.UNKNOWN and found < now:
        raise Invalid(say("%(label)sが今日より前の日付です。年月日を確かめてください。", label=each.label))
    return found


def _written(each: FormField, text: str) -> str:
    if each.partial and partial_dates.WRITTEN.fullmatch(text):
        return text
    return dates.parse_date(text).isoformat()


def _explained(each: FormField, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Invalid as error:
        raise Invalid(say("%(label)s：%(why)s", label=each.label, why=error.message)) from None


def _month(each: FormField, typed: Typed, today: date) -> str | None:
    """A month, in figures or in words: 2026-04, 2026年4月, 令和8年4月."""
    if not typed():
        return None
    found = re.fullmatch(r"(\D*?)(元|[0-9]{1,4})[年./-]([0-9]{1,2})月?", narrow(typed()).replace(" ", ""))
    if found is None:
        raise Invalid(
            say(
                "%(label)sを年月として読めませんでした。「令和8年4月」か「2026-04」のように入力してください。",
                label=each.label,
            )
        )
    era, year, month = found.groups()
    return _explained(each, lambda: partial_dates.month(era or dates.WESTERN, year, month))


def _time(each: FormField, typed: Typed, today: date) -> str | None:
    """A time of day, 24 hours: 9:30, 0930, 9時30分, 午後1時."""
    text = narrow(typed()).replace(" ", "")
    if not text:
        return None
    found = re.fullmatch(r"(午前|午後)?([0-9]{1,2})(?:[:時]([0-9]{1,2})?分?)?", text) or re.fullmatch(
        r"()([0-9]{2})([0-9]{2})", text
    )
    hour, minute = (int(found[2]), int(found[3] or 0)) if found else (99, 99)
    hour += 12 if found and found[1] == "午後" and hour < 12 else 0
    if hour > 23 or minute > 59:
        raise Invalid(
            say(
                "%(label)sを時刻として読めませんでした。「9:30」か「午後1時」のように入力してください。",
                label=each.label,
            )
        )
    return f"{hour:02}:{minute:02}"


def _address(each: FormField, typed: Typed, today: date) -> dict[str, str] | None:
    parts = {part: typed(f".{part}") for part in ADDRESS_PARTS}
    if not any(parts.values()):
        return None
    return values.address(each, parts)


def _choices(each: FormField, typed: Typed, today: date) -> list[str] | None:
    known = [option.value for option in each.options]
    chosen = typed.all()
    if not set(chosen) <= set(known):
        raise Invalid(say("%(label)sを、もう一度選んでください。", label=each.label))
    if each.max is not None and len(set(chosen)) > each.max:
        raise Invalid(say("%(label)sは%(most)sつまで選べます。", label=each.label, most=each.max))
    if chosen and each.min is not None and len(set(chosen)) < each.min:
        raise Invalid(say("%(label)sは%(least)sつ以上選んでください。", label=each.label, least=each.min))
    return [value for value in known if value in chosen] or None


def _single(convert: Callable[[FormField, str], Any]) -> Reader:
    return lambda each, typed, today: convert(each, typed()) if typed() else None


READERS: dict[str, Reader] = {
    "text": _single(values.text),
    "textarea": lambda each, typed, today: values.text(each, typed.lines()) if typed.lines() else None,
    "name": _single(values.name),
    "kana": _single(values.kana),
    "date": _date,
    "month": _month,
    "time": _time,
    "address": _address,
    "postal": _single(values.postal),
    "phone": _single(values.phone),
    "email": _single(values.email),
    "url": _single(values.url),
    "number": _single(values.number),
    "decimal": _single(values.decimal),
    "yen": _single(values.yen),
    "digits": _single(values.digits),
    "corporate_number": _single(values.corporate_number),
    "yesno": _single(values.yesno),
    "choice": _single(values.choice),
    "select": _single(values.choice),
    "choices": _choices,
    "consent": _single(values.consent),
    "oath": _single(values.name),
}
