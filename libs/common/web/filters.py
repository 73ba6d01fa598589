"""Filters of the templates: days, moments and numbers as people read them, in the page's language."""

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from markupsafe import Markup

from libs.common.web import dates

JAPANESE = re.compile(r"[\u3041-\u30ff\u4e00-\u9fff]")


def filters_for(lang: str) -> dict[str, Callable[..., Any]]:
    """Name → filter. Days and moments of None give an empty text."""

    def in_lang(write: Callable[..., str]) -> Callable[..., str]:
        return lambda value, *args, **options: "" if value is None else write(value, *args, lang=lang, **options)

    return {
        "day": in_lang(dates.day),
        "day_short": in_lang(dates.day_short),
        "moment": in_lang(dates.moment),
        "moment_short": in_lang(dates.moment_short),
        "clock": in_lang(dates.clock_time),
        "fiscal": in_lang(dates.fiscal),
        "iso": iso,
        "number": number,
        "yen": lambda value: f"{number(value)}円" if lang != "en" else f"{number(value)} yen",
        "size": size,
        "written": lambda text: written(text, lang),
    }


def written(text: str, lang: str) -> str:
    """A text of others, left as it was written: marked as Japanese on an English page (WCAG 3.1.2)."""
    if lang != "en" or hasattr(text, "__html__") or not JAPANESE.search(text):
        return text
    return Markup('<span lang="ja">{}</span>').format(text)


def iso(value: date | datetime) -> str:
    """For `<time datetime>`: a moment with Japan's offset, or a plain day."""
    return dates.in_japan(value).isoformat(timespec="seconds") if isinstance(value, datetime) else value.isoformat()


def number(value: float) -> str:
    """1234567 → 1,234,567."""
    return f"{value:,}"


def size(value: int) -> str:
    """A number of bytes, in units of 1024: 512B, 84KB, 2.4MB, 1.2GB."""
    if value < 1024:
        return f"{value}B"
    amount = float(value)
    for unit in ("KB", "MB", "GB"):
        amount /= 1024
        if amount < 1024 or unit == "GB":
            break
    return f"{amount:.0f}{unit}" if amount >= 10 else f"{amount:.1f}".removesuffix(".0") + unit
