"""Who used which service when. The count of any past day is read from this history, never from a counter.

A municipality counts as participating on a day when it existed and had joined. Suspended use still counts as joined:
the agreement goes on and the data are kept (協議会の「参加」は加入の事実).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import pairwise
from typing import Literal

from libs.common.clock import fiscal_year
from libs.common.errors import Invalid, say
from services.tenants.domain import history
from services.tenants.domain.municipality import Municipality, counted_on

Status = Literal["active", "preparing", "suspended", "scheduled", "none"]
"""preparing: the use goes on, as its history says, but its room is not made yet (a participation that was imported)."""


@dataclass(frozen=True, slots=True)
class Interval:
    """`kind` joined: the service was agreed on these days; suspended: it was closed on them. `valid_from` is never None."""

    tenant_id: str
    service: str
    kind: Literal["joined", "suspended"]
    valid_from: date
    valid_until: date | None
    recorded_at: datetime
    superseded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """What holds for one service today: `start` and `end` of the interval that the status speaks of."""

    status: Status
    start: date | None = None
    end: date | None = None


NOT_SUBSCRIBED = Subscription("none")


# ---- counting


def participating(
    states: Iterable[Municipality],
    intervals: Iterable[Interval],
    service: str,
    at: date,
    known_at: datetime | None = None,
) -> dict[str, Municipality]:
    """The municipalities that had joined `service` on `at`, each once and as it then was."""
    existing = counted_on(states, at, known_at)
    joined = {i.tenant_id for i in joined_intervals(intervals, service, known_at) if history.holds_on(i, at)}
    return {tenant: existing[tenant] for tenant in existing if tenant in joined}


def participating_during(
    states: Sequence[Municipality],
    intervals: Iterable[Interval],
    service: str,
    first: date,
    last: date,
    known_at: datetime | None = None,
) -> set[str]:
    """Tenants that had joined on at least one day of the span: one that joined and left inside a year is among them."""
    lives: dict[str, list[Municipality]] = {}
    for state in history.believed(states, known_at):
        if state.counted:
            lives.setdefault(state.tenant_id, []).append(state)
    return {
        interval.tenant_id
        for interval in joined_intervals(intervals, service, known_at)
        if any(_common_day(interval, state, first, last) for state in lives.get(interval.tenant_id, ()))
    }


def _common_day(interval: Interval, state: Municipality, first: date, last: date) -> bool:
    start = max(interval.valid_from, state.valid_from or date.min, first)
    end = min(interval.valid_until or date.max, state.valid_until or date.max)
    return start <= last and start < end


def joined_intervals(
    intervals: Iterable[Interval], service: str, known_at: datetime | None = None
) -> Iterable[Interval]:
    for interval in history.believed(intervals, known_at):
        if interval.service == service and interval.kind == "joined":
            yield interval


def by_region(members: Iterable[Municipality]) -> dict[str, int]:
    """How many of these lie in each region."""
    counts: dict[str, int] = {}
    for member in members:
        counts[member.region] = counts.get(member.region, 0) + 1
    return counts


def fiscal_year_span(year: int) -> tuple[date, date]:
    """First and last day of a fiscal year: 2018 → 2018-04-01, 2019-03-31."""
    return date(year, 4, 1), date(year + 1, 3, 31)


def counting_day(year: int, today: date) -> date:
    """The day on which a fiscal year is counted: its last, or today while it runs."""
    return min(fiscal_year_span(year)[1], today)


# ---- what holds now


def status_on(intervals: Iterable[Interval], tenant_id: str, service: str, day: date) -> Subscription:
    """The state of one service for one tenant on `day`, by what is believed now."""
    own = [i for i in history.believed(intervals) if i.tenant_id == tenant_id and i.service == service]
    joined = sorted((i for i in own if i.kind == "joined" and not history.is_empty(i)), key=lambda i: i.valid_from)
    current = next((i for i in joined if history.holds_on(i, day)), None)
    if current is not None:
        closed = any(i.kind == "suspended" and history.holds_on(i, day) for i in own)
        return Subscription("suspended" if closed else "active", current.valid_from, current.valid_until)
    coming = next((i for i in joined if i.valid_from > day), None)
    return Subscription("scheduled", coming.valid_from, coming.valid_until) if coming else NOT_SUBSCRIBED


def with_room(found: Subscription, *, ready: bool) -> Subscription:
    """As long as its room is not there, nothing can be used: the service is being prepared."""
    return found if ready or found.status != "active" else replace(found, status="preparing")


# ---- dates of beginning


def next_april(today: date) -> date:
    """The first day of the next fiscal year."""
    return date(fiscal_year(today) + 1, 4, 1)


def check_start(start: date, today: date) -> date:
    """A wished first day: today or later, within two years. Raises Invalid with what to mend."""
    if start < today:
        raise _bad_start(say("開始日が過ぎています。今日か、それより後の日を選んでください。"))
    if start > date(fiscal_year(today) + 3, 3, 31):
        raise _bad_start(say("開始日が先すぎます。再来年度までの日を選んでください。"))
    return start


def check_end(end: date, today: date, known: date | None = None) -> date:
    """A wished first day without the service: after today, within two years, not after an end that is decided already
    (`known`). Raises Invalid with what to mend."""
    if end <= today:
        sentence = say("その日は過ぎています。今日か、それより後の日を選んでください。")
    elif end > date(fiscal_year(today) + 3, 4, 1):
        sentence = say("その日は先すぎます。再来年度までの日を選んでください。")
    elif known is not None and end > known:
        sentence = say("利用の終わる日は、もう決まっています。それより前の日を選んでください。")
    else:
        return end
    raise Invalid(sentence, code="bad-end", fields={"day": sentence})


def _bad_start(sentence: str) -> Invalid:
    return Invalid(sentence, code="bad-start", fields={"effective_from": sentence})


def first_day(wished: date | None, ready_on: date) -> date:
    """The day from which the service is in use: the wished one, but never before the room was ready."""
    return ready_on if wished is None else max(wished, ready_on)


def check_disjoint(intervals: Iterable[Interval]) -> None:
    """Joined intervals of one tenant and service may not overlap. Raises Invalid naming the two."""
    ordered = sorted(
        (i for i in history.believed(intervals) if i.kind == "joined" and not history.is_empty(i)),
        key=lambda i: (i.tenant_id, i.service, i.valid_from),
    )
    for earlier, later in pairwise(ordered):
        same = (earlier.tenant_id, earlier.service) == (later.tenant_id, later.service)
        if same and (earlier.valid_until is None or later.valid_from < earlier.valid_until):
            raise Invalid(
                say(
                    "%(tenant)s の %(service)s は、%(earlier)s からの期間と %(later)s からの期間が重なっています。",
                    tenant=earlier.tenant_id,
                    service=earlier.service,
                    earlier=earlier.valid_from.isoformat(),
                    later=later.valid_from.isoformat(),
                ),
                code="overlap",
            )
