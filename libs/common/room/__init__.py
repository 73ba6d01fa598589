"""The room a service keeps for each tenant: prepared, closed for a while, opened again, carried out, carried in,
removed.

A service writes a class with the six methods of `Room` and says, in its `worker.py`:

    room.listen(subscriptions, jobs, room_events, EapplyRoom)        # room_events = room.events_for("eapply"), in
    events.py

Each method is a generator: it yields `Step(done, total, label)` and may return facts for the answer. It opens its own
transactions, and bears being stopped after any step and begun again: it looks at what is there before it adds. A
refusal (`libs.common.errors`) ends the request as failed with its sentence; any other error is tried again, then
failed. When a preparation fails, `delete` takes away what it had made.

`room.switches` are functions of it that operators can switch off for a tenant.

`room.check_open(session)` in an endpoint, or in `access`, refuses use while the room is missing or suspended.
"""

from libs.common.room import switches
from libs.common.room.contract import Progress, Room, RoomRequest, Step, drain
from libs.common.room.events import RoomEvents, events_for, requests, switches_set
from libs.common.room.listening import listen
from libs.common.room.table import (
    KEPT,
    RoomRequestRow,
    RoomRow,
    check_open,
    code_of,
    files_named,
    rooms,
    state_of,
    take_name,
)

__all__ = [
    "KEPT",
    "Progress",
    "Room",
    "RoomEvents",
    "RoomRequest",
    "RoomRequestRow",
    "RoomRow",
    "Step",
    "check_open",
    "code_of",
    "drain",
    "events_for",
    "files_named",
    "listen",
    "requests",
    "rooms",
    "state_of",
    "switches",
    "switches_set",
    "take_name",
]
