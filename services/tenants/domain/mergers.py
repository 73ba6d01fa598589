"""What goes on in the municipality that a merger makes: whatever one of its parts would have gone on using."""

from collections.abc import Iterable
from datetime import date, datetime

from services.tenants.domain.subscriptions import Interval


def carried(ended: Iterable[Interval], tenant: str, on: date, now: datetime) -> list[Interval]:
    """The joined days from `on` on of all `ended` together, as the uses of `tenant`: a use that only begins later is among
    them, and one whose end is agreed ends on the latest of such days."""
    spans: dict[str, list[tuple[date, date]]] = {}
    for one in ended:
        start, until = max(one.valid_from, on), one.valid_until or date.max
        if one.kind == "joined" and start < until:
            spans.setdefault(one.service, []).append((start, until))
    return [
        Interval(tenant, service, "joined", start, None if until == date.max else until, now)
        for service, found in sorted(spans.items())
        for start, until in _together(found)
    ]


def _together(spans: list[tuple[date, date]]) -> list[tuple[date, date]]:
    """Those that overlap or follow at once become one."""
    found: list[tuple[date, date]] = []
    for start, until in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((start, until))
    return found
