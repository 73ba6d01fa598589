"""Conditions on answers: tests joined by `all` (かつ) and `any` (または).

A field that is hidden, empty or not right yet counts as unanswered. Of an unanswered field every comparison is false,
`is_not`, `has_not` and `unanswered` are true. Every reading of a form on the server evaluates them anew; what a browser
showed is never believed.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date
from fractions import Fraction
from typing import Any

from pydantic import Field, field_validator

from services.eapply.forms.kinds import COUNTED, NUMERIC, TICKED, Op
from services.eapply.forms.model import Key, Model

PLAIN = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,9})?")
"""A number to compare with. No powers of ten: 1e999999999 is a short text and a long day for the processor."""
TODAY = "today"
"""As a value of a date: the day on which the form is read, in Japan."""


class Test(Model):
    """One question about one answer: `value` as a definition writes it, or the answer of the field `other`."""

    __test__ = False  # no test of pytest's

    field: Key
    op: Op
    value: str | int | None = None
    other: Key | None = None

    @field_validator("value", mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        """YAML reads `yes` as a truth value and 2026-04-01 as a day; both are texts here."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        return value.isoformat() if isinstance(value, date) else str(value) if isinstance(value, float) else value


class All(Model):
    all: tuple["Condition", ...] = Field(min_length=1, max_length=50)


class AnyOf(Model):
    any: tuple["Condition", ...] = Field(min_length=1, max_length=50)


Condition = Test | All | AnyOf
All.model_rebuild()
AnyOf.model_rebuild()

Look = Callable[[str], Any]
"""Key of a field → its answer as it compares (`comparable`); None when unanswered."""


def holds(condition: Condition | None, look: Look, kind_of: Callable[[str], str], today: date) -> bool:
    """Whether `condition` is true; no condition always is."""
    match condition:
        case None:
            return True
        case All():
            return all(holds(each, look, kind_of, today) for each in condition.all)
        case AnyOf():
            return any(holds(each, look, kind_of, today) for each in condition.any)
    right = look(condition.other) if condition.other else operand(kind_of(condition.field), condition.value, today)
    return compared(condition.op, look(condition.field), right)


def compared(op: str, left: Any, right: Any) -> bool:
    match op:
        case "answered":
            return left is not None
        case "unanswered":
            return left is None
        case "is_not":
            return not compared("is", left, right)
        case "has_not":
            return not compared("has", left, right)
        case "is":
            return left is not None and left == right
        case "has":
            return isinstance(left, frozenset) and right in left
    return _ordered(op, len(left) if isinstance(left, frozenset) else left, right)


def _ordered(op: str, left: Any, right: Any) -> bool:
    if left is None or right is None or isinstance(left, str) != isinstance(right, str):
        return False
    return {"at_least": left >= right, "at_most": left <= right, "above": left > right, "below": left < right}[op]


def comparable(type_: str, value: Any) -> Any:
    """An answer in the form in which it compares: numbers as Fraction, days as ISO 8601, lists as how many or which.

    A day of which part is not known (不詳) compares with nothing.
    """
    if value is None or value in ("", []):
        return None
    if type_ in NUMERIC:
        return Fraction(str(value))
    if type_ == "choices":
        return frozenset(value)
    if type_ in COUNTED:
        return Fraction(len(value))
    if type_ in TICKED:
        return "yes" if value else "no"
    if type_ == "date":
        return value if len(value) == len("2026-04-01") else None
    return value if isinstance(value, str) else "answered"


def operand(type_: str, value: str | int | None, today: date) -> Any:
    """What a definition writes as a value, in the form in which answers of this type compare. None: it cannot be read."""
    if value is None:
        return None
    if type_ == "date" and value == TODAY:
        return today.isoformat()
    text = str(value)
    if type_ in NUMERIC or (type_ in COUNTED and PLAIN.fullmatch(text)):
        return Fraction(text) if PLAIN.fullmatch(text) else None
    return text


def tests(condition: Condition | None) -> Iterator[Test]:
    """Every test in a condition, in order."""
    match condition:
        case Test():
            yield condition
        case All():
            yield from (test for each in condition.all for test in tests(each))
        case AnyOf():
            yield from (test for each in condition.any for test in tests(each))


def fields_of(condition: Condition | None) -> Iterator[str]:
    """Keys of the fields a condition looks at."""
    for test in tests(condition):
        yield test.field
        if test.other:
            yield test.other
