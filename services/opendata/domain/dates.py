"""Dates and times as clerks write them → ISO 8601. Eras by 元号法 and the cabinet orders that name their first days."""

import re
from datetime import date, timedelta

from services.opendata.domain.cells import Cleaned, half_width, mended, right, unsure

# First day and the year before year 1. 明治 counts from the Gregorian calendar's adoption (明治5年太政官布告337号), 1873-01-01.
ERAS = (
    ("令和", "R", date(2019, 5, 1), 2018),
    ("平成", "H", date(1989, 1, 8), 1988),
    ("昭和", "S", date(1926, 12, 25), 1925),
    ("大正", "T", date(1912, 7, 30), 1911),
    ("明治", "M", date(1873, 1, 1), 1867),
)
_ISO = re.compile(r"(?:1[0-9]|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])", re.ASCII)
_ERA = re.compile(
    r"(明治|大正|昭和|平成|令和|[明大昭平令MTSHR㍾㍽㍼㍻㋿])\s*+(?:\.\s*+)?(元|\d{1,2})\s*+(?:年|[./-])\s*+(\d{1,2})\s*+(?:月|[./-])\s*+(\d{1,2})\s*+日?",
    re.I,
)
_WESTERN = re.compile(r"(\d{4})\s*+(?:年|[./-])\s*+(\d{1,2})\s*+(?:月|[./-])\s*+(\d{1,2})\s*+日?")
_COMPACT = re.compile(r"((?:1[89]|20)\d\d)(\d\d)(\d\d)")
_TAIL = re.compile(r"(?:(?<!\s)\s*+[(（][月火水木金土日](?:曜日?)?[)）])?(?:[ T]0?0:00(?::00)?(?:\.0+)?)?$")
_PART = re.compile(
    r"(?:(?:明治|大正|昭和|平成|令和|[MTSHR])\s*+(?:\.\s*+)?(?:元|\d{1,2})|\d{4})\s*+(?:年\s*+)?(?:度|(?:[./-]\s*+)?\d{1,2}\s*+月?)?",
    re.I,
)
_SHORT = re.compile(r"\d{1,2}\s*+[./月-]\s*+\d{1,2}\s*+(?:日\s*+)?(?:[./-]\s*+\d{1,2})?")
_KANJI_NUMBER = re.compile(
    r"(?:[〇一二三四五六七八九]?十[一二三四五六七八九]?|[〇一二三四五六七八九]{1,4})(?=[年月日])"
)
_DIGITS = str.maketrans("〇一二三四五六七八九", "0123456789")
EXCEL_DAYS = re.compile(r"[2-5]\d{4}")


def clean_date(value: str) -> Cleaned:
    """「令和元年5月1日」「R1.5.1」「2019/5/1」「２０１９年５月１日」「20190501」→ `2019-05-01`.

    Impossible days and days outside their era are named, not mended; so are dates without year or day.
    """
    if _ISO.fullmatch(value) and _real(value):
        return right(value)
    text = _KANJI_NUMBER.sub(_from_kanji, _TAIL.sub("", half_width(value)))
    if found := _ERA.fullmatch(text):
        return _from_era(value, *found.groups())
    if found := _WESTERN.fullmatch(text) or _COMPACT.fullmatch(text):
        return _from_western(value, *map(int, found.groups()))
    return _undecided(value, text)


def _from_kanji(written: re.Match[str]) -> str:
    """四十五 → 45, 十 → 10, 三〇 → 30."""
    tens, ten, ones = written[0].rpartition("十")
    if not ten:
        return written[0].translate(_DIGITS)
    return str(10 * int(tens.translate(_DIGITS) or 1) + int(ones.translate(_DIGITS) or 0))


def _undecided(value: str, text: str) -> Cleaned:
    if EXCEL_DAYS.fullmatch(text):
        guess = (date(1899, 12, 30) + timedelta(days=int(text))).isoformat()
        return unsure(
            guess, "date-serial", f"日付がExcelの通し番号（{value}）になっています。{guess}ではないか確かめてください。"
        )
    if _PART.fullmatch(text):
        return unsure(
            value,
            "date-partial",
            f"「{value}」には日または月がありません。年月日が分かれば YYYY-MM-DD で書いてください。",
        )
    if _SHORT.fullmatch(text):
        return unsure(
            value, "date-no-year", f"「{value}」は何年か、どの順の日付か決められません。YYYY-MM-DD で書いてください。"
        )
    return unsure(
        value, "date-unreadable", f"「{value}」は日付として読めません。YYYY-MM-DD で書くか、空欄にしてください。"
    )


