"""The event classes of the contract. `libs` knows no service: source and service are given."""

from dataclasses import dataclass
from functools import cache

from libs.common.events import Event
from libs.common.room.contract import Action


class _Requested(Event):
    """The registry asks `service` to do something with the room of the event's tenant. Asked twice is asked once."""

    request_id: str
    service: str
    action: Action
    code: str | None = None
    name: str | None = None
    archive: str | None = None


class _Progressed(Event):
    """How far a request about a room is: `done` of `total` steps, `label` in Japanese."""

    request_id: str
    action: Action
    done: int
    total: int
    label: str


class _Answered(Event):
    """A request about a room has been carried out."""

    request_id: str


class _Exported(Event):
    """Everything the tenant owns in this service has been written to one stored file of the service."""

    request_id: str
    file: str
    size: int
    sha256: str


class _Failed(Event):
    """A request about a room could not be carried out; what a preparation had made is removed again."""

    request_id: str
    action: Action
    reason: str


@cache
def requests(source: str) -> type[Event]:
    """The class of `<source>.room.requested.v1`: `room.requests("tenants")`, to emit and to read."""

    class RoomRequested(_Requested, type=f"{source}.room.requested.v1"):
        __doc__ = _Requested.__doc__

    return RoomRequested


class _SwitchesSet(Event):
    """Which functions of `service` operators have switched off (false) or on again in the tenant's room: all that were ever set."""

    service: str
    on: dict[str, bool]


@cache
def switches_set(source: str) -> type[Event]:
    """The class of `<source>.switches.set.v1`: `room.switches_set("tenants")`, to emit and to read."""

    class SwitchesSet(_SwitchesSet, type=f"{source}.switches.set.v1"):
        __doc__ = _SwitchesSet.__doc__

    return SwitchesSet


@dataclass(frozen=True)
class RoomEvents:
    """The answers of one service. Readers get the classes by the same call."""

    service: str
    progressed: type[Event]
    provisioned: type[Event]
    suspended: type[Event]
    resumed: type[Event]
    exported: type[Event]
    imported: type[Event]
    deleted: type[Event]
    failed: type[Event]

    def answer(self, action: Action) -> type[Event]:
        """The class that says `action` has been carried out."""
        return getattr(self, PAST[action])


PAST: dict[Action, str] = {
    "provision": "provisioned",
    "suspend": "suspended",
    "resume": "resumed",
    "export": "exported",
    "import": "imported",
    "delete": "deleted",
}


@cache
def events_for(service: str) -> RoomEvents:
    """The answer classes of `service`, registered as `<service>.room.<past tense>.v1`."""
    shapes = {"progressed": _Progressed, "exported": _Exported, "failed": _Failed}
    names = ("progressed", *PAST.values(), "failed")
    classes = {name: _subclass(shapes.get(name, _Answered), service, name) for name in names}
    return RoomEvents(service, **classes)


def _subclass(shape: type[Event], service: str, name: str) -> type[Event]:
    class Answer(shape, type=f"{service}.room.{name}.v1"):  # type: ignore[misc, valid-type]
        __doc__ = shape.__doc__

    Answer.__name__ = Answer.__qualname__ = f"Room{name.capitalize()}"
    return Answer
