"""割り勘: the shares always sum to the total, whatever the rule; and the rule in numbers worked out by hand."""

from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from libs.common.errors import Invalid
from services.tenants.domain.effect import Assumptions, check, estimate
from services.tenants.domain.sharing import (
    Party,
    Rule,
    Share,
    apportion,
    joined_needed,
    months_in,
    more_needed,
    most_joining,
    per_use,
    shares,
    unknown_populations,
    uses_needed,
)
from services.tenants.domain.sharing import check as check_rule

yen = st.integers(0, 10**10)
parties = st.builds(
    Party,
    tenant=st.integers(100_000, 999_999).map(str),
    months=st.integers(1, 12),
    population=st.integers(0, 4_000_000),
    use=st.integers(0, 100_000),
)
many = st.lists(parties, min_size=1, max_size=40, unique_by=lambda party: party.tenant)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    total = draw(st.integers(1, 10**10))
    equal = draw(st.integers(0, 100))
    population = draw(st.integers(0, 100 - equal))
    parts = (equal, population, 100 - equal - population)
    return Rule("eapply", 2026, total, *parts, draw(st.integers(0, total)), draw(st.integers(0, 10**7)))


@settings(max_examples=300, deadline=None)
@given(rules(), many)
def test_the_shares_sum_to_the_total_whatever_the_rule(rule: Rule, those: list[Party]) -> None:
    try:
        found = shares(rule, those)
    except Invalid as refused:
        assert refused.code == "minimum-too-high"
        assert sum(rule.minimum * party.months // 12 for party in those) > rule.shared
        return
    assert sum(share.amount for share in found) == rule.total - rule.subsidy
    assert {share.tenant for share in found} == {party.tenant for party in those}
    minimum = {party.tenant: rule.minimum * party.months // 12 for party in those}
    assert all(share.amount >= minimum[share.tenant] for share in found), (
        "nobody pays less than the minimum, or than nothing"
    )
    assert sum(share.adjustment for share in found) == 0


odd_numbers = st.sampled_from((0, 1, 2, 3, 11, 99, 100, 101, 10**6, 10**12)) | st.integers(0, 10**12)
odd_parties = st.lists(
    st.builds(
        Party,
        tenant=st.integers(100_000, 999_999).map(str),
        months=st.integers(1, 12),
        population=st.none() | st.sampled_from((0, 1, 40_000_000)) | st.integers(0, 40_000_000),
        use=st.sampled_from((0, 0, 1, 10**9)),
    ),
    max_size=80,
    unique_by=lambda party: party.tenant,
)
cuts = st.sampled_from(((100, 0, 0), (0, 100, 0), (0, 0, 100), (1, 1, 98), (0, 50, 50), (33, 33, 34)))


@settings(max_examples=400, deadline=None)
@given(st.integers(1, 10**12), odd_numbers, odd_numbers, cuts, odd_parties)
def test_odd_rules_and_odd_towns_give_shares_that_sum_or_a_sentence(
    total: int, subsidy: int, minimum: int, cut: tuple[int, int, int], those: list[Party]
) -> None:
    """Nobody lives there, nobody is counted, one alone, the prefecture pays all: whole yen that sum, none below zero; or Invalid."""
    rule = Rule("eapply", 2026, total, *cut, min(subsidy, total), minimum)
    assert check_rule(rule) == rule
    try:
        found = shares(rule, those)
    except Invalid as refused:
        assert refused.code in {"nobody-shares", "population-unknown", "minimum-too-high"}
        assert (refused.code == "population-unknown") <= bool(unknown_populations(rule, those))
        return
    assert sum(share.amount for share in found) == (rule.shared if those else 0)
    assert all(min(s.equal, s.by_population, s.by_use, s.amount) >= 0 for s in found)


@settings(max_examples=50, deadline=None)
@given(rules(), many, many, st.integers(0, 10**9))
def test_asking_how_many_must_join_never_stops_at_the_minimum(
    rule: Rule, those: list[Party], further: list[Party], own: int
) -> None:
    """A rule whose minimum has room for those of today but not for everybody: the answer is a number, or that there is none."""
    further = [party for party in further if party.tenant not in {one.tenant for one in those}]
    assume(sum(rule.minimum * party.months // 12 for party in those) <= rule.shared)
    room = most_joining(rule, those, further)
    shares(rule, [*those, *further[:room]])
    if room < len(further):
        with pytest.raises(Invalid):
            shares(rule, [*those, *further[: room + 1]])
    tenant = those[0].tenant
    for needed in (
        joined_needed(rule, those, further, tenant, own),
        more_needed(rule, those, further, {tenant: own}),
    ):
        assert needed is None or needed <= room


@settings(max_examples=100, deadline=None)
@given(rules(), many, st.randoms())
def test_the_order_in_which_they_are_named_changes_nothing(rule: Rule, those: list[Party], chance: object) -> None:
    rule = Rule(rule.service, rule.fiscal_year, rule.total, rule.equal, rule.population, rule.use, rule.subsidy)
    mixed = list(those)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert shares(rule, those) == shares(rule, mixed)


@settings(max_examples=100, deadline=None)
@given(yen, st.lists(st.integers(0, 10**6), min_size=1, max_size=60))
def test_no_part_is_a_yen_or_more_away_from_its_exact_value(total: int, weights: list[int]) -> None:
    assume(sum(weights))
    found = apportion(total, weights)
    assert sum(found) == total
    assert all(abs(part - Fraction(total * w, sum(weights))) < 1 for part, w in zip(found, weights, strict=True))


@settings(max_examples=100, deadline=None)
@given(rules(), many, parties)
def test_one_more_that_joins_lessens_what_the_others_pay(rule: Rule, those: list[Party], newcomer: Party) -> None:
    """But for the yen of rounding: one for each of the three parts and those of cutting the total into them."""
    assume(newcomer.tenant not in {party.tenant for party in those})
    rule = Rule(rule.service, rule.fiscal_year, rule.total, 50, 50, 0, rule.subsidy)
    assume(all(party.population for party in [*those, newcomer]))
    before = {share.tenant: share.amount for share in shares(rule, those)}
    after = {share.tenant: share.amount for share in shares(rule, [*those, newcomer])}
    assert all(after[tenant] <= before[tenant] + 4 for tenant in before)


def test_the_rule_worked_out_by_hand() -> None:
    """10,000,000 yen, 1,000,000 by the prefecture; half alike, half by population; B from October."""
    rule = Rule("eapply", 2026, 10_000_000, 50, 50, 0, subsidy=1_000_000)
    found = shares(rule, [Party("400002", 6, 10_000), Party("400001", 12, 40_000)])
    # alike: 4,500,000 by 12 : 6; by population: 4,500,000 by 12×40,000 : 6×10,000 = 8 : 1
    assert found == [
        Share("400001", 12, 3_000_000, 4_000_000, 0, 0),
        Share("400002", 6, 1_500_000, 500_000, 0, 0),
    ]


def test_whoever_is_below_the_minimum_pays_it_and_the_others_pay_that_much_less() -> None:
    rule = Rule("eapply", 2026, 1_000, 0, 100, 0, minimum=100)
    found = shares(rule, [Party("1", 12, 10), Party("2", 12, 490), Party("3", 12, 500)])
    # exact 10, 490, 500; the first lacks 90, taken from 390 : 400 above the minimum → 44.4 : 45.6
    assert [share.amount for share in found] == [100, 446, 454]


def test_the_yen_left_over_goes_to_the_largest_remainder_and_then_to_the_smaller_code() -> None:
    rule = Rule("eapply", 2026, 100, 100, 0, 0)
    assert [s.amount for s in shares(rule, [Party(str(n), 12, None) for n in (3, 1, 2)])] == [34, 33, 33]


def test_without_any_use_its_part_is_shared_alike() -> None:
    rule = Rule("eapply", 2026, 1_000, 40, 0, 60)
    assert [s.amount for s in shares(rule, [Party("1", 12, None), Party("2", 12, None)])] == [500, 500]


def test_a_population_nobody_has_imported_is_said_and_not_guessed() -> None:
    rule = Rule("eapply", 2026, 1_000, 50, 50, 0)
    those = [Party("1", 12, 100), Party("2", 12, None)]
    assert unknown_populations(rule, those) == ["2"]
    with pytest.raises(Invalid) as refused:
        shares(rule, those)
    assert refused.value.code == "population-unknown"
    assert shares(Rule("eapply", 2026, 1_000, 100, 0, 0), those), "a rule that needs none goes without"


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (Rule("eapply", 2026, 0, 100, 0, 0), "total"),
        (Rule("eapply", 2026, 10, 100, 0, 0, subsidy=11), "subsidy"),
        (Rule("eapply", 2026, 10, 50, 49, 0), "equal"),
        (Rule("eapply", 2026, 10, 150, -50, 0), "equal"),
        (Rule("eapply", 2026, 10, 100, 0, 0, minimum=-1), "minimum"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused_beside_its_field(rule: Rule, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_rule(rule)
    assert field in refused.value.fields


def test_how_many_must_join_until_it_is_cheaper_than_alone() -> None:
    rule = Rule("eapply", 2026, 1_200, 100, 0, 0)
    me = [Party("1", 12, None)]
    others = [Party(str(n), 12, None) for n in range(2, 10)]
    assert joined_needed(rule, me, others, "1", own=1_200) == 0
    assert joined_needed(rule, me, others, "1", own=300) == 3
    assert joined_needed(rule, me, others, "1", own=299) == 4
    assert joined_needed(rule, me, others, "1", own=100) is None


def test_cost_per_use_and_uses_that_pay_off() -> None:
    assert per_use(1_000, 3) == 333 and per_use(1_001, 2) == 501 and per_use(1_000, 0) is None
    assert uses_needed(1_000, 300) == 4 and uses_needed(900, 300) == 3 and uses_needed(1_000, 0) is None


def test_months_are_counted_once_and_only_inside_the_year() -> None:
    april = 2026 * 12 + 3
    assert months_in(2026, [(april - 5, april + 2), (april + 2, april + 3)]) == 4
    assert months_in(2026, [(april + 6, april + 40)]) == 6
    assert months_in(2026, [(april - 9, april - 1)]) == 0


def test_the_effect_is_what_the_stated_assumptions_say() -> None:
    given_ = Assumptions(
        1_243, paper_minutes=15, online_minutes=5, hourly_yen=2_400, postage_yen=110, travel_minutes=40
    )
    effect = estimate(given_)
    assert effect.staff_hours == Fraction(12_430, 60) and effect.staff_yen == 497_200
    assert effect.postage_yen == 136_730 and effect.municipality_yen == 633_930
    assert effect.citizen_hours == Fraction(49_720, 60) and effect.per_use_yen == 510
    assert estimate(Assumptions(10, 5, 15, 600)).staff_yen == -1_000, "what costs more time is shown as that"
    with pytest.raises(Invalid):
        check(Assumptions(-1))
