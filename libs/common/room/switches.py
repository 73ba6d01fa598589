"""Functions that operators switch off in one tenant's room, with a reason and without a new release: one rests, the others go on.

    ASKING = switches.declare("opendata", "requests", "データの要望", "利用者が、ほしいデータを市町村に伝えられます。")
    switches.check(session, ASKING)      # in the use case: Forbidden, with a sentence, where it is off in the session's room
    switches.on(session, ASKING)         # for a page that leaves its button out, a timer that passes the room by

The registry keeps who set what and why, and tells it (`<registry>.switches.set.v1`, heard by `room.listen`). It stands in the room's row,
so every process of the service sees it at its next request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common.errors import Forbidden, say
from libs.common.room.table import RoomRow

OFF = say("この機能は、いま止めています。ほかの機能は、いつもどおり使えます。")


@dataclass(frozen=True, slots=True)
class Switch:
    """`title` and `says` (what people can do while it is on) are for the operators' page. On, unless somebody set it otherwise."""

    service: str
    name: str
    title: str
    says: str


_declared: dict[tuple[str, str], Switch] = {}


def declare(service: str, name: str, title: str, says: str) -> Switch:
    """Raises ValueError when the service has one of that name."""
    if (service, name) in _declared:
        raise ValueError(f"{service} declares the switch {name} twice")
    made = _declared[service, name] = Switch(service, name, title, says)
    return made


def declared(service: str) -> Sequence[Switch]:
    return [made for (owner, _), made in sorted(_declared.items()) if owner == service]


def on(session: Session, switch: Switch) -> bool:
    """In the session's room."""
    found = session.scalar(select(RoomRow.switches).where(RoomRow.tenant == session.info["tenant"]))
    return (found or {}).get(switch.name, True)


def check(session: Session, switch: Switch) -> None:
    if not on(session, switch):
        raise Forbidden(OFF, code="switched-off")


def take(session: Session, tenant: str, told: Mapping[str, bool]) -> None:
    """What the registry has told: all that is set for the room, by name. Nothing where there is no room yet: it is told again."""
    row = session.get(RoomRow, tenant)
    if row is not None:
        row.switches = dict(told)
