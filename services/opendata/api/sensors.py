"""Sensors: batches to write, pages to look at; staff name the streams. What programs read is in api/things.py."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil
from operator import itemgetter
from typing import Annotated, Any

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
from services.opendata.db.sensors import HourRow, PublishedStreamRow
from services.opendata.use_cases import sensors

router = APIRouter(tags=["sensors"])
PUBLISHER = "opendata.publisher"
Text = Annotated[str, Form()]
DAY = timedelta(days=1)
WEEK_OF_HOURS = 24 * 7
MOST_OF_A_DAY = 86_400
"""A reading a second."""
MOST_DRAWN = 500
FIELDS = ("name", "property", "unit", "place", "lat", "lng")
NAMES = {
    "name": say("名前"), "property": say("はかるもの"), "unit": say("単位"), "place": say("場所"), "lat": say("緯度"), "lng": say("経度"),
}  # fmt: skip
"""What staff write of a stream, as pages call it."""


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


def _of(request: Request, row: PublishedStreamRow) -> Any:
    """The readings are the municipality's own rows; they are read as its, because the stream is public."""
    return shell.service_of(request).database.reading(tenant=row.tenant)


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
        request, "public/sensors.html", title=title, crumbs=(Link(title, "/opendata/sensors/"),), rows=rows,
        api=f"{shell.site(request)}/sensors/v1.1",
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
        api=f"{shell.site(request)}/sensors/v1.1/Datastreams('{row.id}')/Observations", here=f"/opendata/sensors/{row.id}",
        corrected=[
            (datetime.fromisoformat(each["at"]), each["reason"], _lines(request, each)) for each in reversed(row.about.get("corrected", []))
        ],
    )  # fmt: skip


def _lines(request: Request, correction: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(what, as it stood, as it is) of a correction."""
    before, after = correction["before"], correction["after"]

    def told(value: Any) -> str:
        return "－" if value in (None, "") else str(value)

    changed = [name for name in FIELDS if name in before]
    return [(shell.spoken(request, NAMES[name]), told(before[name]), told(after[name])) for name in changed]


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
        typed=dict.fromkeys(FIELDS, "") | (typed or {}),
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


@router.get("/t/{code}/opendata/desk/sensors/{stream_id}", summary="Correct what was written of a stream")
def correction_page(request: Request, stream_id: str, actor: Actor = access.staff(PUBLISHER)) -> Response:
    return _correction_page(request, actor, stream_id)


def _correction_page(
    request: Request,
    actor: Actor,
    stream_id: str,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
) -> Response:
    with shell.reading(request, actor) as session:
        row = db.stream(session, stream_id)
    written = {name: "" if row.about[name] is None else str(row.about[name]) for name in FIELDS}
    return shell.render_desk(
        request, "desk/sensor.html", title="センサーの書き誤りを直す", row=row, errors=errors or {},
        typed=typed or written | {"reason": ""},
        crumbs=(Link("センサー", f"{shell.base(request)}/desk/sensors"), Link(shell.short(row.about["name"]), "")),
        names=NAMES, status=422 if errors else 200,
    )  # fmt: skip


@router.post("/t/{code}/opendata/desk/sensors/{stream_id}", summary="Correct a stream's name, unit, place")
def correct(
    request: Request,
    stream_id: str,
    name: Text = "",
    property: Text = "",
    unit: Text = "",
    place: Text = "",
    lat: Text = "",
    lng: Text = "",
    reason: Text = "",
    actor: Actor = access.staff(PUBLISHER),
) -> Response:
    typed = {"name": name, "property": property, "unit": unit, "place": place, "lat": lat, "lng": lng, "reason": reason}
    try:
        wish = sensors.StreamWish(name, property, unit, place, _degrees(lat), _degrees(lng))
        with shell.changing(request, actor) as session:
            sensors.correct(session, actor, stream_id, wish, reason, shell.now_of(request))
    except Invalid as refusal:
        return _correction_page(request, actor, stream_id, refusal.fields, typed)
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
