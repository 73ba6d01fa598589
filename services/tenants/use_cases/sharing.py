"""Cost sharing: who takes part in how many months, by what measure, and what each pays; and what it would be if more joined."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import Invalid, Refusal, say
from services.tenants.db import sharing as db
from services.tenants.db import tenders as tenders_db
from services.tenants.db import usage as usage_db
from services.tenants.domain import catalogue, mergers, sharing, texts
from services.tenants.domain import usage as usage_rules
from services.tenants.domain.history import believed
from services.tenants.domain.municipality import Municipality, counted_on
from services.tenants.domain.sharing import Party, Rule, Share
from services.tenants.domain.size import size_of
from services.tenants.domain.subscriptions import Interval, fiscal_year_span, joined_intervals
from services.tenants.use_cases import capacity, stock
from services.tenants.use_cases.count import Register


@dataclass(frozen=True)
class Basis:
    """What the shares of one service and year are made from. `towns`: every municipality that exists at the year's end or took
    part in it; `months`, `populations` and `uses` by tenant."""

    service: str
    fiscal_year: int
    towns: dict[str, Municipality]
    months: dict[str, int]
    populations: dict[str, int]
    population_day: date | None
    uses: dict[str, int]

    def party(self, tenant: str, months: int) -> Party:
        return Party(tenant, months, self.populations.get(tenant), self.uses.get(tenant, 0))

    def parties(self, joining: Mapping[str, int] | None = None) -> list[Party]:
        """Those that take part; and `joining` (tenant → months) who do not yet."""
        everybody = {**(joining or {}), **self.months}
        return [self.party(tenant, months) for tenant, months in everybody.items()]

    def not_yet(self) -> list[str]:
        """Tenants that do not take part, by code."""
        return sorted(tenant for tenant in self.towns if tenant not in self.months)


@dataclass(frozen=True)
class Shared:
    """A rule followed: shares by tenant, or the sentence that says why it could not be."""

    rule: Rule
    basis: Basis
    shares: dict[str, Share]
    problem: Refusal | None = None

    @property
    def uses(self) -> int:
        return sum(self.basis.uses.values())

    @property
    def per_use(self) -> int | None:
        return sharing.per_use(self.rule.total, self.uses)


def basis(session: Session, register: Register, service: str, fiscal_year: int) -> Basis:
    """Populations of 1 April of the year, or of the latest day before it; use of the year before. Whoever a merger made since then
    has the people of its parts, and the uses of those that were in it before the year began."""
    first, last = fiscal_year_span(fiscal_year)
    months = months_joined(register, service, fiscal_year)
    known = db.populations(session, first)
    towns = _gone(register, months) | counted_on(register.states, last)
    people = {tenant: row.population for tenant, row in known.items()}
    uses = uses_of(session, service, fiscal_year - 1)
    return Basis(
        service,
        fiscal_year,
        towns,
        months,
        mergers.people(register.states, people, towns),
        max((row.as_of for row in known.values()), default=None),
        mergers.gone_in(register.states, uses, first) if service in _FLOWS else uses,
    )


_FLOWS = ("eapply", "ebid", capacity.SERVICE)
"""Services whose uses are counted through the year. Of the others what is there at its end counts, and by then the merged
municipality keeps it."""


def _gone(register: Register, months: Iterable[str]) -> dict[str, Municipality]:
    """Municipalities that took part and ended inside the year: as they last were."""
    lives = {s.tenant_id: s for s in sorted(believed(register.states), key=lambda s: s.valid_from or date.min)}
    return {tenant: lives[tenant] for tenant in months if tenant in lives}


def months_joined(register: Register, service: str, fiscal_year: int) -> dict[str, int]:
    """Tenant → months of the year on at least one day of which it had joined and existed."""
    spans: dict[str, list[tuple[int, int]]] = {}
    lives: dict[str, list[Municipality]] = {}
    for state in believed(register.states):
        if state.counted:
            lives.setdefault(state.tenant_id, []).append(state)
    for interval in joined_intervals(register.intervals, service):
        for state in lives.get(interval.tenant_id, ()):
            if span := _months(interval, state):
                spans.setdefault(interval.tenant_id, []).append(span)
    found = {tenant: sharing.months_in(fiscal_year, own) for tenant, own in spans.items()}
    return {tenant: months for tenant, months in found.items() if months}


def _months(interval: Interval, state: Municipality) -> tuple[int, int] | None:
    """First and last month both hold in, as year * 12 + month - 1."""
    start = max(interval.valid_from, state.valid_from or date.min)
    end = min(interval.valid_until or date.max, state.valid_until or date.max)
    if end <= start:
        return None
    last = date.fromordinal(end.toordinal() - 1)
    return start.year * 12 + start.month - 1, last.year * 12 + last.month - 1


def uses_of(session: Session, service: str, fiscal_year: int) -> dict[str, int]:
    """Tenant → online applications, published tenders or nodes × days of the year; GB kept or data sets published at its end. The
    service that runs elsewhere reports nothing."""
    if service == "eapply":
        totals = usage_rules.totals(usage_db.usage(session), service, fiscal_year)
        return {tenant: counts["online"] for tenant, counts in totals.items() if counts["online"]}
    if service == "ebid":
        found: dict[str, int] = {}
        for tender in tenders_db.of_year(session, fiscal_year):
            found[tender.tenant] = found.get(tender.tenant, 0) + int(tender.published_at is not None)
        return found
    if service == "backup":
        return stock.gigabytes(session, fiscal_year)
    if service == capacity.SERVICE:
        return capacity.node_days(session, fiscal_year)
    if service == "opendata":
        return stock.datasets(session, fiscal_year)
    return {}


def follow(rule: Rule, found: Basis, joining: Mapping[str, int] | None = None) -> Shared:
    """The shares under `rule`, also if `joining` joined. What cannot be calculated is said in `problem`."""
    try:
        shares = sharing.shares(rule, found.parties(joining))
    except Invalid as problem:
        return Shared(rule, found, {}, problem)
    return Shared(rule, found, {share.tenant: share for share in shares})


ORDERS: dict[str, str] = {
    "code": say("団体コードの順"),
    "near": say("参加している市町村に近い順"),
    "small": say("人口の少ない順"),
    "large": say("人口の多い順"),
}
"""In which order municipalities that do not take part yet are thought to join."""


def next_to_join(found: Basis, named: Iterable[str], size: str, order: str, more: int) -> list[str]:
    """Tenants: those `named` first, then `more` of the others, of one class of size ("" any), in `order`."""
    waiting = found.not_yet()
    first = [tenant for tenant in waiting if tenant in set(named)]
    others = [t for t in waiting if t not in first and size in ("", str(size_of(found.populations.get(t)).least))]
    if order == "near":
        others.sort(key=lambda tenant: _distance(found, tenant))
    elif order in ("small", "large"):
        sign = 1 if order == "small" else -1
        others.sort(key=lambda t: (t not in found.populations, sign * found.populations.get(t, 0)))
    return first + others[:more]


def _distance(found: Basis, tenant: str) -> float:
    """Kilometres to the nearest centre of a municipality that takes part, near enough for an order; far where a centre is not known."""
    here = found.towns[tenant]
    if here.longitude is None or here.latitude is None:
        return math.inf
    width = math.cos(math.radians(here.latitude))
    away = [
        math.hypot((here.longitude - other.longitude) * width, here.latitude - other.latitude) * 111.2
        for other in (found.towns[member] for member in found.months)
        if other.longitude is not None and other.latitude is not None
    ]
    return min(away, default=math.inf)


@dataclass(frozen=True, slots=True)
class Step:
    """With so many `members`: the lowest, middle and highest share in yen; `below`: how many pay less than alone (None: not asked)."""

    members: int
    lowest: int
    middle: int
    highest: int
    below: int | None


@dataclass(frozen=True, slots=True)
class BreakEven:
    """From how many members on all that take part now pay less than now, and each at most what it would pay alone. None: never, with
    those there are. `alone`: yen a year of one by itself. The further ones join in the order of the trial, for the whole year."""

    than_now: int | None
    than_alone: int | None
    alone: int | None
    steps: list[Step]


def break_even(rule: Rule, found: Basis, order: Sequence[str], alone: int | None) -> BreakEven | None:
    """`alone`: yen a year of one municipality by itself. None where the shares cannot be calculated or nobody takes part."""
    parties, further = found.parties(), [found.party(tenant, sharing.MONTHS) for tenant in order]
    if rule.population:
        further = [party for party in further if party.population is not None]
    further = further[: sharing.most_joining(rule, parties, further)]
    now = follow(rule, found)
    if now.problem is not None or not parties:
        return None
    members = len(parties)
    less = {tenant: share.amount - 1 for tenant, share in now.shares.items()}
    than_now = sharing.more_needed(rule, parties, further, less)
    than_alone = sharing.more_needed(rule, parties, further, dict.fromkeys(less, alone)) if alone is not None else None
    steps = []
    for number in sorted({n for n in (0, 1, 2, 5, 10, 20, 50, 100, 500, len(further)) if n <= len(further)}):
        paid = sorted(share.amount for share in sharing.shares(rule, [*parties, *further[:number]]))
        below = sum(amount < alone for amount in paid) if alone is not None else None
        steps.append(Step(members + number, paid[0], paid[len(paid) // 2], paid[-1], below))
    return BreakEven(
        than_now=None if than_now is None else members + than_now,
        than_alone=None if than_alone is None else members + than_alone,
        alone=alone,
        steps=steps,
    )


def of_year(session: Session, register: Register, service: str, fiscal_year: int) -> Shared | None:
    """What was decided for the year, followed; None if nothing was."""
    rule = db.rule_of(session, service, fiscal_year)
    return follow(rule, basis(session, register, service, fiscal_year)) if rule else None


def for_newcomer(
    session: Session, register: Register, service: str, tenant: str, start: date
) -> tuple[Shared | None, int]:
    """What `tenant` would pay if it joined on `start`: by the rule of that fiscal year, or the latest one decided before it.
    Also the months it would pay for. None where nothing was decided yet."""
    year = start.year if start.month >= 4 else start.year - 1
    months = 12 - (start.year * 12 + start.month - 1 - (year * 12 + 3))
    row = next((r for r in db.rule_rows(session, service) if r.fiscal_year <= year and r.superseded_at is None), None)
    if row is None:
        return None, months
    rule = replace(db.as_rule(row), fiscal_year=year)
    return follow(rule, basis(session, register, service, year), {tenant: months}), months


def set_rule(session: Session, actor: Actor, rule: Rule, note: str, now: datetime) -> None:
    """The council decides how a service's cost of one year is shared. The session is the prefecture's."""
    offered = catalogue.service(rule.service)
    sharing.check(rule)
    said = texts.kept(note, "note")
    if rule.fiscal_year < offered.since:
        sentence = say("「%(name)s」は%(since)s年度からです。", name=offered.name, since=offered.since)
        raise Invalid(sentence, fields={"year": sentence})
    if db.rule_of(session, rule.service, rule.fiscal_year) == rule:
        return
    db.add_rule(session, rule, said, actor.subject, now)
    detail = {"fiscal_year": rule.fiscal_year, "total": rule.total}
    audit.record(session, actor, "sharing.decided", rule.service, said or None, detail, now=now)
