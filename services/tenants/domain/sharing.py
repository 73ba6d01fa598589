"""割り勘: what each municipality pays of a shared service in one fiscal year. Whole yen, and they always sum to the total.

A year's cost, less what the prefecture pays, is cut into three parts: 均等割 (alike), 人口割 (by population) and 利用割 (by use).
Whoever joins inside the year counts by months (月割): a municipality from October has 6 of 12 parts. Yen that cannot be
divided go to the largest remainders (最大剰余法); among equal ones to the smaller code. Whoever would pay less than the
minimum pays the minimum, and the others pay that much less, each in proportion to what it pays above its own minimum.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from libs.common.errors import Invalid, say

MONTHS = 12
MOST = 10**12
"""Yen of one service in one year that are still taken for meant: a trillion."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One service in one fiscal year. `total`, `subsidy` (of it, paid by the prefecture) and `minimum` (of a whole year) in
    yen; `equal`, `population` and `use` in per cent, together 100."""

    service: str
    fiscal_year: int
    total: int
    equal: int
    population: int
    use: int
    subsidy: int = 0
    minimum: int = 0

    @property
    def shared(self) -> int:
        """Yen that the municipalities pay together."""
        return self.total - self.subsidy


@dataclass(frozen=True, slots=True)
class Party:
    """A municipality that takes part in `months` months of the year; `population` None: not known; `use`: as counted."""

    tenant: str
    months: int
    population: int | None
    use: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """Yen. `equal + by_population + by_use + adjustment == amount`; `adjustment` comes from the minimum."""

    tenant: str
    months: int
    equal: int
    by_population: int
    by_use: int
    adjustment: int

    @property
    def amount(self) -> int:
        return self.equal + self.by_population + self.by_use + self.adjustment


def check(rule: Rule) -> Rule:
    """The rule, if it can be followed. Raises Invalid with the sentence beside each field."""
    wrong: dict[str, str] = {}
    if not 0 < rule.total <= MOST:
        wrong["total"] = say("1年の費用を、1円から1兆円までの数字で入力してください。")
    if not 0 <= rule.subsidy <= rule.total:
        wrong["subsidy"] = say("県の負担は、0円から1年の費用までにしてください。")
    if not 0 <= rule.minimum <= MOST:
        wrong["minimum"] = say("最低額は、0円以上にしてください。")
    parts = (rule.equal, rule.population, rule.use)
    if min(parts) < 0 or sum(parts) != 100:
        wrong["equal"] = say(
            "均等割・人口割・利用割を合わせて、100％にしてください。いまは%(sum)s％です。", sum=sum(parts)
        )
    if wrong:
        raise Invalid(next(iter(wrong.values())), fields=wrong, code="bad-rule")
    return rule


def unknown_populations(rule: Rule, parties: Sequence[Party]) -> list[str]:
    """Tenants whose population the rule needs and nobody has imported."""
    return [party.tenant for party in parties if party.population is None] if rule.population else []


def shares(rule: Rule, parties: Sequence[Party]) -> list[Share]:
    """What each pays, by tenant. Their amounts sum to `rule.shared`. Raises Invalid where that cannot be."""
    ordered = sorted(parties, key=lambda party: party.tenant)
    _check_possible(rule, ordered)
    if not ordered:
        return []
    equal, population, use = _parts(rule, ordered)
    months = [party.months for party in ordered]
    columns = [
        apportion(equal, months),
        apportion(population, [p.months * (p.population or 0) for p in ordered]),
        apportion(use, [party.use for party in ordered]),
    ]
    before = [sum(cells) for cells in zip(*columns, strict=True)]
    raised = _adjustments(before, [rule.minimum * m // MONTHS for m in months])
    return [
        Share(party.tenant, party.months, equal, population, use, adjustment)
        for party, equal, population, use, adjustment in zip(ordered, *columns, raised, strict=True)
    ]


def _check_possible(rule: Rule, parties: Sequence[Party]) -> None:
    if not parties and rule.shared:
        raise Invalid(say("この年度に参加する市町村がないため、分けられません。"), code="nobody-shares")
    if unknown := unknown_populations(rule, parties):
        sentence = say("人口が取り込まれていない市町村があるため、人口割を計算できません。")
        raise Invalid(sentence, code="population-unknown", tenants=unknown)
    if _minimums(rule, parties) > rule.shared:
        sentence = say("最低額の合計が、分ける費用より大きくなります。最低額を下げてください。")
        raise Invalid(sentence, fields={"minimum": sentence}, code="minimum-too-high")


def _minimums(rule: Rule, parties: Sequence[Party]) -> int:
    """Yen that all of them pay at the least, each for its months."""
    return sum(rule.minimum * party.months // MONTHS for party in parties)


def _parts(rule: Rule, parties: Sequence[Party]) -> list[int]:
    """Yen of the three parts. A part that nobody has a measure for (no use at all) is shared alike."""
    weights = [rule.equal, rule.population, rule.use]
    measured = [1, sum(p.months * (p.population or 0) for p in parties), sum(p.use for p in parties)]
    for number in (1, 2):
        if not measured[number]:
            weights[0] += weights[number]
            weights[number] = 0
    return apportion(rule.shared, weights)


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """`total` cut in proportion to whole weights by the largest remainders; sums to `total`. All weights 0: only 0 can be cut."""
    whole = sum(weights)
    if not whole:
        if total:
            raise ValueError("nothing to share by")
        return [0] * len(weights)
    cut = [divmod(total * weight, whole) for weight in weights]
    found = [quotient for quotient, _ in cut]
    largest = sorted(range(len(cut)), key=lambda index: -cut[index][1])
    for index in largest[: total - sum(found)]:
        found[index] += 1
    return found


def _adjustments(before: Sequence[int], minimums: Sequence[int]) -> list[int]:
    """What is added to those below their minimum, and taken from the others; together 0."""
    missing = [max(0, minimum - amount) for amount, minimum in zip(before, minimums, strict=True)]
    above = [max(0, amount - minimum) for amount, minimum in zip(before, minimums, strict=True)]
    taken = apportion(sum(missing), above) if sum(missing) else [0] * len(before)
    return [more - less for more, less in zip(missing, taken, strict=True)]


# ---- questions about a rule -----------------------------------------------------------------------------------------


def most_joining(rule: Rule, parties: Sequence[Party], candidates: Sequence[Party]) -> int:
    """How many of `candidates`, in their order, can join until the minimums of all together are more than there is to share."""
    left = rule.shared - _minimums(rule, parties)
    for number, candidate in enumerate(candidates):
        left -= _minimums(rule, [candidate])
        if left < 0:
            return number
    return len(candidates)


def per_use(yen: int, uses: int) -> int | None:
    """Yen per application, bid, data set or GB, rounded half up; None where nothing was used."""
    return rounded(Fraction(yen, uses)) if uses > 0 else None


def rounded(value: Fraction) -> int:
    """To a whole, a half goes up."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def joined_needed(
    rule: Rule, parties: Sequence[Party], candidates: Sequence[Party], tenant: str, own: int
) -> int | None:
    """How many of `candidates`, in their order, must join too until `tenant` pays at most `own` yen. None: even all do not do,
    or as many as the minimum leaves room for.

    Each that joins only lessens what the others pay (but for single yen of rounding), so the number is found by halving.
    """

    def pays(number: int) -> int:
        return next(s.amount for s in shares(rule, [*parties, *candidates[:number]]) if s.tenant == tenant)

    most = most_joining(rule, parties, candidates)
    if pays(most) > own:
        return None
    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if pays(middle) <= own else (middle + 1, high)
    return low


def more_needed(
    rule: Rule, parties: Sequence[Party], candidates: Sequence[Party], most: Mapping[str, int]
) -> int | None:
    """How many of `candidates`, in their order, must join until each tenant in `most` pays at most so many yen. None: even all do not
    do. By halving, as in `joined_needed`."""

    def enough(number: int) -> bool:
        return all(s.amount <= most.get(s.tenant, s.amount) for s in shares(rule, [*parties, *candidates[:number]]))

    everybody = most_joining(rule, parties, candidates)
    if not enough(everybody):
        return None
    low, high = 0, everybody
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


def uses_needed(share: int, saved_per_use: int) -> int | None:
    """From how many uses a year on the saving covers the share; None where a use saves nothing."""
    return -(-share // saved_per_use) if saved_per_use > 0 else None


def months_in(fiscal_year: int, days: Sequence[tuple[int, int]]) -> int:
    """In how many months of the fiscal year something held on at least one day. `days`: (first, last month) as
    year * 12 + month - 1, both included."""
    start = fiscal_year * 12 + 3
    covered = {month for first, last in days for month in range(max(first, start), min(last, start + MONTHS - 1) + 1)}
    return len(covered)
