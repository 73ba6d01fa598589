"""What an event is: a frozen fact with a type and a version, in a CloudEvents 1.0 envelope.

`class ApplicationSubmitted(Event, type="eapply.application.submitted.v1")`: that one string is also the routing key, the
name in `docs/events.md` and in the log. A new optional field keeps the version; a changed meaning is a new class.
"""

import re
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from libs.common.ids import new_id

Envelope = dict[str, Any]
"""specversion id source type subject time tenantid sequence traceparent datacontenttype data."""

_TYPE = re.compile(r"^[a-z]+(\.[a-z_]+)+\.v[1-9][0-9]*$")

registry: dict[str, type["Event"]] = {}
"""Every event class of this process, by type."""


class Event(BaseModel):
    """Subclass in a service's `events.py`. Fields: ids and what readers need; never personal data."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    type: ClassVar[str]

    def __init_subclass__(cls, *, type: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if type:
            cls.type = type

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        name = cls.__dict__.get("type") or kwargs.get("type")
        if not name:
            return
        if not _TYPE.match(name):
            raise TypeError(f"{name!r} is not <service>.<thing>.<past tense>.v<number>")
        known = registry.get(name)
        if known is not None and known.__qualname__ != cls.__qualname__:
            raise TypeError(f"two classes for {name}")
        registry[name] = cls

    @property
    def source(self) -> str:
        return source_of(self.type)


def source_of(event_type: str) -> str:
    """The service an event type belongs to: its first word."""
    return event_type.split(".", 1)[0]


def envelope(
    event: Event,
    *,
    subject: str,
    tenant: str | None,
    sequence: int,
    now: datetime,
    traceparent: str | None = None,
) -> Envelope:
    """The event as it travels. `sequence` counts the events of one subject from 1."""
    return {
        "specversion": "1.0",
        "id": new_id(),
        "source": f"/services/{event.source}",
        "type": event.type,
        "subject": subject,
        "time": now.isoformat(timespec="microseconds"),
        "tenantid": tenant,
        "sequence": sequence,
        "traceparent": traceparent,
        "datacontenttype": "application/json",
        "data": event.model_dump(mode="json"),
    }


class BadEnvelope(ValueError):
    """What arrived is not an envelope of ours."""


def check_envelope(value: Any) -> Envelope:
    """`value` if it is an envelope a reader can keep. The data is checked later, against its own class."""
    if not isinstance(value, dict) or value.get("specversion") != "1.0":
        raise BadEnvelope("not a CloudEvents 1.0 envelope")
    for name in ("id", "source", "type", "subject", "time"):
        if not isinstance(value.get(name), str) or not value[name] or len(value[name]) > 200:
            raise BadEnvelope(f"{name} is missing or too long")
    if value.get("tenantid") is not None and not re.fullmatch(r"[0-9]{6}", str(value["tenantid"])):
        raise BadEnvelope("tenantid is not six digits")
    if not isinstance(value.get("sequence"), int) or not isinstance(value.get("data"), dict):
        raise BadEnvelope("sequence or data is missing")
    if value["source"] != f"/services/{source_of(value['type'])}":
        raise BadEnvelope("source and type disagree")
    return value


def parse(envelope: Envelope) -> Event:
    """The event inside, as its class. Raises KeyError for an unknown type, pydantic's error for data that does not fit."""
    return registry[envelope["type"]].model_validate(envelope["data"])
