"""OGC SensorThings 1.1, the part for readers: every address that the standard makes of its data model (domain/things.py).

/Things · /Things(id) · /Things(id)/name · /Things(id)/name/$value · /Things(id)/Datastreams(id)/Observations · …/$ref
"""

import heapq
import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import NotFound
from services.opendata.api import shell
from services.opendata.db import sensors as db
from services.opendata.db.sensors import PublishedStreamRow, ReadingRow
from services.opendata.domain import things
from services.opendata.domain.odata import (
    Asked,
    Compare,
    Joined,
    Node,
    NotUnderstood,
    asked_in,
    fields_of,
    holds,
    narrowed,
)

router = APIRouter(tags=["sensors"])
API = "/opendata/sensors/v1.1"
OPEN = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-cache"}
SEGMENT = re.compile(r"(?P<name>[@A-Za-z.]+)(?:\('?(?P<id>[\w.-]{1,100})'?\))?")
LONGEST_PATH = 12
"""Segments."""
EXPANDED, MOST_READ, MOST_ENTITIES = 100, 1_000, 20_000
"""Streams whose readings are expanded on a page; streams that one answer reads from; entities of one answer."""
LOOKED_THROUGH, DEEPEST_PAGE = 20, 10_000
"""Readings of many streams are put in order of time, so deep at most; by values so many streams are looked through."""


@dataclass(frozen=True)
class One:
    """An entity of the set `kind`. `rows`: the streams it is of; `reading`: of an observation."""

    kind: str
    rows: tuple[PublishedStreamRow, ...]
    reading: ReadingRow | None = None

    @property
    def id(self) -> str:
        row = self.rows[0]
        if self.reading is not None:
            return things.observation_id(row.id, self.reading.at)
        return things.property_id(row.about["property"]) if self.kind == "ObservedProperties" else row.id


@dataclass(frozen=True)
class Many:
    kind: str
    rows: tuple[PublishedStreamRow, ...]


@dataclass
class Site:
    """What one request is answered from."""

    request: Request
    observed: int = 0
    entities: int = 0
    shown: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def address(self) -> str:
        return f"{shell.site(self.request)}/sensors/v1.1"

    @cached_property
    def streams(self) -> tuple[PublishedStreamRow, ...]:
        with shell.public(self.request) as session:
            return tuple(db.published_streams(session, ended=True))

    def stream(self, stream_id: str) -> PublishedStreamRow:
        with shell.public(self.request) as session:
            return db.published_stream(session, stream_id)

    def count(self) -> None:
        self.entities += 1
        if self.entities > MOST_ENTITIES:
            raise NotUnderstood("$expandで読む数が多すぎます。$topで減らしてください。", "$expand")

    def link(self, one: One) -> str:
        return f"{self.address}/{one.kind}('{one.id}')"

    # ---- the readings are the municipality's own rows; they are read as its, because the stream is public

    def readings(self, row: PublishedStreamRow, where: Node | None, order: Any, limit: int, skip: int = 0) -> Any:
        self.observed += 1
        if self.observed > MOST_READ:
            raise _too_many()
        with shell.service_of(self.request).database.reading(tenant=row.tenant) as session:
            return db.observations(session, row.id, where, order, limit, skip)

    def reading(self, row: PublishedStreamRow, observation: str) -> ReadingRow:
        with shell.service_of(self.request).database.reading(tenant=row.tenant) as session:
            at = things.moment_of(observation)
            found = db.reading(session, row.id, at) if at else None
        if found is None:
            raise _unknown()
        return found

    def number(self, row: PublishedStreamRow, where: Node | None) -> int:
        with shell.service_of(self.request).database.reading(tenant=row.tenant) as session:
            return db.observation_count(session, row.id, where)


@router.get(API, summary="SensorThings 1.1: what can be read")
def index(request: Request, actor: Actor = access.public()) -> Response:
    site = Site(request)
    value = [{"name": name, "url": f"{site.address}/{name}"} for name in things.LINKS]
    return JSONResponse({"value": value, "serverSettings": {"conformance": things.CONFORMANCE}}, headers=OPEN)


