"""`docs/events.md`: the catalogue of events a stranger can read, made from the classes, their readers and their schemas."""

import importlib
import sys
from pathlib import Path
from typing import Any

from libs.common import schemas
from libs.common.events import Event, registry, source_of

PAGE = Path(__file__).parents[1] / "docs" / "events.md"
_HEAD = """# Events

Made by `python -m services events`; do not edit. Every event is a CloudEvents 1.0 JSON envelope
(`specversion id source type subject time tenantid sequence traceparent datacontenttype data`). `sequence` counts the events of one
`subject` from 1. `data` follows the JSON Schema in `docs/events/<type>.json`. No personal data is in any of them.
A new optional field keeps the version; a changed meaning is a new type, and both are sent until nobody reads the old one.
"""


def write() -> int:
    """Write schemas and page. Returns an exit code: 1 when a published type would break its readers."""
    readers = _load()
    classes = [registry[name] for name in sorted(registry) if _is_ours(registry[name])]
    problems = schemas.publish(classes)
    if problems:
        print("Published events would break (make a new version instead):", *problems, sep="\n  ", file=sys.stderr)
        return 1
    PAGE.write_text(page(classes, readers), "utf-8")
    return 0


def page(classes: list[type[Event]], readers: dict[str, list[str]]) -> str:
    sources = sorted({source_of(c.type) for c in classes})
    parts = [_HEAD]
    for source in sources:
        parts.append(f"\n## {source}\n")
        parts += [_section(c, readers.get(c.type, [])) for c in classes if source_of(c.type) == source]
    return "".join(parts)


def _section(event_class: type[Event], readers: list[str]) -> str:
    lines = [f"\n### {event_class.type}\n\n{_words(event_class)}\n\n"]
    lines.append(f"Readers: {', '.join(readers) or 'none yet'}\n\n| field | type | meaning |\n|---|---|---|\n")
    schema = schemas.schema_of(event_class)
    for name, field in schema.get("properties", {}).items():
        optional = "" if name in schema.get("required", []) else " (optional)"
        lines.append(f"| `{name}` | {_type(field)}{optional} | {field.get('description', '')} |\n")
    return "".join(lines)


def _words(event_class: type[Event]) -> str:
    return " ".join((event_class.__doc__ or "").split())


def _type(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_type(f) for f in field["anyOf"])
    if "enum" in field:
        return " / ".join(f"`{v}`" for v in field["enum"])
    return field.get("format") or field.get("type") or field.get("$ref", "").rsplit("/", 1)[-1] or "any"


def _is_ours(event_class: type[Event]) -> bool:
    """Whether a service of this cloud sends it; tests have services of their own."""
    from services.__main__ import DEPLOYABLES

    return source_of(event_class.type) in {deployable.name for deployable in DEPLOYABLES}


def _load() -> dict[str, list[str]]:
    """Import every service's events and worker. Returns the readers of each type."""
    from services.__main__ import DEPLOYABLES

    readers: dict[str, list[str]] = {}
    for deployable in DEPLOYABLES:
        importlib.import_module(f"{deployable.package}.events")
        worker = importlib.import_module(f"{deployable.package}.worker")
        for event_type in worker.subscriptions.handlers:
            readers.setdefault(event_type, []).append(deployable.name)
    return readers
