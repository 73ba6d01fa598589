"""Sensors: OGC SensorThings 1.1 to read, batches to write, pages to look at; staff name the streams."""

from datetime import datetime, timedelta
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
from services.opendata.domain.odata import asked_in
from services.opendata.use_cases import sensors

router = APIRouter(tags=["sensors"])
API = "/opendata/sensors/v1.1"
PUBLISHER = "opendata.publisher"
Text = Annotated[str, Form()]
OPEN = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-cache"}
DAY = timedelta(days=1)
WEEK_OF_HOURS = 24 * 7


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


@router.get(API, summary="SensorThings 1.1: what can be read")
def index(request: Request, actor: Actor = access.public()) -> Response:
    names = ("Things", "Datastreams", "Locations")
    return JSONResponse(
        {"value": [{"name": name, "url": f"{_address(request)}/{name}"} for name in names]}, headers=OPEN
    )


@router.get(f"{API}/Datastreams", summary="All streams")
@router.get(f"{API}/Things", summary="The places of all streams")
@router.get(f"{API}/Locations", include_in_schema=False)
def collection(request: Request, actor: Actor = access.public()) -> Response:
    tell = TELL[request.url.path.rpartition("/")[2]]
    with shell.public(request) as session:
        rows = db.published_streams(session)
    return JSONResponse({"@iot.count": len(rows), "value": [tell(request, row) for row in rows]}, headers=OPEN)


@router.get(API + "/Datastreams({stream_id})", summary="A stream")
@router.get(API + "/Things({stream_id})", summary="The place of a stream")
def one(request: Request, stream_id: str, actor: Actor = access.public()) -> Response:
    tell = TELL[request.url.path.rpartition("/")[2].partition("(")[0]]
    with shell.public(request) as session:
        row = db.published_stream(session, stream_id.strip("'"))
    return JSONResponse(tell(request, row), headers=OPEN)


@router.get(
    API + "/Datastreams({stream_id})/Observations",
    summary="A stream's readings: $top, $skip, $orderby, $filter, $count",
)
def observations(request: Request, stream_id: str, actor: Actor = access.public()) -> Response:
    asked = asked_in(request.query_params)
    with shell.public(request) as session:
        row = db.published_stream(session, stream_id.strip("'"))
    with _of(request, row) as session:
        found = db.readings(
            session, row.id, asked.since, asked.until, newest=asked.newest, limit=asked.top, offset=asked.skip
        )
        count = db.reading_count(session, row.id) if asked.count and not (asked.since or asked.until) else None
    shell.note(request, "query", row.id)
    told: dict[str, Any] = {"@iot.count": count} if count is not None else {}
    if len(found) == asked.top:
        given = {**request.query_params, "$top": str(asked.top), "$skip": str(asked.skip + asked.top)}
        told["@iot.nextLink"] = f"{_address(request)}/Datastreams({row.id})/Observations?{urlencode(given)}"
    return JSONResponse(told | {"value": [_observation(each) for each in found]}, headers=OPEN)


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
        "Thing@iot.navigationLink": f"{_address(request)}/Things({row.id})",
    }  # fmt: skip


def _thing(request: Request, row: PublishedStreamRow) -> dict[str, Any]:
    return {
        "@iot.id": row.id, "name": row.about["place"] or row.about["name"], "description": row.about["name"],
        "@iot.selfLink": f"{_address(request)}/Things({row.id})", "Locations": [_location(request, row)],
        "Datastreams": [{"@iot.id": row.id, "@iot.selfLink": f"{_address(request)}/Datastreams({row.id})"}],
    }  # fmt: skip


def _location(request: Request, row: PublishedStreamRow) -> dict[str, Any]:
    placed = row.about["lat"] is not None
    point = {"type": "Point", "coordinates": [row.about["lng"], row.about["lat"]]} if placed else None
    return {
        "@iot.id": row.id,
        "name": row.about["place"] or row.about["name"],
        "encodingType": "application/geo+json",
        "location": point,
    }


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
        day = list(reversed(db.readings(session, row.id, now - DAY, None, newest=True, limit=500)))
        week = db.hours(session, row.id, now - 7 * DAY, WEEK_OF_HOURS)
    shell.note(request, "view", row.id)
    title, unit = row.about["name"], row.about["unit"]
    sensors_title = shell.spoken(request, say("センサー"))
    chart = line("day", title, [_place(each.at, each.value) for each in day], along="日時", unit=unit) if day else None
    return shell.render_public(
        request, "public/sensor.html", title=title, row=row,
        crumbs=(Link(sensors_title, "/opendata/sensors/"), Link(shell.short(title), "")),
        chart=chart, hours=[(each, each.total / each.count) for each in reversed(week)], place_name=catalogue.place(row.tenant)[1],
        api=f"{_address(request)}/Datastreams({row.id})/Observations", here=f"/opendata/sensors/{row.id}",
    )  # fmt: skip


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
