"""The one clock. Edges read it and pass `now` on; rules and use cases never look at the time themselves."""

from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

JST = ZoneInfo("Asia/Tokyo")


class Clock(Protocol):
    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still until it is moved: for tests and for tenders at training speed."""

    def __init__(self, at: datetime) -> None:
        if at.tzinfo is None:
            raise ValueError("a moment needs its time zone")
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        return self._at

    def advance(self, **span: float) -> None:
        """`advance(seconds=5)`, `advance(days=1)`: the words of `timedelta`."""
        self._at += timedelta(**span)


def local_date(moment: datetime) -> date:
    """The calendar day in Japan at `moment`."""
    return moment.astimezone(JST).date()


def fiscal_year(day: date) -> int:
    """The Japanese fiscal year: 2018-04-01 to 2019-03-31 is 2018 (財政法11条、地方自治法208条)."""
    return day.year if day.month >= 4 else day.year - 1
