"""GeoJSON (RFC 7946) and lists of records in JSON as rows: what is said of each place, and of points where they lie."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from libs.common.errors import Invalid, say
from services.opendata.domain.table import Finding, Findings, Table

GEOMETRIES = frozenset(
    {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection"}
)
KINDS = GEOMETRIES | {"FeatureCollection", "Feature"}
MOST_COLUMNS = 500
LATITUDE, LONGITUDE, SHAPE = "緯度", "経度", "図形の種類"
JAPAN = (20.0, 46.0), (122.0, 154.0)
"""Degrees of latitude and longitude."""
BOUNDS = (180.0, 90.0)


def table_of(told: Mapping[str, Any], findings: Findings) -> Table | None:
    """A row for each feature: its properties, and the place of a point. None where nothing has properties. What is no GeoJSON is Invalid
    (`damaged`); places that cannot be where they say go to `findings`."""
    found = features_of(told)
    for number, each in enumerate(found, start=1):
        _check_place(number, each.get("geometry"), findings)
    rows = [
        dict(each.get("properties") or {}) | _place(each.get("geometry"), each.get("properties") or {})
        for each in found
    ]
    return table_of_records(rows) if any(rows) else None


def features_of(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Its features; a geometry alone is one without properties."""
    if told["type"] in GEOMETRIES:
        return [{"type": "Feature", "geometry": told}]
    found = told.get("features") if told["type"] == "FeatureCollection" else [told]
    if not isinstance(found, list):
        raise Invalid("GeoJSONに「features」の並びがありません。", code="damaged")
    for number, each in enumerate(found, start=1):
        if not _is_feature(each):
            sentence = say("GeoJSONの%(number)s番目の地物が、決まりどおりに書かれていません。", number=number)
            raise Invalid(sentence, code="damaged")
    return found


def _is_feature(told: Any) -> bool:
    if not isinstance(told, Mapping) or told.get("type") != "Feature":
        return False
    geometry, properties = told.get("geometry"), told.get("properties")
    return (geometry is None or (isinstance(geometry, Mapping) and geometry.get("type") in GEOMETRIES)) and (
        properties is None or isinstance(properties, Mapping)
    )


def is_geojson(told: Any) -> bool:
    return isinstance(told, Mapping) and isinstance(told.get("type"), str) and told["type"] in KINDS


def parts_of(geometry: Mapping[str, Any]) -> list[Any]:
    """The geometries of a collection."""
    found = geometry.get("geometries")
    return found if isinstance(found, list) else []


def positions(geometry: Any) -> Iterator[tuple[float, float]]:
    """(longitude, latitude) of all corners. Invalid `damaged` for what is no position."""
    if not isinstance(geometry, Mapping):
        return
    waiting = [geometry.get("coordinates"), *parts_of(geometry)]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            waiting += [each.get("coordinates"), *parts_of(each)]
        elif isinstance(each, list) and each and not isinstance(each[0], list):
            yield position(each)
        elif isinstance(each, list):
            waiting += each


def position(told: list[Any]) -> tuple[float, float]:
    """(longitude, latitude). Invalid `damaged` for what is no position."""
    if len(told) < 2 or not all(isinstance(part, int | float) and not isinstance(part, bool) for part in told[:2]):
        raise Invalid("GeoJSONの座標に、数でないところがあります。", code="damaged")
    try:
        return float(told[0]), float(told[1])
    except OverflowError:  # a whole number of hundreds of digits
        raise Invalid("GeoJSONの座標に、数でないところがあります。", code="damaged") from None


def _check_place(number: int, geometry: Any, findings: Findings) -> None:
    for lng, lat in positions(geometry):
        if abs(lng) > BOUNDS[0] or abs(lat) > BOUNDS[1]:
            turned = abs(lat) <= BOUNDS[0] and abs(lng) <= BOUNDS[1] and _in_japan(lng, lat)
            return findings.add(_turned(number) if turned else _no_degrees(number))
        if not _in_japan(lat, lng) and _in_japan(lng, lat):
            return findings.add(_turned(number))
    return None


def _in_japan(lat: float, lng: float) -> bool:
    (south, north), (west, east) = JAPAN
    return south <= lat <= north and west <= lng <= east


def _turned(number: int) -> Finding:
    message = "経度と緯度の順が逆のようです。GeoJSONの座標は［経度, 緯度］の順に書きます。"
    return Finding("degrees-turned", "error", message, row=number)


def _no_degrees(number: int) -> Finding:
    message = "座標が緯度・経度（度）ではないようです。平面直角座標などは、世界測地系の緯度・経度に変えてください。"
    return Finding("no-degrees", "error", message, row=number)


def _place(geometry: Any, properties: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(geometry, Mapping):
        return {}
    if geometry["type"] != "Point":
        return {SHAPE: geometry["type"]}
    lng, lat = next(positions(geometry), (None, None))
    return {} if LATITUDE in properties or LONGITUDE in properties else {LATITUDE: lat, LONGITUDE: lng}


def table_of_records(records: Sequence[Mapping[str, Any]]) -> Table | None:
    """Names in the order in which they first appear; None where there are too many, or none. Rows count from 1."""
    columns = list(islice(dict.fromkeys(str(name) for each in records for name in each), MOST_COLUMNS + 1))
    if not columns or len(columns) > MOST_COLUMNS:
        return None
    table = Table.of(columns, [[_text(each.get(name)) for name in columns] for each in records])
    return Table(table.columns, lambda: (row._replace(number=row.number - 1) for row in table.rows()), header_row=None)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
