"""電子くじ: every published worked example comes out as published."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from libs.common.clock import JST
from libs.common.errors import Invalid
from services.ebid.domain import lottery
from services.ebid.domain.lottery import Ticket, draw, profile_of


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=JST)  # type: ignore[misc, arg-type]


def tickets(*given: tuple[str, int, datetime, int]) -> list[Ticket]:
    return [
        Ticket(bidder, number, when, sequence, assigned)
        for sequence, (bidder, number, when, assigned) in enumerate(given)
    ]


CORE = tickets(("A", 418, at(2005, 3, 1, 11, 30, 10), 0), ("B", 210, at(2005, 3, 5, 14, 20, 40), 0),
               ("C", 861, at(2005, 3, 14, 16, 48), 0))  # fmt: skip
TOKUSHIMA = tickets(
    ("A", 343, at(2004, 11, 1, 12, 0, 12, 123000), 0), ("C", 887, at(2004, 11, 2, 9, 5, 55, 550000), 0),
    ("E", 909, at(2004, 11, 4, 16, 9, 33, 332000), 0), ("F", 776, at(2004, 11, 5, 15, 10, 0, 5000), 0),
)  # fmt: skip
ASHIYA = tickets(
    ("A", 343, at(2004, 11, 1, 12, 0, 12), 412), ("C", 887, at(2004, 11, 2, 9, 5, 55), 355),
    ("E", 909, at(2004, 11, 4, 16, 9, 33), 573), ("F", 776, at(2004, 11, 5, 15, 10, 0), 400),
)  # fmt: skip
KAGAWA = tickets(("A", 123, at(2005, 6, 26, 12), 254), ("B", 456, at(2005, 6, 26, 14, 30), 593),
                 ("C", 789, at(2005, 6, 27, 9, 35), 618))  # fmt: skip
OSAKA_1 = tickets(
    ("A", 369, at(2010, 6, 27, 10), 275), ("B", 258, at(2010, 6, 27, 12), 302), ("C", 198, at(2010, 6, 27, 14), 321),
    ("D", 999, at(2010, 6, 28, 10), 417), ("E", 373, at(2010, 6, 28, 11), 453), ("F", 111, at(2010, 6, 28, 13), 480),
)  # fmt: skip
OSAKA_2 = tickets(*(
    (name, number, at(2010, 6, 27, 10) + timedelta(minutes=place), assigned)
    for place, (name, number, assigned) in enumerate(zip(
        "ABCDEFGHIJKLMNO",
        (407, 212, 558, 925, 373, 123, 316, 156, 777, 246, 535, 222, 469, 319, 826),
        (275, 302, 321, 360, 370, 382, 399, 405, 420, 444, 460, 471, 482, 496, 488), strict=True))
))  # fmt: skip
YAMAGUCHI = tickets(("甲", 42, at(2008, 4, 1, 13, 12, 9), 0), ("乙", 102, at(2008, 4, 1, 15, 12, 20), 0),
                    ("丙", 248, at(2008, 4, 2, 10, 18, 39), 0))  # fmt: skip

VECTORS: list[tuple[str, str, list[Ticket], list[int], int, list[str]]] = [
    # source, profile, tickets, published c of each, published Σ, first ranks as published
    ("電子くじの仕組みについて, expydoc 8003084", "core", CORE, [628, 250, 341], 1219, ["B"]),
    ("徳島県 kuji (published up to the numbers; the winner by its rule)", "tokushima", TOKUSHIMA, [466, 437, 241, 781], 1925, ["C"]),
    ("兵庫県・芦屋市", "assigned", ASHIYA, [755, 242, 482, 176], 1655, ["F"]),
    ("香川県", "assigned", KAGAWA, [377, 49, 407], 833, ["C"]),
    ("大阪府 例1, paperzz 6162685", "osaka", OSAKA_1, [644, 560, 519, 416, 826, 591], 3556, ["E", "F"]),
    ("大阪府 例2", "osaka", OSAKA_2,
     [682, 514, 879, 285, 743, 505, 715, 561, 197, 690, 995, 693, 951, 815, 314], 9539, ["O", "A"]),
    ("山口県 電子くじのしくみ, 23356", "yamaguchi", YAMAGUCHI, [42, 102, 248], 392, ["丙"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "profile", "given", "values", "total", "first"), VECTORS, ids=[v[0] for v in VECTORS]
)
def test_a_published_example_comes_out_as_published(
    source: str, profile: str, given: list[Ticket], values: list[int], total: int, first: list[str]
) -> None:
    order, steps = draw(profile_of(profile), list(reversed(given)))  # the order of the list does not matter
    assert list(steps[0].values) == values
    assert steps[0].total == total and steps[0].remainder == total % len(given)
    assert order[: len(first)] == first
    assert sorted(order) == sorted(ticket.bidder for ticket in given)


def test_epoch_seconds_are_those_of_the_core_text() -> None:
    assert [int(ticket.arrived_at.timestamp()) for ticket in CORE] == [1109644210, 1110000040, 1110786480]


def test_kochi_takes_the_last_three_digits_of_the_sum_first() -> None:
    core, kochi = draw(profile_of("tokushima"), TOKUSHIMA)[1][0], draw(profile_of("kochi"), TOKUSHIMA)[1][0]
    assert (core.total, kochi.total) == (1925, 925)


def test_redraw_leaves_the_winner_out_and_numbers_the_others_anew() -> None:
    order, steps = draw(profile_of("core"), CORE)
    assert order[0] == "B" and steps[1].among == ("A", "C") and steps[1].total == 628 + 341
    assert order[1] == ("A", "C")[(628 + 341) % 2]


def test_hiroshima_orders_equal_seconds_by_company_number() -> None:
    same = at(2026, 4, 1, 9, 0, 0)
    late, early = Ticket("2", 1, same, 0), Ticket("1", 1, same + timedelta(milliseconds=700), 1)
    assert draw(profile_of("hiroshima"), [late, early])[1][0].among == ("1", "2")
    assert draw(profile_of("core"), [late, early])[1][0].among == ("2", "1")


def test_the_worked_example_of_wakayama() -> None:
    """和歌山県「電子くじについて」 (prefg/081100/ebid/menu/kuji): E, B, A, C, D; the entered numbers do not count."""
    arrivals = {"A": (10, 15, 25), "B": (13, 13, 20), "C": (12, 9, 15), "D": (11, 16, 10), "E": (10, 11, 5)}
    given = tickets(*((name, 999, at(2006, 10, *moment), 0) for name, moment in arrivals.items()))
    with pytest.raises(Invalid):
        draw(profile_of("wakayama"), given)
    order, steps = draw(profile_of("wakayama"), given, opened_at=at(2006, 10, 14, 10, 0, 30, 524_000))
    assert order == list("EBACD")
    assert (steps[0].total, steps[0].remainder) == (629, 4) and sorted(steps[0].values) == [17, 19, 19, 23, 27]


def test_an_unannounced_profile_is_refused() -> None:
    with pytest.raises(Invalid):
        profile_of("house-rules")


# ---- the verifiable lottery


def sealed_tickets(count: int, blind: int = 0) -> list[Ticket]:
    moment = at(2026, 4, 1)
    return [Ticket(f"b{n}", n, moment, n, blind=bytes([blind, n]) * 16) for n in range(count)]


def the_seed(**changed: Any) -> bytes:
    given: dict[str, Any] = {"tender": "t", "round_": 1, "root": b"r" * 32, "opened": sealed_tickets(4), "beacon": b"x"}
    return lottery.seed(**{**given, **changed})


def test_the_verifiable_order_is_fixed_for_ever() -> None:
    assert the_seed().hex() == VERIFIABLE_SEED
    assert lottery.draw_verifiably(the_seed(), sealed_tickets(4), "9000000") == VERIFIABLE_ORDER


VERIFIABLE_SEED = "51b10309cac803a512cbb3b95d2ba4bdd0f600ae4c2236e6423b97f796a78cb5"
VERIFIABLE_ORDER = ["b2", "b0", "b3", "b1"]


@pytest.mark.parametrize(
    "changed",
    [{"tender": "u"}, {"round_": 2}, {"root": b"s" * 32}, {"opened": sealed_tickets(3)}, {"opened": sealed_tickets(4, 1)},
     {"beacon": b"y"}],
)  # fmt: skip
def test_everything_fixed_before_goes_into_the_seed(changed: dict[str, Any]) -> None:
    assert the_seed(**changed) != the_seed()


def test_every_tied_bidder_wins_equally_often() -> None:
    """3000 draws among three: each wins within five standard deviations (129) of 1000."""
    wins = dict.fromkeys(("b0", "b1", "b2"), 0)
    for number in range(3000):
        wins[lottery.draw_verifiably(number.to_bytes(32, "big"), sealed_tickets(3), "x")[0]] += 1
    assert all(abs(count - 1000) < 130 for count in wins.values()), wins
