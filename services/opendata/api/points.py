"""Rows with latitude and longitude as a drawing: dots where they lie, a scale, and beside it (in the page) the table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from libs.common.web.charts import svg

WIDTH, MARGIN = 400.0, 24.0
"""Narrow, so that its letters can be read on a phone."""
NAMED, LETTER = 40, 10.5
"""Up to so many dots have their names beside them; the size of the letters (`.map .n`)."""
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


def point_map(title: str, points: Sequence[Point]) -> PointMap:
    """All `points` on one drawing, north up. Equirectangular around their middle: good for an area of a prefecture's size."""
    south, north = min(p.lat for p in points), max(p.lat for p in points)
    west, east = min(p.lng for p in points), max(p.lng for p in points)
    squeeze = max(math.cos(math.radians((south + north) / 2)), 0.05)
    span = max((east - west) * squeeze, north - south, 0.002)
    scale = (WIDTH - 2 * MARGIN) / span
    height = max((north - south) * scale, 120.0) + 2 * MARGIN + 28
    left = MARGIN + ((WIDTH - 2 * MARGIN) - (east - west) * squeeze * scale) / 2
    parts = [
        Markup(
            '<circle cx="{:.1f}" cy="{:.1f}" r="4" fill="#0066be" fill-opacity=".75" stroke="#fff"><title>{}</title></circle>'
        ).format(left + (p.lng - west) * squeeze * scale, MARGIN + (north - p.lat) * scale, p.name)
        for p in points
    ]
    parts += _names(
        [(left + (p.lng - west) * squeeze * scale, MARGIN + (north - p.lat) * scale, p.name) for p in points]
    )
    parts.append(_scale_bar(span * METRES, scale / METRES, height))
    head = Markup(
        '<svg class="map" viewBox="0 0 {:.0f} {:.0f}" role="img" aria-labelledby="map-title"><title id="map-title">{}</title>'
    )
    frame = Markup('<path d="M1 1H{0:.0f}V{1:.0f}H1Z" fill="#f8f8fb" stroke="#767676"/>').format(WIDTH - 1, height - 1)
    return PointMap(head.format(WIDTH, height, title) + frame + Markup("").join(parts) + Markup("</svg>"), list(points))


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
