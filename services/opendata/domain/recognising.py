"""Which standard data set a table is, told by its column names."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from services.opendata.domain.headers import candidates, fold, standard_names
from services.opendata.domain.standards import Definition, definitions

RECOGNISED = 0.35
"""Least share of a definition's distinctive columns a table must have to be called of that kind."""
CALLED = {
    "公共施設一覧": ("公共施設",),
    "文化財一覧": ("文化財",),
    "指定緊急避難場所一覧": ("避難場所", "避難所"),
    "子育て施設一覧": ("子育て施設", "保育所", "保育園", "幼稚園", "こども園"),
    "公衆無線LANアクセスポイント一覧": ("無線LAN", "Wi-Fi"),
    "AED設置箇所一覧": ("AED", "自動体外式除細動器"),
    "介護サービス事業所一覧": ("介護サービス", "介護事業所"),
    "医療機関一覧": ("医療機関", "病院", "診療所"),
    "観光施設一覧": ("観光施設", "観光地"),
    "イベント一覧": ("イベント",),
    "公衆トイレ一覧": ("トイレ", "公衆便所"),
    "消防水利施設一覧": ("消防水利", "消火栓", "防火水槽"),
    "食品等営業許可・届出一覧": ("食品等営業", "食品営業"),
}
"""What town halls call these lists in a file's name or above the table. Kinds that are missing here go by their own name."""
TELLING = 1.6
"""Weight of a column that at most a fifth of the definitions have: names, addresses and places alone make no kind."""


@dataclass(frozen=True)
class Recognition:
    """`certainty` is 0…1: the share of the definition's columns found, weighted by how few other kinds have them."""

    definition: Definition
    certainty: float


def recognise(columns: Sequence[str], title: str = "") -> tuple[Recognition, ...]:
    """The definitions that a table with `columns` may follow, likeliest first, at most five; empty when it is none of them.

    `title` (file name, what stands above the table, data set title) decides between kinds of nearly equal columns, never alone.
    """
    weights, said = _weights(), fold(title)
    found = []
    for definition in definitions():
        wanted = [column.name for column in definition.columns]
        present = set(standard_names(columns, wanted)) & set(wanted)
        distinctive = sum(weights[name] for name in present)
        share = distinctive / sum(weights[name] for name in wanted)
        covered = sum(1 for name in columns if set(candidates(name)) & set(wanted)) / max(len(columns), 1)
        certainty = math.sqrt(share * covered)
        if _is_called(definition.kind.name, said):
            certainty = min(1.0, certainty + 0.15)
        elif all(weights[name] < TELLING for name in present):
            continue
        if certainty >= RECOGNISED and len(present) >= 3:
            found.append(Recognition(definition, round(certainty, 3)))
    return tuple(sorted(found, key=lambda one: -one.certainty)[:5])


def _is_called(kind: str, said: str) -> bool:
    return any(fold(word) in said for word in CALLED.get(kind, (kind.removesuffix("一覧"),)))


@cache
def _weights() -> dict[str, float]:
    """How telling a column name is: the logarithm of how many definitions lack it."""
    everything = definitions()
    names = {column.name for definition in everything for column in definition.columns}
    return {
        name: 0.1 + math.log(len(everything) / sum(definition.column(name) is not None for definition in everything))
        for name in names
    }
