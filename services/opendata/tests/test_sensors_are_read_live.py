"""Programs send readings in batches; late ones, doubled ones and wrong ones each do what they should; everybody reads them."""

import re
from typing import Any

import pytest

from services.opendata.tests.people import Browser, Town, visible

pytestmark = pytest.mark.any_store

BATCH = "/opendata/sensors/observations"


@pytest.fixture
def stream(town: Town) -> str:
    form = {"name": "花宗川の水位", "property": "水位", "unit": "m", "place": "役場前", "lat": "33.21", "lng": "130.44"}
    assert town.staff().post("desk/sensors", form).status_code == 303
    [found] = re.findall(r"/opendata/sensors/([0-9a-f-]{36})", town.staff().get("desk/sensors").text)
    return found


def send(who: Browser, batch: Any) -> Any:
    return who.client.post(BATCH, json=batch, headers=who._headers(False))


def reading(stream: str, at: str, value: object) -> dict[str, Any]:
    return {"Datastream": {"@iot.id": stream}, "phenomenonTime": at, "result": value}


def observed(town: Town, stream: str, query: str = "$orderby=phenomenonTime asc") -> list[tuple[str, float]]:
    answer = town.visitor().get(f"/opendata/sensors/v1.1/Datastreams({stream})/Observations?{query}", page=False)
    assert answer.status_code == 200, answer.text
    return [(each["phenomenonTime"], each["result"]) for each in answer.json()["value"]]


def test_a_batch_is_public_at_once_and_late_and_double_readings_fall_into_place(town: Town, stream: str):
    machine = town.machine()
    times = ["2026-11-20T00:00:00+00:00", "2026-11-20T00:30:00+00:00"]
    answer = send(machine, [reading(stream, times[1], 1.5), reading(stream, times[1], 1.6)])
    assert (answer.status_code, answer.json()["accepted"]) == (201, 2)
    arrays = [
        {
            "Datastream": {"@iot.id": stream},
            "components": ["result", "phenomenonTime"],
            "dataArray": [[1.2, "2026-11-20T09:00:00+09:00"]],
        }
    ]
    assert send(machine, arrays).json()["accepted"] == 1
    assert observed(town, stream) == [(times[0], 1.2), (times[1], 1.6)], "one value for a moment: the last one sent"
    page = visible(town.visitor().get(f"/opendata/sensors/{stream}").text)
    assert "1.6 m" in page, "a late reading does not become the latest"
    assert "1.4" in page and "この24時間" in page, "the mean of the hour"
    csv = town.visitor().get(f"/opendata/sensors/{stream}/hours.csv").text
    assert csv.splitlines()[1].endswith(",1.4,1.2,1.6,2")
    assert "花宗川の水位" in visible(town.visitor().get("/opendata/sensors/").text)


def test_what_can_never_be_right_is_told_by_its_place_and_the_rest_is_kept(town: Town, stream: str):
    now = "2026-11-20T00:00:00Z"
    wrong = [
        reading("0198f0a0-0000-7000-8000-000000000001", now, 1), reading(stream, now, "1"), reading(stream, now, True),
        reading(stream, "2027-01-01T00:00:00Z", 1), reading(stream, "2026-11-20T00:00:00", 1), reading(stream, "yesterday", 1),
        reading(stream, now, 2),
    ]  # fmt: skip
    told = send(town.machine(), wrong).json()
    assert (told["accepted"], told["refusedCount"], [each["index"] for each in told["refused"]]) == (
        1,
        6,
        [0, 1, 2, 3, 4, 5],
    )
    assert observed(town, stream) == [("2026-11-20T00:00:00+00:00", 2)]
    for bad in ("x", {"a": 1}, [1], [{"dataArray": 1, "components": []}]):
        assert send(town.machine(), bad).status_code == 422, bad


def test_only_a_key_of_the_town_writes_and_only_while_the_sensor_is_in_use(town: Town, neighbour: Town, stream: str):
    one = [reading(stream, "2026-11-20T00:00:00Z", 1)]
    assert send(neighbour.machine(), one).json()["accepted"] == 0
    assert send(town.machine("eapply.read"), one).status_code in (401, 403)
    assert send(town.visitor(), one).status_code in (401, 403)
    assert neighbour.staff().post(f"desk/sensors/{stream}/end").status_code == 404
    town.staff().post(f"desk/sensors/{stream}/end")
    assert send(town.machine(), one).json()["accepted"] == 0
    assert observed(town, stream) == []


def test_readers_page_filter_and_count_as_sensorthings_says(town: Town, stream: str):
    batch = [reading(stream, f"2026-11-19T{hour:02}:{minute:02}:00Z", hour) for hour in range(20) for minute in (0, 30)]
    send(town.machine(), batch)
    base = f"/opendata/sensors/v1.1/Datastreams('{stream}')/Observations"
    page = town.visitor().get(f"{base}?$top=15&$count=true&$orderby=phenomenonTime asc", page=False).json()
    assert (page["@iot.count"], len(page["value"])) == (40, 15)
    rest = town.visitor().get(page["@iot.nextLink"].partition("8080")[2], page=False).json()
    assert rest["value"][0]["phenomenonTime"] > page["value"][-1]["phenomenonTime"]
    query = "$filter=phenomenonTime ge 2026-11-19T05:00:00Z and phenomenonTime le 2026-11-19T06:00:00Z"
    assert [value for _, value in observed(town, stream, query)] == [6, 5, 5]
    for bad in ("$top=-1", "$top=x", "$filter=result gt 5", "$orderby=result", "$filter=1 eq 1 or 1 eq 1"):
        assert town.visitor().get(f"{base}?{bad}", page=False).status_code == 422, bad
    thing = town.visitor().get(f"/opendata/sensors/v1.1/Things({stream})", page=False).json()
    assert thing["Locations"][0]["location"]["coordinates"] == [130.44, 33.21]
    [told] = town.visitor().get("/opendata/sensors/v1.1/Datastreams", page=False).json()["value"]
    assert (told["unitOfMeasurement"]["symbol"], told["properties"]["latest"]) == ("m", 19)
