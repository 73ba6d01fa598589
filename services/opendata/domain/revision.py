"""Change parts of a document by paths, as CKAN's `package_revise` does: match what must be so, filter what goes, update what changes.

A path is parted by `__`: `resources__0__name`, `resources__1f9b4__url` (the beginning of an id, five letters or more),
`resources__extend`; in a filter `*` is everything below.
"""

import copy
import re
from typing import Any

Document = dict[str, Any]


class Mismatch(ValueError):
    """The document is not as the program believes, or has no such place. `path` says where."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def gathered(given: Document, name: str) -> list[tuple[list[str], Any]]:
    """What stands under `name` in the parameters, as paths and values: `{"match": {"id": 1}}` and `{"match__id": 1}` are one."""
    found = (
        [([key], value) for key, value in (given.get(name) or {}).items()] if isinstance(given.get(name), dict) else []
    )
    start = f"{name}__"
    return found + [
        (key.removeprefix(start).split("__"), value) for key, value in given.items() if key.startswith(start)
    ]


def check(document: Document, wanted: list[tuple[list[str], Any]]) -> None:
    """Mismatch unless everything wanted is so."""
    for path, value in wanted:
        if not _holds(_get(document, path), value):
            raise Mismatch("__".join(path))


def _holds(present: Any, value: Any) -> bool:
    if isinstance(value, dict) and isinstance(present, dict):
        return all(_holds(present.get(key), each) for key, each in value.items())
    return present == value


def filtered(document: Document, patterns: list[str]) -> Document:
    """Without what `-path` names, unless an earlier `+path` keeps it."""
    made = copy.deepcopy(document)
    kept: list[list[str]] = []
    for pattern in patterns:
        sign, path = pattern[:1], pattern[1:].split("__")
        if sign not in "+-" or not path[0]:
            raise Mismatch(pattern)
        if sign == "+":
            kept.append(path)
        else:
            _remove(made, path, [], kept)
    return made


def _remove(here: Any, path: list[str], walked: list[str], kept: list[list[str]]) -> None:
    first, rest = path[0], path[1:]
    keys = list(here) if first == "*" and isinstance(here, dict) else [first]
    for key in keys:
        at = [*walked, key]
        if at in kept:
            continue
        if rest or any(one[: len(at)] == at for one in kept):
            _remove(_get(here, [key]), rest or ["*"], at, kept)
        elif isinstance(here, dict):
            here.pop(key, None)


def updated(document: Document, changes: list[tuple[list[str], Any]]) -> Document:
    made = copy.deepcopy(document)
    for path, value in changes:
        _put(made, path, value)
    return made


def _put(document: Any, path: list[str], value: Any) -> None:
    *way, last = path
    here = _get(document, way)
    if last == "extend" and isinstance(value, list):
        if not isinstance(here, list):
            raise Mismatch("__".join(path))
        here.extend(value)
    elif isinstance(here, dict):
        here[last] = {**here[last], **value} if isinstance(here.get(last), dict) and isinstance(value, dict) else value
    elif isinstance(here, list):
        at = _index(here, last)
        here[at] = {**here[at], **value} if isinstance(here[at], dict) and isinstance(value, dict) else value
    else:
        raise Mismatch("__".join(path))


def _get(document: Any, path: list[str]) -> Any:
    here = document
    for step in path:
        if isinstance(here, list):
            here = here[_index(here, step)]
        elif isinstance(here, dict):
            here = here.get(step)
        else:
            raise Mismatch("__".join(path))
    return here


def _index(items: list[Any], step: str) -> int:
    """By number, or by the beginning of an `id`."""
    if re.fullmatch(r"-?\d{1,4}", step):
        at = int(step)
        if -len(items) <= at < len(items):
            return at
    elif len(step) > 4:
        found = [
            n for n, each in enumerate(items) if isinstance(each, dict) and str(each.get("id", "")).startswith(step)
        ]
        if len(found) == 1:
            return found[0]
    raise Mismatch(step)
