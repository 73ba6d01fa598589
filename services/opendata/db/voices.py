"""What people say about the data: requests for more of it with votes, and what they made with it."""

from datetime import datetime
from typing import Any

from sqlalchemy import String, Text, bindparam, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.db import Json
from libs.common.errors import NotFound, say
from libs.common.tenancy import SharedTable, TenantTable
from services.opendata.db.tables import ID, Base


class RequestRow(TenantTable, Base):
    """Somebody asks for data. `state`: new (only staff see it) → open → planned → published, or declined; hidden for what may not
    be shown. `author`, who asked: `person:<id>` or a session's id, shown to nobody."""

    __tablename__ = "requests"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(10))
    answer: Mapped[str] = mapped_column(Text)
    dataset_id: Mapped[str | None] = mapped_column(ID)
    author: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime]


class VoteRow(TenantTable, Base):
    """One voice for a request."""

    __tablename__ = "request_votes"

    request_id: Mapped[str] = mapped_column(ID, primary_key=True)
    voter: Mapped[str] = mapped_column(String(100), primary_key=True)


class AppRow(TenantTable, Base):
    """Something made with the municipality's data. `state`: new (only staff see it), shown, hidden. `picture_id`: a stored image."""

    __tablename__ = "apps"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(Text)
    maker: Mapped[str] = mapped_column(String(100))
    dataset_id: Mapped[str] = mapped_column(ID)
    picture_id: Mapped[str | None] = mapped_column(ID)
    picture_type: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(10))
    author: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime]


class PublishedVoiceRow(SharedTable, Base):
    """A request (`kind` request) or an app everybody sees, after staff let it through."""

    __tablename__ = "published_voices"
    __shared_because__ = (
        "requests and apps that staff let through are for everybody; use_cases/voices.py copies one's own here"
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    tenant: Mapped[str] = mapped_column(String(6), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    state: Mapped[str] = mapped_column(String(10))
    votes: Mapped[int]
    document: Mapped[dict[str, Any]] = mapped_column(Json)
    created_at: Mapped[datetime]


def requests(session: Session) -> list[RequestRow]:
    """New ones first, then the latest."""
    rows = session.scalars(select(RequestRow).order_by(RequestRow.created_at.desc()))
    return sorted(rows, key=lambda row: row.state != "new")


def request(session: Session, request_id: str, *, lock: bool = False) -> RequestRow:
    query = select(RequestRow).where(RequestRow.id == request_id)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound(say("この要望は見つかりません。"), code="unknown-request")
    return row


def votes(session: Session, request_id: str) -> int:
    return session.scalar(select(func.count()).select_from(VoteRow).where(VoteRow.request_id == request_id)) or 0


def voters(session: Session, request_id: str) -> list[str]:
    return list(session.scalars(select(VoteRow.voter).where(VoteRow.request_id == request_id)))


def voted(session: Session, request_id: str, voter: str) -> VoteRow | None:
    return session.scalar(select(VoteRow).where(VoteRow.request_id == request_id, VoteRow.voter == voter))


def sent_since(session: Session, author: str, since: datetime) -> int:
    """How many requests and apps somebody has sent."""
    return sum(
        session.scalar(select(func.count()).select_from(of).where(of.author == author, of.created_at > since)) or 0
        for of in (RequestRow, AppRow)
    )


def apps(session: Session) -> list[AppRow]:
    rows = session.scalars(select(AppRow).order_by(AppRow.created_at.desc()))
    return sorted(rows, key=lambda row: row.state != "new")


def app(session: Session, app_id: str, *, lock: bool = False) -> AppRow:
    query = select(AppRow).where(AppRow.id == app_id)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound(say("この作品は見つかりません。"), code="unknown-app")
    return row


_SHOWN = (
    select(PublishedVoiceRow)
    .where(PublishedVoiceRow.kind == bindparam("kind"), PublishedVoiceRow.state.not_in(("hidden", "closed")))
    .order_by(PublishedVoiceRow.votes.desc(), PublishedVoiceRow.created_at.desc())
)
_SHOWN_OF_ONE = _SHOWN.where(PublishedVoiceRow.tenant == bindparam("tenant"))
"""Made once: making a statement costs more than asking SQLite for its few rows."""


def published(session: Session, kind: str, tenant: str = "") -> list[PublishedVoiceRow]:
    """Most wanted first, then the latest; of one municipality's where it is named."""
    if tenant:
        return list(session.scalars(_SHOWN_OF_ONE, {"kind": kind, "tenant": tenant}))
    return list(session.scalars(_SHOWN, {"kind": kind}))


def published_one(session: Session, kind: str, ident: str) -> PublishedVoiceRow:
    row = session.get(PublishedVoiceRow, ident)
    if row is None or row.kind != kind or row.state in ("hidden", "closed"):
        raise NotFound(say("このページは見つかりません。"), code="unknown-voice")
    return row
