"""Where on the map a table's rows lie, as squares of about ten kilometres (JIS X 0410, 第2次地域区画): few, and the same for everybody.

A square's code is six digits: pp uu q v; pp and q count twelfths of a degree northwards from the equator, uu and v eighths of a degree
eastwards from 100° E.
"""

from collections.abc import Iterator, Sequence

NORTHWARDS, EASTWARDS, FROM_EAST = 12, 8, 100
"""Squares in a degree of latitude, in one of longitude; where longitude begins."""
MOST = 400
"""Squares told of one table: Kyushu has about as many. More say no more than everywhere."""
JAPAN = (20.0, 122.0, 46.0, 154.0)
"""South, west, north, east, in degrees: what lies outside is a mistake in the table, or at sea."""


def code(row: int, column: int) -> str:
    return f"{row // 8:02}{column // 8:02}{row % 8}{column % 8}"


def place_of(mesh: str) -> tuple[int, int]:
    """(row, column), counted as `code` takes them."""
    return int(mesh[:2]) * 8 + int(mesh[4]), int(mesh[2:4]) * 8 + int(mesh[5])


def south_west(mesh: str) -> tuple[float, float]:
    """Latitude and longitude of its corner, in degrees."""
    row, column = place_of(mesh)
    return row / NORTHWARDS, column / EASTWARDS + FROM_EAST


def in_japan(row: int, column: int) -> bool:
    south, west, north, east = JAPAN
    return south * NORTHWARDS <= row < north * NORTHWARDS and west <= column / EASTWARDS + FROM_EAST < east


def of_box(box: Sequence[float]) -> Iterator[str]:
    """The squares that west, south, east, north (degrees) touch, in Japan."""
    west, south, east, north = box
    _, least, _, most = JAPAN
    west, east = max(west, least), min(east, most - 1e-9)
    south, north = max(south, JAPAN[0]), min(north, JAPAN[2] - 1e-9)
    if west > east or south > north:
        return
    for row in range(int(south * NORTHWARDS), int(north * NORTHWARDS) + 1):
        for column in range(int((west - FROM_EAST) * EASTWARDS), int((east - FROM_EAST) * EASTWARDS) + 1):
            yield code(row, column)
