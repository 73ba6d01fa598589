"""The JSON Schemas of events, checked in under `docs/events/`: what a stranger can rely on.

python -m services events          writes schemas and docs/events.md; refuses a breaking change of a published type
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from libs.common.events import Event

FOLDER = Path(__file__).parents[2] / "docs" / "events"


class Mismatch(ValueError):
    """The data of an event does not fit the schema of its type: trying again cannot help."""


def schema_of(event_class: type[Event]) -> dict[str, Any]:
    """JSON Schema (2020-12) of the `data` member."""
    schema = event_class.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": event_class.type, **schema}


def check_data(event_type: str, data: dict[str, Any]) -> None:
    """Raise Mismatch if `data` does not fit the published schema. A type without one is not checked."""
    validator = _validator(event_type)
    error = next(iter(validator.iter_errors(data)), None) if validator else None
    if error is not None:
        raise Mismatch(f"{'/'.join(map(str, error.absolute_path)) or 'data'}: {error.validator}")


@cache
def _validator(event_type: str) -> Draft202012Validator | None:
    path = FOLDER / f"{event_type}.json"
    return Draft202012Validator(json.loads(path.read_text("utf-8"))) if path.is_file() else None


def breaking_changes(published: dict[str, Any], present: dict[str, Any], where: str = "") -> list[str]:
    """What in `present` would surprise a reader of `published`: gone, changed or newly optional fields."""
    problems = []
    old, new = published.get("properties", {}), present.get("properties", {})
    for name, old_field in old.items():
        path = f"{where}{name}"
        if name not in new:
            problems.append(f"{path} is gone")
            continue
        if _shape(old_field) != _shape(new[name]):
            problems.append(f"{path} changed from {_shape(old_field)} to {_shape(new[name])}")
        if name in published.get("required", []) and name not in present.get("required", []):
            problems.append(f"{path} is no longer always there")
    for name, definition in published.get("$defs", {}).items():
        problems += breaking_changes(definition, present.get("$defs", {}).get(name, {}), f"{where}{name}.")
    return problems


def _shape(field: dict[str, Any]) -> str:
    """A field without its words: type, format, allowed values."""
    kept = {k: v for k, v in field.items() if k not in ("title", "description", "default", "examples")}
    return json.dumps(kept, sort_keys=True, ensure_ascii=False)


def publish(event_classes: list[type[Event]], folder: Path = FOLDER) -> list[str]:
    """Write the schemas of `event_classes`. Returns breaking changes instead, writing nothing, if there are any."""
    problems = []
    for event_class in event_classes:
        path = folder / f"{event_class.type}.json"
        if path.is_file():
            published = json.loads(path.read_text("utf-8"))
            problems += [f"{event_class.type}: {p}" for p in breaking_changes(published, schema_of(event_class))]
    if problems:
        return problems
    folder.mkdir(parents=True, exist_ok=True)
    for event_class in event_classes:
        text = json.dumps(schema_of(event_class), ensure_ascii=False, indent=2) + "\n"
        (folder / f"{event_class.type}.json").write_text(text, "utf-8")
    return []
