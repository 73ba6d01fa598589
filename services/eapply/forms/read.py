"""Answers: raw inputs read by the type of their field. What a machine can mend is mended; what it cannot is said so
that it can be. Every condition is evaluated here, whatever the browser showed: what is hidden is not read.

`read_procedure(procedure, raw, files, today)` → Reading. Values by type: text, textarea, name, kana, phone, email, url,
postal, digits, corporate_number, choice, select, oath: str · date: ISO 8601, of a day partly unknown 1950-03, 1950 or
`unknown` · month: 2026-04 · time: 09:30 · address: {postal, city, street, house} · number, yen: int · decimal: str ·
computed: int, or str where it is no whole number · choices: list of str · consent: true · yesno: bool · file: list of
{id, name, size, media_type, sha256} · group: list of objects, each with its item key `_item`. Nothing typed: no entry.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction
from typing import Any

from libs.common.errors import Invalid, say
from services.eapply.forms import formula
from services.eapply.forms.conditions import Condition, comparable, holds
from services.eapply.forms.definition import FormField, FormStep, Placed, Procedure
from services.eapply.forms.kinds import OPTIONED
from services.eapply.forms.order import inside, sorted_by_need
from services.eapply.forms.raw import Raw, items
from services.eapply.forms.readers import FIRST_INPUT, READERS, Typed, missing

Answers = dict[str, Any]
Files = Mapping[str, list[dict[str, Any]]]
"""Path of the file field → what is attached there."""


@dataclass
class Reading:
    """`errors`: id of the input → sentence; empty, and `stops` empty, means the answers hold. `stops`: why this person
    cannot apply. `shown`: paths of the fields that are asked; `needed`: those that need an answer; `steps`: the pages."""

    answers: Answers = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    stops: list[str] = field(default_factory=list)
    shown: set[str] = field(default_factory=set)
    needed: set[str] = field(default_factory=set)
    steps: list[FormStep] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.errors and not self.stops


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one field comes to. `errors`: what is wrong with what was typed. `items`: of a group, each item's level."""

    shown: bool = True
    value: Any = None
    errors: Mapping[str, str] = field(default_factory=dict)
    items: "tuple[Level, ...]" = ()


HIDDEN = Outcome(shown=False)


@dataclass(frozen=True)
class Sent:
    """What one level is read from. With `fresh`, only the inputs at these paths are read; other answers are `kept`.

    `arrived`: the day conditions and ages go by where it is not today, because the application came earlier.
    """

    raw: Raw
    files: Files
    today: date
    prefix: str = ""
    kept: Answers = field(default_factory=dict)
    fresh: frozenset[str] | None = None
    arrived: date | None = None

    @property
    def day(self) -> date:
        return self.arrived or self.today

    def stays(self, path: str) -> bool:
        """Whether the answer at `path` stays as it was sent before, right or not by today's rules."""
        if self.fresh is None:
            return False
        above = {path, path.partition(".")[0]}
        return not above & self.fresh

    def items(self, group: FormField) -> "list[Sent]":
        """The same for each item of a group."""
        if self.stays(group.key):
            rows = {row["_item"]: row for row in self.kept.get(group.key) or []}
        else:
            rows = {key: {} for key in items(self.raw, group)}
        return [replace(self, prefix=f"{group.key}.{item}.", kept=row) for item, row in rows.items()]


