"""Formulas of computed fields: `people * 500`, `age(birth)`, `total(children.fee)`. Exact; no floating point.

Names are keys of fields. A choice counts as the amount of its option, several choices as their sum. Where an answer that
is needed is not there, there is no result.

| function | result |
|---|---|
| `age(day)` | 満年齢 today: a year older on the eve of the birthday (年齢計算ニ関スル法律・民法143条) |
| `days(from, to)` | days from one day to another; `today` may stand for a day |
| `count(group)` | how many items |
| `total(group.field)` | sum over the items; unanswered ones count as 0 |
| `min(…)` `max(…)` | smallest, largest; of `group.field`, over the items that have an answer |
| `floor(x, unit)` `ceil(x, unit)` | rounded down or up to whole units (unit 1 where not given) |
| `zero(x)` | 0 where x is unanswered |
"""

import ast
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor
from typing import Any

from services.eapply.forms.conditions import TODAY

LONGEST = 300
"""Characters."""
FUNCTIONS = {
    "age": (1, 1), "days": (2, 2), "count": (1, 1), "total": (1, 1), "min": (1, 10), "max": (1, 10),
    "floor": (1, 2), "ceil": (1, 2), "zero": (1, 1),
}  # fmt: skip
"""Name → (fewest, most) values in its brackets."""
OPERATORS: dict[type, Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}
LARGEST = 10**30
"""Beyond this there is no result: nobody owes or counts so much, and numbers of any length could be typed into a definition."""
Look = Callable[[str], Any]
"""`field` or `group.field` → Fraction, ISO day, list of Fraction; None when unanswered."""


class FormulaError(ValueError):
    """The formula cannot be read; the text says to a clerk why."""


@lru_cache(maxsize=4096)
def parse(text: str) -> ast.expr:
    """The formula, checked: only numbers, fields, + - * / and the functions above."""
    if len(text) > LONGEST:
        raise FormulaError(f"式が長すぎます（{LONGEST}文字まで）。計算を2つの項目に分けてください。")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise FormulaError(
            "式として読めません。かっこの数と、＋－×÷を半角の + - * / で書いたか確かめてください。"
        ) from None
    _check(tree)
    return tree


def _check(node: ast.expr) -> None:
    match node:
        case ast.Constant(value=value) if isinstance(value, int | float) and not isinstance(value, bool):
            return
        case ast.Name() | ast.Attribute(value=ast.Name()):
            return
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return _check(inner)
        case ast.BinOp(op=op, left=left, right=right) if type(op) in OPERATORS:
            _check(left)
            return _check(right)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            fewest, most = FUNCTIONS[name]
            if not fewest <= len(args) <= most:
                raise FormulaError(
                    f"{name}(…)のかっこの中は、{fewest}個{f'から{most}個' if most > fewest else ''}です。"
                )
            for each in args:
                _check(each)
            return
    raise FormulaError(
        f"「{ast.unparse(node)}」は式に使えません。使えるのは、項目、数、+ - * / と {'、'.join(FUNCTIONS)} です。"
    )


def names(tree: ast.expr) -> Iterator[str]:
    """The fields a formula looks at: `people`, `children.fee`."""
    match tree:
        case ast.Name(id=name) if name != TODAY:
            yield name
        case ast.Attribute(value=ast.Name(id=group), attr=inner):
            yield f"{group}.{inner}"
        case ast.UnaryOp(operand=inner):
            yield from names(inner)
        case ast.BinOp(left=left, right=right):
            yield from names(left)
            yield from names(right)
        case ast.Call(args=args):
            for each in args:
                yield from names(each)


def compute(tree: ast.expr, look: Look, today: date) -> Fraction | None:
    """The result; None where an answer is missing, where something is divided by 0, and beyond LARGEST."""
    try:
        result = _value(tree, look, today)
    except (ZeroDivisionError, TypeError):
        return None
    return result if isinstance(result, Fraction) and abs(result) < LARGEST else None


def written(result: Fraction) -> int | str:
    """A whole number as such, another with up to six decimal places, rounded half to even: 0.125."""
    millionths = round(result * 10**6)
    if millionths % 10**6 == 0:
        return millionths // 10**6
    whole, rest = divmod(abs(millionths), 10**6)
    return f"{'-' if millionths < 0 else ''}{whole}.{rest:06d}".rstrip("0")


