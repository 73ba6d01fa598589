"""共同企業体 (JV): how many members, which shares, and who is looked at. All of it stands in the announcement.

The usual lines are those of 「共同企業体の在り方について」 (建設省, 1987): two or three members (read in a ministry's own rules that
followed it: 財務省 蔵会第763号, 1989, 第1の2(1)), none below 6/10 of an even share, the representative's not below any other's [M]. Of the
shares a city's own rule could be read (岐阜市: 30 % or more of two members, 20 % of three, 15 % of four, which are those 6/10); neither
the text of 1987 nor a ministry's line on them, only how 蔵会第763号, 農水省 元経第159号, 文科省 14文科施第252号 begin.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from libs.common.errors import Invalid, say
from services.ebid.domain.money import ratio

WAYS = {
    "": say("単体だけ"),
    "allowed": say("単体でも共同企業体でもよい"),
    "only": say("共同企業体だけ"),
}
QUALIFIED = {
    "each": say("構成員のすべてに、この区分の登録が要る"),
    "representative": say("代表者に、この区分の登録が要る"),
}
FEWEST, MOST = 2, 5
USUAL = {"members": 3, "least": "3/5", "qualified": "each"}


@dataclass(frozen=True, slots=True)
class Rule:
    """`members` at most; `least` the smallest share, as part of an even one; `only` whether a single company may not bid;
    `qualified` whose registration is looked at ("each" | "representative"): 指名停止 counts for every member."""

    members: int
    least: Fraction
    only: bool
    qualified: str


def rule_of(terms: Mapping[str, Any]) -> Rule | None:
    """The announced rule; None where 共同企業体 may not bid. Raises Invalid for one that nobody could keep."""
    document = terms.get("venture")
    if document is None:
        return None
    least = ratio(document["least"])
    rule = Rule(int(document["members"]), least, bool(document["only"]), str(document["qualified"]))
    if not FEWEST <= rule.members <= MOST or not 0 < least <= 1 or rule.qualified not in QUALIFIED:
        sentence = say(
            "共同企業体の構成員は%(fewest)s社から%(most)s社まで、出資比率の下限は均等割の100%%までです。",
            fewest=FEWEST,
            most=MOST,
        )
        raise Invalid(sentence, fields={"venture": sentence}, code="venture")
    return rule


def share(typed: str) -> Fraction:
    """A share in percent as typed in any width. Raises Invalid."""
    try:
        found = ratio(typed.strip().rstrip("%％").strip())
    except Invalid:
        found = Fraction(0)
    if not 0 < found < 100 or found.denominator > 1000:
        raise Invalid(say("出資比率は、0より大きく100より小さい数字（パーセント）で入力してください。"), code="share")
    return found


def check(rule: Rule, shares: Sequence[Fraction]) -> None:
    """Shares in percent, the representative's first. Raises Invalid saying which line of the announcement is not kept."""
    if not FEWEST <= len(shares) <= rule.members:
        raise _wrong(say("構成員は、代表者を入れて%(fewest)s社から%(most)s社です。", fewest=FEWEST, most=rule.members))
    if sum(shares) != 100:
        raise _wrong(say("出資比率の合計を100パーセントにしてください。"))
    least = Fraction(100, len(shares)) * rule.least
    if min(shares) < least:
        raise _wrong(say("出資比率は、どの構成員も%(least)s%%以上にしてください。", least=f"{float(least):.4g}"))
    if max(shares) > shares[0]:
        raise _wrong(say("代表者の出資比率を、ほかの構成員より小さくはできません。"))


def _wrong(sentence: str) -> Invalid:
    return Invalid(sentence, fields={"shares": sentence}, code="venture-shares")


def shown(value: Fraction) -> str:
    """A share in percent for people: 60, 33.3."""
    return f"{float(value):.6g}"
