"""Every page in a real browser, at a phone's and a desk's width: it fits, axe finds nothing, everything can be pressed and reached."""

import io
import json
import math
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page

from libs.common.db import Database
from libs.common.testing.browser import browser, browser_page, serving, tab_stops  # noqa: F401 (pytest finds fixtures by name)
from libs.common.testing.database import open_database
from services.opendata.api.pieces import HEIGHTS
from services.opendata.tests.people import AED, Town
from services.opendata.tests.test_files_that_are_no_tables import WAYS
from services.opendata.tests.test_people_ask_and_show import answer, ask, at_the_desk, person, send_app
from services.opendata.tests.test_sensors_are_read_live import reading, send
from services.opendata.tests.test_the_story_in_a_browser import SIGNED_IN, Door, look

pytestmark = [pytest.mark.browser, pytest.mark.slow]
POPULATION = "年月,地区名,男,女,人口増減\r\n" + "".join(
    f"{2015 + n // 2}-{4 + n % 2 * 6:02}-01,{('大溝', '木佐木', '大莞')[n % 3]},{2100 + n * 13},{2200 + n * 11},{n * 7 - 60}\r\n"
    for n in range(24)
)
LONG = "大木町の地域公共交通（コミュニティバス・デマンドタクシー・福祉有償運送）の停留所別・時間帯別の利用者数（2026年度速報値）"


