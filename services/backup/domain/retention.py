"""Deleted objects are kept for a time counted from the deletion, in a time nobody can hurry by setting a clock.

With deduplication yesterday's snapshot needs packs of years ago, so an age counted from the upload would protect nothing.
"""

from datetime import datetime, timedelta

from libs.common.errors import Invalid, say

LEAST_DAYS = 7
MOST_DAYS = 3650
LONGEST_STEP = timedelta(hours=2)
"""How far trusted time moves at most between two looks at the clock."""


def trusted(before: datetime, seen: datetime, now: datetime) -> datetime:
    """Trusted time after a look at the clock. `before` is its last value, `seen` what the clock said then.

    It follows the clock, never backwards, never further than LONGEST_STEP at once: a clock set a year ahead moves it two
    hours. A service that stood still lags behind, which keeps bytes longer, never shorter.
    """
    step = min(max(now - seen, timedelta(0)), LONGEST_STEP)
    return before + step


def keep_until(now: datetime, trusted_now: datetime, days: int) -> datetime:
    """Until when, in trusted time, the bytes of something deleted now stay."""
    return max(now, trusted_now) + timedelta(days=days)


def check_days(days: int, present: int | None = None) -> None:
    """Refuse a time of retention that is out of bounds, or shorter than the `present` one: it can only grow."""
    if not LEAST_DAYS <= days <= MOST_DAYS:
        sentence = say(
            "消したあとに残す日数を、%(least)s日から%(most)s日の間で入力してください。",
            least=LEAST_DAYS,
            most=MOST_DAYS,
        )
        raise Invalid(sentence, fields={"retention_days": sentence})
    if present is not None and days < present:
        sentence = say(
            "残す日数は、いまの%(present)s日より短くできません。侵入した人に短くされることを防ぐため、だれにも短くできないようにしています。",
            present=present,
        )
        raise Invalid(sentence, fields={"retention_days": sentence})
