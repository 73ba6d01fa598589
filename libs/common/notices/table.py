"""The rows of notices: what was said to whom, whether it was read, and how its mail is doing."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Index, String, Text, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common import jobs
from libs.common.db import CommonBase
from libs.common.errors import Invalid, NotFound, say
from libs.common.ids import new_id
from libs.common.notices.text import Template
from libs.common.tenancy import PersonTable

KIND = "notices.mail"
GUESTS_KEPT = timedelta(days=90)
# Deliberately simple: what a mail server accepts is its own matter. Nothing that needs quoting.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~.-]{{1,64}}@{_LABEL}(?:\.{_LABEL})+")


class NoticeRow(PersonTable, CommonBase):
    """One notice to one person (an account's id, or the address a guest typed). The text is kept as it was sent."""

    __tablename__ = "notices"
    __table_args__ = (Index(None, "person", "id"), Index(None, "tenant"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    person: Mapped[str | None] = mapped_column(String(100))
    address: Mapped[str | None] = mapped_column(String(320))
    tenant: Mapped[str | None] = mapped_column(String(6))
    template: Mapped[str] = mapped_column(String(100))
    subject: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    read_at: Mapped[datetime | None]
    mail: Mapped[str] = mapped_column(String(10))
    mail_at: Mapped[datetime | None]
    server_said: Mapped[str | None] = mapped_column(String(500))


def send(
    session: Session,
    *,
    to_person: str | None = None,
    to_address: str | None = None,
    template: Template,
    context: Mapping[str, Any],
    now: datetime,
    mail: bool = True,
    unsubscribe: str | None = None,
) -> str:
    """Add a notice, and the job that mails it, to this transaction; the notice's id.

    `to_person`: an account's id, `to_address`: what a guest typed; both when a signed-in person gave another address.
    `mail=False` keeps it to the inbox. `unsubscribe`: the address for mail programs that offers to end such mails (smtp.compose);
    the text must hold it, too: a mail that an operator sends once more has it there only. Invalid if the address cannot be one.
    """
    if not to_person and not to_address:
        raise ValueError("a notice needs a person or an address")
    if to_address is not None and (len(to_address) > 254 or not _ADDRESS.fullmatch(to_address)):
        raise Invalid(
            say("メールアドレスの形を確かめてください。「@」の前後に半角の英数字が必要です。"), code="bad-address"
        )
    subject, body = template.render(context)
    row = NoticeRow(
        id=new_id(),
        person=to_person,
        address=to_address,
        tenant=session.info.get("tenant"),
        template=template.name,
        subject=subject[:200],
        body=body,
        at=now,
        mail="queued" if mail else "none",
    )
    session.add(row)
    session.flush()
    if mail:
        ending = {"unsubscribe": unsubscribe} if unsubscribe else {}
        jobs.add(session, KIND, {"notice": row.id} | ending, key=row.id, now=now)
    return row.id


def inbox(session: Session, person: str, *, before: str | None = None, limit: int = 20) -> list[NoticeRow]:
    """A person's notices, the latest first; `before` is the id where the page before ended."""
    statement = select(NoticeRow).where(NoticeRow.person == person).order_by(NoticeRow.id.desc()).limit(min(limit, 100))
    if before is not None:
        statement = statement.where(NoticeRow.id < before)
    return list(session.scalars(statement))


def unread_count(session: Session, person: str) -> int:
    """How many notices the person has not opened."""
    statement = select(func.count()).select_from(NoticeRow)
    return session.scalar(statement.where(NoticeRow.person == person, NoticeRow.read_at.is_(None))) or 0


def mark_read(session: Session, person: str, notice_id: str, now: datetime) -> NoticeRow:
    """The notice, from now on read. NotFound for another person's."""
    row = session.get(NoticeRow, notice_id)
    if row is None or row.person != person:
        raise NotFound(say("このお知らせは見つかりません。"))
    row.read_at = row.read_at or now
    return row


def troubled(session: Session, limit: int = 100) -> list[NoticeRow]:
    """Notices whose mail failed or may not have arrived: for the operator, who sees no text and no address."""
    statement = select(NoticeRow).where(NoticeRow.mail.in_(["failed", "unknown"])).order_by(NoticeRow.id.desc())
    return list(session.scalars(statement.limit(limit)))


def resend(session: Session, notice_id: str, now: datetime) -> None:
    """Mail a notice once more, because a person decided so."""
    row = session.get(NoticeRow, notice_id)
    if row is None:
        raise NotFound(say("このお知らせは見つかりません。"))
    row.mail = "queued"
    jobs.add(session, KIND, {"notice": row.id}, key=f"{row.id}:{now.isoformat()}", now=now)


def forget_guests(session: Session, now: datetime) -> None:
    """Delete what was mailed to guests `GUESTS_KEPT` ago: they have no inbox, and an address is not kept without
    need."""
    old = (NoticeRow.person.is_(None), NoticeRow.mail.in_(["sent", "none", "failed"]), NoticeRow.at < now - GUESTS_KEPT)
    session.execute(delete(NoticeRow).where(*old))


def forget_tenant(session: Session, tenant: str) -> None:
    """Delete what was sent in the name of a tenant whose room is removed."""
    session.execute(delete(NoticeRow).where(NoticeRow.tenant == tenant))
