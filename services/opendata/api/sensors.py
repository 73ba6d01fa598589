"""Sensors: OGC SensorThings 1.1 to read, batches to write, pages to look at; staff name the streams."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil
from operator import itemgetter
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Body, Form, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.clock import JST
from libs.common.errors import Invalid, say
from libs.common.web import Link
from services.opendata.api import shell
from services.opendata.api.drawing import line
from services.opendata.api.points import Point, point_map
from services.opendata.db import sensors as db
from services.opendata.db.sensors import HourRow, PublishedStreamRow, ReadingRow
from services.opendata.domain.odata import Asked, Entity, Kind, asked_in, holds
from services.opendata.use_cases import sensors

router = APIRouter(tags=["sensors"])
API = "/opendata/sensors/v1.1"
PUBLISHER = "opendata.publisher"
Text = Annotated[str, Form()]
OPEN = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-cache"}
DAY = timedelta(days=1)
WEEK_OF_HOURS = 24 * 7
MOST_OF_A_DAY = 86_400
"""A reading a second."""
MOST_DRAWN = 500


# ---- programs write


@router.post("/opendata/sensors/observations", summary="A batch of readings")
def observe(
    request: Request, batch: Annotated[Any, Body()], actor: Actor = access.machine("opendata.write")
) -> Response:
    """`[{"Datastream": {"@iot.id": …}, "phenomenonTime": …, "result": …}, …]`, or SensorThings' data arrays:
    `[{"Datastream": …, "components": ["phenomenonTime", "result"], "dataArray": [[…], …]}]`. Sent twice it is kept once."""
    with shell.changing(request, actor) as session:
        answer = sensors.take_in(session, _readings(batch), shell.now_of(request))
    refused = [{"index": place, "reason": reason} for place, reason in answer.refused]
    told = {"accepted": answer.accepted, "refusedCount": answer.refused_count, "refused": refused}
    return JSONResponse(told, 201 if answer.accepted or not refused else 422)


def _readings(batch: Any) -> Any:
    if not isinstance(batch, list):
        raise Invalid("観測値は、JSONの配列で送ってください。", code="bad-batch")
    for each in batch:
        if not isinstance(each, dict):
            raise Invalid("観測値は、JSONのオブジェクトの配列で送ってください。", code="bad-batch")
        stream = (
            (each.get("Datastream") or {}).get("@iot.id")
            if isinstance(each.get("Datastream"), dict)
            else each.get("datastream")
        )
        if "dataArray" in each:
            yield from _from_array(stream, each)
        else:
            yield stream, each.get("phenomenonTime"), each.get("result")


def _from_array(stream: Any, each: dict[str, Any]) -> Any:
    names, lines = each.get("components"), each["dataArray"]
    if (
        not isinstance(names, list)
        or not {"phenomenonTime", "result"} <= set(map(str, names))
        or not isinstance(lines, list)
    ):
        raise Invalid("componentsには、phenomenonTimeとresultが要ります。", code="bad-batch")
    time, result = names.index("phenomenonTime"), names.index("result")
    for cells in lines:
        whole = isinstance(cells, list) and len(cells) > max(time, result)
        yield (stream, cells[time], cells[result]) if whole else (stream, None, None)


# ---- SensorThings
# One stream is one Datastream of one Thing at one Location, and all three go by its id.


THING_FIELDS: dict[str, Kind] = {"id": "text", "@iot.id": "text", "name": "text", "description": "text"}
STREAM_FIELDS: dict[str, Kind] = {
    **THING_FIELDS, "unitOfMeasurement/name": "text", "unitOfMeasurement/symbol": "text", "ObservedProperty/name": "text",
    "properties/state": "text", "properties/latest": "number", "phenomenonTime": "time",
}  # fmt: skip
OBSERVATION_SHOWN = frozenset({"@iot.id", "phenomenonTime", "result", "resultTime"})
STREAM_SHOWN = frozenset({
    "@iot.id", "@iot.selfLink", "name", "description", "observationType", "unitOfMeasurement", "ObservedProperty", "phenomenonTime",
    "properties",
})  # fmt: skip
THING_SHOWN = frozenset({"@iot.id", "@iot.selfLink", "name", "description"})
LOCATION_SHOWN = frozenset({"@iot.id", "@iot.selfLink", "name", "description", "encodingType", "location"})
MEASURED: dict[str, Kind] = {"phenomenonTime": "time", "resultTime": "time", "result": "number"}
OBSERVATIONS = Entity(MEASURED, "phenomenonTime desc", OBSERVATION_SHOWN)
ONE_STREAM = Entity(STREAM_FIELDS, "id", STREAM_SHOWN)
ONE_THING = Entity(THING_FIELDS, "id", THING_SHOWN)
ONE_LOCATION = Entity(THING_FIELDS, "id", LOCATION_SHOWN)
ENTITIES = {
    "Datastreams": Entity(STREAM_FIELDS, "id", STREAM_SHOWN, {"Thing": ONE_THING, "Observations": OBSERVATIONS}),
    "Things": Entity(THING_FIELDS, "id", THING_SHOWN, {"Datastreams": ONE_STREAM, "Locations": ONE_LOCATION}),
    "Locations": Entity(THING_FIELDS, "id", LOCATION_SHOWN, {"Things": ONE_THING}),
    "Observations": Entity(MEASURED, "phenomenonTime desc", OBSERVATION_SHOWN, {"Datastream": ONE_STREAM}),
}
EXPANDED = 100
"""Of so many streams at most the readings are told in one answer."""


@router.get(API, summary="SensorThings 1.1: what can be read")
def index(request: Request, actor: Actor = access.public()) -> Response:
    names = ("Things", "Datastreams", "Locations")
    return JSONResponse(
        {"value": [{"name": name, "url": f"{_address(request)}/{name}"} for name in names]}, headers=OPEN
    )


@router.get(f"{API}/Datastreams", summary="All streams: $filter, $orderby, $top, $skip, $count, $select, $expand")
@router.get(f"{API}/Things", summary="The places of all streams")
@router.get(f"{API}/Locations", summary="Where the streams are")
def collection(request: Request, actor: Actor = access.public()) -> Response:
    name = request.url.path.rpartition("/")[2]
    asked = asked_in(request.query_params, ENTITIES[name])
    with shell.public(request) as session:
        rows = db.published_streams(session, ended=True)
    found = [(row, TELL[name](request, row)) for row in rows]
    found = [(row, told) for row, told in found if asked.where is None or holds(asked.where, _flat(told))]
    field, down = asked.order
    found.sort(key=lambda pair: (_flat(pair[1]).get(field) is not None, _flat(pair[1]).get(field) or 0), reverse=down)
    if "Observations" in asked.expand:
        asked = replace(asked, top=min(asked.top, EXPANDED))
    page = found[asked.skip : asked.skip + asked.top]
    told: dict[str, Any] = {"@iot.count": len(found)} if asked.count else {}
    if page and len(found) > asked.skip + asked.top:
        told["@iot.nextLink"] = _next(request, f"{_address(request)}/{name}", asked)
    value = [_shown(request, name, row, each, asked) for row, each in page]
    return JSONResponse(told | {"value": value}, headers=OPEN)


@router.get(API + "/Datastreams({stream_id})", summary="A stream: $select, $expand")
@router.get(API + "/Things({stream_id})", summary="The place of a stream")
@router.get(API + "/Locations({stream_id})", summary="Where a stream is")
def one(request: Request, stream_id: str, actor: Actor = access.public()) -> Response:
    name = request.url.path.rpartition("/")[2].partition("(")[0]
    asked, row = asked_in(request.query_params, ENTITIES[name]), _stream(request, stream_id)
    return JSONResponse(_shown(request, name, row, TELL[name](request, row), asked), headers=OPEN)


@router.get(API + "/Datastreams({stream_id})/Thing", summary="The place of a stream")
@router.get(API + "/Things({stream_id})/Datastreams", summary="The stream at a place")
@router.get(API + "/Things({stream_id})/Locations", summary="Where a place is")
@router.get(API + "/Locations({stream_id})/Things", summary="What is at a place")
def beside(request: Request, stream_id: str, actor: Actor = access.public()) -> Response:
    last = request.url.path.rpartition("/")[2]
    name = "Things" if last == "Thing" else last
    asked, row = asked_in(request.query_params, ENTITIES[name]), _stream(request, stream_id)
    told = _shown(request, name, row, TELL[name](request, row), asked)
    return JSONResponse(told if last == "Thing" else {"value": [told]}, headers=OPEN)


@router.get(
    API + "/Datastreams({stream_id})/Observations",
    summary="A stream's readings: $filter, $orderby, $top, $skip, $count, $select, $expand",
)
def observations(request: Request, stream_id: str, actor: Actor = access.public()) -> Response:
    asked, row = asked_in(request.query_params, ENTITIES["Observations"]), _stream(request, stream_id)
    with _of(request, row) as session:
        found = db.observations(session, row.id, asked)
        count = db.observation_count(session, row.id, asked) if asked.count else None
    shell.note(request, "query", row.id)
    told: dict[str, Any] = {"@iot.count": count} if count is not None else {}
    if found and len(found) == asked.top:
        told["@iot.nextLink"] = _next(request, f"{_address(request)}/Datastreams({row.id})/Observations", asked)
    stream = asked.expand.get("Datastream")
    beside = {"Datastream": stream.shown(_datastream(request, row))} if stream else {}
    return JSONResponse(told | {"value": [asked.shown(_observation(each)) | beside for each in found]}, headers=OPEN)


def _stream(request: Request, stream_id: str) -> PublishedStreamRow:
    with shell.public(request) as session:
        return db.published_stream(session, stream_id.strip("'"))


def _next(request: Request, address: str, asked: Asked) -> str:
    given = {**request.query_params, "$top": str(asked.top), "$skip": str(asked.skip + asked.top)}
    return f"{address}?{urlencode(given)}"


def _shown(request: Request, name: str, row: PublishedStreamRow, told: dict[str, Any], asked: Asked) -> dict[str, Any]:
    """What was selected of it, with what was expanded: what hangs on a stream is one thing, or a list of one."""
    found = asked.shown(told)
    for other, inner in asked.expand.items():
        if other == "Observations":
            with _of(request, row) as session:
                found[other] = [inner.shown(_observation(each)) for each in db.observations(session, row.id, inner)]
        else:
            there = inner.shown(TELL["Things" if other == "Thing" else other](request, row))
            found[other] = there if other == "Thing" else [there]
    return found


def _flat(told: dict[str, Any]) -> dict[str, Any]:
    """What filters and orders name."""
    unit, more = told.get("unitOfMeasurement", {}), told.get("properties", {})
    at = told.get("phenomenonTime")
    return told | {
        "id": told["@iot.id"], "unitOfMeasurement/name": unit.get("name"), "unitOfMeasurement/symbol": unit.get("symbol"),
        "ObservedProperty/name": told.get("ObservedProperty", {}).get("name"), "properties/state": more.get("state"),
        "properties/latest": more.get("latest"), "phenomenonTime": datetime.fromisoformat(at) if at else None,
    }  # fmt: skip


def _of(request: Request, row: PublishedStreamRow) -> Any:
    """The readings are the municipality's own rows; they are read as its, because the stream is public."""
    return shell.service_of(request).database.reading(tenant=row.tenant)


