"""問い合わせ: what municipalities ask the operators, and what was answered. Files: `db/own_pages.FileRow`, purpose support."""

from datetime import datetime

from sqlalchemy import Index, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.errors import NotFound, say
from libs.common.ids import new_id
from libs.common.tenancy import SharedTable, TenantTable
from services.tenants.db.base import Base
from services.tenants.db.own_pages import FileRow

PAGE = 50


class ThreadRow(SharedTable, Base):
    """`state`: open (waits for the operators), answered, closed. `service`: a key of the catalogue, "" for none.

    Only the title stands here; what was written is the municipality's (`MessageRow`).
    """

    __tablename__ = "support_threads"
    __shared_because__ = (
        "operators work through the questions of every municipality; each query names the tenant or says all"
    )
    __table_args__ = (Index(None, "tenant", "moved"), Index(None, "state", "moved"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    tenant: Mapped[str] = mapped_column(String(6))
    title: Mapped[str] = mapped_column(String(100))
    service: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(10))
    asked_by: Mapped[str] = mapped_column(String(36))
    asked_at: Mapped[datetime]
    moved: Mapped[str] = mapped_column(String(36))
    """Grows with everything that happens to the thread: lists are in this order and go on after it."""
    moved_at: Mapped[datetime]


class MessageRow(TenantTable, Base):
    """`side`: town or operator. `kind`: text, or closed (nothing was written, somebody closed the thread)."""

    __tablename__ = "support_messages"
    __table_args__ = (Index(None, "tenant_id", "thread"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    thread: Mapped[str] = mapped_column(String(36))
    side: Mapped[str] = mapped_column(String(10))
    kind: Mapped[str] = mapped_column(String(10))
    by: Mapped[str] = mapped_column(String(36))
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


def find(session: Session, thread_id: str, tenant: str | None, *, lock: bool = False) -> ThreadRow:
    """`tenant` None: an operator asks. NotFound also for another municipality's."""
    statement = select(ThreadRow).where(ThreadRow.id == thread_id)
    if tenant is not None:
        statement = statement.where(ThreadRow.tenant == tenant)
    row = session.scalar(statement.with_for_update() if lock else statement)
    if row is None:
        raise NotFound(say("この問い合わせは見つかりません。一覧から選び直してください。"))
    return row


def threads(session: Session, tenant: str | None, states: tuple[str, ...], before: str = "") -> list[ThreadRow]:
    """At most PAGE, the latest moved first; `before` is the `moved` where the page before ended. `tenant` None: of all."""
    statement = select(ThreadRow).where(ThreadRow.state.in_(states)).order_by(ThreadRow.moved.desc()).limit(PAGE)
    if tenant is not None:
        statement = statement.where(ThreadRow.tenant == tenant)
    return list(session.scalars(statement.where(ThreadRow.moved < before) if before else statement))


def messages(session: Session, thread_id: str) -> list[MessageRow]:
    """In the order in which they were written; the session is the municipality's."""
    return list(session.scalars(select(MessageRow).where(MessageRow.thread == thread_id).order_by(MessageRow.id)))


def files(session: Session, message_ids: list[str]) -> list[FileRow]:
    statement = select(FileRow).where(FileRow.purpose == "support", FileRow.subject.in_(message_ids))
    return list(session.scalars(statement.order_by(FileRow.id)))


def file_of_thread(session: Session, thread_id: str, file_id: str) -> FileRow:
    statement = select(FileRow).join(
        MessageRow, (MessageRow.id == FileRow.subject) & (MessageRow.tenant_id == FileRow.tenant_id)
    )
    row = session.scalar(
        statement.where(FileRow.id == file_id, FileRow.purpose == "support", MessageRow.thread == thread_id)
    )
    if row is None:
        raise NotFound(say("このファイルは見つかりません。"))
    return row


def asked_since(session: Session, tenant: str, since: datetime) -> list[ThreadRow]:
    return list(session.scalars(select(ThreadRow).where(ThreadRow.tenant == tenant, ThreadRow.asked_at >= since)))


def first_answers(session: Session) -> dict[str, datetime]:
    """Thread → when operators first wrote to it; the session is the municipality's."""
    written = select(MessageRow).where(MessageRow.side == "operator", MessageRow.kind == "text")
    found: dict[str, datetime] = {}
    for message in session.scalars(written.order_by(MessageRow.id)):
        found.setdefault(message.thread, message.at)
    return found
