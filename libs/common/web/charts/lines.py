"""Lines over fiscal years."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor

from markupsafe import Markup

from libs.common.web.charts import svg
from libs.common.web.charts.svg import Chart


@dataclass(frozen=True, slots=True)
class Series:
    """One line. `points`: fiscal year → value at its end; 2018.25 is the end of the first quarter of the one after 2018. None
    is a gap, never a zero. `short` is the name on phones."""

    name: str
    points: Mapping[int, float | None] | Mapping[float, float | None]
    short: str = ""

    def known(self) -> list[tuple[float, float]]:
        return [(year, value) for year, value in sorted(self.points.items()) if value is not None]


@dataclass(frozen=True, slots=True)
class Frame:
    """Where things stand in one drawing, in its own units; `names` is the room for names right of the lines."""

    width: float
    height: float
    left: float
    names: float
    type: float
    year_marks: int
    look: str

    @property
    def right(self) -> float:
        return self.width - self.names

    @property
    def top(self) -> float:
        return self.type + 2

    @property
    def bottom(self) -> float:
        return self.height - 2.4 * self.type


PHONE = Frame(343, 300, 34, 0, 12, 3, "chart chart--narrow")
DESK = Frame(1120, 400, 44, 0, 14, 8, "chart chart--wide")
NAMES_AT_MOST = 0.4
"""Of the drawing's width. A longer name is cut with …; it stands whole in the table and the description."""


def line_chart(
    ident: str,
    title: str,
    series: Sequence[Series],
    *,
    description: str = "",
    unit: str = "",
    first_column: str = "名前",
    at: Callable[[float], str] = str,
) -> Chart:
    """Up to six lines, each with its name and last value at its end; a drawing for phones, one for desks and paper.

    `ident` must be its own on the page. Raises ValueError for no value at all or more than six lines.
    `at` writes the key of a point, where not all are whole years.
    """
    if not 1 <= len(series) <= svg.COLOURS or not any(one.known() for one in series):
        raise ValueError("a line chart needs one to six lines with at least one value")
    years = sorted({year for one in series for year, _ in one.known()})
    words = description or described(series, years, unit)
    drawings = [
        svg.drawing(
            f"{ident}-{name}",
            title,
            words,
            (0, 0, frame.width, frame.height),
            parts(series, years, frame),
            frame.look,
        )
        for name, frame in (
            ("phone", with_room(PHONE, series, years)),
            ("desk", with_room(DESK, series, years)),
        )
    ]
    columns: list[object] = [first_column, *({"label": at(year), "num": True} for year in years)]
    known = [(one.name, dict(one.known())) for one in series]
    rows: list[list[object]] = [[name, *(svg.written(values.get(year)) for year in years)] for name, values in known]
    caption = f"{title}（{unit}）" if unit else title
    return Chart(Markup("").join(drawings), caption, columns, rows)


def described(series: Sequence[Series], years: Sequence[float], unit: str) -> str:
    """What a reader who does not see the lines must know: the span, and each line's first and last value."""
    told = (
        f"{one.name}は{known[0][0]}年度の{svg.written(known[0][1])}{unit}から{known[-1][0]}年度の{svg.written(known[-1][1])}{unit}"
        for one in series
        if (known := one.known())
    )
    return f"{years[0]}年度から{years[-1]}年度。{'、'.join(told)}。すべての値は表にあります。"


def parts(series: Sequence[Series], years: Sequence[float], frame: Frame) -> list[Markup]:
    marks = marks_of(series)
    first = ceil(years[0])
    last = max(first, floor(years[-1]))
    span = max(last, years[-1]) - years[0] or 1

    def x_of(year: float) -> float:
        return frame.left + (frame.right - frame.left) * (year - years[0]) / span

    def y_of(value: float) -> float:
        return frame.bottom - (frame.bottom - frame.top) * value / marks[-1]

    drawn: list[Markup] = []
    for mark in marks:
        drawn.append(svg.line(frame.left, y_of(mark), frame.right, y_of(mark), "axis" if mark else "zero"))
        drawn.append(svg.text(frame.left - 8, y_of(mark) + 4, svg.written(mark), anchor="end"))
    for year in year_marks(first, last, frame.year_marks):
        drawn.append(svg.text(x_of(year), frame.bottom + 1.6 * frame.type, year, anchor="middle"))
    with_values = [(number, one, one.known()) for number, one in enumerate(series) if one.known()]
    ends = svg.apart([y_of(known[-1][1]) for *_, known in with_values], 1.35 * frame.type, frame.top, frame.bottom)
    for (number, one, known), end in zip(with_values, ends, strict=True):
        look = f"s-{number + 1}"
        path = " ".join(
            f"{'L' if joined else 'M'}{svg.short(x_of(y))} {svg.short(y_of(v))}" for y, v, joined in steps(one)
        )
        drawn.append(
            Markup('<path class="{}" d="{}"{}/>').format(
                look, path, svg.attribute("stroke-dasharray", svg.DASHES[number])
            )
        )
        last_year, last_value = known[-1]
        drawn.append(
            Markup('<circle class="{}" cx="{}" cy="{}" r="4"/>').format(
                look, svg.short(x_of(last_year)), svg.short(y_of(last_value))
            )
        )
        label = end_label(one, years[-1], frame)
        drawn.append(svg.text(frame.right + 10, end + frame.type / 3, label, look=f"{look} name"))
    return drawn


def marks_of(series: Sequence[Series]) -> list[float]:
    """The values written left of the lines."""
    return svg.ticks(max(value for one in series for _, value in one.known()))


def with_room(frame: Frame, series: Sequence[Series], years: Sequence[float]) -> Frame:
    """The same frame with room for the longest name at the lines' ends, and left of them for the widest value."""
    room = replace(frame, names=NAMES_AT_MOST * frame.width)
    longest = max(svg.width_of(end_label(one, years[-1], room), frame.type) for one in series if one.known())
    widest = max(svg.width_of(svg.written(mark), frame.type) for mark in marks_of(series))
    return replace(frame, names=longest + 16, left=max(frame.left, widest + 10))


def end_label(one: Series, last_year: float, frame: Frame) -> str:
    """Name and last value (with its year when the line ends early), cut to the room there is."""
    year, value = one.known()[-1]
    number = f" {svg.written(value)}" + ("" if year == last_year else f"（{ceil(year)}）")
    name = one.short or one.name if frame.look == PHONE.look else one.name
    return svg.cut(name, frame.names - 16 - svg.width_of(number, frame.type), frame.type) + number


def steps(one: Series) -> list[tuple[float, float, bool]]:
    """(year, value, whether a line leads to it). A year given as None breaks the line; years not given do not."""
    result, joined = [], False
    for year, value in sorted(one.points.items()):
        if value is not None:
            result.append((year, value, joined))
        joined = value is not None
    return result


def year_marks(first: int, last: int, most: int) -> list[int]:
    """Years to write under the lines: evenly apart, the first and at most `most` of them."""
    step = 1
    while (last - first) // step + 1 > most:
        step += 1 if step < 2 else (2 if step == 2 else 1)
    return list(range(first, last + 1, step))
