"""The kinds of 自治体標準オープンデータセット and its predecessor 推奨データセット: which columns each has, of what type."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

ColumnType = Literal["text", "number", "date", "time", "uri"]


@dataclass(frozen=True)
class StandardColumn:
    """One item of an official definition. `required` is ◎, `recommended` ○; `choices` are the only values allowed when there are any."""

    name: str
    type: ColumnType
    required: bool = False
    recommended: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Definition:
    """`edition` is 自治体標準オープンデータセット or 推奨データセット. `complete` is False where official columns are missing here."""

    kind: "Kind"
    edition: str
    complete: bool
    columns: tuple[StandardColumn, ...]

    def column(self, name: str) -> StandardColumn | None:
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True)
class Kind:
    """`number` is 01…31 as デジタル庁 numbers them. `bodik_api` and `bodik_tag` are how BODIK picks the kind up, where known."""

    number: str
    name: str
    bodik_api: str | None
    bodik_tag: str | None


@cache
def kinds() -> tuple[Kind, ...]:
    """All kinds, also those whose columns are not known here."""
    return tuple(Kind(k["number"], k["name"], k["bodik_api"], k["bodik_tag"]) for k in _document()["kinds"])


def kind(number: str) -> Kind | None:
    return next((known for known in kinds() if known.number == number), None)


@cache
def definitions() -> tuple[Definition, ...]:
    """Every known definition, the current edition before the older one of the same kind."""
    by_number = {known.number: known for known in kinds()}
    return tuple(
        Definition(
            by_number[entry["number"]], given["edition"], given["complete"], tuple(map(_column, given["columns"]))
        )
        for entry in _document()["kinds"]
        for given in entry["definitions"]
    )


def _column(given: dict) -> StandardColumn:
    return StandardColumn(
        given["name"],
        given["type"],
        given.get("required", False),
        given.get("recommended", False),
        tuple(given.get("choices", ())),
    )


@cache
def _document() -> dict:
    return json.loads((Path(__file__).parent / "standards.json").read_text(encoding="utf-8"))
