"""A map of tiles: each stands about where its place lies, all the same size, so that small places are seen as well."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from libs.common.web.charts import svg
from libs.common.web.charts.svg import Chart

WIDTH, HEIGHT = 38, 30
CLASSES = 6
SCALE = 1.65
"""Of a drawing unit, where there is room: names of three characters are then 17 px high, whatever the number of columns."""


@dataclass(frozen=True, slots=True)
class Tile:
    """`column` and `row` count from 0. `label` is written on the tile (three characters fit), `name` is the whole name.
    Tiles of another `group` are parted by a thick line. With `href` the tile is a link."""

    column: int
    row: int
    label: str
    value: float | None
    name: str = ""
    group: str = ""
    href: str = ""


def heat_class(value: float | None, bounds: Sequence[float]) -> int:
    """0 … 5: how many of `bounds` (rising, at most five) the value reaches. None counts as below all."""
    return 0 if value is None else bisect_right(bounds, value)


def tile_map(
    ident: str,
    title: str,
    tiles: Sequence[Tile],
    *,
    description: str = "",
    bounds: Sequence[float] = (1, 2, 3, 4, 5),
    unit: str = "",
    group_label: str = "",
    first_column: str = "名前",
) -> Chart:
    """The tiles, coloured by `bounds`, their values written on them; a table with the same; a legend of the classes."""
    if not tiles or len(bounds) >= CLASSES or list(bounds) != sorted(bounds):
        raise ValueError("a map needs tiles, and at most five rising bounds")
    groups = {(tile.column, tile.row): tile.group for tile in tiles}
    if len(groups) != len(tiles):
        raise ValueError("two tiles stand on one place")
    parts = [drawn(tile, bounds, unit) for tile in tiles]
    parts.append(Markup('<path class="border" d="{}"/>').format(" ".join(borders(groups))))
    box = (-2, -2, WIDTH * (1 + max(c for c, _ in groups)) + 4, HEIGHT * (1 + max(r for _, r in groups)) + 4)
    words = description or "およその位置に並べたタイルです。すべての値は表にあります。"
    role = "group" if any(tile.href for tile in tiles) else "img"
    columns: list[object] = [
        first_column,
        *([group_label] if group_label else []),
        {"label": unit or "数", "num": True},
    ]
    rows = [
        [named(tile), *([tile.group] if group_label else []), svg.written(tile.value)]
        for tile in sorted(tiles, key=lambda tile: (tile.row, tile.column))
    ]
    return Chart(
        svg.drawing(ident, title, words, box, parts, "map", role, SCALE * box[2]),
        title,
        columns,
        rows,
        legend=legend(bounds),
    )


def named(tile: Tile) -> object:
    name = tile.name or tile.label
    return Markup('<a href="{}">{}</a>').format(tile.href, name) if tile.href else name


def drawn(tile: Tile, bounds: Sequence[float], unit: str) -> Markup:
    x, y = tile.column * WIDTH, tile.row * HEIGHT
    name = f"{tile.name or tile.label} {svg.written(tile.value)}{unit if tile.value is not None else ''}"
    inside = Markup("<title>{}</title>{}{}{}").format(
        name,
        svg.rect(x, y, WIDTH, HEIGHT),
        svg.text(x + WIDTH / 2, y + 14, tile.label, look="n" if len(tile.label) <= 3 else "n n--long"),
        svg.text(x + WIDTH / 2, y + 25, svg.written(tile.value), look="k"),
    )
    look = f"h-{heat_class(tile.value, bounds)}"
    if tile.href:
        return Markup('<a class="{}" href="{}" aria-label="{}">{}</a>').format(look, tile.href, name, inside)
    return Markup('<g class="{}">{}</g>').format(look, inside)


def borders(groups: dict[tuple[int, int], str]) -> list[str]:
    """Path commands for every edge between tiles of different groups; the coast stays thin."""
    found = []
    for (column, row), group in groups.items():
        x, y = (column + 1) * WIDTH, (row + 1) * HEIGHT
        if groups.get((column + 1, row), group) != group:
            found.append(f"M{x} {y - HEIGHT}V{y}")
        if groups.get((column, row + 1), group) != group:
            found.append(f"M{x - WIDTH} {y}H{x}")
    return found


def legend(bounds: Sequence[float]) -> list[tuple[int, str]]:
    """(class, words): 0, 1, 2 …; spans where a class holds more than one whole number."""
    result = [(0, "0" if bounds and bounds[0] == 1 else f"{svg.written(bounds[0])}未満")] if bounds else [(0, "すべて")]
    for number, low in enumerate(bounds, start=1):
        if number == len(bounds):
            result.append((number, f"{svg.written(low)}以上"))
        elif bounds[number] - low == 1:
            result.append((number, svg.written(low)))
        else:
            result.append((number, f"{svg.written(low)}～{svg.written(bounds[number])}未満"))
    return result
