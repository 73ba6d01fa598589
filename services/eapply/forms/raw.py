"""Raw: what was typed, by the name of the input, exactly as a form sends it. A draft keeps this, so that nothing is
lost.

Names: `email`, `address.postal`, `birth.year`; inside a group `children.2.name`, where 2 is the item's own key that
never changes;
`children.items` lists the keys in order. Everything that comes in passes `take_in`, which mends, bounds and keeps
個人番号 out.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from libs.common.errors import Invalid, TooLarge, say
from services.eapply.domain import mynumber
from services.eapply.forms.definition import DATE_PARTS, FormField
from services.eapply.forms.text import cleaned

Raw = dict[str, list[str]]

MAX_TEXT = 20_000
"""Characters in one input."""
MAX_INPUTS = 2_000
ITEM_KEY = re.compile(r"[1-9][0-9]{0,3}")


def take_in(pairs: Iterable[tuple[str, str]]) -> tuple[Raw, dict[str, str]]:
    """(raw, refused): what may be kept, and name → sentence for inputs whose content was dropped as a 個人番号."""
    raw: Raw = {}
    refused: dict[str, str] = {}
    for count, (name, text) in enumerate(pairs):
        if count >= MAX_INPUTS or len(text) > MAX_TEXT:
            raise TooLarge(say("入力が長すぎるため、受け取れませんでした。文を短くしてから、もう一度お試しください。"))
        text = cleaned(text, lines=True)
        if mynumber.contains(text):
            refused[name] = mynumber.REFUSAL
            text = ""
        raw.setdefault(name, []).append(text)
    return raw, refused


def belongs_to(name: str, field: FormField) -> bool:
    """Whether the input `name` is one of `field`'s."""
    return is_at(name, field.key)


def is_at(name: str, path: str) -> bool:
    """Whether the input `name` is at `path`, below it, or a part of its date."""
    return name == path or name.startswith(f"{path}.") or name in {f"{path}_{part}" for part in DATE_PARTS}


def merged(old: Raw, new: Raw, fields: Iterable[FormField]) -> Raw:
    """`old` with everything about `fields` replaced by what is in `new`. Inputs of no such field are left out."""
    fields = list(fields)
    kept = {name: texts for name, texts in old.items() if not any(belongs_to(name, field) for field in fields)}
    taken = {name: texts for name, texts in new.items() if any(belongs_to(name, field) for field in fields)}
    return kept | taken


def items(raw: Raw, group: FormField) -> list[str]:
    """The keys of a group's items, in order. A group that needs items shows as many as it needs from the start."""
    listed = [key for key in raw.get(f"{group.key}.items", []) if ITEM_KEY.fullmatch(key)]
    if listed or f"{group.key}.items" in raw:
        return list(dict.fromkeys(listed))
    return [str(number) for number in range(1, max(group.min or 0, 1 if group.need else 0) + 1)]


def add_item(raw: Raw, group: FormField) -> tuple[Raw, str]:
    """`raw` with one more item, and its key. Keys are never used twice while the draft lives."""
    present = items(raw, group)
    if group.max is not None and len(present) >= group.max:
        raise Invalid(say("%(label)sは%(most)s件までです。", label=group.label, most=group.max))
    used = {name.split(".")[1] for name in raw if name.startswith(group.key + ".")} | set(present)
    key = str(max((int(each) for each in used if each.isdigit()), default=0) + 1)
    return raw | {f"{group.key}.items": [*present, key]}, key


def remove_item(raw: Raw, group: FormField, key: str) -> Raw:
    """`raw` without the item and all that was typed in it."""
    kept = {name: texts for name, texts in raw.items() if not name.startswith(f"{group.key}.{key}.")}
    return kept | {f"{group.key}.items": [each for each in items(raw, group) if each != key]}


def from_json(answers: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Answers of a program (objects, lists, numbers) as the inputs a form would have sent. Lists of objects are
    groups."""
    pairs: list[tuple[str, str]] = []
    for key, value in answers.items():
        _flatten(str(key), value, pairs)
    return pairs


def _flatten(name: str, value: Any, pairs: list[tuple[str, str]]) -> None:
    if value is None:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _flatten(f"{name}.{key}", inner, pairs)
    elif isinstance(value, list):
        _flatten_list(name, value, pairs)
    elif isinstance(value, bool):
        pairs.append((name, "yes" if value else "no"))
    elif isinstance(value, float) and value.is_integer():
        pairs.append((name, str(int(value))))  # JSON knows one kind of number: 8.0 is 8
    elif isinstance(value, str | int | float):
        pairs.append((name, str(value)))
    else:
        raise Invalid(
            say("読めない値があります。"), fields={name: say("文字、数、真偽、並び、組のどれかで送ってください。")}
        )


def _flatten_list(name: str, value: list[Any], pairs: list[tuple[str, str]]) -> None:
    for number, inner in enumerate(value, start=1):
        if isinstance(inner, Mapping):
            pairs.append((f"{name}.items", str(number)))
            _flatten(f"{name}.{number}", inner, pairs)
        else:
            _flatten(name, inner, pairs)