@pytest.fixture
def database(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One store is enough here: the pages are the same on both."""
    yield from open_database("sqlite", "opendata", "services.opendata", tmp_path, tmp_path_factory)


@pytest.fixture
def address(town: Town) -> Iterator[str]:
    with serving(Door(town)) as found:
        yield found


def picture() -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (1080, 1920), "navy").save(target, "PNG")
    return target.getvalue()


class Filled:
    """A municipality in use: data sets, a sensor that sends, voices and a work, at each state that a page shows."""

    def __init__(self, town: Town, neighbour: Town) -> None:
        self.town = town
        self.aed, self.population = town.publish(), town.publish(POPULATION.encode(), "jinko.csv", title=LONG)
        neighbour.publish(AED.replace("大木町".encode("cp932"), "久留米市".encode("cp932")))
        self.old = town.publish(b"a,b\r\n1,2\r\n", "old.csv", title="公開を取りやめたデータ")
        town.staff().post(f"desk/datasets/{self.old}/withdraw", {"reason": "内容に誤りがありました。"})
        self.draft = town.staff().send(AED, "aed2.csv")
        self.ways = town.publish(json.dumps(WAYS).encode(), "散策路.geojson")
        wish = {
            "url": "https://hooks.example.com/x",
            "purpose": "庁内の通知",
            "types": ["opendata.dataset.published.v1"],
        }
        self.webhook = town.staff().post("desk/webhooks/", wish).headers["location"]
        town.staff().post(f"{self.webhook}/test")
        self.stream = self._sensor()
        self.asked = self._request()
        send_app(town, town.name_of(self.aed), picture())
        send_app(town, town.name_of(self.population), title="人口のうごき")
        shown = town.staff().get("desk/voices").text.partition("/desk/apps/")[2][:36]
        town.staff().post(f"desk/apps/{shown}", {"state": "shown"})

    def _sensor(self) -> str:
        form = {
            "name": "花宗川 大木町役場前の水位",
            "property": "水位",
            "unit": "m",
            "place": "大木町役場前",
            "lat": "33.21",
            "lng": "130.44",
        }
        self.town.staff().post("desk/sensors", form)
        self.town.staff().post("desk/sensors", form | {"name": "山ノ井川の水位", "lat": "33.22", "lng": "130.42"})
        stream = self.town.staff().get("desk/sensors").text.partition("/opendata/sensors/")[2][:36]
        now: datetime = self.town.service.clock.now()
        batch = [
            reading(stream, (now - timedelta(minutes=10 * n)).isoformat(), round(1.2 + math.sin(n / 9) / 3, 3))
            for n in range(300)
        ]
        assert send(self.town.machine(), batch).status_code == 201
        right = {"unit": "cm", "place": "大木町役場前の橋", "reason": "機器が送る値はcmで、場所も橋の上でした。"}
        assert self.town.staff().post(f"desk/sensors/{stream}", form | right).status_code == 303
        return stream

    def _request(self) -> str:
        ask(person(self.town), self.town)
        found = at_the_desk(self.town)
        answer(self.town, found, "open")
        ask(self.town.visitor(), self.town, title="小学校の通学路の、見守り活動をしている時間と場所の一覧")
        return found

    def file_of(self, dataset: str) -> str:
        return self.town.visitor().result("package_show", id=dataset)["resources"][0]["id"]

    def public_pages(self) -> dict[str, str]:
        aed, long = (f"/opendata/datasets/{self.town.name_of(each)}" for each in (self.aed, self.population))
        table, numbers = (
            f"{aed}/resources/{self.file_of(self.aed)}",
            f"{long}/resources/{self.file_of(self.population)}",
        )
        return {
            "catalogue": "/opendata/", "found": "/opendata/?q=AED&sort=modified", "nothing": "/opendata/?q=宇宙ロケット打上げ",
            "own-catalogue": f"/t/{self.town.code}/opendata/", "dataset": aed, "dataset-long": long,
            "dataset-map": f"/opendata/datasets/{self.town.name_of(self.ways)}",
            "own-dataset": f"/t/{self.town.code}{aed}", "table": table, "table-statistics": f"{numbers}?column=男",
            "table-refused": f"{numbers}?c0=男&o0=gte&v0=たくさん", "chart": f"{table}/chart",
            "chart-line": f"{numbers}/chart?x=年月&y=男&how=avg&kind=line", "chart-bars": f"{numbers}/chart?x=地区名&y=女&how=sum",
            "chart-refused": f"{numbers}/chart?x=地区名&y=人口増減&how=min&kind=bar", "quality": "/opendata/quality",
            "sensors": "/opendata/sensors/", "sensor": f"/opendata/sensors/{self.stream}", "requests": "/opendata/requests/",
            "requests-sent": "/opendata/requests/?sent=1", "request": f"/opendata/requests/{self.asked}", "apps": "/opendata/apps/",
            "app-new": f"{aed}/apps/new", "api": "/opendata/api/", "unknown": "/opendata/datasets/no-such-data",
        }  # fmt: skip

    def frames(self) -> dict[str, str]:
        aed, numbers = self.file_of(self.aed), self.file_of(self.population)
        return {
            "frame-table": f"/opendata/embed/{numbers}/table", "frame-map": f"/opendata/embed/{aed}/map",
            "frame-chart": f"/opendata/embed/{numbers}/chart?x=年月&y=男&how=avg&kind=line",
        }  # fmt: skip

    def desk_pages(self) -> dict[str, str]:
        desk = f"/t/{self.town.code}/opendata/desk/"
        return {
            "desk": desk, "desk-draft": self.draft, "desk-dataset": f"{desk}datasets/{self.aed}",
            "desk-withdrawn": f"{desk}datasets/{self.old}", "desk-voices": f"{desk}voices", "desk-sensors": f"{desk}sensors",
            "desk-sensor": f"{desk}sensors/{self.stream}",
            "desk-schedule": f"{desk}resources/{self.file_of(self.aed)}/schedule", "desk-harvests": f"{desk}harvests",
            "desk-webhooks": f"{desk}webhooks/", "desk-webhook": self.webhook,
        }  # fmt: skip


def seen(page: Page, url: str, name: str) -> None:
    page.goto(url)
    assert page.locator("h1").count() == 1, f"{name}: one heading of the page"
    look(page, f"walk-{name}")
    stops = tab_stops(page)
    assert len(stops) > 5 and all(stops), f"{name}: every stop of the keyboard has words: {stops}"


@pytest.mark.parametrize("width", [375, pytest.param(1280, marks=pytest.mark.slow)])
def test_every_page_fits_reads_and_is_reached_by_keyboard(
    address: str,
    town: Town,
    neighbour: Town,
    browser_page: Callable[..., Page],  # noqa: F811
    width: int,
):
    filled = Filled(town, neighbour)
    visitor = browser_page(width)
    for name, path in filled.public_pages().items():
        seen(visitor, address + path, name)
    for name, path in filled.frames().items():
        visitor.goto(address + path)
        look(visitor, f"walk-{name}")
        assert [stop for stop in tab_stops(visitor) if "大木町" in stop], f"{name}: the way to the source"
    clerk = browser_page(width)
    clerk.context.add_cookies([{"name": SIGNED_IN, "value": "staff", "url": address}])
    for name, path in filled.desk_pages().items():
        seen(clerk, address + path, name)


def test_an_empty_catalogue_says_what_to_do_next(address: str, town: Town, browser_page: Callable[..., Page]):  # noqa: F811
    visitor = browser_page(375)
    for name in ("", "quality", "sensors/", "requests/", "apps/"):
        seen(visitor, f"{address}/opendata/{name}", f"empty-{name.strip('/') or 'catalogue'}")


def test_a_map_in_the_frame_of_another_site_is_seen_whole(address: str, town: Town, browser_page: Callable[..., Page]):  # noqa: F811
    name = town.name_of(town.publish("名称,緯度,経度\r\n北,33.40,130.44\r\n南,33.20,130.44\r\n".encode(), "駅一覧.csv"))
    resource = town.visitor().result("package_show", id=name)["resources"][0]["id"]
    page = browser_page(1280, HEIGHTS["map"])
    page.goto(f"{address}/opendata/embed/{resource}/map")
    box = page.locator("svg.map").bounding_box()
    assert box and box["y"] + box["height"] < HEIGHTS["map"], box
