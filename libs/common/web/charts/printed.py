"""A chart in a document of its own, without our style sheet: what the sheet says of charts on paper is written into the drawing."""

import re

from libs.common.web.charts.svg import Chart

_LINES = ("#00428c", "#115a36", "#ac3e00", "#5109ad", "#4d4d4d", "#a3006a")
"""The colours of the lines' names: readable on white, so dark enough for lines too."""
_STYLE = (
    "text{font-family:IPAexGothic;font-size:12px;fill:#333333}"
    ".axis{stroke:#cccccc}.zero{stroke:#666666}path{fill:none;stroke-width:3}.name{font-weight:700}"
    + "".join(f".s-{n}{{stroke:{colour}}}" for n, colour in enumerate(_LINES, 1))
    + "".join(f"circle.s-{n}{{fill:{colour}}}" for n, colour in enumerate(_LINES, 1))
    + "".join(f"text.s-{n}{{fill:{colour};stroke:none}}" for n, colour in enumerate(_LINES, 1))
)


def for_paper(chart: Chart) -> bytes:
    """The narrow drawing of `chart`, whose letters are large beside its width, as an SVG file (UTF-8): for some 95 mm."""
    found = re.search(r'<svg class="[^"]*chart--narrow.*?</svg>', chart.svg, re.S)
    if found is None:
        raise ValueError("this chart has no drawing for paper")
    head, rest = found[0].split(">", 1)
    return f'{head} xmlns="http://www.w3.org/2000/svg"><style>{_STYLE}</style>{rest}'.encode()
