"""Which standard data set a table is, told by its column names."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from services.opendata.domain.headers import candidates, fold, standard_names
from services.opendata.domain.standards import Definition, definitions

RECOGNISED = 0.35
"""Least share of a definition's distinctive columns a table must have to be called of that kind."""
TELLING = 1.6
"""Weight of a column that at most a fifth of the definitions have: names, addresses and places alone make no kind."""


@dataclass(frozen=True)
class Recognition:
    """`certainty` is 0…1: the share of the definition's columns found, weighted by how few other kinds have them."""

    definition: Definition
    certainty: float


def recognise(columns: Sequence[str], title: str = "") -> tuple[Recognition, ...]:
    """The definitions that a table with `columns` may follow, likeliest first, at most five; empty when it is none of them.

    `title` (file name or data set title) decides between kinds of nearly equal columns, never alone.
    """
    weights = _weights()
    found = []
    for definition in definitions():
        wanted = [column.name for column in definition.columns]
        present = set(standard_names(columns, wanted)) & set(wanted)
        distinctive = sum(weights[name] for name in present)
        share = distinctive / sum(weights[name] for name in wanted)
        covered = sum(1 for name in columns if set(candidates(name)) & set(wanted)) / max(len(columns), 1)
        certainty = math.sqrt(share * covered)
        if fold(definition.kind.name.removesuffix("一覧")) in fold(title):
            certainty = min(1.0, certainty + 0.15)
        elif all(weights[name] < TELLING for name in present):
            continue
        if certainty >= RECOGNISED and len(present) >= 3:
            found.append(Recognition(definition, round(certainty, 3)))
    return tuple(sorted(found, key=lambda one: -one.certainty)[:5])


@cache
def _weights() -> dict[str, float]:
    """How telling a column name is: the logarithm of how many definitions lack it."""
    everything = definitions()
    names = {column.name for definition in everything for column in definition.columns}
    return {
        name: 0.1 + math.log(len(everything) / sum(definition.column(name) is not None for definition in everything))
        for name in names
    }
