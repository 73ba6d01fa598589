"""A tile map from centroids: every municipality one cell, near its neighbours, north above.

Cells are first taken by rank in a grid with the shape of the land, then neighbours change places while that brings the
tiles nearer to where they belong. Deterministic: the same places give the same map. Prefectures with a table arranged by
hand (`data/tiles/<number>.csv`) do not need it.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import product

Point = tuple[float, float]
Cell = tuple[int, int]

_SPARE = 1.6
"""Cells per tile: with less room tiles cannot lie where they belong, with more they are small."""


def place(centroids: Mapping[str, Point]) -> dict[str, Cell]:
    """Key → (column, row), both from 0, for keys with (longitude, latitude) in degrees."""
    if not centroids:
        return {}
    wanted = _scaled(centroids)
    cells = _first_cells(wanted)
    _improve(cells, wanted)
    return _moved_to_origin(cells)


def _scaled(centroids: Mapping[str, Point]) -> dict[str, Point]:
    """Where each tile would like to be, in units of cells, in a grid with the land's own proportions."""
    west, east = _range([p[0] for p in centroids.values()])
    south, north = _range([p[1] for p in centroids.values()])
    squeeze = math.cos(math.radians((south + north) / 2))
    width, height = max((east - west) * squeeze, 1e-6), max(north - south, 1e-6)
    shape = min(max(width / height, 0.4), 2.5)
    cells = len(centroids) * _SPARE
    columns, rows = max(math.sqrt(cells * shape), 1), max(math.sqrt(cells / shape), 1)
    ranks_x, ranks_y = _ranks({k: p[0] for k, p in centroids.items()}), _ranks({k: p[1] for k, p in centroids.items()})
    return {
        key: (
            # Half by place, half by rank: towns crowd in valleys, and a map by place alone would tear them apart.
            (0.5 * (lon - west) * squeeze / width + 0.5 * ranks_x[key]) * (columns - 1),
            (0.5 * (north - lat) / height + 0.5 * (1 - ranks_y[key])) * (rows - 1),
        )
        for key, (lon, lat) in centroids.items()
    }


def _range(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _ranks(values: Mapping[str, float]) -> dict[str, float]:
    ordered = sorted(values, key=lambda key: (values[key], key))
    last = max(len(ordered) - 1, 1)
    return {key: index / last for index, key in enumerate(ordered)}


def _first_cells(wanted: Mapping[str, Point]) -> dict[str, Cell]:
    taken: set[Cell] = set()
    cells: dict[str, Cell] = {}
    for key in sorted(wanted, key=lambda k: (wanted[k][1], wanted[k][0], k)):
        cells[key] = _nearest_free(wanted[key], taken)
        taken.add(cells[key])
    return cells


def _nearest_free(point: Point, taken: set[Cell]) -> Cell:
    column, row = round(point[0]), round(point[1])
    for radius in range(64):
        ring = [
            (column + dx, row + dy)
            for dx, dy in product(range(-radius, radius + 1), repeat=2)
            if max(abs(dx), abs(dy)) == radius and (column + dx, row + dy) not in taken
        ]
        if ring:
            return min(ring, key=lambda cell: (_distance(cell, point), cell))
    raise ValueError("more places than a map can hold")


def _improve(cells: dict[str, Cell], wanted: Mapping[str, Point], rounds: int = 8) -> None:
    """Exchange two tiles, or move one to a free neighbour cell, while that shortens the way of all."""
    keys = sorted(cells)
    for _ in range(rounds):
        changed = sum(_exchange(a, b, cells, wanted) for i, a in enumerate(keys) for b in keys[i + 1 :])
        changed += sum(_move(key, cells, wanted) for key in keys)
        if not changed:
            return


def _exchange(a: str, b: str, cells: dict[str, Cell], wanted: Mapping[str, Point]) -> bool:
    now = _distance(cells[a], wanted[a]) + _distance(cells[b], wanted[b])
    then = _distance(cells[b], wanted[a]) + _distance(cells[a], wanted[b])
    if then < now - 1e-9:
        cells[a], cells[b] = cells[b], cells[a]
        return True
    return False


def _move(key: str, cells: dict[str, Cell], wanted: Mapping[str, Point]) -> bool:
    column, row = cells[key]
    taken = set(cells.values())
    free = [(column + dx, row + dy) for dx, dy in product((-1, 0, 1), repeat=2)]
    best = min((c for c in free if c not in taken), key=lambda c: _distance(c, wanted[key]), default=cells[key])
    if _distance(best, wanted[key]) < _distance(cells[key], wanted[key]) - 1e-9:
        cells[key] = best
        return True
    return False


def _distance(cell: Cell, point: Point) -> float:
    return (cell[0] - point[0]) ** 2 + (cell[1] - point[1]) ** 2


def _moved_to_origin(cells: Mapping[str, Cell]) -> dict[str, Cell]:
    left, top = min(c for c, _ in cells.values()), min(r for _, r in cells.values())
    return {key: (column - left, row - top) for key, (column, row) in cells.items()}
