"""Answers of a program against the shapes of a definition: what has no place in it is named, where a form would just not send it."""

from collections.abc import Iterable, Mapping
from typing import Any

from libs.common.errors import say
from services.eapply.forms.definition import ADDRESS_PARTS, DATE_PARTS, FormField

UNKNOWN = say("この手続きにない項目です。")
ONE_VALUE = say("値を1つだけ送ってください。")
ROWS = say("くり返しは、組（オブジェクト）の並びで送ってください。")
FILES = say("ファイルは、answersではなくfilesに入れて送ってください。")


def misplaced(fields: Iterable[FormField], answers: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Path → sentence for each value that would be lost unread: `colour`, `children.2` (rows count from 1), `address.floor`.
    Nulls are no values; `_item` is what rows are read back with."""
    known = {each.key: each for each in fields}
    parts = {f"{each.key}_{part}": each for each in known.values() if each.type == "date" for part in DATE_PARTS}
    found: dict[str, str] = {}
    for key, value in answers.items():
        field = known.get(key) or parts.get(key)
        if field is None:
            found |= {} if prefix and key == "_item" else {prefix + key: UNKNOWN}
        elif value is not None:
            found |= _at(field, value, prefix + key)
    return found


def _at(field: FormField, value: Any, path: str) -> dict[str, str]:
    match field.type:
        case "group":
            return _rows(field, value, path)
        case "file":
            return {path: FILES}
        case "address" if isinstance(value, Mapping):
            unknown: dict[str, str] = {f"{path}.{part}": UNKNOWN for part in value if part not in ADDRESS_PARTS}
            return unknown | {f"{path}.{part}": ONE_VALUE for part in ADDRESS_PARTS if _is_many(value.get(part))}
        case "choices" if isinstance(value, list):
            return {path: ONE_VALUE} if any(_is_many(each) for each in value) else {}
    return {path: ONE_VALUE} if _is_many(value) else {}


def _rows(group: FormField, value: Any, path: str) -> dict[str, str]:
    if not isinstance(value, list):
        return {path: ROWS}
    found: dict[str, str] = {}
    for number, row in enumerate(value, start=1):
        place = f"{path}.{number}"
        found |= misplaced(group.fields, row, f"{place}.") if isinstance(row, Mapping) else {place: ROWS}
    return found


def _is_many(value: Any) -> bool:
    return isinstance(value, list | Mapping)