def _address(request: Request) -> str:
    return f"{shell.site(request)}/sensors/v1.1"


def _observation(row: ReadingRow) -> dict[str, Any]:
    return {
        "@iot.id": f"{row.stream_id}/{row.at.isoformat()}", "phenomenonTime": row.at.isoformat(), "result": row.value,
        "resultTime": row.received_at.isoformat(),
    }  # fmt: skip


def _datastream(request: Request, row: PublishedStreamRow) -> dict[str, Any]:
    here = f"{_address(request)}/Datastreams({row.id})"
    return {
        "@iot.id": row.id, "@iot.selfLink": here, "name": row.about["name"], "description": row.about["place"] or row.about["name"],
        "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        "unitOfMeasurement": {"name": row.about["unit"], "symbol": row.about["unit"], "definition": ""},
        "ObservedProperty": {"name": row.about["property"]}, "phenomenonTime": row.latest_at.isoformat() if row.latest_at else None,
        "properties": {"latest": row.latest, "state": row.state}, "Observations@iot.navigationLink": f"{here}/Observations",
        "Thing@iot.navigationLink": f"{here}/Thing",
    }  # fmt: skip


def _thing(request: Request, row: PublishedStreamRow) -> dict[str, Any]:
    here = f"{_address(request)}/Things({row.id})"
    return {
        "@iot.id": row.id, "name": row.about["place"] or row.about["name"], "description": row.about["name"],
        "@iot.selfLink": here, "Locations@iot.navigationLink": f"{here}/Locations",
        "Datastreams@iot.navigationLink": f"{here}/Datastreams",
    }  # fmt: skip


