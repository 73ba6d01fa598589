"""Indicators for 入札監視委員会: what in published results is worth a look, why, and how usual it is. Never a verdict.

Sources: CV, spread, (b2−b1)/b1, RD: Huber & Imhof, IJIO 65 (2019) 277–301; trained limits of other countries do not transfer (Huber, Imhof,
Ishii 2020), so the lines here only sort and the base rate stands beside each. Rebid persistence: Kawai & Nakabayashi, JPE 130(5) 2022.
Exact hits on the limit: the leaks of 愛媛・あいち, 丹波, 新潟. Single bids, short periods, disqualifications: Cardinal R018, R003, R035.
Equal prices are normal in Japan where the limit is announced, so only ties away from the limit are told (R028 adapted).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from statistics import fmean, pstdev, stdev

from libs.common.errors import say

LEAST_BIDDERS_FOR_PATTERNS = 3
"""Fewer valid bids than this have no pattern."""


@dataclass(frozen=True, slots=True)
class Round:
    """Amounts (税抜 yen) by bidder: `valid` those within the rules and the limits or above the reserve, `out` those disqualified."""

    valid: Mapping[str, int]
    out: frozenset[str]


@dataclass(frozen=True, slots=True)
class Result:
    """A concluded tender. `limit` 最低制限価格 or 調査基準価格, None where none; `open_for` from the announcement to the deadline;
    `limit_known` whether bidders could know or compute the limit beforehand (not by an announced 予定価格 alone); `competitive` whether
    it is a 競争入札, of which alone a short period says anything; `one_asked` 特命随意契約, where one bid is the method itself."""

    tender: str
    rounds: tuple[Round, ...]
    winner: str | None
    amount: int | None
    reserve: int | None
    limit: int | None
    open_for: timedelta
    limit_known: bool
    competitive: bool = True
    one_asked: bool = False


@dataclass(frozen=True, slots=True)
class Indicator:
    """`value` gives the figure of a result, None where it says nothing; `is_odd` whether that is worth a look."""

    key: str
    name: str
    meaning: str
    value: Callable[[Result], float | None]
    is_odd: Callable[[float], bool]


def _bids(result: Result) -> list[int]:
    return sorted(result.rounds[0].valid.values()) if result.rounds else []


def _enough(result: Result) -> list[int] | None:
    bids = _bids(result)
    return bids if len(bids) >= LEAST_BIDDERS_FOR_PATTERNS else None


def variation(result: Result) -> float | None:
    """CV = σ/μ of the first round's valid bids."""
    bids = _enough(result)
    return stdev(bids) / fmean(bids) if bids else None


def spread(result: Result) -> float | None:
    """(highest − lowest) / lowest."""
    bids = _enough(result)
    return (bids[-1] - bids[0]) / bids[0] if bids else None


def first_gap(result: Result) -> float | None:
    """(second − first) / first."""
    bids = _enough(result)
    return (bids[1] - bids[0]) / bids[0] if bids else None


def relative_distance(result: Result) -> float | None:
    """RD = (second − first) / σ of the losing bids; None where the losing bids are all equal."""
    bids = _enough(result)
    deviation = pstdev(bids[1:]) if bids else 0
    return (bids[1] - bids[0]) / deviation if bids and deviation else None


def single(result: Result) -> float | None:
    """1 where there was one bid only, though there could have been more."""
    if result.one_asked or not result.rounds or not result.rounds[0].valid:
        return None
    return float(len(_bids(result)) == 1)


def award_rate(result: Result) -> float | None:
    """落札率: award / reserve."""
    return result.amount / result.reserve if result.amount and result.reserve else None


def above_limit(result: Result) -> float | None:
    """(award − limit) / limit, where the limit was secret: 0 is an exact hit."""
    if result.amount is None or result.limit is None or result.limit_known:
        return None
    return (result.amount - result.limit) / result.limit


def disqualified(result: Result) -> float | None:
    """The share of bids that were thrown out."""
    if not result.rounds:
        return None
    first = result.rounds[0]
    count = len(first.valid) + len(first.out)
    return len(first.out) / count if count > 1 else None


def persistence(result: Result) -> float | None:
    """1 where the same bidder was lowest in the first round and in the last."""
    lowest = [min(held.valid, key=lambda bidder: held.valid[bidder]) for held in result.rounds if held.valid]
    return float(lowest[0] == lowest[-1]) if len(lowest) > 1 else None


def ties(result: Result) -> float | None:
    """Equal bids away from the limit."""
    bids = _bids(result)
    counted = Counter(bid for bid in bids if bid != result.limit)
    return float(max(counted.values()) > 1) if len(bids) > 1 and counted else None


def period(result: Result) -> float | None:
    """Days from the announcement of a 競争入札 to the deadline: a small 見積 is usually asked for within days."""
    return result.open_for / timedelta(days=1) if result.competitive else None


