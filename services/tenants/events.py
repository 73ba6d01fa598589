"""What the registry tells the world."""

from datetime import date

from libs.common import room
from libs.common.events import Event

RoomRequested = room.requests("tenants")
"""Asks a service to do something with the room of the event's tenant; the shape is the contract of `libs.common.room`."""
SwitchesSet = room.switches_set("tenants")
"""Which functions of a service are switched off in the room of the event's tenant."""


class SubscriptionStarted(Event, type="tenants.subscription.started.v1"):
    """The tenant uses `service` from `from_date` on (it may lie in the future)."""

    service: str
    from_date: date


class SubscriptionEnded(Event, type="tenants.subscription.ended.v1"):
    """`until_date` is the first day on which the tenant no longer uses `service`."""

    service: str
    until_date: date


class MunicipalityChanged(Event, type="tenants.municipality.changed.v1"):
    """From `from_date` on the tenant has this code and name; `ended`: it exists no longer (`successor`: what it went into).

    `logo` is the mark of the picture that stands at `/t/<code>/logo.png?v=<mark>`: "" for none, null where this tells nothing of it.
    """

    code: str
    name: str
    from_date: date
    ended: bool = False
    successor: str | None = None
    logo: str | None = None