def _location(request: Request, row: PublishedStreamRow) -> dict[str, Any]:
    here, placed = f"{_address(request)}/Locations({row.id})", row.about["lat"] is not None
    return {
        "@iot.id": row.id, "@iot.selfLink": here, "name": row.about["place"] or row.about["name"], "description": row.about["name"],
        "encodingType": "application/geo+json", "Things@iot.navigationLink": f"{here}/Things",
        "location": {"type": "Point", "coordinates": [row.about["lng"], row.about["lat"]]} if placed else None,
    }  # fmt: skip


TELL = {"Datastreams": _datastream, "Things": _thing, "Locations": _location}


# ---- pages


@router.get("/opendata/sensors/", summary="All sensors and their latest readings")
def list_page(request: Request, actor: Actor = access.public()) -> Response:
    catalogue = shell.catalogue_in(request).refresh()
    with shell.public(request) as session:
        rows = db.published_streams(session)
    title = shell.spoken(request, say("センサー"))
    placed = [
        Point(row.about["lat"], row.about["lng"], row.about["name"], n)
        for n, row in enumerate(rows)
        if row.about["lat"] is not None
    ]
    return shell.render_public(
        request, "public/sensors.html", title=title, crumbs=(Link(title, "/opendata/sensors/"),), rows=rows, api=_address(request),
        places=catalogue.places, map=point_map(title, placed) if placed else None,
    )  # fmt: skip


