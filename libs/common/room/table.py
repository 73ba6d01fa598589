"""Which rooms there are, and which requests about them were answered how."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.clock import local_date
from libs.common.db import CommonBase, Json
from libs.common.errors import Conflict, Forbidden, say
from libs.common.room.contract import RoomRequest
from libs.common.tenancy import SharedTable

OPEN = "provisioned"


class RoomRow(SharedTable, CommonBase):
    """A tenant's room. `state`: preparing → provisioned ⇄ suspended → deleting → deleted. `logo`: the mark of its tenant's picture.
    `switches`: name → on, of what operators set (libs/common/room/switches.py)."""

    __tablename__ = "rooms"
    __shared_because__ = "which municipalities use the service is public; the worker goes through all of them"

    tenant: Mapped[str] = mapped_column(String(6), primary_key=True)
    code: Mapped[str | None] = mapped_column(String(6))
    name: Mapped[str | None] = mapped_column(String(100))
    logo: Mapped[str | None] = mapped_column(String(8))
    switches: Mapped[dict[str, bool] | None] = mapped_column(Json)
    state: Mapped[str] = mapped_column(String(20))
    changed_at: Mapped[datetime]


class RoomRequestRow(SharedTable, CommonBase):
    """A request about a room: asked again, it gives the same answer again. `state`: running, done, failed."""

    __tablename__ = "room_requests"
    __shared_because__ = "requests of the registry, ids only"

    request_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(6), index=True)
    action: Mapped[str] = mapped_column(String(10))
    code: Mapped[str | None] = mapped_column(String(6))
    name: Mapped[str | None] = mapped_column(String(100))
    archive: Mapped[str | None] = mapped_column(String(36))
    state: Mapped[str] = mapped_column(String(10))
    answer: Mapped[dict[str, Any] | None] = mapped_column(Json)
    asked_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]

    def as_request(self) -> RoomRequest:
        return RoomRequest(self.request_id, self.tenant, self.action, self.code, self.name, self.archive)  # type: ignore[arg-type]


KEPT = timedelta(days=30)
"""So long a service keeps the file that a room wrote, and the one that a room is to read."""


def files_named(session: Session, tenant: str, now: datetime) -> set[str]:
    """Ids of the files that requests of the last `KEPT` have made or wait to read."""
    recent = select(RoomRequestRow).where(RoomRequestRow.tenant == tenant, RoomRequestRow.asked_at > now - KEPT)
    named = ((row.archive, (row.answer or {}).get("file")) for row in session.scalars(recent))
    return {file_id for pair in named for file_id in pair if file_id}


def state_of(session: Session, tenant: str) -> str | None:
    """The state of a tenant's room, None if there never was one."""
    return session.scalar(select(RoomRow.state).where(RoomRow.tenant == tenant))


def code_of(session: Session) -> str:
    """The code of today of the session's municipality, for addresses; its tenant, which never changes, where none was told."""
    place = session.get(RoomRow, session.info["tenant"])
    return (place and place.code) or session.info["tenant"]


def check_open(session: Session, tenant: str | None = None) -> None:
    """Forbidden, with a sentence that says why, unless the room of `tenant` (the session's) is in use."""
    state = state_of(session, tenant or session.info["tenant"])
    if state == OPEN:
        return
    if state in ("suspended", "deleting"):
        raise Forbidden(
            say("このサービスは、ただいまお休みしています。データは残っています。再開までお待ちください。"),
            code="service-suspended",
        )
    if state == "preparing":
        raise Forbidden(
            say("このサービスは準備中です。数分待ってから、もう一度開いてください。"), code="service-preparing"
        )
    raise Forbidden(
        say("このサービスは、この自治体では使われていません。お手続きは自治体の窓口にお問い合わせください。"),
        code="service-not-in-use",
    )


def rooms(session: Session, *states: str) -> list[str]:
    """The tenants whose rooms are in one of `states` (default: in use), for timers that go through them one by one."""
    wanted = states or (OPEN,)
    return list(session.scalars(select(RoomRow.tenant).where(RoomRow.state.in_(wanted)).order_by(RoomRow.tenant)))


def set_state(session: Session, request: RoomRequest, state: str, now: datetime) -> None:
    """Write the room's state, and code and name if the request brought them."""
    row = session.get(RoomRow, request.tenant, with_for_update=True)
    if row is None:
        row = RoomRow(tenant=request.tenant)
        session.add(row)
    row.state, row.changed_at = state, now
    row.code, row.name = request.code or row.code, request.name or row.name


def take_name(session: Session, tenant: str, changed: Mapping[str, Any], now: datetime) -> None:
    """The tenant's `code` and `name`, and `logo` (the mark of its picture; None: as before), from `from_date` (a day in Japan). One
    of a coming day changes nothing yet: on that day the room is asked to be prepared again, with the name."""
    row = session.get(RoomRow, tenant)
    if row is not None and date.fromisoformat(changed["from_date"]) <= local_date(now):
        row.code, row.name = changed["code"], changed["name"]
        row.logo = row.logo if changed.get("logo") is None else changed["logo"]


def check_possible(session: Session, request: RoomRequest) -> None:
    """Conflict if there is no room of which `request` could be true. What is so already is possible: it changes
    nothing."""
    if request.action in ("provision", "import", "delete"):
        return
    state = state_of(session, request.tenant)
    if state not in (OPEN, "suspended"):
        raise Conflict(
            say("この自治体の部屋がまだないため、進められませんでした。先に利用を始めてください。"), code="no-room"
        )
