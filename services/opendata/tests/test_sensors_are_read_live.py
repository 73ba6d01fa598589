"""Programs send readings in batches; late ones, doubled ones and wrong ones each do what they should; everybody reads them."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.opendata.api.sensors import outline
from services.opendata.db import sensors as db
from services.opendata.tests.people import Browser, Town, visible
from services.opendata.use_cases import sensors

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
    for bad in ("$top=-1", "$top=x", "$filter=1 eq 1 or 1 eq 1", "$filter=value gt 5", "$orderby=value", "$select=secret", "$search=x",
                "$expand=Sensor", "$filter=result gt '5'", "$filter=" + "(" * 500, "$filter=" + "not " * 400 + "result gt 1",
                "$filter=phenomenonTime gt 0001-01-01T00:00:00+14:00", "$count=maybe"):  # fmt: skip
        assert town.visitor().get(f"{base}?{bad}", page=False).status_code == 400, bad
    thing = town.visitor().get(f"/opendata/sensors/v1.1/Things({stream})?$expand=Locations", page=False).json()
    assert thing["Locations"][0]["location"]["coordinates"] == [130.44, 33.21]
    [told] = town.visitor().get("/opendata/sensors/v1.1/Datastreams", page=False).json()["value"]
    assert (told["unitOfMeasurement"]["symbol"], told["properties"]["latest"]) == ("m", 19)


def test_a_reader_asks_only_for_what_is_newer_and_never_reads_the_last_one_again(town: Town, stream: str):
    send(town.machine(), [reading(stream, f"2026-11-19T0{hour}:00:00Z", hour) for hour in range(5)])
    newer = "$filter=phenomenonTime gt 2026-11-19T03:00:00Z"
    assert [value for _, value in observed(town, stream, newer)] == [4]
    assert [value for _, value in observed(town, stream, "$filter=phenomenonTime lt 2026-11-19T01:00:00Z")] == [0]
    high = "$filter=(result ge 3 or result eq 0) and not phenomenonTime eq 2026-11-19T04:00:00Z&$orderby=result desc"
    assert [value for _, value in observed(town, stream, high)] == [3, 0]
    received = town.service.clock.now().isoformat().replace("+00:00", "Z")
    assert observed(town, stream, f"$filter=resultTime lt {received}") == [], "when it came, not when it was measured"
    base = f"/opendata/sensors/v1.1/Datastreams({stream})/Observations"
    page = town.visitor().get(f"{base}?$filter=result ge 2&$count=true&$top=1&$select=result", page=False).json()
    assert (page["@iot.count"], page["value"]) == (3, [{"result": 4}])
    assert "@iot.nextLink" not in town.visitor().get(f"{base}?$top=0", page=False).json(), "no page leads to itself"


def test_a_map_reads_all_sensors_with_their_place_and_last_reading_in_one_question(town: Town, stream: str):
    form = {"name": "役場の気温", "property": "気温", "unit": "℃", "place": "役場", "lat": "33.2", "lng": "130.4"}
    town.staff().post("desk/sensors", form)
    send(town.machine(), [reading(stream, f"2026-11-19T0{hour}:00:00Z", hour) for hour in range(5)])
    api = "/opendata/sensors/v1.1"

    def asked(path: str) -> Any:
        answer = town.visitor().get(f"{api}/{path}", page=False)
        assert answer.status_code == 200, answer.text
        return answer.json()

    last = "Observations($top=1;$orderby=phenomenonTime desc;$select=result),Thing($select=name)"
    told = asked(f"Datastreams?$filter=substringof('水位',name)&$count=true&$select=name&$expand={last}")
    assert told["value"][0].pop("Observations@iot.nextLink").endswith("&%24skip=1"), "four more"
    assert told == {
        "@iot.count": 1,
        "value": [{"name": "花宗川の水位", "Observations": [{"result": 4}], "Thing": {"name": "役場前"}}],
    }
    page = asked("Datastreams?$top=1&$orderby=name desc&$count=true")
    assert ([each["name"] for each in page["value"]], page["@iot.count"]) == (["花宗川の水位"], 2)
    rest = asked(page["@iot.nextLink"].partition("v1.1/")[2])
    assert [each["name"] for each in rest["value"]] == ["役場の気温"] and "@iot.nextLink" not in rest
    thing = asked(f"Datastreams({stream})/Thing")
    place = asked(thing["Locations@iot.navigationLink"].partition("v1.1/")[2])["value"][0]
    assert place["location"]["coordinates"] == [130.44, 33.21]
    assert asked(f"Things({stream})/Datastreams")["value"][0]["@iot.id"] == stream
    town.staff().post(f"desk/sensors/{stream}/end")
    assert asked("Datastreams?$filter=properties/state eq 'ended'")["value"][0]["@iot.id"] == stream


def test_a_broken_sensor_s_strange_values_are_refused_by_their_place_and_are_no_fault_of_ours(town: Town, stream: str):
    now, good = "2026-11-19T00:00:00Z", reading(stream, "2026-11-19T00:00:00Z", 1)
    strange = [
        {"Datastream": {"@iot.id": [stream]}, "phenomenonTime": now, "result": 1}, {"datastream": {}, "phenomenonTime": now, "result": 1},
        reading(stream, now, 10**400), reading(stream, "0001-01-01T00:00:00+14:00", 1), reading(stream, "9999-12-31T23:59:59-14:00", 1),
    ]  # fmt: skip
    answer = send(town.machine(), [*strange, good])
    assert answer.status_code == 201, answer.text
    assert [each["index"] for each in answer.json()["refused"]] == [0, 1, 2, 3, 4]
    assert observed(town, stream) == [("2026-11-19T00:00:00+00:00", 1)]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_two_batches_of_one_hour_at_the_same_time_are_both_in_its_sum(town: Town, stream: str):
    together, now = threading.Barrier(8), town.service.clock.now()

    def batch(number: int) -> None:
        readings = [(stream, f"2026-11-19T00:{number:02}:{second:02}Z", 1.0) for second in range(60)]
        together.wait()
        with town.service.database.transaction(tenant=town.code) as session:
            sensors.take_in(session, readings, now)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(batch, range(8)))
    with town.service.database.reading(tenant=town.code) as session:
        assert db.reading_count(session, stream) == 480


def test_the_chart_of_a_day_shows_the_whole_day_and_its_peak_however_many_readings(town: Town, stream: str):
    """One a minute: only the newest 500 were drawn, a third of the day."""
    begin = datetime(2026, 11, 19, 13, 0, tzinfo=UTC)
    moments = [begin + timedelta(minutes=minute) for minute in range(660)]
    values = [9.75 if number == 17 else 1.0 for number in range(660)]
    batch = [reading(stream, at.isoformat(), value) for at, value in zip(moments, values, strict=True)]
    assert send(town.machine(), batch).json()["accepted"] == 660
    page = town.visitor().get(f"/opendata/sensors/{stream}").text
    figure = page.partition("この24時間")[2].partition("</figure>")[0]
    assert "11月19日 22:00" in figure and "9.75" in figure and "11月20日 08:59" in figure


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=400), st.integers(2, 50))
def test_an_outline_keeps_the_ends_of_the_range(values: list[float], most: int):
    told = [(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=at), value) for at, value in enumerate(values)]
    drawn = outline(told, most)
    assert len(drawn) <= most + 2 and list(drawn) == sorted(drawn) and set(drawn) <= set(told)
    assert {min(values), max(values)} <= {value for _, value in drawn} and {drawn[0], drawn[-1]} == {told[0], told[-1]}


def test_readings_too_large_for_any_sum_cost_nobody_else_s(town: Town, stream: str):
    batch = [
        reading(stream, f"2026-11-19T00:0{n}:00Z", value) for n, value in enumerate((1.7e308, 1.7e308, -1.7e308, 2))
    ]
    told = send(town.machine(), batch)
    assert told.status_code == 201 and told.json()["refusedCount"] == 3, told.text
    assert observed(town, stream) == [("2026-11-19T00:03:00+00:00", 2)]
    assert "inf" not in town.visitor().get(f"/opendata/sensors/{stream}/hours.csv").text
