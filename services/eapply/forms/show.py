"""Answers as people read them: on the confirm page, at the desk, in the diff and in CSV."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from libs.common.errors import say
from libs.common.web import dates
from libs.common.web.filters import size
from services.eapply.forms import partial_dates
from services.eapply.forms.definition import FormField, FormStep, Procedure
from services.eapply.forms.read import Answers

NOTHING = say("（なし）")


@dataclass(frozen=True, slots=True)
class Line:
    """One answer. `path` names it for corrections; `files` are its attachments."""

    path: str
    label: str
    text: str
    files: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What one answer was before a correction and what it is after."""

    path: str
    label: str
    old: str
    new: str


def lines(
    procedure: Procedure, answers: Answers, lang: str = "ja", *, shown: Collection[str] | None = None
) -> list[Line]:
    """All answers of a procedure in the order of its steps. `lang` is the language of days and lists; labels are those
    of `procedure` (`Procedure.in_language`). `shown`: the paths that were asked (`Reading.shown`), answered or not."""
    return [line for step in procedure.steps for line in step_lines(step, answers, lang, shown)]


def step_lines(step: FormStep, answers: Answers, lang: str = "ja", shown: Collection[str] | None = None) -> list[Line]:
    """What only some are asked (a condition stands before it) is left out where it was not answered, or not `shown`."""
    return [
        line
        for section in step.sections
        for each in section.fields
        if _is_there(each.key, each.key in answers or not (step.visible or section.visible or each.visible), shown)
        for line in _field_lines(each, answers, lang, shown)
    ]


def _is_there(path: str, by_answers: bool, shown: Collection[str] | None) -> bool:
    return by_answers if shown is None else path in shown


def _field_lines(each: FormField, answers: Answers, lang: str, shown: Collection[str] | None = None) -> Iterator[Line]:
    if each.type == "info":
        return
    if each.type != "group":
        yield _line(each, each.key, each.label, answers.get(each.key), lang)
        return
    rows = answers.get(each.key) or []
    if not rows:
        yield Line(each.key, each.label, NOTHING)
    for number, row in enumerate(rows, start=1):
        for inner in each.fields:
            path = f"{each.key}.{row['_item']}.{inner.key}"
            if not _is_there(path, inner.visible is None or inner.key in row, shown):
                continue
            label = (
                f"{each.item or each.label}{number}　{inner.label}"
                if lang != "en"
                else f"{each.item or each.label} {number}: {inner.label}"
            )
            yield _line(inner, path, label, row.get(inner.key), lang)


def _line(each: FormField, path: str, label: str, value: Any, lang: str) -> Line:
    files = tuple(value) if each.type == "file" and value else ()
    return Line(path, label, text_of(each, value, lang), files)


def text_of(each: FormField, value: Any, lang: str = "ja") -> str:
    """One value in words; （なし） for none."""
    if value is None or value == "" or value == []:
        return NOTHING
    words = {option.value: option.label for option in each.options}
    comma = ", " if lang == "en" else "、"
    match each.type:
        case "date":
            if partial_dates.WRITTEN.fullmatch(value):
                return partial_dates.written(value, lang)
            return dates.day(date.fromisoformat(value), lang=lang, weekdays=False)
        case "month":
            return partial_dates.month_written(value, lang)
        case "time":
            hour, _, minute = value.partition(":")
            return value if lang == "en" else f"{int(hour)}時{minute}分"
        case "address":
            postal = f"〒{value['postal'][:3]}-{value['postal'][3:]}"
            return " ".join(part for part in (postal, value["city"] + value["street"], value.get("house", "")) if part)
        case "postal":
            return f"〒{value[:3]}-{value[3:]}"
        case "number" | "decimal" | "computed":
            number = f"{value:,}" if isinstance(value, int) else value
            return f"{number}{' ' if lang == 'en' and each.unit else ''}{each.unit}"
        case "yen":
            return say("%(amount)s円", amount=f"{value:,}")
        case "choice" | "select":
            return str(words.get(value, value))
        case "choices":
            return comma.join(str(words.get(each_value, each_value)) for each_value in value)
        case "file":
            return comma.join(f"{kept['name']}（{size(kept['size'])}）" for kept in value)
        case "consent":
            return say("同意しました")
        case "oath":
            return say("宣誓しました（%(name)s）", name=value)
        case "yesno":
            return say("はい") if value else say("いいえ")
    return str(value)


def changes(procedure: Procedure, old: Answers, new: Answers) -> list[Change]:
    """The answers that differ, in the order of the form. Added and removed items count as changes from and to
    nothing."""
    before = {line.path: line for line in lines(procedure, old)}
    after = {line.path: line for line in lines(procedure, new)}
    paths = [*after, *(path for path in before if path not in after)]
    return [
        Change(path, (after.get(path) or before[path]).label, _text(before.get(path)), _text(after.get(path)))
        for path in paths
        if _content(before.get(path)) != _content(after.get(path))
    ]


def _text(line: Line | None) -> str:
    return line.text if line else NOTHING


def _content(line: Line | None) -> tuple[str, tuple[Any, ...]]:
    return (line.text, tuple(kept["sha256"] for kept in line.files)) if line else (NOTHING, ())