class Level:
    """The fields of a form, or of one item of a group: each read once, when first looked at. Whether an answer is needed is asked
    when all have been read, so that two fields may each be needed while the other is empty (電話番号かメールアドレス)."""

    def __init__(self, placed: Mapping[str, Placed], sent: "Sent", above: "Level | None" = None) -> None:
        self._placed, self._sent, self._above = placed, sent, above
        self._known: dict[str, Outcome] = {}

    def outcome(self, key: str) -> Outcome:
        if key not in self._known:
            self._known[key] = HIDDEN  # a circle, which no published procedure has, ends here
            self._known[key] = self._read(self._placed[key])
        return self._known[key]

    def true(self, condition: Condition | None) -> bool:
        return holds(condition, self.look, self._type, self._sent.day)

    def look(self, key: str) -> Any:
        """The answer of a field of this level, or of the form around it, as it compares."""
        if key in self._placed:
            return comparable(self._placed[key].field.type, self.outcome(key).value)
        return self._above.look(key) if self._above else None

    def _type(self, key: str) -> str:
        if key in self._placed:
            return self._placed[key].field.type
        return self._above._type(key) if self._above else "text"

    def _read(self, placed: Placed) -> Outcome:
        if not all(self.true(condition) for condition in placed.conditions):
            return HIDDEN
        each = placed.field
        match each.type:
            case "info":
                return Outcome()
            case "computed":
                return Outcome(value=self._computed(each))
            case "group":
                return self._group(each)
            case "file":
                return Outcome(value=self._attached(each) or None)
        return self._typed(each)

    def _typed(self, each: FormField) -> Outcome:
        path = self._sent.prefix + each.key
        if self._sent.stays(path):
            return Outcome(value=self._sent.kept.get(each.key))
        try:
            return Outcome(value=READERS[each.type](each, Typed(path, self._sent.raw), self._sent.today))
        except Invalid as error:
            errors = {path + part: sentence for part, sentence in error.fields.items()} or {path: error.message}
            return Outcome(errors=errors)

    def _attached(self, each: FormField) -> list[dict[str, Any]]:
        path = self._sent.prefix + each.key
        return list(self._sent.kept.get(each.key) or () if self._sent.stays(path) else self._sent.files.get(path, ()))

    def _group(self, each: FormField) -> Outcome:
        placed = {i.key: Placed(i, self._placed[each.key].step, (i.visible,) if i.visible else ()) for i in each.fields}
        rows = tuple(Level(placed, sent, self) for sent in self._sent.items(each))
        for row in rows if any(i.visible for i in each.fields) else ():
            for key in sorted_by_need(inside(each)):
                row.outcome(key)
        values = [{"_item": _item_of(row._sent.prefix), **row.answers(list(placed))} for row in rows]
        return Outcome(value=values or None, items=rows)

    def _computed(self, each: FormField) -> int | str | None:
        result = formula.compute(formula.parse(each.formula), self._amount, self._sent.day)
        return None if result is None else formula.written(result)

    def _amount(self, name: str) -> Any:
        """An answer as a formula counts it."""
        head, _, inner = name.partition(".")
        if head not in self._placed:
            return self._above._amount(name) if self._above else None
        if inner:
            return [row._amount(inner) for row in self.outcome(head).items]
        each, value = self._placed[head].field, self.outcome(head).value
        if each.type in OPTIONED:
            return _amount_of_options(each, value)
        return comparable(each.type, value)

    # ---- what came of it

    def answers(self, keys: Iterable[str]) -> Answers:
        found = ((key, self.outcome(key).value) for key in keys)
        return {key: value for key, value in found if value is not None}

    def errors(self, keys: Iterable[str]) -> dict[str, str]:
        return {path: text for key in keys for path, text in self._errors(self._placed[key].field).items()}

    def _errors(self, each: FormField) -> Mapping[str, str]:
        outcome, path = self.outcome(each.key), self._sent.prefix + each.key
        found = {place: text for row in outcome.items for place, text in row.errors(row._placed).items()}
        found |= outcome.errors
        is_read = outcome.shown and not outcome.errors and not self._sent.stays(path)
        sentence = self._lacks(each, outcome.value) if is_read else ""
        return found | ({path + FIRST_INPUT.get(each.type, ""): sentence} if sentence else {})

    def _lacks(self, each: FormField, value: Any) -> str:
        """What is said where there is too little, or too much."""
        needed = self.needs(each)
        match each.type:
            case "file":
                return _too_few_files(each, len(value or ()), needed) or _too_many_files(each, len(value or ()))
            case "group":
                return _wrong_count(each, len(value or ()), needed)
        return missing(each) if needed and value is None else ""

    def needs(self, each: FormField) -> bool:
        """Whether this field, which is shown, needs an answer."""
        if each.type in ("info", "computed"):
            return False
        return self.true(each.required) if each.required else each.need

    def shown(self, keys: Iterable[str]) -> Iterable[str]:
        for key in keys:
            outcome = self.outcome(key)
            if outcome.shown:
                yield self._sent.prefix + key
                for row in outcome.items:
                    yield from row.shown(row._placed)

    def needed(self, keys: Iterable[str]) -> Iterable[str]:
        for key in keys:
            outcome = self.outcome(key)
            if outcome.shown and self.needs(self._placed[key].field):
                yield self._sent.prefix + key
                for row in outcome.items:
                    yield from row.needed(row._placed)


