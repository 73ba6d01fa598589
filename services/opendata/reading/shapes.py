"""Points, lines and areas of a file that is a map (GeoJSON, KML), to be drawn. The file was read when it was published."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from services.opendata.reading import features, markup

FORMATS = frozenset({"GEOJSON", "KML"})
NAMES = ("名称", "施設名", "名前", "地名", "name", "Name")
LINES = {"Point": "point", "MultiPoint": "point", "LineString": "line", "MultiLineString": "line"}
"""What is no area. Of several points each is a line of one corner."""

Corner = tuple[float, float]


class Shape(NamedTuple):
    """`kind`: point, line or area. `lines`: its corners (longitude, latitude), of an area each of its rings."""

    name: str
    kind: str
    lines: list[list[Corner]]


def shapes_in(form: str, content: bytes) -> Iterator[Shape]:
    """In the file's order; what lies nowhere on earth is left out. Invalid or ValueError where a place cannot be read."""
    found = _of_kml(content) if form == "KML" else _of_geojson(json.loads(content.decode("utf-8-sig")))
    for shape in found:
        if shape.lines and all(abs(lng) <= 180 and abs(lat) <= 90 for line in shape.lines for lng, lat in line):
            yield shape


def _of_geojson(told: Any) -> Iterator[Shape]:
    for each in features.features_of(told) if features.is_geojson(told) else ():
        said = each.get("properties") or {}
        name = next((str(said[key]) for key in NAMES if said.get(key)), "")
        yield from _of_geometry(name, each.get("geometry"))


def _of_geometry(name: str, geometry: Any) -> Iterator[Shape]:
    if not isinstance(geometry, Mapping):
        return
    for each in features.parts_of(geometry):
        yield from _of_geometry(name, each)
    yield Shape(name, LINES.get(str(geometry.get("type")), "area"), list(_lines(geometry.get("coordinates"))))


def _lines(told: Any) -> Iterator[list[Corner]]:
    """Each row of positions, however deep it stands."""
    if not isinstance(told, list) or not told:
        return
    if not isinstance(told[0], list):
        yield [features.position(told)]
    elif told[0] and not isinstance(told[0][0], list):
        yield [features.position(each) for each in told]
    else:
        for each in told:
            yield from _lines(each)


def _of_kml(content: bytes) -> Iterator[Shape]:
    for name, kind, texts in markup.places(content):
        yield Shape(name, kind, [[_corner(each) for each in text.split()] for text in texts if text.strip()])


def _corner(text: str) -> Corner:
    """`longitude,latitude` and perhaps a height."""
    lng, lat = text.split(",")[:2]
    return float(lng), float(lat)
