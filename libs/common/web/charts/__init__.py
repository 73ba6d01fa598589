"""Charts and maps as SVG: named and described for screen readers, values written, the same on paper, never without table.

    chart = line_chart("use", "使っている団体の数の推移", [Series("甲", {2016: 27, 2018: 50})], unit="団体")
    {{ figure(chart) }}          {# components/chart.html #}

No inline style: colours and type come from classes in the style sheet. What a tile stands for, the caller knows.
"""

from libs.common.web.charts.bars import Bar, bar_list
from libs.common.web.charts.lines import Series, line_chart
from libs.common.web.charts.printed import for_paper
from libs.common.web.charts.svg import Chart
from libs.common.web.charts.tiles import Tile, heat_class, tile_map

__all__ = ["Bar", "Chart", "Series", "Tile", "bar_list", "for_paper", "heat_class", "line_chart", "tile_map"]
