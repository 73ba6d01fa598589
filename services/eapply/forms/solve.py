"""Can answers be found for which conditions come out as wished? Every field stands for a few values that matter.

A number that is compared with 18 is 17, 18 or 19; a choice is one of those asked for, or another. Sound, not complete:
`False` is certain; `None` says that the search was given up or that it turns on something outside the form (today).
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from fractions import Fraction
from itertools import combinations
from typing import Any, Literal

from services.eapply.forms.conditions import TODAY, All, AnyOf, Condition, Test, compared, fields_of, operand, tests
from services.eapply.forms.definition import FormField, Procedure
from services.eapply.forms.kinds import COUNTED, NUMERIC, OPTIONED, TEMPORAL
from services.eapply.forms.order import Graph, depends_on, sorted_by_need

BUDGET = 150_000
"""Conditions looked at, for one definition; then the search is given up."""
Goal = tuple[Literal["shown", "true", "false"], Any]


class _Unknown:
    def __repr__(self) -> str:
        return "?"


UNKNOWN: Any = _Unknown()
ANY_DAY = date(2026, 4, 1)


class Puzzle:
    """The fields of a procedure, or of one item of a group (`fields`), with the values that matter."""

    def __init__(self, procedure: Procedure | None, fields: Iterable[FormField] = ()) -> None:
        if procedure is not None:
            self._conditions = {key: placed.conditions for key, placed in procedure.placed.items()}
            self._fields = {key: placed.field for key, placed in procedure.placed.items()}
            self._needs: Graph = depends_on(procedure.placed)
            rules = [rule.when for rule in (*procedure.ineligible, *procedure.checks)]
        else:
            self._fields = {field.key: field for field in fields}
            self._conditions = {key: (f.visible,) if f.visible else () for key, f in self._fields.items()}
            keys = set(self._fields)
            self._needs = {key: keys & set(fields_of(f.visible)) for key, f in self._fields.items()}
            rules = []
        self._order = sorted_by_need(self._needs)
        everything = [*(each for given in self._conditions.values() for each in given), *rules]
        self._domains = _domains(self._fields, everything)
        self._left = BUDGET
        self.met: set[str] = set()
        """Fields that some answers found so far do show."""

    def can(self, goals: list[Goal], *, answered: bool = False) -> bool | None:
        """Whether answers exist that meet all `goals`. `answered`: only answers in which nothing needed is left out."""
        closure = self._closure(goals)
        order = [key for key in self._order if key in closure]
        return self._search({}, order, goals, answered)

    def _closure(self, goals: list[Goal]) -> set[str]:
        waiting = [key for kind, what in goals for key in ([what] if kind == "shown" else fields_of(what))]
        found: set[str] = set()
        while waiting:
            key = waiting.pop()
            if key in self._fields and key not in found:
                found.add(key)
                waiting.extend(self._needs[key])
        return found

    def _search(self, chosen: dict[str, Any], order: list[str], goals: list[Goal], answered: bool) -> bool | None:
        self._left -= len(order) + len(goals)
        if self._left < 0:
            return None
        values, shown = self._state(chosen, order)
        outcomes = [self._goal(goal, values, shown) for goal in goals]
        if False in outcomes:
            return False
        if all(outcome is True for outcome in outcomes):
            self.met.update(key for key, is_shown in shown.items() if is_shown is True)
            return True
        key = next((key for key in order if key not in chosen and shown[key] is not False and self._domains[key]), None)
        if key is None:
            return None
        unsure = False
        for value in self._choices(key, answered):
            found = self._search(chosen | {key: value}, order, goals, answered)
            if found:
                return True
            unsure = unsure or found is None
        return None if unsure else False

    def _choices(self, key: str, answered: bool) -> Iterator[Any]:
        yield from self._domains[key]
        field = self._fields[key]
        if not (answered and field.need and field.required is None and not field.partial):
            yield None

    def _state(self, chosen: dict[str, Any], order: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What each field's answer is, and whether it is shown, as far as `chosen` decides it."""
        values: dict[str, Any] = {}
        shown: dict[str, Any] = {}
        for key in order:
            given = [truth(each, lambda k: values.get(k, UNKNOWN), self._type) for each in self._conditions[key]]
            shown[key] = False if False in given else (UNKNOWN if UNKNOWN in given else True)
            value = chosen.get(key, UNKNOWN)
            values[key] = (
                None if shown[key] is False or value is None else (UNKNOWN if shown[key] is UNKNOWN else value)
            )
        return values, shown

    def _goal(self, goal: Goal, values: dict[str, Any], shown: dict[str, Any]) -> Any:
        kind, what = goal
        if kind == "shown":
            return shown[what]
        result = truth(what, lambda key: values.get(key, UNKNOWN), self._type)
        return result if kind == "true" or result is UNKNOWN else not result

    def _type(self, key: str) -> str:
        return self._fields[key].type if key in self._fields else "text"


