"""The catalogue is narrowed by where rows lie and by the years data are about."""

import re
from typing import Any
from urllib.parse import unquote

import pytest
from sqlalchemy import select

from libs.common.errors import Unavailable
from services.opendata.db import DatasetRow, VersionRow
from services.opendata.domain import meshes, periods
from services.opendata.tests.people import AED, Town, visible
from services.opendata.use_cases import whereabouts
from services.opendata.use_cases.project import project

FUKUOKA = "名称,緯度,経度\r\n市役所,33.5902,130.4017\r\n県庁,33.6064,130.4183\r\n".encode()
YEARS = "年度,地区名,人口\r\n2019,大溝,10\r\n2020,大溝,11\r\n2021,大溝,12\r\n".encode()


@pytest.fixture
def catalogue(town: Town) -> Town:
    town.publish(AED)
    town.publish(FUKUOKA, "shisetsu.csv", title="福岡の施設")
    town.publish(YEARS, "jinko.csv", title="人口のうごき")
    town.publish(b"a,b\r\nx,y\r\n", "yosan.csv", title="令和６年度予算")
    return town


def titles(town: Town, query: str) -> set[str]:
    page = town.visitor().get(f"/opendata/?{query}")
    assert page.status_code == 200
    return {title for title in ("AED設置箇所一覧", "福岡の施設", "人口のうごき", "令和６年度予算")
            if re.search(f'<a href="/opendata/datasets/[^"]*">{title}</a>', page.text)}  # fmt: skip


def test_a_box_keeps_what_has_rows_in_it(catalogue: Town):
    assert titles(catalogue, "bbox=130.40,33.18,130.46,33.25") == {"AED設置箇所一覧"}
    assert titles(catalogue, "bbox=130.38,33.55,130.45,33.65") == {"福岡の施設"}
    assert titles(catalogue, "bbox=129,32,132,34") == {"AED設置箇所一覧", "福岡の施設"}
    assert titles(catalogue, "bbox=139,35,140,36") == set()
    page = catalogue.visitor().get("/opendata/?bbox=129,32,132,34").text
    assert "bbox=129%2C32%2C132%2C34" in page and page.count("mesh=") < 10, (
        "a link names the box, not its thousand squares"
    )
    [feed] = re.findall(r'href="(/opendata/feed.atom[^"]*)"', page)[:1]
    assert (
        "福岡の施設" in catalogue.visitor().get(feed).text and "人口のうごき" not in catalogue.visitor().get(feed).text
    )


@pytest.mark.parametrize(
    "box", ["x", "1,2,3", "nan,nan,nan,nan", "inf,0,1,1", "140,36,139,35", "1e308,1e308,1e308,1e308", "','"]
)
def test_what_is_no_box_finds_nothing(catalogue: Town, box: str):
    assert titles(catalogue, f"bbox={box}") == set()


def test_the_map_s_squares_lead_to_what_lies_in_them(catalogue: Town):
    page = catalogue.visitor().get("/opendata/").text
    squares = [
        unquote(href).replace("&amp;", "&").partition("?")[2]
        for href in re.findall(r'href="([^"]*mesh=\d{6}[^"]*)"', page)
    ]
    assert len(squares) == 2 and {frozenset(titles(catalogue, square)) for square in squares} == {
        frozenset({"AED設置箇所一覧"}), frozenset({"福岡の施設"}),
    }  # fmt: skip
    assert "から約10km四方" in visible(catalogue.visitor().get(f"/opendata/?{squares[0]}").text), (
        "what was chosen can be taken off"
    )


def test_the_years_data_are_about_come_from_the_title_and_the_rows(catalogue: Town):
    assert titles(catalogue, "year=2024") == {"令和６年度予算"}
    assert titles(catalogue, "year=2020") == {"人口のうごき"}, "設置日 of the AED list is not what it is about"
    assert titles(catalogue, "year=2020&year=2024") == {"令和６年度予算", "人口のうごき"}
    assert titles(catalogue, "updated=2026") == {"AED設置箇所一覧", "福岡の施設", "人口のうごき", "令和６年度予算"}
    assert titles(catalogue, "updated=2001") == set()
    page = visible(catalogue.visitor().get("/opendata/").text)
    assert "対象の年" in page and "更新した年" in page and "2024年" in page


def as_published_before_places_were_looked_for(town: Town) -> None:
    """The versions as earlier releases wrote them."""
    with town.service.database.transaction(tenant=town.code) as session:
        for version in session.scalars(select(VersionRow)):
            version.report = {key: each for key, each in version.report.items() if key not in ("where", "when")}
        session.flush()
        for dataset in session.scalars(select(DatasetRow)):
            project(session, dataset, town.service.clock.now())
    town.service.extras["catalogue"].look_again()


