"""How well a table follows 自治体標準オープンデータセット or 推奨データセット: its score, and every shortfall."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.opendata.domain.cleaning import cleaner
from services.opendata.domain.glance import glance
from services.opendata.domain.places import is_latitude, is_longitude
from services.opendata.domain.roles import Role, role_of
from services.opendata.domain.standards import Definition, StandardColumn
from services.opendata.domain.table import Row, Table

POINTS = {"column": 40.0, "required": 30.0, "type": 20.0, "choice": 10.0}
"""How a hundred points are shared: columns present, required cells filled, cells of the right type, cells with allowed choices.

The weights are ours: デジタル庁 gives none. An aspect that a definition does not have (no choices, say) gives its points to the others.
"""


@dataclass(frozen=True)
class Shortfall:
    """`aspect` is a key of POINTS; `count` the cells it concerns (0 for a missing column), `first_row` the first of them;
    `lost` is in points of the score."""

    aspect: str
    column: str
    count: int
    lost: float
    message: str
    first_row: int | None = None


@dataclass(frozen=True)
class Conformance:
    """`score` is 0…100, rounded down: only a faultless table has 100. Shortfalls are the costliest first. A definition that is not
    `complete` is judged by the columns known here only, and the page should say so."""

    definition: Definition
    score: int
    shortfalls: tuple[Shortfall, ...]
    rows: int


@dataclass
class _Column:
    """Counts of one standard column that the table has."""

    at: int
    standard: StandardColumn
    role: Role
    filled: int = 0
    empty: int = 0
    wrong: int = 0
    first_empty: int | None = None
    first_wrong: int | None = None

    def __post_init__(self) -> None:
        self.clean = cleaner(self.role, self.standard)
        self.glance = glance(self.role, self.standard)

    def take_all(self, rows: Sequence[Row]) -> None:
        values = [row.cells[self.at] for row in rows]
        if not self.glance(values):
            for row, value in zip(rows, values, strict=True):
                self.take(row.number, value)
            return
        empty = values.count("")
        self.filled += len(values) - empty
        self.empty += empty
        if empty and self.first_empty is None:
            self.first_empty = rows[values.index("")].number

    def take(self, number: int, value: str) -> None:
        if not value.strip():
            self.empty += 1
            self.first_empty = self.first_empty or number
            return
        self.filled += 1
        if self.clean(value).code or not self._in_japan(value):
            self.wrong += 1
            self.first_wrong = self.first_wrong or number

    def _in_japan(self, value: str) -> bool:
        if self.role == "latitude":
            return is_latitude(value)
        return self.role != "longitude" or is_longitude(value)


def assess(table: Table, definition: Definition) -> Conformance:
    """Reads all rows once; names count only when they are the standard's own. Within an aspect every column weighs the same, but for
    `column`, where required ones weigh double; a column loses in proportion to its wrong or empty cells. Extra columns cost nothing."""
    present = [
        _Column(table.columns.index(one.name), one, role_of(one.name, one) or "text")
        for one in definition.columns
        if one.name in table.columns
    ]
    rows = 0
    for block in table.blocks():
        rows += len(block)
        for column in present:
            column.take_all(block)
    shares = _shares(definition)
    shortfalls = [
        *_missing(definition, present, shares["column"]),
        *_unfilled(definition, present, rows, shares["required"]),
        *_wrong(definition, present, shares),
    ]
    lost = sum(one.lost for one in shortfalls)
    score = 0 if rows == 0 else int(100 - lost + 1e-9) if shortfalls else 100
    ordered = sorted(shortfalls, key=lambda one: -one.lost)
    return Conformance(definition, max(0, min(score, 99 if shortfalls else 100)), tuple(ordered), rows)


def _shares(definition: Definition) -> dict[str, float]:
    """POINTS of the aspects that this definition has, scaled to a hundred."""
    has = {
        "column": True,
        "required": any(one.required for one in definition.columns),
        "type": any(_is_typed(one) for one in definition.columns),
        "choice": any(one.choices for one in definition.columns),
    }
    whole = sum(points for aspect, points in POINTS.items() if has[aspect])
    return {aspect: 100 * points / whole if has[aspect] else 0.0 for aspect, points in POINTS.items()}


def _is_typed(standard: StandardColumn) -> bool:
    return not standard.choices and role_of(standard.name, standard) not in ("text", "identifier")


def _missing(definition: Definition, present: Sequence[_Column], points: float) -> list[Shortfall]:
    have = {column.standard.name for column in present}
    whole = sum(1 + one.required for one in definition.columns)
    return [
        Shortfall(
            "column",
            one.name,
            0,
            points * (1 + one.required) / whole,
            f"{'必須の' if one.required else ''}項目「{one.name}」の列がありません。",
        )
        for one in definition.columns
        if one.name not in have
    ]


def _unfilled(definition: Definition, present: Sequence[_Column], rows: int, points: float) -> list[Shortfall]:
    required = [one.name for one in definition.columns if one.required]
    by_name = {column.standard.name: column for column in present}
    found = []
    for name in required:
        column = by_name.get(name)
        empty = column.empty if column else rows
        if empty:
            lost = points / len(required) * empty / max(rows, 1)
            message = f"必須の項目「{name}」が{empty}行で空欄です。"
            found.append(Shortfall("required", name, empty, lost, message, column.first_empty if column else None))
    return found


def _wrong(definition: Definition, present: Sequence[_Column], shares: dict[str, float]) -> list[Shortfall]:
    typed = sum(_is_typed(one) for one in definition.columns)
    with_choices = sum(bool(one.choices) for one in definition.columns)
    found = []
    for column in present:
        if not column.wrong:
            continue
        name, standard = column.standard.name, column.standard
        if standard.choices:
            lost = shares["choice"] / with_choices * column.wrong / column.filled
            message = f"「{name}」に決められた値（{'・'.join(standard.choices)}）でないものが{column.wrong}件あります。"
            found.append(Shortfall("choice", name, column.wrong, lost, message, column.first_wrong))
        elif _is_typed(standard):
            lost = shares["type"] / typed * column.wrong / column.filled
            message = f"「{name}」に決められた形（{FORMS[column.role]}）でないものが{column.wrong}件あります。"
            found.append(Shortfall("type", name, column.wrong, lost, message, column.first_wrong))
    return found


FORMS: dict[Role, str] = {
    "text": "文字列",
    "identifier": "半角の英数字",
    "number": "半角の数値",
    "date": "YYYY-MM-DD",
    "time": "hh:mm",
    "code": "検査数字を含む半角6桁",
    "phone": "半角数字とハイフン",
    "latitude": "10進数の度、日本の範囲",
    "longitude": "10進数の度、日本の範囲",
    "postal": "000-0000",
    "kana": "全角カタカナ",
    "uri": "http(s)から始まるURL",
    "choice": "決められた値",
}
