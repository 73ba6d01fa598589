"""A line over points in time or along numbers, for tables and sensors: what libs.common.web.charts draws for fiscal years only."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from libs.common.web.charts import svg
from libs.common.web.charts.svg import Chart

Place = tuple[str, float, float]
"""What the place along the axis is called, how far along it is, and the value there."""
DOTS = 60
"""Up to so many places each has a dot of its own."""
STEPS = 5


@dataclass(frozen=True, slots=True)
class Frame:
    """One drawing, in its own units. `names`: how many places along the axis are named."""

    ident: str
    width: float
    height: float
    left: float
    names: int
    look: str


FRAMES = (
    Frame("phone", 343, 240, 52, 2, "chart chart--narrow"),
    Frame("desk", 1120, 360, 72, 5, "chart chart--wide"),
)
"""For phones, and for desks and paper: letters keep their size."""
TOP, BOTTOM, RIGHT = 16.0, 30.0, 14.0


def line(ident: str, title: str, places: Sequence[Place], *, along: str, unit: str) -> Chart:
    """One line from left to right, once for phones and once for desks. `places` in order."""
    if not places:
        raise ValueError("a line needs a point")
    least, most = min(p[2] for p in places), max(p[2] for p in places)
    words = f"{places[0][0]}から{places[-1][0]}まで。最小{written(least)}{unit}、最大{written(most)}{unit}。"
    drawings = [
        svg.drawing(
            f"{ident}-{frame.ident}", title, words, (0, 0, frame.width, frame.height), _parts(frame, places), frame.look
        )
        for frame in FRAMES
    ]
    rows: list[list[object]] = [[name, written(value)] for name, _, value in places]
    return Chart(Markup("").join(drawings), title, [along, {"label": unit or "値", "num": True}], rows)


def written(value: float) -> str:
    """Whole numbers and large ones as people write them; of small ones four digits that count."""
    return svg.written(value) if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"


def marks(least: float, most: float) -> list[float]:
    """Round values from below `least` to above `most`, about `STEPS` steps apart; a flat line has room above and below it."""
    span = (most - least) or abs(most) or 1.0
    rough = 10.0 ** math.floor(math.log10(span / STEPS))
    step = next(rough * factor for factor in (1, 2, 5, 10) if rough * factor * STEPS >= span * 0.999)
    first = math.floor(least / step + 1e-9)
    last = max(math.ceil(most / step - 1e-9), first + 1)
    return [number * step for number in range(first, last + 1)]


def _parts(frame: Frame, places: Sequence[Place]) -> list[Markup]:
    values = marks(min(p[2] for p in places), max(p[2] for p in places))
    first, wide, high = places[0][1], (places[-1][1] - places[0][1]) or 1.0, values[-1] - values[0]
    room, floor = frame.width - frame.left - RIGHT, frame.height - BOTTOM

    def at(place: Place) -> tuple[float, float]:
        return frame.left + (place[1] - first) / wide * room, height_of(place[2])

    def height_of(value: float) -> float:
        return floor - (value - values[0]) / high * (floor - TOP)

    parts = []
    for value in values:
        y = height_of(value)
        parts.append(svg.line(frame.left, y, frame.width - RIGHT, y, "axis" if value else "zero"))
        parts.append(svg.text(frame.left - 8, y + 4, written(round(value, 10)), anchor="end"))
    path = " ".join(f"{'L' if n else 'M'}{x:.1f} {y:.1f}" for n, (x, y) in enumerate(map(at, places)))
    parts.append(Markup('<path class="s-1" d="{}"/>').format(path))
    if len(places) <= DOTS:
        parts += [Markup('<circle class="s-1" cx="{:.1f}" cy="{:.1f}" r="3.5"/>').format(*at(p)) for p in places]
    return parts + _names(frame, places, at)


def _names(frame: Frame, places: Sequence[Place], at) -> list[Markup]:  # type: ignore[no-untyped-def]
    """The first and the last place, and those nearest to even steps between them."""
    first, wide = places[0][1], places[-1][1] - places[0][1]
    steps = [first + wide * n / (frame.names - 1) for n in range(frame.names)]
    named = dict.fromkeys(min(range(len(places)), key=lambda n: abs(places[n][1] - step)) for step in steps)
    found = []
    for n in named:
        anchor = "start" if n == 0 else "end" if n == len(places) - 1 else "middle"
        x = frame.left if n == 0 else frame.width - RIGHT if anchor == "end" else at(places[n])[0]
        found.append(svg.text(x, frame.height - 8, places[n][0][:16], anchor=anchor))
    return found
