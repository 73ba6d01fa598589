"""Changes to a definition that is being made. A document goes in, the changed document comes out; what it holds need not
fit together yet (`document.check` says what is missing), so that a clerk can leave at any moment.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from services.eapply.forms.definition import texts
from services.eapply.forms.text import whole

Document = dict[str, Any]
Where = tuple[str, ...]
"""Keys from the outside: (step,) · (step, field) · (step, group, field)."""


def empty(key: str, title: str, kana: str, department: str) -> Document:
    """A procedure with one page and nothing on it."""
    return {
        "key": key, "version": 1, "title": title, "kana": kana, "category": "くらし", "summary": title, "department": department,
        "legal": {"basis": "", "disposition": False},
        "steps": [{"key": "p1", "title": "申し込む方", "sections": [{"fields": []}]}],
    }  # fmt: skip


def steps(document: Document) -> list[Document]:
    return document.get("steps") or []


def step_of(document: Document, key: str) -> Document | None:
    return next((step for step in steps(document) if step.get("key") == key), None)


def fields_of(step: Document) -> Iterator[Document]:
    for section in step.get("sections") or []:
        yield from section.get("fields") or []


def field_at(document: Document, where: Where) -> Document | None:
    """The field at (step, field) or (step, group, field)."""
    step = step_of(document, where[0])
    found = next((f for f in fields_of(step or {}) if f.get("key") == where[1]), None)
    if found is None or len(where) == 2:
        return found
    return next((f for f in found.get("fields") or [] if f.get("key") == where[2]), None)


def every_field(document: Document) -> Iterator[tuple[Where, Document]]:
    for step in steps(document):
        for field in fields_of(step):
            yield (step["key"], field["key"]), field
            for inner in field.get("fields") or []:
                yield (step["key"], field["key"], inner["key"]), inner


def in_sight(document: Document, place: Where = ()) -> dict[str, tuple[Where, Document]]:
    """What a condition at `place` may speak of, by the name it uses: the questions of all pages, and inside a くり返し the other ones
    of the same item, which stand in front of a question outside that has the same key."""
    found = {where[1]: (where, field) for where, field in every_field(document) if len(where) == 2}
    beside = {where[2]: (where, field) for where, field in every_field(document) if len(where) == 3 == len(place)}
    return found | {key: (where, field) for key, (where, field) in beside.items() if where[:2] == place[:2]}


def new_key(document: Document, letter: str, ever: Iterable[str] = ()) -> str:
    """A key that nothing in the document has or still speaks of (p2, q17), nor ever had: a condition about a question that was
    taken away, or an answer to it, must not become one about the new question."""
    spoken_of = re.findall(r"\w+", json.dumps(document, ensure_ascii=True))
    numbers = [int(key[1:]) for key in (*spoken_of, *ever) if re.fullmatch(rf"{letter}[0-9]{{1,6}}", key)]
    return f"{letter}{max(numbers, default=0) + 1}"


# ---- pages


def add_step(document: Document, title: str) -> tuple[Document, str]:
    key = new_key(document, "p")
    return document | {"steps": [*steps(document), {"key": key, "title": title, "sections": [{"fields": []}]}]}, key


def change_step(document: Document, key: str, change: Callable[[Document], Document | None]) -> Document:
    """The document with one page changed; None takes the page away."""
    changed = (change(step) if step.get("key") == key else step for step in steps(document))
    return document | {"steps": [step for step in changed if step is not None]}


def move(entries: list[Document], key: str, by: int) -> list[Document]:
    """The entries with one of them `by` places further; at the ends it stays."""
    at = next((n for n, entry in enumerate(entries) if entry.get("key") == key), None)
    if at is None:
        return entries
    rest = [entry for entry in entries if entry.get("key") != key]
    to = max(0, min(len(rest), at + by))
    return [*rest[:to], entries[at], *rest[to:]]


def move_step(document: Document, key: str, by: int) -> Document:
    return document | {"steps": move(steps(document), key, by)}


# ---- fields


def add_field(
    document: Document, where: Where, type_: str, label: str, ever: Iterable[str] = ()
) -> tuple[Document, str]:
    """A new question at the end of the page (step,) or of the group (step, group). `ever`: keys that it must not have."""
    key = new_key(document, "q", ever)
    field = {"key": key, "type": type_, "label": label} | STARTS.get(type_, {})
    if type_ == "group":
        field["fields"] = [{"key": f"q{int(key[1:]) + 1}", "type": "text", "label": "内容"}]
    if len(where) == 1:
        return change_step(document, where[0], lambda step: _with_last_fields(step, field)), key
    return change_field(document, where, lambda group: group | {"fields": [*(group.get("fields") or []), field]}), key


STARTS: dict[str, Document] = {
    "choice": {"options": [{"value": "o1", "label": "選択肢1"}, {"value": "o2", "label": "選択肢2"}]},
    "select": {"options": [{"value": "o1", "label": "選択肢1"}, {"value": "o2", "label": "選択肢2"}]},
    "choices": {"options": [{"value": "o1", "label": "選択肢1"}, {"value": "o2", "label": "選択肢2"}]},
    "computed": {"formula": "0"},
    "info": {"need": False},
    "name": {"help": "戸籍または住民票のとおりに入力してください。"},
    "kana": {"help": "ひらがなで入力しても、カタカナに直します。"},
}
"""What a new question of a kind begins with, so that it can be seen at once."""


def _with_last_fields(step: Document, field: Document) -> Document:
    sections = step.get("sections") or [{}]
    last = sections[-1] | {"fields": [*(sections[-1].get("fields") or []), field]}
    return step | {"sections": [*sections[:-1], last]}


def change_field(document: Document, where: Where, change: Callable[[Document], Document | None]) -> Document:
    """The document with one field changed; None takes it away."""
    if len(where) == 3:
        return change_field(
            document, where[:2], lambda group: group | {"fields": _changed(group.get("fields") or [], where[2], change)}
        )

    def on_page(step: Document) -> Document:
        sections = [
            s | {"fields": _changed(s.get("fields") or [], where[1], change)} for s in step.get("sections") or []
        ]
        return step | {"sections": sections}

    return change_step(document, where[0], on_page)


def _changed(fields: list[Document], key: str, change: Callable[[Document], Document | None]) -> list[Document]:
    changed = (change(field) if field.get("key") == key else field for field in fields)
    return [field for field in changed if field is not None]


def move_field(document: Document, where: Where, by: int) -> Document:
    """One place up or down, over the edges of sections."""
    if len(where) == 3:
        return change_field(
            document, where[:2], lambda group: group | {"fields": move(group.get("fields") or [], where[2], by)}
        )

    def on_page(step: Document) -> Document:
        sections = step.get("sections") or []
        at = next(n for n, s in enumerate(sections) if any(f.get("key") == where[1] for f in s.get("fields") or []))
        fields = sections[at].get("fields") or []
        position = next(n for n, f in enumerate(fields) if f.get("key") == where[1])
        if 0 <= position + by < len(fields):
            return step | {
                "sections": [*sections[:at], sections[at] | {"fields": move(fields, where[1], by)}, *sections[at + 1 :]]
            }
        return step | {"sections": _over_the_edge(sections, at, fields[position], by)}

    return change_step(document, where[0], on_page) if field_at(document, where) else document


def _over_the_edge(sections: list[Document], at: int, field: Document, by: int) -> list[Document]:
    to = at + by
    if not 0 <= to < len(sections):
        return sections
    result = [section | {"fields": [f for f in section.get("fields") or [] if f is not field]} for section in sections]
    fields = result[to]["fields"]
    result[to] = result[to] | {"fields": [*fields, field] if by < 0 else [field, *fields]}
    return result


def move_to_step(document: Document, where: Where, step_key: str) -> Document:
    """The field to the end of another page."""
    field = field_at(document, where)
    if field is None or step_of(document, step_key) is None or where[0] == step_key or len(where) != 2:
        return document
    without = change_field(document, where, lambda _: None)
    return change_step(without, step_key, lambda step: _with_last_fields(step, field))


# ---- the whole


def tidy(document: Document) -> Document:
    """Without translations of texts that stand here no more, and without what was left empty."""
    bare = {key: value for key, value in document.items() if key != "translations"}
    present = set(texts(bare))
    kept = {
        lang: {text: words for text, words in (known or {}).items() if text in present}
        for lang, known in (document.get("translations") or {}).items()
    }
    kept = {lang: known for lang, known in kept.items() if known}
    return bare | ({"translations": kept} if kept else {})


def options_from(lines: str, before: list[Document]) -> list[Document]:
    """One option per line, `label` or `label = amount`. An option whose label was there keeps its value and its help; a
    new one gets a value nobody had."""
    known = {option.get("label"): option for option in before}
    taken = {option.get("value") for option in before}
    result = []
    for line in (each.strip() for each in lines.splitlines() if each.strip()):
        label, _, amount = (
            (part.strip() for part in line.replace("＝", "=").rpartition("=")) if _has_amount(line) else (line, "", "")
        )
        option = known.get(label) or {"value": _free(taken), "label": label}
        taken.add(option["value"])
        bare = {key: value for key, value in option.items() if key != "amount"}
        result.append(bare | ({"amount": whole(amount)} if amount else {}))
    return result


def _has_amount(line: str) -> bool:
    _, equals, amount = line.replace("＝", "=").rpartition("=")
    return bool(equals) and whole(amount) is not None


def _free(taken: set[Any]) -> str:
    number = 1
    while f"o{number}" in taken:
        number += 1
    return f"o{number}"


def options_as_lines(options: list[Document]) -> str:
    return "\n".join(
        f"{o.get('label', '')} = {o['amount']}" if o.get("amount") is not None else str(o.get("label", ""))
        for o in options
    )