@router.get(
    API + "/{path:path}",
    summary="Entities of SensorThings 1.1: $filter, $orderby, $top, $skip, $count, $select, $expand",
)
def read(request: Request, path: str, actor: Actor = access.public()) -> Response:
    if not path.strip("/"):
        return index(request, actor)
    site, parts = Site(request), path.strip("/").split("/")
    last = parts.pop() if parts[-1] in ("$ref", "$value") else ""
    here, name = _walked(site, parts)
    if name:
        return _property(site, here, name, bare=last == "$value")
    if last == "$value":
        raise _unknown()
    asked = asked_in(request.query_params, things.ENTITIES[here.kind])
    if last == "$ref":
        asked = replace(asked, select=frozenset({"@iot.selfLink"}), expand={})
    told = _one(site, here, asked) if isinstance(here, One) else _many(site, here, asked, f"{site.address}/{path}")
    if here.kind == "Observations" and len(here.rows) == 1:
        shell.note(request, "query", here.rows[0].id)
    return JSONResponse(told, headers=OPEN)


# ---- the way to it


def _walked(site: Site, parts: list[str]) -> tuple[One | Many, str]:
    """What an address names, and the property of it, if it names one."""
    here: One | Many | None = None
    for number, part in enumerate(parts[:LONGEST_PATH]):
        found = SEGMENT.fullmatch(part)
        if found is None:
            raise _unknown()
        name, ident = found["name"], found["id"]
        if isinstance(here, One) and name in things.PROPERTIES[here.kind] and number == len(parts) - 1 and not ident:
            return here, name
        here = _entered(site, name, ident) if here is None else _followed(site, here, name, ident)
    if here is None or len(parts) > LONGEST_PATH:
        raise _unknown()
    return here, ""


def _entered(site: Site, kind: str, ident: str | None) -> One | Many:
    if kind not in things.LINKS:
        raise _unknown()
    if ident is None:
        return Many(kind, site.streams)
    if kind == "ObservedProperties":
        return _picked(site, Many(kind, site.streams), ident)
    return _picked(site, Many(kind, (site.stream(ident.partition(".")[0]),)), ident)


def _followed(site: Site, here: One | Many, name: str, ident: str | None) -> One | Many:
    if isinstance(here, Many) or name not in things.LINKS[here.kind] or (ident and things.leads_to_one(name)):
        raise _unknown()
    there = _beside(site, here, name)
    return _picked(site, there, ident) if ident and isinstance(there, Many) else there


def _beside(site: Site, one: One, name: str) -> One | Many:
    """Where a way leads."""
    kind, rows = things.LINKS[one.kind][name], one.rows
    if kind == "ObservedProperties":
        rows = tuple(row for row in site.streams if row.about["property"] == rows[0].about["property"])
    return One(kind, rows) if things.leads_to_one(name) else Many(kind, rows)


def _picked(site: Site, many: Many, ident: str) -> One:
    if many.kind == "Observations":
        row = next((row for row in many.rows if ident.startswith(f"{row.id}.")), None)
        if row is None:
            raise _unknown()
        return One(many.kind, (row,), site.reading(row, ident))
    found = next((one for one in _entities(many) if one.id == ident), None)
    if found is None:
        raise _unknown()
    return found


def _entities(many: Many) -> list[One]:
    if many.kind != "ObservedProperties":
        return [One(many.kind, (row,)) for row in many.rows]
    named: dict[str, list[PublishedStreamRow]] = {}
    for row in many.rows:
        named.setdefault(row.about["property"], []).append(row)
    return [One(many.kind, tuple(rows)) for rows in named.values()]


def _unknown() -> NotFound:
    return NotFound("このアドレスのものは見つかりません。", code="unknown-entity")


# ---- what is told of it


def _property(site: Site, here: One | Many, name: str, *, bare: bool) -> Response:
    assert isinstance(here, One)
    value = _told(site, here).get(name)
    if value is None:
        return Response(status_code=204, headers=OPEN)
    if bare:
        return (
            JSONResponse(value, headers=OPEN)
            if isinstance(value, dict)
            else Response(str(value), headers=OPEN, media_type="text/plain")
        )
    return JSONResponse({name: value}, headers=OPEN)


