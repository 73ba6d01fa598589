"""OGC SensorThings API 1.1 (18-088), its part for readers: the data model (clause 8), resource paths (9.2), request data (9.3), asked
requirement by requirement as a client that knows nothing but the standard asks."""

from typing import Any
from urllib.parse import unquote

import pytest

from services.opendata.tests.people import Town, visible
from services.opendata.tests.test_sensors_are_read_live import reading, send

ROOT = "/opendata/sensors/v1.1"
MANDATORY = {
    "Things": {"name", "description"}, "Locations": {"name", "description", "encodingType", "location"}, "HistoricalLocations": {"time"},
    "Datastreams": {"name", "description", "unitOfMeasurement", "observationType"},
    "Sensors": {"name", "description", "encodingType", "metadata"}, "ObservedProperties": {"name", "definition", "description"},
    "Observations": {"phenomenonTime", "result", "resultTime"}, "FeaturesOfInterest": {"name", "description", "encodingType", "feature"},
}  # fmt: skip
"""Requirements 1–16: properties."""
RELATIONS = {
    "Things": {"Locations", "HistoricalLocations", "Datastreams"}, "Locations": {"Things", "HistoricalLocations"},
    "HistoricalLocations": {"Thing", "Locations"}, "Datastreams": {"Thing", "Sensor", "ObservedProperty", "Observations"},
    "Sensors": {"Datastreams"}, "ObservedProperties": {"Datastreams"}, "Observations": {"Datastream", "FeatureOfInterest"},
    "FeaturesOfInterest": {"Observations"},
}  # fmt: skip
"""And relations, each a navigation link."""


class Client:
    def __init__(self, town: Town) -> None:
        self._who = town.visitor("sta")

    def get(self, address: str, status: int = 200) -> Any:
        path = address.partition("8080")[2] if "8080" in address else f"{ROOT}/{address}"
        answer = self._who.get(path, page=False)
        assert answer.status_code == status, (address, answer.status_code, answer.text)
        return answer.json() if "json" in answer.headers.get("content-type", "") else answer.text

    def all(self, address: str) -> list[Any]:
        """Every page, as the links lead."""
        found, here = [], address
        for _ in range(100):
            page = self.get(here)
            assert page["value"] or here == address, "no link leads to nothing"
            found += page["value"]
            if (here := page.get("@iot.nextLink")) is None:
                return found
            assert "$skip" in unquote(here)
        raise AssertionError("pages without end")


@pytest.fixture
def client(town: Town, neighbour: Town) -> Client:
    """Two water levels and a temperature in two municipalities, five readings each."""
    for who, name, measured, unit, lat in (
        (town, "花宗川の水位", "水位", "m", "33.21"), (town, "役場の気温", "気温", "℃", ""),
        (neighbour, "筑後川の水位", "水位", "m", "33.3"),
    ):  # fmt: skip
        form = {
            "name": name,
            "property": measured,
            "unit": unit,
            "place": f"{name}の場所",
            "lat": lat,
            "lng": lat and "130.5",
        }
        assert who.staff().post("desk/sensors", form).status_code == 303
    client = Client(town)
    for number, stream in enumerate(client.get("Datastreams?$orderby=name")["value"]):
        who = neighbour if "筑後川" in stream["name"] else town
        batch = [
            reading(stream["@iot.id"], f"2026-11-19T0{hour}:0{number}:00Z", hour * 10 + number) for hour in range(5)
        ]
        assert send(who.machine(), batch).json()["accepted"] == 5
    return client


def test_the_root_names_every_set_and_what_is_conformed_to(client: Client):
    told = client.get("")
    assert {each["name"] for each in told["value"]} == set(MANDATORY)
    assert "http://www.opengis.net/spec/iot_sensing/1.1/req/datamodel" in told["serverSettings"]["conformance"]
    for each in told["value"]:
        assert client.get(each["url"])["value"], each


@pytest.mark.parametrize("kind", MANDATORY)
def test_every_entity_has_what_the_data_model_demands_and_each_link_leads_where_it_says(client: Client, kind: str):
    for one in client.get(f"{kind}?$top=3")["value"]:
        assert MANDATORY[kind] <= set(one), kind
        again = client.get(one["@iot.selfLink"])
        assert again == one and again["@iot.id"]
        for quote in ("", "'"):
            assert client.get(f"{kind}({quote}{one['@iot.id']}{quote})") == one
        links = {key.partition("@")[0]: value for key, value in one.items() if key.endswith("@iot.navigationLink")}
        assert set(links) == RELATIONS[kind]
        for name, link in links.items():
            there = client.get(link)
            entities = there["value"] if name.endswith("s") or name == "FeaturesOfInterest" else [there]
            assert entities and all("@iot.selfLink" in each for each in entities), (kind, name)
            [back] = [each for each in RELATIONS if name in (each, *_singular(each))]
            assert MANDATORY[back] <= set(entities[0])


def _singular(kind: str) -> tuple[str, ...]:
    return (kind.removesuffix("s"), kind.removesuffix("ies") + "y", kind.replace("Features", "Feature"))


