"""Two versions of a definition compared, and three joined: what each side changed stays, and what both changed is said.

Definitions are compared as documents. Entries of lists are known by what they are (a field by its key, an option by its
value), not by where they stand, so that an inserted question does not make all that follow look changed.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MISSING: Any = type("Missing", (), {"__repr__": lambda self: "-"})()
IDENTITIES = ("key", "value", "at", "title", "text", "name")
"""What an entry of a list is known by, the first that it has."""
ATOMS = frozenset({"visible", "required", "when", "bring", "words", "accept"})
"""Compared and joined as a whole: half a condition of one side and half of the other would be nobody's."""
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One place in which two versions differ. `old` or `new` is MISSING where one side has nothing there."""

    path: Path
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Collision:
    """A place that both sides changed, each in its own way. The joined document has `ours`."""

    path: Path
    base: Any
    ours: Any
    theirs: Any


def named(entries: list[Any]) -> dict[str, Any]:
    """The entries of a list by what they are known by, in order. Two alike are told apart by their number."""
    found: dict[str, Any] = {}
    for entry in entries:
        name = _identity(entry)
        number = 2
        while name in found:
            name = f"{_identity(entry)}#{number}"
            number += 1
        found[name] = entry
    return found


def _identity(entry: Any) -> str:
    if isinstance(entry, dict):
        return str(next((entry[key] for key in IDENTITIES if entry.get(key)), "-"))
    return json.dumps(entry, ensure_ascii=False, sort_keys=True)


def is_list_of_entries(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[Difference]:
    """Every place in which `new` is not `old`, in the order of the document."""
    if old == new:
        return
    if (path and path[-1] in ATOMS) or not _same_kind(old, new):
        yield Difference(path, old, new)
    elif isinstance(old, dict):
        for key in [*new, *(key for key in old if key not in new)]:
            yield from differences(old.get(key, MISSING), new.get(key, MISSING), (*path, key))
    elif is_list_of_entries(old) or is_list_of_entries(new):
        yield from _entries(old, new, path)
    else:
        yield Difference(path, old, new)


def _same_kind(old: Any, new: Any) -> bool:
    return (isinstance(old, dict) and isinstance(new, dict)) or (isinstance(old, list) and isinstance(new, list))


def _entries(old: list[Any], new: list[Any], path: Path) -> Iterator[Difference]:
    before, after = named(old), named(new)
    for name in [*after, *(name for name in before if name not in after)]:
        yield from differences(before.get(name, MISSING), after.get(name, MISSING), (*path, name))
    shared = [name for name in before if name in after]
    reordered = [name for name in after if name in before]
    if shared != reordered:
        yield Difference((*path, "順番"), shared, reordered)


def join(base: Any, ours: Any, theirs: Any) -> tuple[Any, list[Collision]]:
    """Three-way merge. What only they changed is taken; what we changed stays, always; where both changed the same place
    in different ways, ours stays and the place is reported."""
    collisions: list[Collision] = []
    result = _joined(base, ours, theirs, (), collisions)
    return _once(result, base, ours), collisions


def _joined(base: Any, ours: Any, theirs: Any, path: Path, collisions: list[Collision]) -> Any:
    if ours == theirs or theirs == base:
        return ours
    if ours == base:
        return theirs
    whole = path and path[-1] in ATOMS
    if not whole and isinstance(ours, dict) and isinstance(theirs, dict):
        return _joined_parts(base if isinstance(base, dict) else {}, ours, theirs, path, collisions)
    if not whole and is_list_of_entries(ours) and is_list_of_entries(theirs):
        before = base if isinstance(base, list) else []
        return _joined_lists(before, list(ours), list(theirs), path, collisions)
    collisions.append(Collision(path, base, ours, theirs))
    return ours


def _joined_parts(base: Any, ours: Any, theirs: Any, path: Path, collisions: list[Collision]) -> dict[str, Any]:
    result = {}
    for key in [*ours, *(key for key in theirs if key not in ours)]:
        value = _joined(
            base.get(key, MISSING), ours.get(key, MISSING), theirs.get(key, MISSING), (*path, key), collisions
        )
        if value is not MISSING:
            result[key] = value
    return result


def _joined_lists(
    base: list[Any], ours: list[Any], theirs: list[Any], path: Path, collisions: list[Collision]
) -> list[Any]:
    before, mine, other = named(base), named(ours), named(theirs)
    parts = _joined_parts(before, mine, other, path, collisions)
    kept = [name for name in before if name in mine]
    order = list(other) if kept == [name for name in mine if name in before] else list(mine)
    return [parts[name] for name in _placed(order, list(mine), list(other), parts)]


def _placed(order: list[str], mine: list[str], other: list[str], parts: dict[str, Any]) -> list[str]:
    """Every name of `parts`: those of `order` in that order, each of the others after what it followed on its own side."""
    result = [name for name in order if name in parts]
    for side in (mine, other):
        for at, name in enumerate(side):
            if name in parts and name not in result:
                before = next((each for each in reversed(side[:at]) if each in result), None)
                result.insert(result.index(before) + 1 if before is not None else 0, name)
    return result


def _once(document: Any, base: Any, ours: Any) -> Any:
    """Every question in one place. Where they moved one that we changed, it stands where we have it; one that we took away
    does not come back by their having moved it."""
    if not isinstance(document, dict) or "steps" not in document:
        return document
    home, known, found = _homes(ours), _homes(base), _homes(document)
    steps = []
    for step in document["steps"]:
        stays = [f for f in _fields(step) if step["key"] == _place(f["key"], home, known, found)]
        sections = [
            s | {"fields": [f for f in s["fields"] if f in stays]} if "fields" in s else s
            for s in step.get("sections", [])
        ]
        steps.append(step | {"sections": sections} if "sections" in step else step)
    return document | {"steps": steps}


Homes = dict[str, list[str]]
"""Question → the pages it stands on."""


def _place(key: str, home: Homes, known: Homes, found: Homes) -> str | None:
    """The page a question stands on in the end; None: nowhere."""
    if key in home and home[key][0] in found[key]:
        return home[key][0]
    return found[key][0] if key in home or key not in known else None


def _homes(document: Any) -> Homes:
    homes: Homes = {}
    for step in document.get("steps", []) if isinstance(document, dict) else []:
        for field in _fields(step):
            homes.setdefault(field["key"], []).append(step["key"])
    return homes


def _fields(step: dict[str, Any]) -> list[dict[str, Any]]:
    return [field for section in step.get("sections", []) for field in section.get("fields", [])]


def put(document: Any, path: Path, value: Any) -> Any:
    """`document` with `value` at `path` (names of entries as in differences); MISSING takes away."""
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(document, list):
        parts = named(document)
        inner = put(parts.get(head, MISSING), rest, value)
        changed = parts | {head: inner}
        return [entry for entry in changed.values() if entry is not MISSING]
    parts = document if isinstance(document, dict) else {}
    inner = put(parts.get(head, [] if rest and head in LISTS else MISSING), rest, value)
    return {key: each for key, each in (parts | {head: inner}).items() if each is not MISSING}


LISTS = frozenset({"steps", "sections", "fields", "options", "ineligible", "checks"})
