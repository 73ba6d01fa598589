"""Views and downloads count once per person and half minute; robots never; a storm costs one write."""

import pytest

from libs.common.db import Database
from libs.common.testing.service import NOW
from services.opendata.domain.visitors import is_robot
from services.opendata.tests.people import BROWSER, Town, visible
from services.opendata.use_cases import usage


def seen(town: Town, dataset: str) -> dict[str, int]:
    town.app.state.uses.write()
    with town.service.database.reading() as session:
        return usage.totals(session, [dataset]).get(dataset, {})


def test_people_count_double_clicks_and_robots_do_not(town: Town):
    dataset = town.publish()
    page = f"/opendata/datasets/{town.name_of(dataset)}"
    for _ in range(3):
        town.visitor("one").get(page)
    town.visitor("two").get(page)
    town.visitor("three").get(page, headers={"User-Agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"})
    assert seen(town, dataset) == {"view": 2}
    town.service.clock.advance(seconds=31)
    town.visitor("one").get(page)
    assert seen(town, dataset) == {"view": 3}
    assert "3回" in visible(town.visitor("one").get(page).text)


def test_downloads_and_questions_of_programs_are_counted_apart(town: Town):
    dataset = town.publish()
    resource = town.visitor().result("package_show", id=dataset)["resources"][0]
    town.visitor().get(resource["url"].removeprefix("http://127.0.0.1:8080"))
    town.visitor().get(f"/opendata/data/{resource['id']}.json")
    assert seen(town, dataset) == {"download": 1, "query": 1}


def test_a_storm_of_visits_is_hardly_a_write(database: Database):
    uses, written = usage.Uses(database), []
    original = database.transaction
    database.transaction = lambda *args, **more: (written.append(1), original(*args, **more))[1]  # type: ignore[method-assign]
    for number in range(5000):
        uses.note("view", f"visitor-{number}", BROWSER, "d", "", NOW)
    uses.write()
    assert 1 <= len(written) <= 50, "one every few seconds, however many come"
    with database.reading() as session:
        assert usage.totals(session, ["d"]) == {"d": {"view": 5000}}


def test_counts_wait_while_the_store_is_away(database: Database):
    uses = usage.Uses(database)
    uses.note("view", "v", BROWSER, "d", "", NOW)
    original = database.transaction

    def away(*_: object, **__: object) -> None:
        raise RuntimeError("away")

    database.transaction = away  # type: ignore[method-assign,assignment]
    with pytest.raises(RuntimeError):
        uses.write()
    database.transaction = original  # type: ignore[method-assign]
    uses.write()
    with database.reading() as session:
        assert usage.totals(session, ["d"]) == {"d": {"view": 1}}


@pytest.mark.parametrize(
    "agent", ["", "curl/8.5", "python-requests/2.32", "Mozilla/5.0 (compatible; bingbot/2.0)", "HeadlessChrome/142"]
)
def test_robots_are_known(agent: str):
    assert is_robot(agent)
    assert not is_robot(BROWSER)


def test_a_file_that_nginx_sends_is_named_and_counted(town: Town):
    dataset = town.publish()
    resource = town.visitor().result("package_show", id=dataset)["resources"][0]
    address = resource["url"].removeprefix("http://127.0.0.1:8080")
    sent = town.visitor("one").get(address)
    named = town.visitor("two").get(address, headers={"X-Accel-Offered": "1"})
    assert named.content == b"" and sent.content
    place = named.headers["x-accel-redirect"]
    assert town.service.extras["files"].read(town.code, place.rsplit("/", 1)[1]) == sent.content
    for kept in ("content-type", "content-disposition", "etag", "cache-control"):
        assert named.headers[kept] == sent.headers[kept]
    assert "x-accel-redirect" not in sent.headers
    assert seen(town, dataset) == {"download": 2}
