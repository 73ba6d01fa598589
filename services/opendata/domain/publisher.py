"""Who publishes a table: the standards ask in every row for the code and name of the municipality that is in charge of the information."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from services.opendata.domain.places import clean_code, prefecture_of
from services.opendata.domain.table import Table, is_total

CODES = ("都道府県コード又は市区町村コード", "全国地方公共団体コード")
PREFECTURE, MUNICIPALITY, BODY = "都道府県名", "市区町村名", "地方公共団体名"


@dataclass(frozen=True)
class Publisher:
    """`code` is the six-digit 全国地方公共団体コード of today, `name` the municipality's or the prefecture's."""

    code: str = ""
    name: str = ""

    @cached_property
    def values(self) -> Mapping[str, str]:
        """What stands in the columns of the standards that tell who is in charge (情報の管理主体): the same in every row. A prefecture
        leaves 市区町村名 empty, as the definitions say."""
        prefecture = prefecture_of(self.code)
        if not prefecture or not self.name:
            return {}
        told = {name: self.code for name in CODES} | {PREFECTURE: prefecture, BODY: self.name}
        return told if self.name == prefecture else told | {MUNICIPALITY: self.name}

    def is_meant(self, column: str, value: str) -> bool:
        """Whether `value` in a column of these is this municipality, however it is written (福岡, 三潴郡大木町, 40522)."""
        text, own = value.strip(), self.values.get(column, "")
        if column in CODES:
            return clean_code(text, prefecture_of(self.code)).value == own
        if column == PREFECTURE:
            return text in (own, own[:-1])
        return bool(own) and text.removeprefix(prefecture_of(self.code)).rpartition("郡")[2] == own

    def missing(self, table: Table, columns: tuple[str, ...], wanted: tuple[str, ...]) -> dict[str, int]:
        """The columns among `wanted` that are not there or have empty cells, with how many cells are empty (all rows where there is no
        such column). Empty where any row is another municipality's: then nobody here knows what belongs into the others."""
        asked = {name: self.values[name] for name in wanted if name in self.values}
        there = {name: columns.index(name) for name in (*CODES, PREFECTURE, MUNICIPALITY, BODY) if name in columns}
        if not asked:
            return {}
        empty, rows = dict.fromkeys(there, 0), 0
        for block in table.blocks():
            rows += len(block)
            for name, at in there.items():
                values = [row.cells[at] for row in block]
                for value in set(values):
                    if not value.strip():
                        empty[name] += values.count(value)
                    elif not is_total(value) and not self.is_meant(name, value):
                        return {}
        return {name: count for name in asked if (count := empty.get(name, rows))}