def test_resource_paths_lead_to_properties_values_references_and_through_one_another(client: Client):
    stream = client.get("Datastreams?$filter=name eq '花宗川の水位'")["value"][0]
    here = f"Datastreams('{stream['@iot.id']}')"
    assert client.get(f"{here}/name") == {"name": "花宗川の水位"}
    assert client.get(f"{here}/name/$value") == "花宗川の水位"
    assert client.get(f"{here}/unitOfMeasurement/$value")["definition"] == "ucum:m"
    refs = client.get(f"{here}/Observations/$ref")["value"]
    assert len(refs) == 5 and all(set(each) == {"@iot.selfLink"} for each in refs)
    one = client.get(refs[0]["@iot.selfLink"])
    assert client.get(f"{here}/Observations('{one['@iot.id']}')") == one
    assert client.get(f"{here}/Observations('{one['@iot.id']}')/FeatureOfInterest/Observations")["value"][0] == one
    assert client.get(f"{here}/Thing/Datastreams('{stream['@iot.id']}')/Sensor/Datastreams")["value"][0] == stream
    shared = client.get(f"{here}/ObservedProperty/Datastreams?$orderby=name&$select=name")["value"]
    assert [each["name"] for each in shared] == ["筑後川の水位", "花宗川の水位"], "of all municipalities"
    assert stream["phenomenonTime"] == "2026-11-19T00:02:00+00:00/2026-11-19T04:02:00+00:00"
    other = client.get("Datastreams?$filter=name eq '筑後川の水位'")["value"][0]["@iot.id"]
    for wrong in (
        "Cars", "Things('none')", f"{here}/Things", f"{here}/secret", f"{here}/name/name", f"{here}/Observations/Datastream",
        f"Observations('{stream['@iot.id']}.99')", f"Observations('{stream['@iot.id']}')", f"{here}/Thing('{other}')",
        f"{here}/Observations('{other}.1')", "Observations('" + "9" * 90 + "')", "/".join([here] + ["Thing/Datastreams"] * 9),
        f"{here}/$value", f"{here}//Thing", f"Observations('{stream['@iot.id']}.99999999999999999')",
    ):  # fmt: skip
        client.get(wrong, 404)


@pytest.mark.parametrize("kind", MANDATORY)
def test_pages_follow_one_another_without_gap_or_double(client: Client, kind: str):
    whole = client.get(f"{kind}?$count=true&$top=1000")
    ids = [each["@iot.id"] for each in whole["value"]]
    assert whole["@iot.count"] == len(ids) == len(set(ids)) > 1 and "@iot.nextLink" not in whole
    for top in (1, 2, len(ids)):
        assert [each["@iot.id"] for each in client.all(f"{kind}?$top={top}")] == ids, (kind, top)
    assert client.get(f"{kind}?$top=0&$count=true") == {"@iot.count": len(ids), "value": []}
    first = client.get(f"{kind}?$top=1&$count=false&$select=id")
    assert set(first["value"][0]) == {"@iot.id"} and "@iot.count" not in first
    assert [each["@iot.id"] for each in client.get(f"{kind}?$skip={len(ids) - 1}")["value"]] == ids[-1:]


def test_readings_of_all_streams_come_in_one_order_of_time(client: Client):
    newest = [each["phenomenonTime"] for each in client.all("Observations?$top=4")]
    assert len(newest) == 15 and newest == sorted(newest, reverse=True)
    oldest = [each["phenomenonTime"] for each in client.all("Observations?$top=4&$orderby=phenomenonTime asc")]
    assert oldest == newest[::-1]
    values = [each["result"] for each in client.all("Observations?$orderby=result desc,phenomenonTime&$top=7")]
    assert values == sorted(values, reverse=True) and len(values) == 15
    levels = "Observations?$filter=Datastream/ObservedProperty/name eq '水位' and result ge 40&$count=true&$expand=Datastream"
    told = client.get(levels)
    assert told["@iot.count"] == 2 and {each["Datastream"]["name"] for each in told["value"]} == {
        "筑後川の水位",
        "花宗川の水位",
    }
    either = "Observations?$filter=not (Datastream/name eq '役場の気温' or result lt 40)&$orderby=result"
    assert [each["result"] for each in client.get(either)["value"]] == [41, 42]
    between = "phenomenonTime gt 2026-11-19T01:00:00Z and phenomenonTime lt 2026-11-19T01:02:00Z"
    assert [each["result"] for each in client.get(f"Observations?$filter={between}")["value"]] == [11]


