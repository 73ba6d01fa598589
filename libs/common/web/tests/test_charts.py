"""Charts: what is drawn, what is told to those who do not see it, and the table with the same values."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.web.charts import Bar, Chart, Series, Tile, bar_list, heat_class, line_chart, tile_map
from libs.common.web.charts import svg as drawing

USE = Series("甲のサービス", {2016: 27, 2017: 27, 2018: 50}, "甲")
GAP = Series("乙のサービス", {2014: 3, 2016: None, 2018: 19})


def pictures(chart: Chart) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(f"<all>{chart.svg}</all>"))


def words(picture: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in picture.iter("text")]


def every_chart() -> list[Chart]:
    return [
        line_chart("a", "推移", [USE, GAP], unit="団体"),
        bar_list("b", "割合", [Bar("甲", 27), Bar("乙", 0)], whole=60, unit="団体"),
        tile_map("c", "地図", [Tile(0, 0, "甲", 1), Tile(1, 0, "乙", None)]),
    ]


def test_every_drawing_has_a_name_and_a_description() -> None:
    for chart in every_chart():
        ids = [element.get("id") for picture in pictures(chart) for element in picture.iter() if element.get("id")]
        assert len(ids) == len(set(ids))
        for picture in pictures(chart):
            named = (picture.get("aria-labelledby") or "").split()
            assert picture.get("role") == "img" and len(named) == 2 and set(named) <= set(ids)
            assert all(picture.find(tag).text for tag in ("title", "desc"))  # type: ignore[union-attr]


def test_no_drawing_needs_inline_style() -> None:
    assert not any("style" in chart.svg for chart in every_chart())


def test_lines_write_their_last_value_and_tell_their_span() -> None:
    chart = line_chart("t", "参加の推移", [USE, GAP], unit="団体")
    phone, desk = pictures(chart)
    assert "甲 50" in words(phone) and "甲のサービス 50" in words(desk)
    told = desk.find("desc").text or ""  # type: ignore[union-attr]
    assert "2014年度から2018年度" in told and "甲のサービスは2016年度の27団体から2018年度の50団体" in told


def test_a_year_without_value_breaks_the_line_and_is_no_zero() -> None:
    chart = line_chart("t", "推移", [GAP])
    path = next(pictures(chart)[0].iter("path")).get("d") or ""
    assert path.count("M") == 2 and "L" not in path
    assert chart.rows == [["乙のサービス", "3", "19"]]
    assert line_chart("t", "推移", [USE, GAP]).rows[1] == ["乙のサービス", "3", "－", "－", "19"]


def test_a_line_that_ends_early_says_when() -> None:
    chart = line_chart("t", "推移", [USE, Series("丙", {2014: 3, 2016: 4})])
    assert "丙 4（2016）" in words(pictures(chart)[1])


def test_a_name_too_long_for_the_drawing_is_cut_and_whole_in_the_table() -> None:
    name = "とても" * 20
    chart = line_chart("t", "推移", [Series(name, {2017: 1, 2018: 2})])
    for picture in pictures(chart):
        label = words(picture)[-1]
        assert label.endswith("… 2")
        width = float((picture.get("viewBox") or "").split()[2])
        last = list(picture.iter("text"))[-1]
        assert float(last.get("x") or 0) + drawing.width_of(label, 14 if width > 1000 else 12) <= width
    assert chart.rows[0][0] == name


@pytest.mark.parametrize("highest", [9, 15_000, 278_970, 143_000_000])
def test_values_beside_the_lines_are_whole_however_large(highest: int) -> None:
    for picture in pictures(line_chart("t", "推移", [Series("甲", {2017: 0, 2018: highest})])):
        size = 14 if float((picture.get("viewBox") or "").split()[2]) > 1000 else 12
        beside = [text for text in picture.iter("text") if text.get("text-anchor") == "end"]
        assert beside and all(float(t.get("x") or 0) >= drawing.width_of(t.text or "", size) for t in beside)


@pytest.mark.parametrize("series", [[], [Series("空", {})], [Series("空", {2018: None})], [USE] * 7])
def test_lines_that_cannot_be_drawn_are_a_fault(series: list[Series]) -> None:
    with pytest.raises(ValueError, match="line chart"):
        line_chart("t", "推移", series)


def test_points_inside_a_year_stand_between_the_years_and_are_written_as_told() -> None:
    quarters = Series("四半期", {2017.25: 30, 2017.5: 35, 2018.0: 50})
    chart = line_chart("t", "推移", [Series("年", {2017: 27, 2018: 50}), quarters], at=lambda point: f"<{point}>")
    assert [column["label"] for column in chart.columns[1:]] == ["<2017>", "<2017.25>", "<2017.5>", "<2018>"]  # type: ignore[index]
    assert chart.rows[1] == ["四半期", "－", "30", "35", "50"]
    years, inside = (re.findall(r"[ML]([\d.]+)", path.get("d") or "") for path in pictures(chart)[0].iter("path"))
    span = float(years[1]) - float(years[0])
    assert [round((float(x) - float(years[0])) / span, 2) for x in inside] == [0.25, 0.5, 1]
    assert pictures(line_chart("t", "推移", [Series("ひとつの年度の中", {2018.25: 1, 2018.5: 2})]))


def test_only_zeros_are_a_line_too() -> None:
    assert "甲 0" in words(pictures(line_chart("t", "推移", [Series("甲", {2018: 0})]))[1])


def test_bars_write_values_and_shares() -> None:
    chart = bar_list("b", "使っている団体", [Bar("甲", 27), Bar("乙", 50)], whole=60, unit="団体")
    assert chart.caption == "使っている団体（60団体のうち）"
    assert chart.rows == [["甲", "27", "45.0%"], ["乙", "50", "83.3%"]]
    widths = [float(r.get("width") or 0) for r in pictures(chart)[0].iter("rect")]
    assert widths[1] / widths[0] == pytest.approx(27 / 60, abs=0.001)


@pytest.mark.parametrize("bars", [[], [Bar("甲", -1)], [Bar("甲", 61)]])
def test_bars_beyond_the_whole_are_a_fault(bars: list[Bar]) -> None:
    with pytest.raises(ValueError, match="bars"):
        bar_list("b", "割合", bars, whole=60)


def test_tiles_stand_where_they_belong_with_their_class_and_value() -> None:
    chart = tile_map(
        "m", "地図", [Tile(2, 1, "甲", 3, "甲町", "北"), Tile(0, 0, "乙", 0, "乙町", "南")], group_label="圏域"
    )
    group = next(g for g in pictures(chart)[0].iter("g") if g.find("title").text == "甲町 3")  # type: ignore[union-attr]
    rect = group.find("rect")
    assert group.get("class") == "h-3" and rect is not None and (rect.get("x"), rect.get("y")) == ("76", "30")
    assert chart.rows == [["乙町", "南", "0"], ["甲町", "北", "3"]]


def test_a_thick_line_parts_groups_and_only_groups() -> None:
    def border(*groups: str) -> str:
        tiles = [Tile(number, 0, "甲", 1, group=group) for number, group in enumerate(groups)]
        return next(p for p in pictures(tile_map("m", "地図", tiles))[0].iter("path")).get("d") or ""

    assert border("北", "北", "南") == "M76 0V30"
    assert border("北", "北", "北") == ""


def test_tiles_with_addresses_are_links_that_can_be_reached() -> None:
    chart = tile_map("m", "町を選ぶ", [Tile(0, 0, "甲", 1, "甲町", href="/t/1/")])
    picture = pictures(chart)[0]
    assert picture.get("role") == "group"
    link = next(picture.iter("a"))
    assert (link.get("href"), link.get("aria-label")) == ("/t/1/", "甲町 1")
    assert chart.rows[0][0] == '<a href="/t/1/">甲町</a>'


def test_two_tiles_on_one_place_are_a_fault() -> None:
    with pytest.raises(ValueError, match="one place"):
        tile_map("m", "地図", [Tile(0, 0, "甲", 1), Tile(0, 0, "乙", 1)])


def test_names_are_text_even_if_they_look_like_tags() -> None:
    bad = '<script>"&'
    charts = [
        line_chart("a", bad, [Series(bad, {2018: 1})], unit=bad),
        bar_list("b", bad, [Bar(bad, 1)]),
        tile_map("c", bad, [Tile(0, 0, bad, 1, bad, href=bad)]),
    ]
    for chart in charts:
        assert "<script" not in chart.svg and pictures(chart)


@pytest.mark.parametrize(("value", "number"), [(None, 0), (0, 0), (1, 1), (2.9, 1), (3, 2), (100, 2)])
def test_a_value_has_the_class_of_the_bounds_it_reaches(value: float | None, number: int) -> None:
    assert heat_class(value, (1, 3)) == number


def test_the_legend_names_every_class() -> None:
    assert tile_map("m", "地図", [Tile(0, 0, "甲", 1)], bounds=(1, 2, 5)).legend == [
        (0, "0"),
        (1, "1"),
        (2, "2～5未満"),
        (3, "5以上"),
    ]


@given(st.lists(st.floats(0, 200), min_size=1, max_size=5))
def test_names_at_the_lines_ends_never_lie_on_each_other(places: list[float]) -> None:
    moved = drawing.apart(places, 16, 10, 250)
    ordered = sorted(moved)
    assert all(later - earlier >= 15.99 for earlier, later in pairwise(ordered))
    assert ordered[0] >= 9.99 and ordered[-1] <= 250.01


@given(st.floats(0, 1e7))
def test_steps_reach_the_highest_value_in_few_round_numbers(highest: float) -> None:
    marks = drawing.ticks(highest)
    assert marks[0] == 0 and marks[-1] >= highest and len(marks) <= 6
    assert re.fullmatch(r"[125]0*", f"{marks[1]:.0f}")
