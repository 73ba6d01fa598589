"""What the charts share: the drawing with its name and description, numbers, scales."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from unicodedata import east_asian_width

from markupsafe import Markup

COLOURS = 6
DASHES = ("", "9 4", "2 4", "14 4 2 4", "5 3", "14 4")
"""Lines differ in their strokes too, so that they can be told apart without colour."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing and the same values as a table. `columns` and `rows` are what `components/data.html` table() takes."""

    svg: Markup
    caption: str
    columns: list[Any]
    rows: list[list[Any]]
    foot: list[Any] | None = None
    legend: list[tuple[int, str]] = field(default_factory=list)


def drawing(
    ident: str,
    title: str,
    description: str,
    box: tuple[float, float, float, float],
    parts: Iterable[Markup],
    look: str,
    role: str = "img",
    width: float | None = None,
) -> Markup:
    """One `<svg>`: `title` names it, `description` says what is seen. Role `img`: one picture; `group`: its links can be reached."""
    return Markup(
        '<svg class="{look}"{width} viewBox="{box}" role="{role}" aria-labelledby="{ident}-title {ident}-desc">'
        '<title id="{ident}-title">{title}</title><desc id="{ident}-desc">{description}</desc>{parts}</svg>'
    ).format(
        look=look,
        role=role,
        width=attribute("width", short(width) if width else ""),
        box=" ".join(short(edge) for edge in box),
        ident=ident,
        title=title,
        description=description,
        parts=Markup("").join(parts),
    )


def text(x: float, y: float, words: object, *, anchor: str = "start", look: str = "") -> Markup:
    return Markup('<text{look} x="{x}" y="{y}"{anchor}>{words}</text>').format(
        look=attribute("class", look),
        x=short(x),
        y=short(y),
        anchor=attribute("text-anchor", "" if anchor == "start" else anchor),
        words=words,
    )


def line(x1: float, y1: float, x2: float, y2: float, look: str) -> Markup:
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
        look, short(x1), short(y1), short(x2), short(y2)
    )


def rect(x: float, y: float, width: float, height: float, look: str = "", round_: float = 0) -> Markup:
    return Markup('<rect{} x="{}" y="{}" width="{}" height="{}"{}/>').format(
        attribute("class", look),
        short(x),
        short(y),
        short(width),
        short(height),
        attribute("rx", short(round_) if round_ else ""),
    )


def attribute(name: str, value: str) -> Markup:
    return Markup(' {}="{}"').format(name, value) if value else Markup("")


def short(value: float) -> str:
    """A coordinate to a tenth: 12, 12.5."""
    return f"{value:.1f}".removesuffix(".0")


def width_of(words: str, size: float) -> float:
    """About how wide `words` are in bold type of `size`: Japanese characters are square, others a little over half."""
    return size * sum(1.0 if east_asian_width(character) in "WFA" else 0.62 for character in words)


def cut(words: str, room: float, size: float) -> str:
    """`words`, shortened with … where they are wider than `room`."""
    if width_of(words, size) <= room + 0.01:
        return words
    while words and width_of(words, size) > room - size:
        words = words[:-1]
    return words + "…"


def written(value: float | None) -> str:
    """A value as people read it: 1,284, 12.5, － for none."""
    if value is None:
        return "－"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def ticks(highest: float, most: int = 5) -> list[float]:
    """Round steps from 0 to at least `highest`: 1, 2 or 5 times a power of ten, at most `most` steps, whole."""
    step = 1.0
    while True:
        for factor in (1, 2, 5):
            if step * factor * most >= highest:
                count = max(1, -(-highest // (step * factor)))
                return [step * factor * number for number in range(int(count) + 1)]
        step *= 10


def apart(places: Sequence[float], gap: float, top: float, bottom: float) -> list[float]:
    """The same places, moved until neighbours are `gap` apart, between `top` and `bottom` if they fit."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    moved = list(places)
    for earlier, later in pairwise(order):
        moved[later] = max(moved[later], moved[earlier] + gap)
    limit = bottom
    for index in reversed(order):
        moved[index] = min(moved[index], limit)
        limit = moved[index] - gap
    if order and moved[order[0]] < top:
        limit = top
        for index in order:
            moved[index] = max(moved[index], limit)
            limit = moved[index] + gap
    return moved
