"""Days of which a part is not known (生年月日不詳): kept as ISO 8601 says it with less precision, never invented.

`1950-03` the day is not known · `1950` nor the month · `unknown` nothing is.
"""

import re
from datetime import date

from libs.common.errors import Invalid, say
from libs.common.web import dates

UNKNOWN = "unknown"
WRITTEN = re.compile(r"unknown|[0-9]{4}(-(0[1-9]|1[0-2]))?")


def read(era: str, year_text: str, month_text: str, day_text: str) -> str:
    """What is known of a day. Raises Invalid when a smaller part is known without the larger."""
    if not year_text and not month_text and not day_text:
        return UNKNOWN
    if not year_text or (day_text and not month_text):
        raise Invalid(
            say("わかるところまで、年から順に入力してください。何もわからないときは、年月日を空にしてください。")
        )
    if day_text:
        return dates.read_date(era, year_text, month_text, day_text).isoformat()
    if month_text:
        return month(era, year_text, month_text)
    return f"{_within(era, year_text, [('1', '1'), ('12', '31')]).year:04}"


def month(era: str, year_text: str, month_text: str) -> str:
    """2026-04. The month must have a day in that era."""
    found = _within(era, year_text, [(month_text, "1"), (month_text, "28")])
    return f"{found.year:04}-{found.month:02}"


def _within(era: str, year_text: str, days: list[tuple[str, str]]) -> date:
    """The first of `days` that there is: 昭和64年 has no December, 令和元年 no January."""
    refusal: Invalid | None = None
    for month_text, day_text in days:
        try:
            return dates.read_date(era, year_text, month_text, day_text)
        except Invalid as error:
            refusal = error
    assert refusal is not None
    raise refusal


def written(value: str, lang: str = "ja") -> str:
    """昭和25年3月（日は不詳）; a year of two eras is given with both."""
    if value == UNKNOWN:
        return say("不詳")
    year, _, month_text = value.partition("-")
    if lang == "en":
        return f"{year}-{month_text} (day unknown)" if month_text else f"{year} (month and day unknown)"
    if month_text:
        return f"{_month_words(int(year), int(month_text))}（日は不詳）"
    both = dict.fromkeys(dates.year(date(int(year), *day)) for day in ((1, 1), (12, 31)))
    return f"{'・'.join(both)}（月日は不詳）"


def month_written(value: str, lang: str = "ja") -> str:
    """令和8年4月; April 2026."""
    year, _, month_text = value.partition("-")
    if lang == "en":
        return f"{date(int(year), int(month_text), 1):%B %Y}"
    return f"{year}年{int(month_text)}月" if lang == "ja-easy" else _month_words(int(year), int(month_text))


def _month_words(year: int, month_number: int) -> str:
    last = dates.days_in_month(year, month_number)
    both = dict.fromkeys(dates.year(date(year, month_number, day)) for day in (1, last))
    return f"{'・'.join(both)}{month_number}月"


def parts(value: str | None) -> dict[str, str]:
    """The inputs that would be read as `value`, in Western years, by the ends of their names."""
    if not value:
        return {}
    known = [] if value == UNKNOWN else value.split("-")
    found = dict(zip(("year", "month", "day"), (str(int(part)) for part in known), strict=False))
    return {"era": dates.WESTERN, **found} | ({"unknown": "yes"} if len(known) < 3 else {})
