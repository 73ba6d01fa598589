"""Indicators computed by hand, base rates beside them, and a page that only the watchers see."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from services.ebid.db import RoundRow, TenderRow
from services.ebid.domain import flags
from services.ebid.domain.flags import Result, Round, base_rates, firms, rotation, screen
from services.ebid.tests.people import Town, hidden, visible
from services.ebid.use_cases import watching

pytestmark = pytest.mark.any_store

NOON, WATCHER = datetime(2026, 11, 27, 3, tzinfo=UTC), frozenset({"ebid.watcher"})


def result(*amounts: int, out: int = 0, again: tuple[int, ...] = (), **more: object) -> Result:
    """Bidders a, b, c … in this order; the lowest wins."""
    rounds = [
        Round(dict(zip("abcdefgh", each, strict=False)), frozenset(f"out{n}" for n in range(out)))
        for each in (amounts, again)
        if each
    ]
    last = rounds[-1].valid
    winner = min(last, key=lambda bidder: last[bidder])
    facts = {"tender": "t", "winner": winner, "amount": last[winner], "reserve": 1000, "limit": None, "open_for": timedelta(days=10),
             "limit_known": False} | more  # fmt: skip
    return Result(rounds=tuple(rounds), **facts)  # type: ignore[arg-type]


def test_the_figures_are_those_of_the_papers():
    three = result(900, 950, 1000)
    assert flags.variation(three) == pytest.approx(50 / 950)
    assert flags.spread(three) == pytest.approx(100 / 900)
    assert flags.first_gap(three) == pytest.approx(50 / 900)
    assert flags.relative_distance(three) == pytest.approx(50 / 25)
    assert flags.award_rate(three) == pytest.approx(0.9)
    assert math.isclose(flags.disqualified(result(900, out=3)) or 0, 0.75)


def test_few_bids_have_no_pattern():
    assert flags.variation(result(900, 950)) is None and flags.relative_distance(result(900, 950, 950)) is None
    assert screen(result(900, 950, 1000, reserve=1050)).keys() == {"distance"}


@pytest.mark.parametrize(
    ("odd", "key"),
    [(result(900), "single"), (result(800, 900, 950, limit=800), "limit"), (result(985, 990, 1200), "rate"),
     (result(900, 901, 902), "variation"), (result(900, 901, 902), "spread"), (result(700, 900, 950), "gap"),
     (result(700, 950, 951), "distance"), (result(1100, 1200, again=(900, 950)), "persistence"), (result(900, 950, out=2), "disqualified"),
     (result(900, 900, 990), "ties"), (result(900, 950, open_for=timedelta(days=3)), "period")],
)  # fmt: skip
def test_each_indicator_points_at_what_it_is_for(odd: Result, key: str):
    assert key in screen(odd)


def test_ties_at_the_limit_and_known_limits_are_usual_in_japan():
    assert "ties" not in screen(result(800, 800, 900, limit=800))
    assert "limit" not in screen(result(800, 900, 950, limit=800, limit_known=True))
    assert "persistence" not in screen(result(1100, 1200, again=(950, 900)))


def test_a_hit_on_a_sealed_minimum_beside_an_announced_reserve_is_seen(town: Town):
    """愛知・丹波: the reserve was told, the minimum was not, and the winner bid it to the yen."""
    tender = sealed_beside_announced(town)
    town.company(1).bid(tender, 8_345_671)
    town.company(2).bid(tender, 9_000_000)
    town.close()
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    assert town.conclude(tender).status_code == 200
    watcher = town.staff("watcher", "監視 委員", WATCHER)
    assert "市道中央線" in watcher.get("desk/watching?only=limit").text
    assert "1件のうち1件" in visible(watcher.get("desk/watching").text)


def sealed_beside_announced(town: Town) -> str:
    town.register_trustees()
    tender = town.draft(disclosure="before", reserve_with_tax="11000000", limits="sealed")
    assert town.seal_limits(tender, 11_000_000, minimum=8_345_671).status_code == 200
    town.officer.post(f"desk/tenders/{tender}/submit", {"version": town.version(tender)})
    version = hidden(town.manager.get(f"desk/approvals/{tender}").text, "version")
    assert town.manager.post(f"desk/approvals/{tender}/publish", {"version": version}).status_code == 200
    return tender


@pytest.mark.parametrize(
    ("announced", "kind", "known"),
    [({}, "sealed", False), ({"reserve": 1000}, "sealed", False), ({"reserve": 1000}, "random_factor", False),
     ({"reserve": 1000}, "mean_of_lowest", True), ({}, "mean_of_lowest", False), ({"reserve": 1000, "minimum": 800}, "sealed", True)],
)  # fmt: skip
def test_a_limit_is_known_beforehand_only_where_it_was_told_or_follows_from_what_was(
    announced: dict[str, int], kind: str, known: bool
):
    terms = {"limits": {"kind": kind}} | ({"announced_limits": announced} if announced else {})
    assert watching._limit_known(terms) is known


def test_base_rates_say_how_many_of_how_many():
    rates = base_rates([result(900), result(900, 950), result(900, 950, 1000)])
    assert rates["single"] == (1, 3) and rates["variation"] == (0, 1)


def test_one_bid_of_the_only_company_asked_and_few_days_for_a_quotation_are_no_flag_and_no_base():
    usual = result(900, open_for=timedelta(days=2), competitive=False, one_asked=True)
    counter = result(900, open_for=timedelta(days=2), competitive=False)
    assert not {"single", "period"} & screen(usual).keys()
    assert "single" in screen(counter) and "period" not in screen(counter)
    rates = base_rates([usual, counter, result(900, 950)])
    assert (rates["single"], rates["period"]) == ((1, 2), (0, 1))


@pytest.mark.parametrize(
    ("method", "said"), [("direct", (False, True)), ("quotation", (False, False)), ("open", (True, False))]
)
def test_what_a_method_is_follows_from_the_table(method: str, said: tuple[bool, bool]):
    row = TenderRow(id="t", method=method, terms={"limits": {"kind": "none"}}, outcome={}, published_at=NOON)
    found = watching.result(row, [RoundRow(tender_id="t", number=1, bid_until=NOON + timedelta(days=2))])
    assert (found.competitive, found.one_asked) == said


def test_a_bidders_awards_stand_beside_what_lots_would_have_given():
    found = {firm.bidder: firm for firm in firms([result(800, 900, limit=800), result(800, 900), result(950, 900)])}
    assert (found["a"].bids, found["a"].awards, found["a"].expected, found["a"].exact) == (3, 2, 1.5, 1)


def test_rotation_is_the_share_of_awards_that_pass_on():
    turns = [
        result(900, 950, 960),
        result(950, 900, 960),
        result(950, 960, 900),
        result(900, 950, 960),
        result(950, 900, 960),
    ]
    assert rotation(turns) == 1.0
    assert rotation([result(900, 950, 960)] * 5) == 0.0
    assert rotation(turns[:3]) is None


def test_the_page_shows_published_results_to_the_watchers_only(town: Town):
    tender = town.publish()
    town.company(1).bid(tender, 8_000_000)
    watcher = town.staff("watcher", "監視 委員", WATCHER)
    assert "市道中央線" not in watcher.get("desk/watching").text, "nothing before the conclusion"
    town.close()
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    town.conclude(tender)
    page = visible(watcher.get("desk/watching").text)
    assert (
        "一者応札（1者だけの入札）（1）" in page
        and "最低制限価格とほぼ同じ落札（0）" in page
        and "1件のうち1件" in page
    )
    assert (
        "市道中央線" in watcher.get("desk/watching?only=limit").text
        and "市道中央線" not in watcher.get("desk/watching?only=gap").text
    )
    assert "市道中央線舗装工事" in watcher.get("desk/watching.csv").text
    assert town.officer.get("desk/watching").status_code == 403
    assert watcher.get("desk/").url.path.endswith("/watching")
