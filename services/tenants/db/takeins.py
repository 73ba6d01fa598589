"""ほかの設置からの取り込み: an archive of everything of one municipality, and how far each service is with its part."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.db import Json
from libs.common.errors import NotFound, say
from libs.common.ids import new_id
from libs.common.tenancy import SharedTable
from services.tenants.db.base import Base

_BECAUSE = "work of the operators, ids and names of files only: the worker goes on with all of them"


class TakeInRow(SharedTable, Base):
    """`state`: checking → running → done; checking → refused; running → undoing → failed. `file` lies with the files of no
    tenant until the end; `tenant` is known once the manifest was read. `size` in bytes."""

    __tablename__ = "takeins"
    __shared_because__ = _BECAUSE

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    file: Mapped[str] = mapped_column(String(36))
    file_name: Mapped[str] = mapped_column(String(200))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    tenant: Mapped[str | None] = mapped_column(String(6))
    state: Mapped[str] = mapped_column(String(10), default="checking", index=True)
    asked_by: Mapped[str] = mapped_column(String(36))
    asked_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    problems: Mapped[list[str]] = mapped_column(Json, default=list)


class TakeInPartRow(SharedTable, Base):
    """One service's part. `action`: import, or delete where it is undone. `state`: brought, asked, done, failed."""

    __tablename__ = "takein_parts"
    __shared_because__ = _BECAUSE

    takein: Mapped[str] = mapped_column(ForeignKey("takeins.id"), primary_key=True)
    service: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(6))
    file: Mapped[str] = mapped_column(String(36), default=new_id)
    room_request: Mapped[str] = mapped_column(String(36), unique=True, default=new_id)
    action: Mapped[str] = mapped_column(String(10), default="import")
    state: Mapped[str] = mapped_column(String(10), default="brought")
    asks: Mapped[int] = mapped_column(default=0)
    heard_at: Mapped[datetime]
    label: Mapped[str] = mapped_column(String(500), default="")
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)


ENDED = ("done", "refused", "failed")


def latest(session: Session, limit: int = 20) -> list[TakeInRow]:
    """The newest first."""
    return list(session.scalars(select(TakeInRow).order_by(TakeInRow.id.desc()).limit(limit)))


def find(session: Session, takein_id: str, *, lock: bool = False) -> TakeInRow:
    statement = select(TakeInRow).where(TakeInRow.id == takein_id)
    row = session.scalar(statement.with_for_update() if lock else statement)
    if row is None:
        raise NotFound(say("この取り込みは見つかりません。一覧から選び直してください。"))
    return row


def under_way(session: Session, tenant: str) -> list[str]:
    """Ids of those of this municipality that are not over."""
    return list(session.scalars(select(TakeInRow.id).where(TakeInRow.tenant == tenant, TakeInRow.state.not_in(ENDED))))


def files(session: Session) -> set[str]:
    """Archives that are still needed."""
    return set(session.scalars(select(TakeInRow.file).where(TakeInRow.state.not_in(ENDED))))


def parts(session: Session, takein_id: str) -> list[TakeInPartRow]:
    statement = select(TakeInPartRow).where(TakeInPartRow.takein == takein_id)
    return list(session.scalars(statement.order_by(TakeInPartRow.service)))


def part_of(session: Session, tenant: str, service: str, room_request: str) -> TakeInPartRow | None:
    """The part that an answer of a room speaks of; its whole take-in is locked first, so that the last answer sees the others."""
    statement = select(TakeInPartRow).where(
        TakeInPartRow.room_request == room_request, TakeInPartRow.tenant == tenant, TakeInPartRow.service == service
    )
    part = session.scalar(statement)
    if part is None:
        return None
    find(session, part.takein, lock=True)
    session.refresh(part)
    return part


def silent(session: Session, before: datetime) -> list[TakeInPartRow]:
    """Parts that were asked for and have said nothing since `before`."""
    return list(
        session.scalars(select(TakeInPartRow).where(TakeInPartRow.state == "asked", TakeInPartRow.heard_at <= before))
    )
