"""評価項目 of 総合評価 and プロポーザル: what points may be given for, and their sum.

施行令167条の10の2第3項から第5項 and 同施行規則12条の4: the criteria are set before, after two or more 学識経験者 were heard.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from libs.common.errors import Invalid, say
from services.ebid.domain.money import ratio

MOST = 30
_LINE = re.compile(r"^(.+?)[\s　:：,、]+([0-9]+(?:\.[0-9]{1,3})?)\s*点?$")
_POINTS = re.compile(r"^[0-9]{1,4}(?:\.[0-9]{1,3})?$")
_FULL_WIDTH = str.maketrans("０１２３４５６７８９．", "0123456789.")


@dataclass(frozen=True, slots=True)
class Criterion:
    """`full`: the most points."""

    name: str
    full: Fraction


def criteria_of(document: Sequence[Mapping[str, Any]]) -> tuple[Criterion, ...]:
    """From the announcement's JSON: `[{"name": "施工計画", "full": "20"}, …]`."""
    return tuple(Criterion(str(each["name"]), ratio(each["full"])) for each in document)


def read_criteria(text: str) -> list[dict[str, str]]:
    """From what an officer types, a criterion a line: `施工計画 20`. Raises Invalid for a line that cannot be read."""
    lines = [line.strip().translate(_FULL_WIDTH) for line in text.splitlines() if line.strip()]
    found = [_LINE.match(line) for line in lines]
    for line, match in zip(lines, found, strict=True):
        if match is None:
            raise _wrong(
                say(
                    "「%(line)s」を読み取れません。「施工計画 20」のように、項目と満点を書いてください。",
                    line=line[:40],
                )
            )
    made = [{"name": match[1].strip()[:100], "full": match[2]} for match in found if match]
    if not made or len(made) > MOST or len({each["name"] for each in made}) < len(made):
        raise _wrong(say("評価項目を、1行に1つ、重ならないように入力してください（30行まで）。"))
    return made


def _wrong(sentence: str) -> Invalid:
    return Invalid(sentence, fields={"criteria": sentence}, code="criteria")


def total(criteria: Sequence[Criterion], given: Mapping[str, str]) -> Fraction:
    """The sum of the points given, place → points as typed. Raises Invalid, field by field, unless each is from 0 to its full."""
    errors: dict[str, str] = {}
    points = Fraction(0)
    for place, criterion in enumerate(criteria):
        value = read_points(given.get(str(place), ""))
        if value > criterion.full:
            errors[str(place)] = say(
                "%(name)sの点数を、0から%(full)sまでで入力してください。", name=criterion.name, full=str(criterion.full)
            )
        points += value
    if errors:
        raise Invalid(say("入力を確かめてください。"), fields=errors, code="points")
    return points


def read_points(typed: str) -> Fraction:
    """Points as typed in any width; what is none is more than any criterion gives."""
    plain = typed.strip().translate(_FULL_WIDTH)
    return Fraction(plain) if _POINTS.match(plain) else Fraction(10**6)


def full_marks(criteria: Sequence[Criterion]) -> Fraction:
    return sum((each.full for each in criteria), Fraction(0))