def _from_era(value: str, era: str, year: str, month: str, day: str) -> Cleaned:
    name, _, first, before = next(e for e in ERAS if era.upper() in (e[0], e[0][0], e[1]))
    try:
        found = date(before + (1 if year == "元" else int(year)), int(month), int(day))
    except ValueError:
        return _impossible(value)
    following = [e for e in ERAS if e[2] > first]
    end = following[-1][2] if following else date.max
    if int(year.replace("元", "1")) == 0 or not first <= found < end:
        return unsure(
            found.isoformat(),
            "date-outside-era",
            f"「{value}」は{name}にはない日です。{found.isoformat()}ではないか確かめてください。",
        )
    return mended(found.isoformat(), "date-era", f"和暦を西暦（YYYY-MM-DD）に直しました：{value}")


def _from_western(value: str, year: int, month: int, day: int) -> Cleaned:
    try:
        found = date(year, month, day).isoformat()
    except ValueError:
        return _impossible(value)
    return (
        right(value) if found == value else mended(found, "date-format", f"日付を YYYY-MM-DD の形に直しました：{value}")
    )


def _impossible(value: str) -> Cleaned:
    return unsure(value, "date-impossible", f"「{value}」は暦にない日です。正しい日に直してください。")


def _real(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00", re.ASCII)
_TIME = re.compile(
    r"(午前|午後|AM|PM)?\s*+(\d{1,2})\s*+(?::|時|;)\s*+(?:(\d{1,2})\s*+分?|(半))?(?::(\d{2}))?\s*+(AM|PM)?", re.I
)
_FOUR = re.compile(r"([01]\d|2[0-3])([0-5]\d)")


def clean_time(value: str) -> Cleaned:
    """「9:00」「９時」「午後5時半」「17:30:00」→ `17:30` (hh:mm, 24 hours). Hours past 24 and times that are words are named."""
    if _CLOCK.fullmatch(value):
        return right(value)
    text = half_width(value)
    if text == "正午":
        return mended("12:00", "time-format", "時刻を hh:mm の形に直しました：正午")
    found = _TIME.fullmatch(text)
    if not found:
        if four := _FOUR.fullmatch(text):
            guess = f"{four[1]}:{four[2]}"
            return unsure(
                guess, "time-unreadable", f"「{value}」は {guess} のことか確かめてください。時刻は hh:mm で書きます。"
            )
        return unsure(
            value, "time-unreadable", f"「{value}」は時刻として読めません。hh:mm（例 09:00）で書いてください。"
        )
    half, hour, minute, thirty, _seconds, after = found.groups()
    hours, minutes = int(hour), 30 if thirty else int(minute or 0)
    noon = (half or after or "").upper()
    if noon and hours == 12:
        return unsure(
            value, "time-noon", f"「{value}」は正午か真夜中か決められません。12:00 か 00:00 と書いてください。"
        )
    if noon in ("午後", "PM"):
        hours += 12
    if minutes > 59 or hours > 24 or (hours == 24 and minutes):
        return unsure(
            value,
            "time-impossible",
            f"「{value}」は1日の中にない時刻です。翌日にまたがる場合は特記事項の列に書いてください。",
        )
    return mended(f"{hours:02}:{minutes:02}", "time-format", f"時刻を hh:mm の形に直しました：{value}")


RANGE = re.compile(r"\d{1,3}\s*[-~]\s*\d{1,3}\s*(?:歳|人|才)?")
_DAY_FOR_RANGE = re.compile(r"(?:\d{4}-)?(\d{1,2})(?:月|-|/)(\d{1,2})日?")


def day_for_range(value: str) -> str | None:
    """「10月14日」「2024-10-14」 → `10-14`: what was a range before Excel took it for a day."""
    found = _DAY_FOR_RANGE.fullmatch(half_width(value))
    return f"{int(found[1])}-{int(found[2])}" if found and not RANGE.fullmatch(half_width(value)) else None


def clean_range(value: str) -> Cleaned:
    """A cell of a column of classes (0-4, 5-9): a day among them is named."""
    if guess := day_for_range(value):
        message = f"「{value}」は、Excelが範囲を日付に変えたもののようです。「{guess}」ではないか確かめてください。"
        return unsure(guess, "range-as-date", message)
    return right(value)
