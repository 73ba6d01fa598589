"""Rows with latitude and longitude as a drawing: dots where they lie, a scale, and beside it (in the page) the table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from libs.common.web.charts import svg
from services.opendata.reading.shapes import Shape

WIDTH, MARGIN = 400.0, 24.0
"""Narrow, so that its letters can be read on a phone."""
NAMED, LETTER = 40, 10.5
"""Up to so many dots have their names beside them; the size of the letters (`.map .n`)."""
SEEN = 0.5
FILLED, OPEN = Markup('fill="#0066be" fill-opacity=".2" fill-rule="evenodd"'), Markup('fill="none"')
METRES = 111_320.0
"""Of one degree of latitude."""


@dataclass(frozen=True, slots=True)
class Point:
    """Degrees, world geodetic system. `number` is the row's."""

    lat: float
    lng: float
    name: str
    number: int

    @property
    def on_a_map(self) -> str:
        """The same place on the maps of 国土地理院."""
        return f"https://maps.gsi.go.jp/#17/{self.lat:.6f}/{self.lng:.6f}/"


@dataclass(frozen=True, slots=True)
class PointMap:
    """`points` are those drawn, in the table's order."""

    svg: Markup
    points: list[Point]


class _Frame:
    """Where places (longitude, latitude) stand on the drawing, north up. Equirectangular around their middle: good for an area of a
    prefecture's size."""

    def __init__(self, places: Sequence[tuple[float, float]]) -> None:
        self._west, self._north = min(lng for lng, _ in places), max(lat for _, lat in places)
        east, south = max(lng for lng, _ in places), min(lat for _, lat in places)
        squeeze = max(math.cos(math.radians((south + self._north) / 2)), 0.05)
        self._span = max((east - self._west) * squeeze, self._north - south, 0.002)
        self._high = (WIDTH - 2 * MARGIN) / self._span
        self._wide = self._high * squeeze
        self.height = max((self._north - south) * self._high, 120.0) + 2 * MARGIN + 28
        self._left = MARGIN + ((WIDTH - 2 * MARGIN) - (east - self._west) * self._wide) / 2

    def on(self, lng: float, lat: float) -> tuple[float, float]:
        return self._left + (lng - self._west) * self._wide, MARGIN + (self._north - lat) * self._high

    def around(self, title: str, parts: Sequence[Markup], ident: str) -> Markup:
        """The drawing with its frame and scale. `ident` is the only one of its page."""
        head = Markup(
            '<svg class="map" viewBox="0 0 {0:.0f} {1:.0f}" role="img" aria-labelledby="{3}"><title id="{3}">{2}</title>'
            '<path d="M1 1H{4:.0f}V{5:.0f}H1Z" fill="#f8f8fb" stroke="#767676"/>'
        ).format(WIDTH, self.height, title, ident, WIDTH - 1, self.height - 1)
        bar = _scale_bar(self._span * METRES, self._high / METRES, self.height)
        return head + Markup("").join(parts) + bar + Markup("</svg>")


def point_map(title: str, points: Sequence[Point]) -> PointMap:
    """All `points` on one drawing."""
    frame = _Frame([(p.lng, p.lat) for p in points])
    places = [(*frame.on(p.lng, p.lat), p.name) for p in points]
    parts = [*(_dot(*place) for place in places), *_names(places)]
    return PointMap(frame.around(title, parts, "map-title"), list(points))


def shape_map(title: str, shapes: Sequence[Shape], ident: str) -> Markup:
    """Areas, lines and points of a file on one drawing."""
    frame = _Frame([corner for shape in shapes for line in shape.lines for corner in line])
    lines = [[_thinned([frame.on(*corner) for corner in line]) for line in shape.lines] for shape in shapes]
    parts: list[Markup] = []
    for shape, drawn in zip(shapes, lines, strict=True):
        if shape.kind == "point":
            parts += [_dot(*place, shape.name) for line in drawn for place in line]
        else:
            parts.append(_path(shape, drawn))
    named = [(*_middle(drawn), shape.name) for shape, drawn in zip(shapes, lines, strict=True)]
    return frame.around(title, [*parts, *_names(named)], ident)


def _dot(x: float, y: float, name: str) -> Markup:
    return Markup(
        '<circle cx="{:.1f}" cy="{:.1f}" r="4" fill="#0066be" fill-opacity=".75" stroke="#fff"><title>{}</title></circle>'
    ).format(x, y, name)


def _path(shape: Shape, lines: Sequence[Sequence[tuple[float, float]]]) -> Markup:
    area = shape.kind == "area"
    ways = ("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in line) + ("Z" if area else "") for line in lines)
    return Markup('<path d="{}" {} stroke="#0066be" stroke-width="1.5"><title>{}</title></path>').format(
        "".join(ways), FILLED if area else OPEN, shape.name
    )


def _thinned(line: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without corners that nobody would see: nearer than half a unit to the one before."""
    kept = [line[0]]
    for x, y in line[1:-1]:
        if abs(x - kept[-1][0]) + abs(y - kept[-1][1]) >= SEEN:
            kept.append((x, y))
    return [*kept, *line[1:][-1:]]


def _middle(lines: Sequence[Sequence[tuple[float, float]]]) -> tuple[float, float]:
    xs, ys = [x for line in lines for x, _ in line], [y for line in lines for _, y in line]
    return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2


def _names(places: Sequence[tuple[float, float, str]]) -> list[Markup]:
    """Names beside the dots, where there are few dots and a name hides neither another name nor a dot."""
    if len(places) > NAMED:
        return []
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y, _ in places]
    found = []
    for x, y, name in places:
        words = svg.cut(name, 14 * LETTER, LETTER)
        half = svg.width_of(words, LETTER) / 2
        middle = min(max(x, half + 4), WIDTH - half - 4)
        box = (middle - half, y - 7 - LETTER, middle + half, y - 6)
        if words and box[1] > 2 and not any(_over(box, other) for other in taken):
            taken.append(box)
            found.append(Markup('<text class="n" x="{:.1f}" y="{:.1f}">{}</text>').format(middle, y - 9, words))
    return found


def _over(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _scale_bar(metres: float, per_metre: float, height: float) -> Markup:
    """A round length of about a quarter of the width."""
    exact = metres / 4
    unit = 10 ** math.floor(math.log10(exact))
    length = max(step * unit for step in (1, 2, 5) if step * unit <= exact)
    words = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    line = Markup('<path d="M24 {0:.0f}h{1:.1f}" stroke="#333" stroke-width="3" fill="none"/>')
    label = Markup('<text class="n" x="{0:.1f}" y="{1:.0f}">{2}</text>')
    width = length * per_metre
    return line.format(height - 12, width) + label.format(24 + width / 2, height - 18, words)
