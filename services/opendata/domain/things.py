"""The data model of OGC SensorThings 1.1 (18-088, clause 8): which sets of entities there are, what can be asked of each, how they hang
together.

One stream is one Datastream of one Sensor of one Thing at one Location, which is the feature its readings tell of: all go by its id. What
is measured (ObservedProperty) is one for all streams whose staff named it alike; its id is made of its name.
"""

import re
from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

from services.opendata.domain.odata import Entity, Kind

LINKS: dict[str, dict[str, str]] = {
    "Things": {"Datastreams": "Datastreams", "Locations": "Locations", "HistoricalLocations": "HistoricalLocations"},
    "Locations": {"Things": "Things", "HistoricalLocations": "HistoricalLocations"},
    "HistoricalLocations": {"Thing": "Things", "Locations": "Locations"},
    "Datastreams": {
        "Thing": "Things", "Sensor": "Sensors", "ObservedProperty": "ObservedProperties", "Observations": "Observations",
    },
    "Sensors": {"Datastreams": "Datastreams"},
    "ObservedProperties": {"Datastreams": "Datastreams"},
    "Observations": {"Datastream": "Datastreams", "FeatureOfInterest": "FeaturesOfInterest"},
    "FeaturesOfInterest": {"Observations": "Observations"},
}  # fmt: skip
"""Set → the name of the way from an entity of it → the set it leads to. A way that is named otherwise than its set leads to one entity."""

_NAMED: dict[str, Kind] = {"id": "text", "@iot.id": "text", "name": "text", "description": "text"}
MEASURED: dict[str, Kind] = {"phenomenonTime": "time", "resultTime": "time", "result": "number"}
OWN: dict[str, dict[str, Kind]] = {
    "Things": _NAMED, "Locations": _NAMED, "FeaturesOfInterest": _NAMED, "Sensors": _NAMED,
    "HistoricalLocations": {"id": "text", "@iot.id": "text", "time": "time"},
    "Datastreams": {
        **_NAMED, "unitOfMeasurement/name": "text", "unitOfMeasurement/symbol": "text", "properties/state": "text",
        "properties/latest": "number", "phenomenonTime": "time",
    },
    "ObservedProperties": {**_NAMED, "definition": "text"},
    "Observations": MEASURED,
}  # fmt: skip
"""Set → what filters and orders name of an entity itself."""

_SHOWN: dict[str, str] = {
    "Things": "name description properties", "Locations": "name description encodingType location", "HistoricalLocations": "time",
    "Datastreams": "name description observationType unitOfMeasurement phenomenonTime properties",
    "Sensors": "name description encodingType metadata", "ObservedProperties": "name definition description",
    "Observations": "phenomenonTime result resultTime", "FeaturesOfInterest": "name description encodingType feature",
}  # fmt: skip
"""Set → the properties of an entity, in the standard's order."""


def leads_to_one(way: str) -> bool:
    return way not in LINKS


def way(kind: str, name: str) -> tuple[str, str]:
    """`Datastream/ObservedProperty/name` of a set → (ObservedProperties, name)."""
    first, parted, rest = name.partition("/")
    return way(LINKS[kind][first], rest) if parted and first in LINKS[kind] else (kind, name)


def _asked(kind: str, depth: int = 2) -> dict[str, Kind]:
    """What filters and orders name: an entity's own, and what hangs on it."""
    found = dict(OWN[kind])
    for name, there in LINKS[kind].items():
        if depth and there != "Observations":
            found |= {f"{name}/{field}": told for field, told in _asked(there, depth - 1).items()}
    return found


ENTITIES = {
    kind: Entity(
        fields=_asked(kind),
        order="phenomenonTime desc" if kind == "Observations" else "id",
        shown=frozenset({"@iot.id", "@iot.selfLink", *_SHOWN[kind].split(), *LINKS[kind]}),
    )
    for kind in LINKS
}
for _kind, _ways in LINKS.items():
    ENTITIES[_kind].expands.update({name: ENTITIES[there] for name, there in _ways.items()})

PROPERTIES = {kind: tuple(names.split()) for kind, names in _SHOWN.items()}

CONFORMANCE = [
    f"http://www.opengis.net/spec/iot_sensing/1.1/req/{name}"
    for name in (
        "datamodel", "resource-path/resource-path-to-entities", "request-data/order", "request-data/expand", "request-data/select",
        "request-data/orderby", "request-data/top", "request-data/skip", "request-data/count", "request-data/filter",
        "request-data/pagination", "request-data/status-code", "request-data/query-status-code",
    )
]  # fmt: skip
"""What is met of the standard's part for readers. Not claimed: `built-in-filter-operations` (no arithmetic) and
`built-in-query-functions` (of these `substringof`, `startswith`, `endswith`; no functions of days, numbers or places: what is asked
with them is refused with 400, never answered as if it had not been asked). Nothing is created by it."""

UCUM = {
    "m": "m", "cm": "cm", "mm": "mm", "km": "km", "℃": "Cel", "°C": "Cel", "%": "%", "％": "%", "hPa": "hPa", "Pa": "Pa",
    "m/s": "m/s", "mm/h": "mm/h", "m3/s": "m3/s", "lx": "lx", "ppm": "[ppm]", "μSv/h": "uSv/h", "µSv/h": "uSv/h", "V": "V", "W": "W",
    "kW": "kW", "kWh": "kW.h", "L": "L", "L/s": "L/s", "kg": "kg", "s": "s", "min": "min", "度": "deg", "dB": "dB",
}  # fmt: skip
"""What staff write for a unit → its code in the Unified Code for Units of Measure, of which the standard makes its examples."""


def property_id(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"observed-property:{name}"))


def begun(stream_id: str) -> datetime:
    """When a stream was begun: its id is a UUIDv7, which begins with milliseconds since 1970."""
    return datetime.fromtimestamp(int(stream_id.replace("-", "")[:12], 16) / 1000, UTC)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def observation_id(stream_id: str, at: datetime) -> str:
    """A reading goes by its stream and its moment, in microseconds since 1970."""
    gone = at - _EPOCH
    return f"{stream_id}.{(gone.days * 86_400 + gone.seconds) * 1_000_000 + gone.microseconds}"


def moment_of(observation: str) -> datetime | None:
    """The moment in such an id; None where it is none."""
    number = observation.rpartition(".")[2]
    if not re.fullmatch(r"-?[0-9]{1,17}", number):
        return None
    try:
        return _EPOCH + timedelta(microseconds=int(number))
    except OverflowError:
        return None