def _one(site: Site, one: One, asked: Asked) -> dict[str, Any]:
    """An entity as it was asked for, with what was expanded."""
    site.count()
    link = site.link(one)
    told = {"@iot.id": one.id, "@iot.selfLink": link} | _told(site, one)
    ways = {name: f"{link}/{name}" for name in things.LINKS[one.kind] if not asked.select or name in asked.select}
    found = asked.shown(told) | {f"{name}@iot.navigationLink": way for name, way in ways.items()}
    for name, inner in asked.expand.items():
        there = _beside(site, one, name)
        if isinstance(there, One):
            found[name] = _one(site, there, inner)
            continue
        page = _many(site, there, inner, f"{link}/{name}")
        found[name] = page.pop("value")
        found |= {f"{name}{key}": value for key, value in page.items()}
    return found


def _many(site: Site, many: Many, asked: Asked, here: str) -> dict[str, Any]:
    """`value` with what was asked for beside it. `here`: its address."""
    if "Observations" in asked.expand:
        asked = replace(asked, top=min(asked.top, EXPANDED))
    if many.kind == "Observations":
        page, total, more = _observed(site, many, asked)
    else:
        found = _ordered(site, [one for one in _entities(many) if _holds(site, one, asked.where)], asked)
        page, total, more = found[asked.skip :][: asked.top], len(found), len(found) > asked.skip + asked.top
    told: dict[str, Any] = {"@iot.count": total} if asked.count else {}
    if more and asked.top:
        step = {"$top": str(asked.top), "$skip": str(asked.skip + len(page))}
        told["@iot.nextLink"] = f"{here}?{urlencode({**asked.given, **step})}"
    return told | {"value": [_one(site, one, asked) for one in page]}


def _holds(site: Site, one: One, where: Node | None) -> bool:
    """Of what many streams share: whether it is true of one of them."""
    return where is None or any(holds(where, Said(site, One(one.kind, (row,)))) for row in one.rows)


def _ordered(site: Site, found: list[One], asked: Asked) -> list[One]:
    said = {one.id: Said(site, one) for one in found}
    for name, down in reversed(asked.order):
        found.sort(key=lambda one: ((value := said[one.id].get(name)) is not None, value or 0), reverse=down)
    return found


@dataclass
class Said:
    """What is said of each field that filters and orders name, also of what hangs on it."""

    site: Site
    one: One

    def get(self, name: str, /) -> Any:
        kind, wanted = things.way(self.one.kind, name)
        there = One(kind, self.one.rows, self.one.reading)
        if wanted in ("id", "@iot.id"):
            return there.id
        value: Any = _told(self.site, there)
        for part in wanted.split("/"):
            value = (value or {}).get(part)
        # The time of a stream is an interval: its end is compared.
        timely = value and things.OWN[kind].get(wanted) == "time"
        return datetime.fromisoformat(value.rpartition("/")[2]) if timely else value


def _told(site: Site, one: One) -> dict[str, Any]:
    """An entity's own properties, in the standard's order."""
    row = one.rows[0]
    about, name = row.about, row.about["name"]
    place = about["place"] or name
    match one.kind:
        case "Things":
            return {"name": place, "description": name, "properties": {"municipality": row.tenant}}
        case "Locations":
            return {
                "name": place,
                "description": name,
                "encodingType": "application/geo+json",
                "location": _where(about),
            }
        case "FeaturesOfInterest":
            return {
                "name": place,
                "description": name,
                "encodingType": "application/geo+json",
                "feature": _where(about),
            }
        case "HistoricalLocations":
            return {"time": things.begun(row.id).isoformat()}
        case "Sensors":
            page = f"{shell.site(site.request)}/sensors/{row.id}"
            return {"name": name, "description": place, "encodingType": "text/html", "metadata": page}
        case "ObservedProperties":
            named = about["property"]
            return {"name": named, "definition": site.link(One(one.kind, one.rows)), "description": named}
        case "Observations":
            return _observation(one.reading)
    return _datastream(row)


def _where(about: dict[str, Any]) -> dict[str, Any]:
    if about["lat"] is None:
        return {"type": "Feature", "geometry": None, "properties": {}}
    return {"type": "Point", "coordinates": [about["lng"], about["lat"]]}