INDICATORS = (
    Indicator(
        "single",
        say("一者応札（1者だけの入札）"),
        say("競争がありませんでした。参加の条件が狭すぎないかを見ます。"),
        single,
        lambda value: value == 1,
    ),
    Indicator(
        "limit",
        say("最低制限価格とほぼ同じ落札"),
        say("秘密の価格と0.1%以内です。価格が漏れていないかを見ます。"),
        above_limit,
        lambda value: abs(value) < 0.001,
    ),
    Indicator("rate", say("落札率98%以上"), say("予定価格に近い落札です。"), award_rate, lambda value: value >= 0.98),
    Indicator(
        "variation",
        say("金額のばらつきが小さい（変動係数3%未満）"),
        say("申し合わせると、金額が近づきやすくなります。積算の基準が公表されていても近づきます。"),
        variation,
        lambda value: value < 0.03,
    ),
    Indicator(
        "spread",
        say("最高と最低の差が小さい（5%未満）"),
        say("ばらつきが小さいのと同じ見方です。"),
        spread,
        lambda value: value < 0.05,
    ),
    Indicator(
        "gap",
        say("1位と2位の差が大きい（10%以上）"),
        say("1位だけが離れています。ほかの入札が形だけでないかを見ます。"),
        first_gap,
        lambda value: value >= 0.10,
    ),
    Indicator(
        "distance",
        say("1位が離れ、負けた入札がそろう（1位との差が、負けた入札の標準偏差より大）"),
        say("負けた入札どうしの差より、1位との差が大きい案件です。"),
        relative_distance,
        lambda value: value > 1,
    ),
    Indicator(
        "persistence",
        say("再度入札でも同じ者が1位"),
        say("競っていれば、順位は入れ替わることがあります。"),
        persistence,
        lambda value: value == 1,
    ),
    Indicator(
        "disqualified",
        say("失格・無効が半分以上"),
        say("条件や審査のしかたを見ます。"),
        disqualified,
        lambda value: value >= 0.5,
    ),
    Indicator(
        "ties",
        say("制限価格でない同額の入札"),
        say("制限価格での同額は珍しくありません。それ以外の同額だけを挙げます。"),
        ties,
        lambda value: value == 1,
    ),
    Indicator(
        "period",
        say("公告から締切まで5日未満"),
        say("短すぎると、知っていた者だけが間に合います。"),
        period,
        lambda value: value < 5,
    ),
)


def screen(result: Result) -> dict[str, float]:
    """The indicators that are worth a look, with their figures."""
    figures = ((each, each.value(result)) for each in INDICATORS)
    return {each.key: value for each, value in figures if value is not None and each.is_odd(value)}


def base_rates(results: Sequence[Result]) -> dict[str, tuple[int, int]]:
    """By indicator: in how many results it is odd, of how many in which it says anything."""
    rates: dict[str, tuple[int, int]] = {}
    for each in INDICATORS:
        values = [value for value in map(each.value, results) if value is not None]
        rates[each.key] = (sum(map(each.is_odd, values)), len(values))
    return rates


@dataclass(frozen=True, slots=True)
class Firm:
    """One bidder over many tenders. `expected`: awards if each of its tenders had been drawn by lot among the valid bidders."""

    bidder: str
    bids: int
    awards: int
    expected: float
    exact: int


def firms(results: Sequence[Result]) -> list[Firm]:
    """Bidders by how often they won and how often they hit a secret limit, most awards first."""
    bids: Counter[str] = Counter()
    awards: Counter[str] = Counter()
    exact: Counter[str] = Counter()
    expected: defaultdict[str, float] = defaultdict(float)
    for result in results:
        valid = result.rounds[0].valid if result.rounds else {}
        for bidder in valid:
            bids[bidder] += 1
            expected[bidder] += 1 / len(valid)
        if result.winner is not None:
            awards[result.winner] += 1
            exact[result.winner] += (gap := above_limit(result)) is not None and abs(gap) < 0.001
    found = [Firm(bidder, count, awards[bidder], expected[bidder], exact[bidder]) for bidder, count in bids.items()]
    return sorted(found, key=lambda firm: (-firm.awards, -firm.bids, firm.bidder))


def rotation(results: Sequence[Result]) -> float | None:
    """How evenly the awards go round among who bids together: the share of awards after which another of the same group won next.

    Groups are tenders with at least two bidders in common with the one before. None where there are fewer than four such pairs.
    """
    awarded = [result for result in results if result.winner is not None and result.rounds]
    pairs = [
        (before.winner, after.winner)
        for before, after in pairwise(awarded)
        if len(set(before.rounds[0].valid) & set(after.rounds[0].valid)) >= 2 and after.winner in before.rounds[0].valid
    ]
    return sum(first != then for first, then in pairs) / len(pairs) if len(pairs) >= 4 else None
