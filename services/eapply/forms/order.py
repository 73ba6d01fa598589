"""Which field depends on which, and an order in which each comes after those it depends on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from services.eapply.forms.conditions import fields_of
from services.eapply.forms.formula import names, parse

if TYPE_CHECKING:
    from services.eapply.forms.definition import FormField, Placed

Graph = dict[str, set[str]]


def depends_on(fields: Mapping[str, Placed]) -> Graph:
    """Field → the fields that decide whether it is shown or what it comes to."""
    return {key: set(_looked_at(placed)) for key, placed in fields.items()}


def _looked_at(placed: Placed) -> Iterator[str]:
    for condition in placed.conditions:
        yield from fields_of(condition)
    yield from formula_fields(placed.field)
    inside = {inner.key for inner in placed.field.fields}
    for inner in placed.field.fields:
        yield from (key for key in (*fields_of(inner.visible), *formula_fields(inner)) if key not in inside)


def needed_by(placed: Placed) -> set[str]:
    """The fields that decide whether an answer is needed here, or in an item of this group."""
    inside = {inner.key for inner in placed.field.fields}
    conditions = (placed.field.required, *(inner.required for inner in placed.field.fields))
    return {key for condition in conditions for key in fields_of(condition)} - inside


def followers(fields: Mapping[str, Placed], keys: Iterable[str]) -> list[str]:
    """The fields that are shown or hidden by the answers at `keys`, and by theirs, in the order of the form."""
    wanted, graph = set(keys), depends_on(fields)
    found: set[str] = set()
    while more := {key for key, needs in graph.items() if needs & (wanted | found)} - found - wanted:
        found |= more
    return [key for key in fields if key in found]


def deciding(fields: Mapping[str, Placed]) -> Iterator[str]:
    """`field` or `group.field` for every answer on which something else on the form depends."""
    for placed in fields.values():
        inside_keys = {inner.key for inner in placed.field.fields}
        for condition in (*placed.conditions, placed.field.required):
            yield from fields_of(condition)
        yield from formula_names(placed.field)
        for inner in placed.field.fields:
            wanted = (*fields_of(inner.visible), *fields_of(inner.required), *formula_names(inner))
            yield from (f"{placed.field.key}.{key}" if key in inside_keys else key for key in wanted)


def formula_names(field: FormField) -> Iterable[str]:
    return names(parse(field.formula)) if field.type == "computed" else ()


def formula_fields(field: FormField) -> Iterable[str]:
    """Keys of the fields that a computed field is made from."""
    return (name.partition(".")[0] for name in formula_names(field))


def inside(group: FormField) -> Graph:
    """The same among the fields of one item of a group."""
    keys = {each.key for each in group.fields}
    return {each.key: keys & {*fields_of(each.visible), *formula_fields(each)} for each in group.fields}


def sorted_by_need(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """The keys, each after those it depends on; where there is a circle, somewhere in it. Never deep: chains may be
    long."""
    done: dict[str, None] = {}
    for path in _walk(graph):
        done.setdefault(path[-1])
    return list(done)


def first_circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """The keys of one circle, in order; empty when there is none."""
    for path in _walk(graph):
        for wanted in graph.get(path[-1], ()):
            if wanted in path:
                return path[path.index(wanted) :]
    return []


def _walk(graph: Mapping[str, Iterable[str]]) -> Iterator[list[str]]:
    """The way from a start to a key, for every key, when all it depends on has been left behind."""
    seen: set[str] = set()
    for start in graph:
        path, waiting = [], [iter([start])]
        while waiting:
            key = next(waiting[-1], None)
            if key is None:
                waiting.pop()
                if path:
                    yield path
                    path.pop()
            elif key not in seen and key in graph:
                seen.add(key)
                path.append(key)
                waiting.append(iter(sorted(graph[key])))
