"""Operators change how much a municipality may keep. What arrives is held to it from the next block on (`store.bytes_left`)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.db import Database
from libs.common.errors import Conflict, Invalid, NotFound, say
from libs.common.room import RoomRow
from libs.common.room.table import OPEN
from services.backup.db import AllowanceRow

GIB = 1024**3
MOST = 1024 * 1024
"""GiB: a pebibyte."""
NOWHERE = say("この自治体の保管場所は、まだありません。申込みが承認されると作られます。")


def tenant_of(session: Session, code: str) -> str:
    """Whose code of today this is, or which was registered first with it."""
    known = select(RoomRow.tenant).where(or_(RoomRow.code == code, RoomRow.tenant == code))
    found = session.scalar(known.order_by((RoomRow.code == code).desc()).limit(1))
    if found is None:
        raise NotFound(NOWHERE)
    return found


@dataclass(frozen=True, slots=True)
class Listed:
    """What a municipality may keep, keeps, and still holds of what was deleted; bytes."""

    code: str
    name: str
    quota: int
    live: int
    held: int


def listed(database: Database) -> list[Listed]:
    """Every municipality that has a room, suspended ones too; one after another, as whoever serves all of them must."""
    with database.reading() as session:
        rooms = session.scalars(
            select(RoomRow).where(RoomRow.state.in_((OPEN, "suspended"))).order_by(RoomRow.code)
        ).all()
    found = []
    for room in rooms:
        with database.reading(tenant=room.tenant) as session:
            row = session.scalars(select(AllowanceRow)).one_or_none()
        if row is not None:
            code = room.code or room.tenant
            found.append(Listed(code, room.name or code, row.quota, row.live, row.held))
    return found


def change(
    session: Session, gib: int, reason: str, now: datetime, *, by: str, even_below: bool = False
) -> AllowanceRow:
    """The session's municipality may keep `gib` GiB; why stands in its own record, where its staff read it.

    Conflict for less than is kept now, unless that is said in so many words: then nothing new fits until something is tidied.
    NotFound where it has no room.
    """
    if not 1 <= gib <= MOST:
        raise Invalid(say("自治体全体の上限は、1GBから%(most)sGBの間にしてください。", most=MOST), code="allowance-gib")
    if not reason.strip():
        raise Invalid(say("上限を変える理由を書いてください。自治体の記録に残ります。"), code="allowance-reason")
    row = session.scalars(select(AllowanceRow).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(NOWHERE)
    if gib * GIB < row.live and not even_below:
        used = -(-row.live // GIB)
        raise Conflict(
            say(
                "いま%(used)sGBを使っています。それより少なくすると、整理するまで新しいバックアップを受け取れません。"
                "それでも変えるときは、分かっていることを示してください（画面では印、命令では --even-below-what-is-used）。",
                used=used,
            ),
            code="less-than-used",
        )
    before, row.quota = row.quota, gib * GIB
    actor = Actor(kind="operator", subject=by, name=by, tenant=session.info["tenant"])
    detail = {"before": before // GIB, "after": gib}
    audit.record(
        session, actor, "backup.allowance.changed", row.tenant_id, reason=reason.strip(), detail=detail, now=now
    )
    return row
