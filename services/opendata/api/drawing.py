"""A line over points in time or along numbers, for tables and sensors: what libs.common.web.charts draws for fiscal years only."""

from collections.abc import Sequence

from markupsafe import Markup

from libs.common.web.charts import svg
from libs.common.web.charts.svg import Chart

WIDTH, HEIGHT, LEFT, BOTTOM = 640.0, 300.0, 64.0, 34.0
Place = tuple[str, float, float]
"""What the place along the axis is called, how far along it is, and the value there."""


def line(ident: str, title: str, places: Sequence[Place], *, along: str, unit: str) -> Chart:
    """One line from left to right. `places` in order; equal values make a flat line in the middle."""
    if not places:
        raise ValueError("a line needs a point")
    first, last = places[0][1], places[-1][1]
    least, most = min(p[2] for p in places), max(p[2] for p in places)
    wide, high = (last - first) or 1.0, (most - least) or 1.0
    middle = 0.5 if most == least else 0.0

    def at(place: Place) -> tuple[float, float]:
        x = LEFT + (place[1] - first) / wide * (WIDTH - LEFT - 12)
        return x, 12 + (1 - (place[2] - least) / high - middle) * (HEIGHT - BOTTOM - 12)

    path = " ".join(f"{'L' if n else 'M'}{x:.1f} {y:.1f}" for n, (x, y) in enumerate(map(at, places)))
    parts = [
        Markup('<path d="M{0:.0f} 12V{1:.0f}H{2:.0f}" fill="none" stroke="#767676"/>').format(
            LEFT, HEIGHT - BOTTOM, WIDTH - 12
        ),
        Markup('<path d="{}" fill="none" stroke="#0066be" stroke-width="2.5"/>').format(path),
        *(
            Markup('<circle cx="{:.1f}" cy="{:.1f}" r="3.5" fill="#0066be"/>').format(*at(p))
            for p in places
            if len(places) <= 60
        ),
        svg.text(LEFT - 8, 18, svg.written(most), anchor="end", look="n"),
        svg.text(LEFT - 8, HEIGHT - BOTTOM, svg.written(least), anchor="end", look="n"),
        svg.text(LEFT, HEIGHT - 10, places[0][0]),
        svg.text(WIDTH - 12, HEIGHT - 10, places[-1][0], anchor="end"),
    ]
    words = f"{places[0][0]}から{places[-1][0]}まで。最小{svg.written(least)}{unit}、最大{svg.written(most)}{unit}。"
    picture = svg.drawing(ident, title, words, (0, 0, WIDTH, HEIGHT), parts, "chart")
    rows: list[list[object]] = [[name, svg.written(value)] for name, _, value in places]
    return Chart(picture, title, [along, {"label": unit or "値", "num": True}], rows)