def _value(node: ast.expr, look: Look, today: date) -> Any:
    match node:
        case ast.Constant():
            return Fraction(ast.unparse(node))
        case ast.Name(id=name):
            return today.isoformat() if name == TODAY else look(name)
        case ast.Attribute(value=ast.Name(id=group), attr=inner):
            return look(f"{group}.{inner}")
        case ast.UnaryOp(operand=inner):
            return _with([_value(inner, look, today)], lambda a: -a)
        case ast.BinOp(op=op, left=left, right=right):
            return _with([_value(left, look, today), _value(right, look, today)], OPERATORS[type(op)])
        case ast.Call(func=ast.Name(id=name), args=args):
            return _call(name, [_value(each, look, today) for each in args], today)
    return None


def _with(values: list[Any], function: Callable[..., Any]) -> Any:
    return None if any(value is None for value in values) else function(*values)


def _call(name: str, values: list[Any], today: date) -> Any:
    match name:
        case "zero":
            return Fraction(0) if values[0] is None else values[0]
        case "total":
            return sum((value for value in values[0] or [] if value is not None), Fraction(0))
        case "count":
            return values[0] if values[0] is not None else Fraction(0)
        case "age":
            return _with(values, lambda day: Fraction(age(date.fromisoformat(day), today)))
        case "days":
            return _with(values, lambda a, b: Fraction((date.fromisoformat(b) - date.fromisoformat(a)).days))
        case "min" | "max":
            known = list(_each(values))
            return _with(known, lambda *each: {"min": min, "max": max}[name](each)) if known else None
    round_ = floor if name == "floor" else ceil
    return _with(values, lambda x, unit=Fraction(1): round_(x / unit) * unit)


def _each(values: list[Any]) -> Iterator[Any]:
    """The values, those of a list one by one; what is unanswered in a list is left out."""
    for value in values:
        yield from (inner for inner in value if inner is not None) if isinstance(value, list) else (value,)


DAY, LIST, NUMBER, ITEMS = "day", "list", "number", "items"
COUNTS = (NUMBER, ITEMS)
WANTED = {
    "age": (DAY,), "days": (DAY,), "count": (ITEMS,), "total": (LIST,), "min": (*COUNTS, LIST), "max": (*COUNTS, LIST),
}  # fmt: skip
"""What the brackets of a function hold; what counts where it is not here."""
MISFITS = {
    DAY: "「%s」は日付なので、age(…) か days(…) の中だけで使えます。",
    LIST: "「%s」は件数分の値なので、total(…)・min(…)・max(…) の中だけで使えます。",
    NUMBER: "「%s」は数なので、日付や、くり返しを入れるところには使えません。",
    ITEMS: "「%s」は件数なので、日付や、くり返しの中の項目（くり返し.項目）を入れるところには使えません。",
}


def misfit(node: ast.expr, kind_of: Callable[[str], str]) -> str:
    """Why the formula never has a result, whatever is answered: a day that is added, items that are not summed up; "" where it may.
    `kind_of`: name → DAY, LIST, ITEMS or NUMBER."""
    return _misfit(node, COUNTS, kind_of)


def _misfit(node: ast.expr, wanted: tuple[str, ...], kind_of: Callable[[str], str]) -> str:
    found = next(iter(_unfit_inside(node, kind_of)), "")
    kind = kind_of(ast.unparse(node)) if isinstance(node, ast.Name | ast.Attribute) else NUMBER
    return found or ("" if kind in wanted else MISFITS[kind] % ast.unparse(node))


def _unfit_inside(node: ast.expr, kind_of: Callable[[str], str]) -> Iterator[str]:
    wanted = COUNTS
    match node:
        case ast.UnaryOp(operand=inner):
            parts = [inner]
        case ast.BinOp(left=left, right=right):
            parts = [left, right]
        case ast.Call(func=ast.Name(id=name), args=args):
            parts, wanted = args, WANTED.get(name, COUNTS)
        case _:
            parts = []
    yield from filter(None, (_misfit(part, wanted, kind_of) for part in parts))


def age(birth: date, on: date) -> int:
    """満年齢 on a day. A year is completed at the end of the eve of the birthday, which counts as reached on that eve."""
    tomorrow = on + timedelta(days=1)
    had_birthday = (tomorrow.month, tomorrow.day) >= (birth.month, birth.day)
    return tomorrow.year - birth.year - (0 if had_birthday else 1)
