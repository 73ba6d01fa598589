"""What goes on in the municipality that a merger makes: whatever one of its parts would have gone on using, their people, their use."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from services.tenants.domain.history import believed
from services.tenants.domain.lives import in_order
from services.tenants.domain.municipality import Municipality
from services.tenants.domain.subscriptions import Interval


def parts_of(states: Sequence[Municipality], tenant: str) -> list[Municipality]:
    """The last states of those that ended when `tenant` began: by what is believed now. [] where no merger made it."""
    life = in_order(s for s in believed(states) if s.tenant_id == tenant)
    since = life[0].valid_from if life else None
    return [s for s in believed(states) if since and s.successor == tenant and s.valid_until == since]


def people(states: Sequence[Municipality], known: Mapping[str, int], tenants: Iterable[str]) -> dict[str, int]:
    """Tenant → people as `known`; where a table of before the merger cannot know it, its parts together, if all of them are known."""

    def of(tenant: str) -> int | None:
        if tenant in known:
            return known[tenant]
        parts = [of(part.tenant_id) for part in parts_of(states, tenant)]
        return sum(filter(None, parts)) if parts and None not in parts else None

    found = {tenant: of(tenant) for tenant in tenants}
    return {tenant: number for tenant, number in found.items() if number is not None}


def gone_in(states: Sequence[Municipality], uses: Mapping[str, int], day: date) -> dict[str, int]:
    """Tenant → uses, those of whoever had ended by `day` counted with what it went into."""
    into, found = _into(states, day), dict[str, int]()
    for tenant, number in uses.items():
        last = _followed(into, tenant)
        found[last] = found.get(last, 0) + number
    return found


def heir(states: Iterable[Municipality], tenant: str, day: date) -> str:
    """Who answers on `day` for what `tenant` owed: itself, or what it went into and that in turn (地方自治法施行令5条)."""
    return _followed(_into(states, day), tenant)


def codes(states: Sequence[Municipality], day: date) -> dict[str, list[str]]:
    """Tenant → every code that leads to it on `day`, by what is believed now: those it has or had, and those of whoever had gone into it
    by then; the oldest first."""
    into, found = _into(states, day), dict[str, dict[str, None]]()
    for state in in_order(believed(states)):
        found.setdefault(_followed(into, state.tenant_id), {})[state.code] = None
    return {tenant: list(own) for tenant, own in found.items()}


def _into(states: Iterable[Municipality], day: date) -> dict[str, str]:
    """Tenant that had ended by `day` → what it went into."""
    return {
        s.tenant_id: s.successor for s in believed(states) if s.successor and s.valid_until and s.valid_until <= day
    }


def _followed(into: Mapping[str, str], tenant: str) -> str:
    """The last of the way; what went into what had ended before is no endless one."""
    seen: set[str] = set()
    while tenant in into and tenant not in seen:
        seen.add(tenant)
        tenant = into[tenant]
    return tenant


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