def _observation(reading: ReadingRow | None) -> dict[str, Any]:
    if reading is None:
        return {}
    return {
        "phenomenonTime": reading.at.isoformat(),
        "result": reading.value,
        "resultTime": reading.received_at.isoformat(),
    }


def _datastream(row: PublishedStreamRow) -> dict[str, Any]:
    unit, code = row.about["unit"], things.UCUM.get(row.about["unit"])
    measured = f"{(row.first_at or row.latest_at).isoformat()}/{row.latest_at.isoformat()}" if row.latest_at else None
    corrected = row.about.get("corrected")
    return {
        "name": row.about["name"], "description": row.about["place"] or row.about["name"],
        "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        "unitOfMeasurement": {"name": unit, "symbol": unit, "definition": f"ucum:{code}" if code else None},
        "phenomenonTime": measured,
        "properties": {"latest": row.latest, "state": row.state} | ({"corrected": corrected} if corrected else {}),
    }  # fmt: skip


# ---- readings, of one stream or of many


def _observed(site: Site, many: Many, asked: Asked) -> tuple[list[One], int, bool]:
    """(page, how many in all if that was asked, whether there are more)."""
    parts = [(row, _left(site, row, asked.where)) for row in many.rows]
    wanted = [(row, None if left is True else left) for row, left in parts if not isinstance(left, bool) or left]
    _check_cost(wanted, asked)
    total = sum(site.number(row, where) for row, where in wanted) if asked.count else 0
    if len(wanted) == 1:
        [(row, where)] = wanted
        found = [(row, each) for each in site.readings(row, where, asked.order, asked.top + 1, asked.skip)]
    else:
        found = _merged(site, wanted, asked)[asked.skip :]
    page = [One("Observations", (row,), each) for row, each in found[: asked.top]]
    return page, total, len(found) > asked.top


Wanted = list[tuple[PublishedStreamRow, Node | None]]


def _left(site: Site, row: PublishedStreamRow, where: Node | None) -> Node | bool:
    """What of the filter the store has to look at; whether there is anything of the stream in the answer."""
    if where is None:
        return True
    return narrowed(where, Said(site, One("Observations", (row,))), lambda name: name not in things.MEASURED)


def _check_cost(wanted: Wanted, asked: Asked) -> None:
    """NotUnderstood where an answer would need every reading of every stream."""
    fields = {name for _, where in wanted if where is not None for name in fields_of(where)}
    by_time = fields <= {"phenomenonTime"} and asked.order[0][0] == "phenomenonTime" and not (asked.count and fields)
    deep = asked.skip + asked.top > DEEPEST_PAGE
    if len(wanted) > 1 and (deep or (len(wanted) > LOOKED_THROUGH and not by_time)):
        raise _too_many()


def _too_many() -> NotUnderstood:
    sentence = "一度に調べるセンサーが多すぎます。$filterで Datastream/id を指定するか、$topで減らしてください。"
    return NotUnderstood(sentence, "$filter")


def _merged(site: Site, wanted: Wanted, asked: Asked) -> list[tuple[PublishedStreamRow, ReadingRow]]:
    """The first `skip` + `top` + 1 of many streams, in their order. By time, streams that end before what was found are not read."""
    (field_, down), most = asked.order[0], asked.skip + asked.top + 1
    timely = field_ == "phenomenonTime"
    found: list[tuple[PublishedStreamRow, ReadingRow]] = []

    def key(pair: tuple[PublishedStreamRow, ReadingRow]) -> Any:
        return getattr(pair[1], db.OBSERVED[field_].key)

    streams = [pair for pair in wanted if pair[0].latest_at is not None]
    if timely and down:
        streams.sort(key=lambda pair: pair[0].latest_at.timestamp() if pair[0].latest_at else 0, reverse=True)
    for row, where in streams:
        if timely and len(found) == most:
            end = key(found[-1])
            if down and row.latest_at is not None and row.latest_at < end:
                break
            bound = Compare("phenomenonTime", "ge" if down else "le", end)
            where = Joined("and", (where, bound)) if where is not None else bound
        more = [(row, each) for each in site.readings(row, where, asked.order, most)]
        found = list(heapq.merge(found, more, key=key, reverse=down))[:most]
    return found
