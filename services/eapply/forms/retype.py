"""Answers back to inputs: what somebody starts from who mends an application, or takes over what is known of them."""

from collections.abc import Iterable
from typing import Any

from services.eapply.forms import partial_dates
from services.eapply.forms.definition import FormField, Procedure
from services.eapply.forms.raw import Raw
from services.eapply.forms.read import Answers


def as_typed(procedure: Procedure, answers: Answers, paths: Iterable[str]) -> Raw:
    """The inputs at `paths` that would be read as these answers."""
    raw: Raw = {}
    for path in paths:
        field = procedure.field_at(path)
        if field is not None:
            type_in(field, path, value_at(answers, path), raw)
    return raw


def type_in(field: FormField, path: str, value: Any, raw: Raw) -> None:
    """Put the inputs of one answer into `raw`."""
    match field.type:
        case "file" | "info" | "computed":
            return
        case "group":
            raw[f"{path}.items"] = [row["_item"] for row in value or []]
            for row in value or []:
                for inner in field.fields:
                    type_in(inner, f"{path}.{row['_item']}.{inner.key}", row.get(inner.key), raw)
        case "address":
            raw.update({f"{path}.{part}": [text] for part, text in (value or {}).items()})
        case "date":
            raw.update({f"{path}_{part}": [text] for part, text in partial_dates.parts(value).items()})
        case "choices":
            raw[path] = list(value or [])
        case "consent":
            raw[path] = ["yes"] if value else []
        case "yesno":
            raw[path] = [] if value is None else ["yes" if value else "no"]
        case _:
            raw[path] = [str(value)] if value is not None else []


def attached(procedure: Procedure, answers: Answers, paths: Iterable[str]) -> dict[str, Any]:
    """The files at `paths`, by the path of their field."""
    files: dict[str, Any] = {}
    for path in paths:
        field = procedure.field_at(path)
        if field is not None and field.type == "file":
            files[path] = list(value_at(answers, path) or [])
        elif field is not None and field.type == "group":
            for row in value_at(answers, path) or []:
                for inner in field.fields:
                    if inner.type == "file" and row.get(inner.key):
                        files[f"{path}.{row['_item']}.{inner.key}"] = list(row[inner.key])
    return files


def value_at(answers: Answers, path: str) -> Any:
    """The answer at `email` or at `children.2.birth`; None when there is none."""
    head, _, rest = path.partition(".")
    if not rest:
        return answers.get(head)
    item, _, key = rest.partition(".")
    row = next((row for row in answers.get(head) or [] if row["_item"] == item), {})
    return row.get(key)