@router.get("/opendata/sensors/{stream_id}", summary="One sensor: latest, the last day, the last week by hours")
def stream_page(request: Request, stream_id: str, actor: Actor = access.public()) -> Response:
    catalogue, now = shell.catalogue_in(request).refresh(), shell.now_of(request)
    with shell.public(request) as session:
        row = db.published_stream(session, stream_id)
    with _of(request, row) as session:
        day = db.values_since(session, row.id, now - DAY, MOST_OF_A_DAY)
        week = db.hours(session, row.id, now - 7 * DAY, WEEK_OF_HOURS)
    shell.note(request, "view", row.id)
    title, unit = row.about["name"], row.about["unit"]
    sensors_title = shell.spoken(request, say("センサー"))
    chart = (
        line("day", title, [_place(*each) for each in outline(day, MOST_DRAWN)], along="日時", unit=unit)
        if day
        else None
    )
    return shell.render_public(
        request, "public/sensor.html", title=title, row=row,
        crumbs=(Link(sensors_title, "/opendata/sensors/"), Link(shell.short(title), "")),
        chart=chart, hours=[(each, each.total / each.count) for each in reversed(week)], place_name=catalogue.place(row.tenant)[1],
        api=f"{_address(request)}/Datastreams({row.id})/Observations", here=f"/opendata/sensors/{row.id}",
    )  # fmt: skip