def truth(condition: Condition | None, look: Callable[[str], Any], kind_of: Callable[[str], str]) -> Any:
    """True, False or UNKNOWN."""
    match condition:
        case None:
            return True
        case All():
            return _joined([truth(each, look, kind_of) for each in condition.all], False)
        case AnyOf():
            return _joined([truth(each, look, kind_of) for each in condition.any], True)
    left = look(condition.field)
    if left is UNKNOWN or (condition.other is not None and left is not None):
        return UNKNOWN
    if condition.value == TODAY and left is not None:
        return UNKNOWN
    return compared(condition.op, left, operand(kind_of(condition.field), condition.value, ANY_DAY))


def _joined(outcomes: list[Any], decisive: bool) -> Any:
    if decisive in outcomes:
        return decisive
    return UNKNOWN if UNKNOWN in outcomes else not decisive


# ---- values that matter


def _domains(fields: dict[str, FormField], conditions: list[Condition]) -> dict[str, list[Any]]:
    """Field → its values that matter; empty where they are too many to look at."""
    asked: dict[str, list[Test]] = {key: [] for key in fields}
    for condition in conditions:
        for test in tests(condition):
            if test.field in asked:
                asked[test.field].append(test)
    return {key: list(_values(field, asked[key])) for key, field in fields.items()}


def _values(field: FormField, asked: list[Test]) -> Iterator[Any]:
    compared_with = [operand(field.type, test.value, ANY_DAY) for test in asked if test.value not in (None, TODAY)]
    if field.type == "choices":
        return _selections(field)
    if field.type in OPTIONED:
        return _options(field, compared_with)
    if field.type in NUMERIC | COUNTED:
        return _numbers(field, [each for each in compared_with if isinstance(each, Fraction)])
    if field.type == "yesno":
        return iter(["no", "yes"])
    if field.type == "consent":
        return iter(["yes"])
    if field.type in TEMPORAL:
        return _moments(compared_with)
    return iter(["\0another", *dict.fromkeys(compared_with)])


def _options(field: FormField, asked: list[Any]) -> Iterator[str]:
    """Those asked for, and one of the others."""
    known = [option.value for option in field.options]
    yield from (value for value in known if value in asked)
    yield from [value for value in known if value not in asked][:1]


def _selections(field: FormField) -> Iterator[frozenset[str]]:
    """Every selection where there are few options; nothing where there are many."""
    known = [option.value for option in field.options]
    most = min(field.max or len(known), len(known))
    if len(known) > 8:
        return
    for size in range(1, most + 1):
        yield from (frozenset(each) for each in combinations(known, size))


def _numbers(field: FormField, asked: list[Fraction]) -> Iterator[Fraction]:
    whole = field.type not in {"decimal", "computed"}
    steps = [Fraction(-1), Fraction(0), Fraction(1)] + ([] if whole else [Fraction(-1, 1000), Fraction(1, 1000)])
    smallest = {"yen": 0, "file": 1, "group": 1}.get(field.type, field.min)
    bounds = [bound for bound in (field.min, smallest) if bound is not None]
    least = Fraction(max(bounds)) if bounds else None
    points = {point + step for point in asked for step in steps} | {least if least is not None else Fraction(0)}
    points |= {Fraction(field.max)} if field.max is not None else set()
    for point in sorted(points):
        fits = (least is None or point >= least) and (field.max is None or point <= field.max)
        if fits and (not whole or point.denominator == 1):
            yield point


def _moments(asked: list[Any]) -> Iterator[str]:
    """Before all, each one, and just after each one (they compare as texts)."""
    yield "0"
    for each in sorted({str(each) for each in asked}):
        yield from (each, each + "~")
