"""The catalogue's map: squares of about ten kilometres with the number of data sets that have rows there; each is a link that narrows."""

from collections.abc import Callable, Sequence

from fastapi import Request
from markupsafe import Markup

from libs.common.errors import say
from libs.common.web.charts import svg
from services.opendata.api import shell
from services.opendata.domain import meshes

WIDE, HIGH = 40.0, 37.0
"""Of one square in the drawing: 1/8° of longitude and 1/12° of latitude at 33° north are 11.6 and 9.3 km."""
SHADES = (1, 3, 10, 30, 100)
"""From so many data sets on the next darker shade."""
MOST = 300
"""Squares drawn; of more, those with the most data sets."""


def area_map(request: Request, counts: Sequence[tuple[str, int]], address: Callable[[str], str]) -> Markup | None:
    """`counts`: square → data sets, largest first. None where there is nothing to choose."""
    found = [(meshes.place_of(mesh), mesh, count) for mesh, count in counts[:MOST] if len(mesh) == 6 and mesh.isdigit()]
    if len(found) < 2:
        return None
    north = max(row for (row, _), _, _ in found)
    west, east = min(column for (_, column), _, _ in found), max(column for (_, column), _, _ in found)
    south = min(row for (row, _), _, _ in found)
    parts = [
        _square(request, (column - west) * WIDE, (north - row) * HIGH, mesh, count, address(mesh))
        for (row, column), mesh, count in sorted(found, key=lambda one: (-one[0][0], one[0][1]))
    ]
    box = (0, 0, (east - west + 1) * WIDE, (north - south + 1) * HIGH)
    title = shell.spoken(request, say("データのある場所"))
    words = shell.spoken(request, say("約10km四方ごとの、データセットの数です。北が上です。"))
    return svg.drawing("area", title, words, box, parts, "map", role="group")


def _square(request: Request, x: float, y: float, mesh: str, count: int, href: str) -> Markup:
    shade = sum(count >= least for least in SHADES)
    name = shell.spoken(request, say("%(place)s：%(count)s件", place=square_name(request, mesh), count=count))
    return Markup('<a href="{}" aria-label="{}"><g class="h-{}">{}{}</g></a>').format(
        href, name, shade, svg.rect(x, y, WIDE, HIGH), svg.text(x + WIDE / 2, y + HIGH / 2 + 4, count, look="n")
    )


def square_name(request: Request, mesh: str) -> str:
    if len(mesh) != 6 or not mesh.isdigit():
        return shell.spoken(request, say("地図の場所"))
    lat, lng = meshes.south_west(mesh)
    return shell.spoken(request, say("北緯%(lat)s度・東経%(lng)s度から約10km四方", lat=f"{lat:.2f}", lng=f"{lng:.2f}"))
