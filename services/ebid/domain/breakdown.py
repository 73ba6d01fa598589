"""工事費内訳書 and other 内訳書: its lines add up to its total, and its total is the bid (入契法12条: a bid for works comes with one).

The browser applies the same rules before it seals (static/ebid-breakdown.js); here they are applied again to what was opened.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from libs.common.errors import say
from services.ebid.domain.money import MOST_YEN

MOST_LINES = 5000
AMOUNT, TOTAL = "金額", ("合計", "総計", "工事価格")
"""Words of the column with the amounts, and of the line with the total."""


@dataclass(frozen=True, slots=True)
class Line:
    """`amount` yen without tax; a deduction is negative."""

    name: str
    amount: int


@dataclass(frozen=True, slots=True)
class Breakdown:
    lines: tuple[Line, ...]
    total: int


def problems(breakdown: Breakdown, amount: int) -> list[str]:
    """What is wrong with it as the 内訳書 of a bid of `amount` yen; empty when nothing is."""
    found: list[str] = []
    if not breakdown.lines or len(breakdown.lines) > MOST_LINES:
        found.append(say("内訳の行が、1行から%(most)s行までではありません。", most=MOST_LINES))
    if any(abs(line.amount) > MOST_YEN for line in breakdown.lines):
        found.append(say("内訳の金額が大きすぎます。"))
    added = sum(line.amount for line in breakdown.lines)
    if added != breakdown.total:
        found.append(
            say(
                "内訳の合計は%(added)s円ですが、合計の欄は%(total)s円です。",
                added=f"{added:,}",
                total=f"{breakdown.total:,}",
            )
        )
    if breakdown.total != amount:
        found.append(
            say(
                "合計の欄は%(total)s円ですが、金額は%(amount)s円です。",
                total=f"{breakdown.total:,}",
                amount=f"{amount:,}",
            )
        )
    return found


def from_cells(rows: Sequence[Sequence[object]]) -> Breakdown | None:
    """From a sheet: below the head with 金額 every line until the one with 合計. None where there is no such table."""
    head = next((place for place, row in enumerate(rows) if _column(row) is not None), None)
    if head is None:
        return None
    column = _column(rows[head])
    assert column is not None
    lines: list[Line] = []
    for row in rows[head + 1 :]:
        amount, words = (
            _yen(row[column] if column < len(row) else None),
            [str(cell).strip() for cell in row if isinstance(cell, str)],
        )
        if any(word.replace(" ", "").replace("\u3000", "") in TOTAL for word in words):
            return None if amount is None else Breakdown(tuple(lines), amount)
        if amount is not None:
            lines.append(Line(words[0][:200] if words else "", amount))
    return None


def _column(row: Sequence[object]) -> int | None:
    return next(
        (place for place, cell in enumerate(row) if isinstance(cell, str) and cell.strip().startswith(AMOUNT)), None
    )


def _yen(cell: object) -> int | None:
    """Whole yen; a fraction of a yen makes the table unreadable rather than silently another."""
    if isinstance(cell, bool) or not isinstance(cell, int | float) or cell != int(cell):
        return None
    return int(cell)


def from_document(document: object) -> Breakdown | None:
    """From JSON: `{"items": [{"name", "amount"} …], "total"}`."""
    if not isinstance(document, dict) or not isinstance(document.get("items"), list):
        return None
    amounts = [each.get("amount") if isinstance(each, dict) else None for each in document["items"]]
    if any(type(amount) is not int for amount in [*amounts, document.get("total")]):
        return None
    lines = tuple(Line(str(each.get("name", ""))[:200], each["amount"]) for each in document["items"])
    return Breakdown(lines, document["total"])
