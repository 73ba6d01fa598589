"""The moment in an as-of address: Japan's time, as people write it, fit for a path."""

import re
from datetime import UTC, datetime, timedelta

from libs.common.clock import JST
from libs.common.errors import NotFound, say

_MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)")


def read_moment(text: str, now: datetime) -> datetime:
    """`2026-11-20T10:52` or `2026-11-20T10:52:07`, in Japan. NotFound for anything else and for the future."""
    match = _MOMENT.fullmatch(text)
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=JST).astimezone(UTC) if match else None
    except (ValueError, OverflowError):
        moment = None
    if moment is None or moment > now:
        raise NotFound(
            say("日時を読み取れませんでした。「2026-11-20T10:52」のような形で、いまより前の日時を指定してください。"),
            code="unknown-moment",
        )
    return moment


def after(arrived: str) -> tuple[str, str]:
    """Day and time to ask for so that what arrived at this ISO moment is seen whole, to the second; ("?", "") if it is none."""
    try:
        moment = datetime.fromisoformat(arrived)
        if moment.tzinfo is None:
            return "?", ""
        return tuple((moment + timedelta(seconds=1)).astimezone(JST).strftime("%Y-%m-%d %H:%M:%S").split(" "))  # type: ignore[return-value]
    except (ValueError, OverflowError):
        return "?", ""


def write_moment(moment: datetime) -> str:
    """The same for an address, to the minute, or to the second where it matters."""
    local = moment.astimezone(JST)
    return local.strftime("%Y-%m-%dT%H:%M:%S" if local.second else "%Y-%m-%dT%H:%M")