def _item_of(prefix: str) -> str:
    return prefix.split(".")[1]


def _amount_of_options(each: FormField, value: Any) -> Fraction | None:
    if value is None:
        return None
    chosen = value if isinstance(value, list) else [value]
    return sum((Fraction(option.amount or 0) for option in each.options if option.value in chosen), Fraction(0))


# ---- whole forms


def read_procedure(procedure: Procedure, raw: Raw, files: Files, today: date) -> Reading:
    """Everything. `today` is the day in Japan."""
    return _read(procedure, list(procedure.placed), Sent(raw, files, today))


def read_step(procedure: Procedure, step: FormStep, raw: Raw, files: Files, today: date) -> Reading:
    """The answers and errors of one page only; conditions look at the whole form."""
    return _read(procedure, [each.key for each in step.fields], Sent(raw, files, today))


def read_again(
    procedure: Procedure, kept: Answers, paths: Iterable[str], raw: Raw, files: Files, *, today: date, arrived: date
) -> Reading:
    """The answers after those at `paths` were typed anew: all else stays as it was `kept`, computed fields follow, and
    what the new answers hide goes."""
    sent = Sent(raw, files, today, kept=kept, fresh=frozenset(paths), arrived=arrived)
    return _read(procedure, list(procedure.placed), sent)


def _read(procedure: Procedure, keys: list[str], sent: Sent) -> Reading:
    form = Level(procedure.placed, sent)
    for key in procedure.order:
        form.outcome(key)
    errors = form.errors(keys)
    for check in procedure.checks:
        if check.at in keys and form.outcome(check.at).shown and form.true(check.when):
            path = check.at + FIRST_INPUT.get(procedure.placed[check.at].field.type, "")
            errors.setdefault(path, check.text)
    return Reading(
        answers=form.answers(keys),
        errors=errors,
        stops=[rule.text for rule in procedure.ineligible if form.true(rule.when)],
        shown=set(form.shown(keys)),
        needed=set(form.needed(keys)),
        steps=[step for step in procedure.steps if _is_shown(form, step)],
    )


def _is_shown(form: Level, step: FormStep) -> bool:
    keys = [each.key for each in step.fields]
    return form.true(step.visible) and (not keys or any(form.outcome(key).shown for key in keys))


def read_fields(fields: Iterable[FormField], raw: Raw, files: Files, today: date) -> Reading:
    """Fields that stand alone, without a procedure around them."""
    step = FormStep(key="alone", title="-")
    placed = {each.key: Placed(each, step, ()) for each in fields}
    form = Level(placed, Sent(raw, files, today))
    return Reading(
        form.answers(placed), form.errors(placed), shown=set(form.shown(placed)), needed=set(form.needed(placed))
    )


# ---- how many


def _wrong_count(each: FormField, count: int, needed: bool) -> str:
    least = max(each.min or 0, 1 if needed else 0)
    if count < least:
        return say("%(label)sを%(least)s件以上、入力してください。", label=each.label, least=least)
    if each.max is not None and count > each.max:
        return say("%(label)sは%(most)s件までです。余分なものを外してください。", label=each.label, most=each.max)
    return ""


def _too_few_files(each: FormField, count: int, needed: bool) -> str:
    least = max(each.min or 0, 1 if needed else 0)
    if count >= least:
        return ""
    if least == 1:
        return say("%(label)sを添えてください。", label=each.label)
    return say("%(label)sを%(least)sつ以上、添えてください。", label=each.label, least=least)


def _too_many_files(each: FormField, count: int) -> str:
    if each.max is None or count <= each.max:
        return ""
    return say("%(label)sは%(most)sつまでです。余分なものを外してください。", label=each.label, most=each.max)