def outline(values: Sequence[tuple[datetime, float]], most: int) -> Sequence[tuple[datetime, float]]:
    """About `most` of them: the first, the last, and the lowest and the highest of equal parts, so that no peak is smoothed away."""
    if len(values) <= most:
        return values
    size = ceil(len(values) / (most // 2))
    parts = [values[start : start + size] for start in range(0, len(values), size)]
    ends = {how(part, key=itemgetter(1)) for part in parts for how in (min, max)}
    return sorted(ends | {values[0], values[-1]})


def _place(at: datetime, value: float) -> tuple[str, float, float]:
    local = at.astimezone(JST)
    return f"{local.month}月{local.day}日 {local:%H:%M}", at.timestamp(), value


@router.get("/opendata/sensors/{stream_id}/hours.csv", summary="A stream by hours: mean, least, most, count; all of it")
def hours_csv(request: Request, stream_id: str, actor: Actor = access.public()) -> Response:
    with shell.public(request) as session:
        row = db.published_stream(session, stream_id)
    with _of(request, row) as session:
        found = db.hours(session, row.id, None, 24 * 366 * 20)
    shell.note(request, "download", row.id)
    header = ("時刻（時の始まり）", f"平均（{row.about['unit']}）", "最小", "最大", "回数")
    headers = {"Content-Disposition": csvout.attachment(f"{row.about['name']}.csv"), "Access-Control-Allow-Origin": "*"}
    return StreamingResponse(
        csvout.rows(map(_hour, found), header=header), media_type="text/csv; charset=utf-8", headers=headers
    )


def _hour(row: HourRow) -> tuple[object, ...]:
    return (row.hour.astimezone(JST).isoformat(), round(row.total / row.count, 6), row.least, row.most, row.count)


# ---- staff


@router.get("/t/{code}/opendata/desk/sensors", summary="The municipality's streams")
def desk_page(request: Request, actor: Actor = access.staff(PUBLISHER)) -> Response:
    return _desk_page(request, actor)


def _desk_page(
    request: Request, actor: Actor, errors: dict[str, str] | None = None, typed: dict[str, str] | None = None
) -> Response:
    with shell.reading(request, actor) as session:
        rows = db.streams(session)
    return shell.render_desk(
        request, "desk/sensors.html", title="センサー", crumbs=(Link("センサー", ""),), rows=rows, errors=errors or {},
        typed=dict.fromkeys(("name", "property", "unit", "place", "lat", "lng"), "") | (typed or {}),
        api=f"{shell.site(request)}/sensors/observations", status=422 if errors else 200,
    )  # fmt: skip


@router.post("/t/{code}/opendata/desk/sensors", summary="A new stream")
def begin(
    request: Request,
    name: Text = "",
    property: Text = "",
    unit: Text = "",
    place: Text = "",
    lat: Text = "",
    lng: Text = "",
    actor: Actor = access.staff(PUBLISHER),
) -> Response:
    try:
        wish = sensors.StreamWish(name, property, unit, place, _degrees(lat), _degrees(lng))
        with shell.changing(request, actor) as session:
            sensors.begin(session, actor, wish, shell.now_of(request))
    except Invalid as refusal:
        typed = {"name": name, "property": property, "unit": unit, "place": place, "lat": lat, "lng": lng}
        return _desk_page(request, actor, refusal.fields, typed)
    return shell.to(f"{shell.base(request)}/desk/sensors")


def _degrees(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError:
        sentence = "緯度と経度を、世界測地系の度（例：33.2101、130.4398）で入力してください。"
        raise Invalid("直していただくところがあります。", fields={"lat": sentence}) from None


@router.post("/t/{code}/opendata/desk/sensors/{stream_id}/end", summary="Take no more readings of a stream")
def end(request: Request, stream_id: str, actor: Actor = access.staff(PUBLISHER)) -> Response:
    with shell.changing(request, actor) as session:
        sensors.end(session, actor, stream_id, shell.now_of(request))
    return shell.to(f"{shell.base(request)}/desk/sensors")