def test_what_was_published_before_is_found_by_place_and_year_after_a_while(catalogue: Town, monkeypatch: Any):
    as_published_before_places_were_looked_for(catalogue)
    assert titles(catalogue, "bbox=129,32,132,34") == set() and titles(catalogue, "year=2020") == set()
    told = catalogue.events("opendata.dataset.published.v1")
    monkeypatch.setattr(whereabouts, "AT_ONCE", 3)
    assert whereabouts.fill_in(catalogue.service) == 3, "no run is long; the next goes on"
    assert whereabouts.fill_in(catalogue.service) == 1
    assert whereabouts.fill_in(catalogue.service) == 0, "once is enough"
    assert titles(catalogue, "bbox=129,32,132,34") == {"AED設置箇所一覧", "福岡の施設"}
    assert titles(catalogue, "year=2020") == {"人口のうごき"}
    assert catalogue.events("opendata.dataset.published.v1") == told, "nothing was published anew"


def test_a_table_that_is_gone_is_not_asked_for_again_and_again(catalogue: Town):
    as_published_before_places_were_looked_for(catalogue)
    with catalogue.service.database.reading(tenant=catalogue.code) as session:
        tables = [version.table_id for version in session.scalars(select(VersionRow))]
    catalogue.service.extras["tables"].forget(catalogue.code, tables[0])
    assert whereabouts.fill_in(catalogue.service) == 4 and whereabouts.fill_in(catalogue.service) == 0


def test_a_large_file_that_takes_too_long_to_look_through_is_published_all_the_same(town: Town, monkeypatch):
    def too_long(*_: object) -> None:
        raise Unavailable("問い合わせに時間がかかりすぎたため、中断しました。", code="query-too-long")

    monkeypatch.setattr(whereabouts, "of", too_long)
    dataset = town.publish(FUKUOKA, "shisetsu.csv", title="福岡の施設")
    assert town.visitor().result("package_show", id=dataset)["title"] == "福岡の施設"
    assert titles(town, "bbox=130.38,33.55,130.45,33.65") == set(), "it lies nowhere on the map"


def test_rows_that_programs_write_lie_where_they_lie_now(town: Town):
    machine, place = town.machine(), {"緯度": 33.2101, "経度": 130.4398}
    machine.result("package_create", name="spots", title="福岡の施設", license_id="cc-by")
    resource = machine.result("datastore_create", resource={"package_id": "spots"}, records=[place])["resource_id"]
    whereabouts.fill_in(town.service)
    assert titles(town, "bbox=130.40,33.18,130.46,33.25") == {"福岡の施設"}
    machine.result("datastore_create", resource_id=resource, records=[{"緯度": 33.5902, "経度": 130.4017}], force=True)
    machine.result("datastore_delete", resource_id=resource, filters=place, force=True)
    whereabouts.fill_in(town.service)
    assert titles(town, "bbox=130.40,33.18,130.46,33.25") == set()
    assert titles(town, "bbox=130.38,33.55,130.45,33.65") == {"福岡の施設"}


def test_squares_are_those_of_the_standard():
    assert meshes.code(int(35.6812 * 12), int((139.7671 - 100) * 8)) == "533946", "東京駅 (JIS X 0410)"
    assert meshes.south_west("533946") == pytest.approx((35.6667, 139.75), abs=1e-3)
    assert list(meshes.of_box((139.751, 35.667, 139.752, 35.668))) == ["533946"]
    assert len(list(meshes.of_box((-180, -90, 180, 90)))) > 10_000, "the whole of Japan, and no more"


@pytest.mark.parametrize(
    ("title", "years"),
    [("令和元年度決算", {2019}), ("平成30年～令和２年", {2018, 2020}), ("2024年版", {2024}), ("昭和60年国勢調査", {1985}),
     ("第3回", set()), ("12024年", set())],
)  # fmt: skip
def test_years_in_either_calendar(title: str, years: set[int]):
    assert periods.named_in(title) == years


@pytest.mark.parametrize(
    ("least", "most", "found"),
    [("2023-04-01", "2025-03-31", [2023, 2024, 2025]), (2019, 2020, [2019, 2020]), (1, 5, []),
     ("0001-01-01", "9999-12-31", []), (None, None, [])],
)  # fmt: skip
def test_years_a_column_runs_through(least: object, most: object, found: list[int]):
    assert periods.run_through(least, most) == found
