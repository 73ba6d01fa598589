"""Days and moments as people in Japan write and read them: 令和8年11月20日（金）10時52分. Plain Python.

Eras start on the day of their edict: 大正 1912-07-30, 昭和 1926-12-25 (that day belongs to the era before as well:
明治45年7月30日 and 大正15年12月25日 in a family register are right), 平成 1989-01-08 (昭和64年政令1号),
令和 2019-05-01 (平成31年政令143号). Japan counts by the Gregorian calendar since 明治6年1月1日
(明治5年太政官布告337号): earlier days are written with the Western year.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime

from libs.common.clock import JST
from libs.common.errors import Invalid, say

WEEKDAYS = "月火水木金土日"
WESTERN = "seireki"
MISSING = {
    "y": say("年がまだ入力されていません。年を数字で入力してください。"),
    "m": say("月がまだ入力されていません。月を数字で入力してください。"),
    "d": say("日がまだ入力されていません。日を数字で入力してください。"),
    "ym": say("年・月がまだ入力されていません。年と月を数字で入力してください。"),
    "yd": say("年・日がまだ入力されていません。年と日を数字で入力してください。"),
    "md": say("月・日がまだ入力されていません。月と日を数字で入力してください。"),
    "ymd": say("年・月・日がまだ入力されていません。年と月と日を数字で入力してください。"),
}
"""Which of year, month and day are missing → the sentence."""
GREGORIAN_SINCE = date(1873, 1, 1)


@dataclass(frozen=True, slots=True)
class Era:
    """`first` and `last` are the first and last day written in this era; `last` of the present one is None."""

    code: str
    name: str
    letter: str
    first: date
    last: date | None

    def year_of(self, value: date) -> int:
        return value.year - self.first.year + 1


ERAS = (
    Era("reiwa", "令和", "R", date(2019, 5, 1), None),
    Era("heisei", "平成", "H", date(1989, 1, 8), date(2019, 4, 30)),
    Era("showa", "昭和", "S", date(1926, 12, 25), date(1989, 1, 7)),
    Era("taisho", "大正", "T", date(1912, 7, 30), date(1926, 12, 25)),
    Era("meiji", "明治", "M", date(1868, 1, 25), date(1912, 7, 30)),
)
BY_CODE = {era.code: era for era in ERAS}
BY_WORD = BY_CODE | {era.name: era for era in ERAS} | {era.letter: era for era in ERAS}
WRITTEN = re.compile(
    r"(?P<era>令和|平成|昭和|大正|明治|西暦|[RHSTM](?=[元\d]))?(?P<year>元|\d{1,4})[年./-](?P<month>\d{1,2})[月./-](?P<day>\d{1,2})日?"
)


# ---- writing


def in_japan(moment: datetime) -> datetime:
    """`moment` on Japan's clocks. A moment without a time zone is a fault of the caller: ValueError."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs its time zone")
    return moment.astimezone(JST)


def calendar_day(value: date | datetime) -> date:
    return in_japan(value).date() if isinstance(value, datetime) else value


def era_of(value: date) -> Era | None:
    """The era of a day; None before 明治6年, when Japan's calendar was another."""
    if value < GREGORIAN_SINCE:
        return None
    return next(era for era in ERAS if era.first <= value)


def year(value: date) -> str:
    """令和8年, 令和元年; 1871年 before the Gregorian calendar."""
    return str(spoken_year(value))


def wareki(value: date) -> str:
    """令和8年11月20日."""
    return str(spoken_wareki(value))


def spoken_year(value: date) -> str:
    """`year`, as a sentence that pages show in the reader's language."""
    era = era_of(value)
    if era is None:
        return say("%(year)s年", year=value.year)
    if era.year_of(value) == 1:
        return say("%(era)s元年", era=say(era.name))
    return say("%(era)s%(year)s年", era=say(era.name), year=era.year_of(value))


def spoken_wareki(value: date) -> str:
    """`wareki`, likewise."""
    return say("%(year)s%(month)s月%(day)s日", year=spoken_year(value), month=value.month, day=value.day)


def weekday(value: date) -> str:
    """（金）."""
    return f"（{WEEKDAYS[value.weekday()]}）"


def day(value: date | datetime, *, lang: str = "ja", weekdays: bool = True) -> str:
    """令和8年11月20日（金）; 2026年11月20日（金） in やさしい日本語; Fri 20 November 2026."""
    value = calendar_day(value)
    if lang == "en":
        return f"{value:%a} {value.day} {value:%B} {value.year}" if weekdays else f"{value.day} {value:%B} {value.year}"
    text = f"{value.year}年{value.month}月{value.day}日" if lang == "ja-easy" else wareki(value)
    return text + (weekday(value) if weekdays else "")


def day_short(value: date | datetime, *, lang: str = "ja") -> str:
    """11月20日（金）, where the year is clear."""
    value = calendar_day(value)
    return f"{value:%a} {value.day} {value:%b}" if lang == "en" else f"{value.month}月{value.day}日{weekday(value)}"


def clock_time(value: datetime, *, lang: str = "ja", seconds: bool = False) -> str:
    """9時05分, 9時05分07秒; 09:05 in English."""
    value = in_japan(value)
    if lang == "en":
        return f"{value:%H:%M:%S}" if seconds else f"{value:%H:%M}"
    return f"{value.hour}時{value.minute:02}分" + (f"{value.second:02}秒" if seconds else "")


