"""保存期間: until when an ended application is kept, counted in whole months from the month in which it ended."""

from datetime import date, timedelta


def kept_until(ended: date, months: int) -> date:
    """The last day on which it is still here: the end of the `months`-th month after that of `ended` (≥ 1 month)."""
    if months < 1:
        raise ValueError("a retention has at least one month")
    year, month = divmod(ended.year * 12 + ended.month - 1 + months + 1, 12)
    return date(year, month + 1, 1) - timedelta(days=1)


def month_of(day: date) -> tuple[date, date]:
    """The first and the last day of the month of `day`."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
