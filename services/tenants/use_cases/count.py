"""The council's figures: who takes part, on any day, as known on any day; by year, by region; real use."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from itertools import pairwise

from sqlalchemy.orm import Session

from libs.common import clock
from services.tenants.db import counting as counting_db
from services.tenants.db import registry as registry_db
from services.tenants.db import subscriptions as subscriptions_db
from services.tenants.db import usage as usage_db
from services.tenants.domain import usage as usage_rules
from services.tenants.domain.catalogue import SERVICES, CatalogueService
from services.tenants.domain.history import believed, end_of_day
from services.tenants.domain.mergers import gone_in
from services.tenants.domain.municipality import Municipality, counted_on
from services.tenants.domain.subscriptions import (
    Interval,
    by_region,
    counting_day,
    participating,
)


@dataclass(frozen=True)
class Register:
    """Everything the counts are made from, read once."""

    states: list[Municipality]
    intervals: list[Interval]


@dataclass(frozen=True)
class Participation:
    """Who had joined what on one day. `joined`: service key → tenant ids."""

    at: date
    known_on: date | None
    municipalities: dict[str, Municipality]
    joined: dict[str, frozenset[str]]

    def count(self, service: str) -> int:
        return len(self.joined[service])

    def services_of(self, tenant: str) -> list[CatalogueService]:
        return [service for service in SERVICES if tenant in self.joined[service.key]]

    def regions(self, service: str) -> dict[str, int]:
        return by_region(self.municipalities[tenant] for tenant in self.joined[service])

    def not_yet(self, service: str) -> list[Municipality]:
        """Municipalities that could still be invited."""
        return [state for tenant, state in self.municipalities.items() if tenant not in self.joined[service]]


@dataclass(frozen=True)
class Effect:
    """One day whose count a change of the register alters."""

    day: date
    before: Participation
    after: Participation


def effects(before: Register, after: Register, today: date) -> list[Effect]:
    """What a change does to the counts: on each day on which something begins or ends differently, and today."""
    found = [Effect(day, on_day(before, day), on_day(after, day)) for day in sorted(_days(before, after) | {today})]
    return [one for one in found if _counts(one.before) != _counts(one.after)]


def _days(before: Register, after: Register) -> set[date]:
    differing = _spans(before) ^ _spans(after)
    return {day for _, *span in differing for day in span if day}


def _spans(register: Register) -> set[tuple[str, date | None, date | None]]:
    """What is believed without the moment of recording: facts as one text, and the days between which they hold."""
    towns = {
        (f"{s.tenant_id} {s.code} {s.name} {s.region}", s.valid_from, s.valid_until) for s in believed(register.states)
    }
    used = {(f"{i.tenant_id} {i.service} {i.kind}", i.valid_from, i.valid_until) for i in believed(register.intervals)}
    return towns | used


def _counts(found: Participation) -> tuple[object, ...]:
    names = sorted((tenant, m.code, m.name, m.region) for tenant, m in found.municipalities.items())
    return names, {service: sorted(joined) for service, joined in found.joined.items()}


@dataclass(frozen=True, slots=True)
class YearCount:
    """One service in one fiscal year: joined at its end (or today), and on at least one of its days."""

    fiscal_year: int
    at_end: int
    during: int


def read(session: Session) -> Register:
    return Register(registry_db.states(session), subscriptions_db.intervals(session))


def on_day(register: Register, at: date, known_on: date | None = None) -> Participation:
    """`known_on`: as the register stood at the end of that day."""
    known_at: datetime | None = end_of_day(known_on) if known_on else None
    joined = {
        service.key: frozenset(participating(register.states, register.intervals, service.key, at, known_at))
        for service in SERVICES
    }
    return Participation(at, known_on, counted_on(register.states, at, known_at), joined)


def on(session: Session, at: date, known_on: date | None = None) -> Participation:
    """`on_day`, asked of the database: only what held on the day is read."""
    known_at = end_of_day(known_on) if known_on else None
    municipalities = counting_db.states_on(session, at, known_at)
    joined = counting_db.joined_on(session, at, known_at)
    present = municipalities.keys()
    return Participation(
        at, known_on, municipalities, {s.key: frozenset(joined.get(s.key, set()) & present) for s in SERVICES}
    )


def years(session: Session, today: date, known_on: date | None = None) -> dict[str, list[YearCount]]:
    """Service → its fiscal years from the first to the present one, all in one reading of the history.

    What was counted is kept as long as the register has the same version: whatever changes the history raises it.
    """
    version = registry_db.version(session)
    key = (str(session.get_bind().engine.url), version, today, known_on)
    found = _kept.get(key)
    if found is None:
        found = _count_years(session, today, known_on)
        if version:
            _kept[key] = found
        while len(_kept) > KEPT:
            _kept.pop(next(iter(_kept)), None)
    return found


KEPT = 50
"""Answers of `years`: one for each day and each day of knowledge that is asked for."""
_kept: dict[tuple[str, int, date, date | None], dict[str, list[YearCount]]] = {}


def _count_years(session: Session, today: date, known_on: date | None) -> dict[str, list[YearCount]]:
    found = counting_db.spans(session, end_of_day(known_on) if known_on else None)
    return {s.key: _by_year(found.get(s.key, []), s.since, today) for s in SERVICES}


def _by_year(spans: list[str], first: int, today: date) -> list[YearCount]:
    """The fiscal years of one service from `first` to the present one. `spans` as `counting_db.spans` gives them."""
    here, present = today.isoformat(), clock.fiscal_year(today)
    begun = [span for span in spans if span[6:16] <= here]
    starts = [_year_of(span[6:16]) for span in begun]
    touched = [_last_year_of(span[16:]) for span in begun]
    neighbours = zip(pairwise(begun), touched, starts[1:], strict=False)
    close = [(a, b, start) for (a, b), last, start in neighbours if start <= last and a[:6] == b[:6]]
    if any(b[6:16] < a[16:] for a, b, _ in close):
        return _by_year(_apart(begun), first, today)
    # A year counts a municipality once, also one that came again in the year in which it had left.
    again = Counter([start for _, _, start in close])
    started, left, ends = Counter(starts), Counter(touched), Counter([_year_of(span[16:]) for span in begun])
    counts, joined, gone, over = [], 0, 0, 0
    for year in range(min([first, *starts]), present + 1):
        joined, over = joined + started[year], over + ends[year]
        counts.append(YearCount(year, joined - over, joined - gone - again[year]))
        gone += left[year]
    if counts:
        counts[-1] = replace(counts[-1], at_end=sum([span[16:] > here for span in begun]))
    return [one for one in counts if one.fiscal_year >= first]


def _apart(spans: list[str]) -> list[str]:
    """Those of one municipality that overlap become one. The rules refuse such a history; what stands there must still count once."""
    found = spans[:1]
    for span in spans[1:]:
        last = found[-1]
        if span[6:16] < last[16:] and span[:6] == last[:6]:
            found[-1] = last[:16] + max(last[16:], span[16:])
        else:
            found.append(span)
    return found


@lru_cache(maxsize=20_000)
def _year_of(day: str) -> int:
    """The fiscal year of a day in ISO 8601."""
    return int(day[:4]) - (day[5:7] < "04")


@lru_cache(maxsize=20_000)
def _last_year_of(day: str) -> int:
    """The fiscal year of the day before."""
    return _year_of(day) - day.endswith("-04-01")


@dataclass(frozen=True)
class RealUse:
    """Applications of one service in one fiscal year: tenant → channel → number."""

    service: str
    fiscal_year: int
    by_tenant: dict[str, dict[usage_rules.Channel, int]]

    @property
    def with_real_use(self) -> set[str]:
        """Tenants with at least one online application in the year."""
        return {tenant for tenant, counts in self.by_tenant.items() if counts["online"]}

    @property
    def online(self) -> int:
        return sum(counts["online"] for counts in self.by_tenant.values())

    @property
    def paper(self) -> int:
        return sum(counts["paper"] for counts in self.by_tenant.values())


def real_use(session: Session, service: str, fiscal_year: int, today: date) -> RealUse:
    """Of the municipalities of the year's end, of a running year those of `today`: what was filed with one that a merger had ended by then
    is counted with what it went into. The prefecture is none."""
    day = counting_day(fiscal_year, today)
    states = registry_db.states(session)
    filed = usage_rules.totals(usage_db.usage(session), service, fiscal_year)
    online = gone_in(states, {tenant: counts["online"] for tenant, counts in filed.items()}, day)
    paper = gone_in(states, {tenant: counts["paper"] for tenant, counts in filed.items()}, day)
    counted = online.keys() & counted_on(states, day).keys()
    return RealUse(
        service,
        fiscal_year,
        {tenant: {"online": online[tenant], "paper": paper[tenant]} for tenant in sorted(counted)},
    )