def moment(value: datetime, *, lang: str = "ja", seconds: bool = False) -> str:
    """令和8年11月20日（金）10時52分."""
    return joined(day(value, lang=lang), clock_time(value, lang=lang, seconds=seconds), lang)


def moment_short(value: datetime, *, lang: str = "ja", seconds: bool = False) -> str:
    """11月20日（金）10時52分."""
    return joined(day_short(value, lang=lang), clock_time(value, lang=lang, seconds=seconds), lang)


def joined(day_text: str, time_text: str, lang: str) -> str:
    return f"{day_text}, {time_text}" if lang == "en" else day_text + time_text


def fiscal(value: int, *, lang: str = "ja") -> str:
    """A fiscal year (April to March): 平成30年度 for 2018; 令和元年度 for all of 2019
    (改元に伴う元号による年表示の取扱いについて, 関係省庁連絡会議申合せ, 2019-04-01)."""
    if lang == "en":
        return f"FY{value}"
    return f"{value}年度" if lang == "ja-easy" else f"{year(date(value, 12, 31))}度"


# ---- reading


def read_date(era: str, year_text: str, month_text: str, day_text: str) -> date:
    """The day typed into four fields. `era` is a code (`reiwa` … `meiji`, `seireki`), a name or a letter; widths
    are mended, 元 is 1. Raises Invalid with the sentence for the person."""
    era, year_text, month_text, day_text = (mended(text) for text in (era, year_text, month_text, day_text))
    missing = [part for part, text in (("y", year_text), ("m", month_text), ("d", day_text)) if not text]
    if missing:
        raise Invalid(MISSING["".join(missing)])
    number, month, day_number = (
        whole(text, label) for text, label in ((year_text, say("年")), (month_text, say("月")), (day_text, say("日")))
    )
    if era in {"", WESTERN, "西暦"}:
        return western_day(number, month, day_number)
    if era not in BY_WORD:
        raise Invalid(say("元号を選んでください。令和、平成、昭和、大正、明治、西暦から選べます。"))
    return era_day(BY_WORD[era], number, month, day_number)


def parse_date(text: str) -> date:
    """A day written in one piece: 昭和64年1月7日, S64.1.7, 令和元年5月1日, 1989-01-07. Raises Invalid."""
    found = WRITTEN.fullmatch(mended(text))
    if found is None:
        raise Invalid(say("日付として読めませんでした。「令和8年11月20日」か「2026-11-20」のように入力してください。"))
    return read_date(found["era"] or WESTERN, found["year"], found["month"], found["day"])


def mended(text: str) -> str:
    """Widths made one and blanks taken out; a word that stays with the number (8年) is dropped by `whole`."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text or ""))


def whole(text: str, label: str) -> int:
    text = text.removesuffix(label)
    if label == "年" and text == "元":
        return 1
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise Invalid(say("%(label)sが数字ではありません。%(label)sを数字で入力してください。", label=label))
    return int(text)


def western_day(number: int, month: int, day_number: int) -> date:
    if number < 1000:
        raise Invalid(say("西暦の年が%(year)sです。4桁で入力するか、元号を選び直してください。", year=number))
    return existing_day(number, month, day_number)


def era_day(era: Era, number: int, month: int, day_number: int) -> date:
    if number < 1:
        raise Invalid(say("%(era)sの年は1（元年）からです。年を確かめてください。", era=say(era.name)))
    if era.code == "meiji" and number < 6:
        raise Invalid(say("明治5年までは暦が違うため、西暦で入力してください。"))
    if era.first.year + number - 1 > date.max.year:
        raise Invalid(say("%(era)s%(year)s年は扱えません。年を確かめてください。", era=say(era.name), year=number))
    value = existing_day(era.first.year + number - 1, month, day_number)
    if value < era.first:
        raise Invalid(
            say(
                "%(era)sは元年%(month)s月%(day)s日からです。%(other)sではないか、確かめてください。",
                era=say(era.name),
                month=era.first.month,
                day=era.first.day,
                other=spoken_wareki(value),
            )
        )
    if era.last is not None and value > era.last:
        raise Invalid(
            say(
                "%(era)sは%(year)s年%(month)s月%(day)s日までです。%(other)sではないか、確かめてください。",
                era=say(era.name),
                year=era.year_of(era.last),
                month=era.last.month,
                day=era.last.day,
                other=spoken_wareki(value),
            )
        )
    return value


def existing_day(number: int, month: int, day_number: int) -> date:
    if not 1 <= month <= 12:
        raise Invalid(say("月が%(month)sです。1から12までで入力してください。", month=month))
    last = days_in_month(number, month)
    if not 1 <= day_number <= last:
        raise Invalid(
            say(
                "日が%(day)sです。%(year)s年（%(written)s）の%(month)s月は1日から%(last)s日までです。",
                day=day_number,
                year=number,
                written=spoken_year(date(number, month, 1)),
                month=month,
                last=last,
            )
        )
    return date(number, month, day_number)


def days_in_month(number: int, month: int) -> int:
    if month == 12:
        return 31
    return (date(number, month + 1, 1) - date(number, month, 1)).days


def era_parts(value: date | None) -> dict[str, str]:
    """The four fields of a stored day: `era year month day`, to show again in the form; empty for None."""
    if value is None:
        return {"era": "", "year": "", "month": "", "day": ""}
    era = era_of(value)
    code, number = (WESTERN, value.year) if era is None else (era.code, era.year_of(value))
    return {"era": code, "year": str(number), "month": str(value.month), "day": str(value.day)}
