"""Bars under each other: parts of one whole, or amounts to compare."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from libs.common.web.charts import svg
from libs.common.web.charts.svg import Chart


@dataclass(frozen=True, slots=True)
class Bar:
    name: str
    value: float


def bar_list(
    ident: str,
    title: str,
    bars: Sequence[Bar],
    *,
    whole: float | None = None,
    unit: str = "",
    description: str = "",
    first_column: str = "名前",
    value_column: str = "",
) -> Chart:
    """One bar per name, its value written at its end. `whole` is what every bar is a part of (drawn as its track).
    `value_column`: what the numbers are, above them in the table; empty: the unit.

    Values must not be negative, and none larger than `whole`: ValueError.
    """
    longest = whole if whole is not None else max((bar.value for bar in bars), default=0)
    if not bars or any(not 0 <= bar.value <= longest for bar in bars):
        raise ValueError("bars need values from 0 to the whole")
    words = description or described(bars, whole, unit)
    drawings = [
        svg.drawing(
            f"{ident}-phone",
            title,
            words,
            (0, 0, 343, 48 * len(bars)),
            phone(bars, longest, unit),
            "chart chart--narrow",
        ),
        svg.drawing(
            f"{ident}-desk", title, words, (0, 0, 1120, 36 * len(bars)), desk(bars, longest, unit), "chart chart--wide"
        ),
    ]
    columns: list[object] = [first_column, {"label": value_column or unit or "数", "num": True}]
    rows: list[list[object]] = [[bar.name, svg.written(bar.value)] for bar in bars]
    if whole:
        columns.append({"label": "割合", "num": True})
        rows = [[*row, f"{100 * bar.value / whole:.1f}%"] for row, bar in zip(rows, bars, strict=True)]
    return Chart(
        Markup("").join(drawings), f"{title}（{svg.written(whole)}{unit}のうち）" if whole else title, columns, rows
    )


def described(bars: Sequence[Bar], whole: float | None, unit: str) -> str:
    of = f"{svg.written(whole)}{unit}のうち、" if whole else ""
    return of + "、".join(f"{bar.name} {svg.written(bar.value)}{unit}" for bar in bars) + "。"


def phone(bars: Sequence[Bar], longest: float, unit: str) -> list[Markup]:
    drawn = []
    for number, bar in enumerate(bars):
        top = 48 * number
        drawn.append(svg.text(0, top + 16, bar.name))
        drawn.append(svg.text(343, top + 16, f"{svg.written(bar.value)}{unit}", anchor="end", look="name"))
        drawn.extend(track(0, top + 24, 343, 12, bar.value, longest))
    return drawn


def desk(bars: Sequence[Bar], longest: float, unit: str) -> list[Markup]:
    drawn = []
    for number, bar in enumerate(bars):
        top = 36 * number
        drawn.append(svg.text(0, top + 20, bar.name))
        drawn.extend(track(320, top + 9, 680, 14, bar.value, longest))
        drawn.append(svg.text(1012, top + 20, f"{svg.written(bar.value)}{unit}", look="name"))
    return drawn


def track(x: float, y: float, width: float, height: float, value: float, longest: float) -> list[Markup]:
    share = value / longest if longest else 0
    return [svg.rect(x, y, width, height, "track", 2), svg.rect(x, y, width * share, height, "fill", 2)]