def test_what_hangs_on_an_entity_is_expanded_filtered_and_ordered_with_it(client: Client):
    told = client.get(
        "Things?$orderby=description&$expand=Datastreams/ObservedProperty,Datastreams/Sensor,Locations($select=location)"
    )
    first = told["value"][0]
    assert (
        first["Datastreams"][0]["ObservedProperty"]["name"] == "気温" and first["Datastreams"][0]["Sensor"]["metadata"]
    )
    assert first["Locations"] == [{"location": {"type": "Feature", "geometry": None, "properties": {}}}]
    level = client.get("ObservedProperties?$filter=Datastreams/Thing/name eq '筑後川の水位の場所'")["value"]
    assert [each["name"] for each in level] == ["水位"]
    inner = "Datastreams($filter=endswith(name,'水位');$orderby=name;$count=true;$top=1;$expand=Observations($top=2;$select=result))"
    [water] = client.get(f"ObservedProperties?$filter=name eq '水位'&$expand={inner}")["value"]
    assert water["Datastreams@iot.count"] == 2 and [each["name"] for each in water["Datastreams"]] == ["筑後川の水位"]
    assert [each["result"] for each in water["Datastreams"][0]["Observations"]] == [41, 31]
    rest = client.get(water["Datastreams@iot.nextLink"])
    assert [each["name"] for each in rest["value"]] == ["花宗川の水位"] and len(rest["value"][0]["Observations"]) == 2
    readings = client.get(water["Datastreams"][0]["Observations@iot.nextLink"])["value"]
    assert readings == [{"result": 21}, {"result": 11}]
    for wrong in (
        "Things?$expand=Observations", "Things?$expand=" + "/".join(["Datastreams/Thing"] * 4), "Things?$orderby=result",
        "Things?$select=a",
        "Observations?$filter=Thing/name eq 'x'", "Sensors?$filter=startswith(name,1)", "Things?$format=xml", "Observations?$skip=10001",
        "Observations?$orderby=phenomenonTime,phenomenonTime,phenomenonTime,phenomenonTime,phenomenonTime,result",
        "Locations?$filter=geo.distance(location, geography'POINT(130.44 33.21)') lt 0.1",
        "Observations?$filter=year(phenomenonTime) eq 2026",
        "Locations?$filter=st_within(location, geography'POLYGON((130 33,131 33,131 34,130 33))')",
        "Observations?$filter=result add 1 gt 2",
    ):  # fmt: skip
        client.get(wrong, 400)


def test_no_question_makes_the_service_tell_without_end(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("services.opendata.api.things.MOST_ENTITIES", 20)
    around = "Datastreams/ObservedProperty/Datastreams/ObservedProperty/Datastreams"
    client.get(f"ObservedProperties?$expand={around}", 400)
    monkeypatch.setattr("services.opendata.api.things.LOOKED_THROUGH", 2)
    client.get("Observations?$orderby=result", 400)
    client.get("Observations?$filter=result gt 1", 400)
    assert len(client.get("Observations?$filter=result gt 1 and Datastream/name eq '役場の気温'")["value"]) == 4
    monkeypatch.setattr("services.opendata.api.things.MOST_READ", 2)
    client.get("Observations", 400)


def test_a_closed_room_shows_no_stream_and_no_reading(client: Client, town: Town, neighbour: Town):
    from services.opendata.use_cases import sensors

    with neighbour.service.database.transaction(tenant=neighbour.code) as session:
        sensors.close(session)
    for kind in MANDATORY:
        assert "筑後川" not in str(client.get(f"{kind}?$top=100")), kind
    assert len(client.all("Observations?$top=3")) == 10


def test_staff_correct_a_streams_unit_and_everybody_sees_what_it_was_and_why(
    town: Town, neighbour: Town, client: Client
):
    stream = client.get("Datastreams?$filter=name eq '花宗川の水位'")["value"][0]["@iot.id"]
    before = client.get(f"Datastreams('{stream}')/Observations")["value"]
    staff, address = town.staff(), f"desk/sensors/{stream}"
    form = {
        "name": "花宗川の水位",
        "property": "水位",
        "unit": "cm",
        "place": "花宗川の水位の場所",
        "lat": "33.21",
        "lng": "130.5",
    }
    page = staff.post(address, form | {"reason": ""})
    assert page.status_code == 422 and "直す理由" in visible(page.text) and 'value="cm"' in page.text
    assert neighbour.staff().post(address, form | {"reason": "単位の書き誤り"}).status_code == 404
    assert neighbour.staff().get(address).status_code == 404
    assert staff.post(address, form | {"reason": "機器が送る値はcmでした。"}).status_code == 303
    told = client.get(f"Datastreams('{stream}')")
    assert told["unitOfMeasurement"]["symbol"] == "cm" and told["unitOfMeasurement"]["definition"] == "ucum:cm"
    [corrected] = told["properties"]["corrected"]
    assert (corrected["before"], corrected["after"]) == ({"unit": "m"}, {"unit": "cm"})
    assert client.get(f"Datastreams('{stream}')/Observations")["value"] == before, "no reading is touched"
    page = town.visitor().get(f"/opendata/sensors/{stream}").text
    assert "<del>m</del>" in page and "機器が送る値はcmでした。" in page
    assert staff.post(address, form | {"reason": "もう一度おなじ内容"}).status_code == 303
    assert len(client.get(f"Datastreams('{stream}')")["properties"]["corrected"]) == 1, "nothing new, nothing written"
    staff.post(f"{address}/end")
    assert send(town.machine(), [reading(stream, "2026-11-19T00:00:00Z", 1)]).json()["accepted"] == 0
