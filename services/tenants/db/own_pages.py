"""What a municipality wrote for its own pages, every version; and the files it sent here (logos, papers of the support thread)."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.db import Json
from libs.common.errors import Conflict, NotFound, say
from libs.common.files import FileColumns
from libs.common.tenancy import TenantTable
from services.tenants.db.base import Base


class OwnPageRow(TenantTable, Base):
    """One version of one page. Rows are only added: the one with the highest number stands. `content`: the fields of
    `about`, or {"text": …}; an empty text means the common one."""

    __tablename__ = "own_pages"

    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[dict[str, Any]] = mapped_column(Json)
    changed_by: Mapped[str] = mapped_column(String(36))
    changed_at: Mapped[datetime]


class FileRow(FileColumns, TenantTable, Base):
    """`purpose`: logo or support; `subject`: what it belongs to ("" until it does)."""

    __tablename__ = "own_files"
    __table_args__ = (Index(None, "tenant_id", "subject"),)

    purpose: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(String(36))
    name: Mapped[str] = mapped_column(String(100))


def present(session: Session, kind: str) -> OwnPageRow | None:
    """The version that stands; None where the session's municipality never wrote one."""
    return session.scalar(_versions(kind).limit(1))


def versions(session: Session, kind: str) -> list[OwnPageRow]:
    """The latest first."""
    return list(session.scalars(_versions(kind)))


def version(session: Session, kind: str, number: int) -> OwnPageRow:
    row = session.scalar(select(OwnPageRow).where(OwnPageRow.kind == kind, OwnPageRow.number == number))
    if row is None:
        raise NotFound(say("この版は見つかりません。一覧から選び直してください。"))
    return row


def _versions(kind: str) -> Any:
    return select(OwnPageRow).where(OwnPageRow.kind == kind).order_by(OwnPageRow.number.desc())


def add(session: Session, kind: str, seen: int, content: dict[str, Any], by: str, now: datetime) -> OwnPageRow:
    """The version after `seen`. Raises Conflict if somebody else wrote one since."""
    latest = session.scalar(select(func.max(OwnPageRow.number)).where(OwnPageRow.kind == kind)) or 0
    row = OwnPageRow(kind=kind, number=seen + 1, content=content, changed_by=by, changed_at=now)
    if latest != seen:
        raise _overtaken()
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise _overtaken() from error
    return row


def _overtaken() -> Conflict:
    return Conflict(
        say("書いているあいだに、ほかの方がこのページを変えました。新しい版を開いて、もう一度書いてください。"),
        code="overtaken",
    )


def file(session: Session, file_id: str, purpose: str) -> FileRow:
    asked = select(FileRow).where(FileRow.id == file_id, FileRow.purpose == purpose)
    row = session.scalar(asked) if file_id.isprintable() else None
    if row is None:
        raise NotFound(say("このファイルは見つかりません。"))
    return row


def file_ids(session: Session) -> set[str]:
    return set(session.scalars(select(FileRow.id)))
