"""A municipality asks the operators; they answer; either closes, and writing again opens. The sessions are the municipality's.

Both sides hear of it by notice (inbox and mail). A mail says that something was written and where, never what.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from libs.common import audit, notices
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, say
from libs.common.files import StoredFile
from libs.common.ids import new_id
from services.tenants.db import members as members_db
from services.tenants.db import notice_choices
from services.tenants.db.own_pages import FileRow
from services.tenants.db.support import MessageRow, ThreadRow
from services.tenants.domain import catalogue
from services.tenants.use_cases import telling

STATES: dict[str, tuple[str, str]] = {
    "open": (say("回答を待っています"), "info"),
    "answered": (say("回答がありました"), "good"),
    "closed": (say("終わりました"), ""),
}
"""State → (what it is called, colour of its badge)."""
MAX_TITLE, MAX_TEXT, MAX_FILES = 100, 10_000, 3
MAX_FILE_BYTES = 10_000_000
_WRITTEN = notices.template(Path(__file__).parents[1] / "templates" / "notices" / "support.txt")


@dataclass(frozen=True, slots=True)
class Sent:
    """A file that lies in the store already, and what the person called it."""

    stored: StoredFile
    name: str


@dataclass(frozen=True, slots=True)
class Told:
    """Who hears of it and where they read it: the prefecture's tenant, the municipality's name, the cloud's address."""

    prefecture: str
    town: str
    code: str
    site: str


def checked(text: str, title: str | None = None) -> None:
    """Raises Invalid with a sentence for each field."""
    wrong = {}
    if title is not None and (not 1 <= len(title.strip()) <= MAX_TITLE or "\x00" in title):
        wrong["title"] = say("件名を%(most)s文字までで入力してください。", most=MAX_TITLE)
    if not 1 <= len(text.strip()) <= MAX_TEXT or "\x00" in text:
        wrong["text"] = say("内容を%(most)s文字までで入力してください。", most=f"{MAX_TEXT:,}")
    if wrong:
        raise Invalid(say("直していただくところがあります。"), fields=wrong)


def ask(
    session: Session, actor: Actor, title: str, service: str, text: str, sent: Sequence[Sent], told: Told, now: datetime
) -> ThreadRow:
    """A new question. Raises Invalid; NotFound for a service that is not."""
    checked(text, title)
    if service:
        catalogue.service(service)
    row = ThreadRow(
        id=new_id(), tenant=actor.tenant or "", title=" ".join(title.split()), service=service, state="open",
        asked_by=actor.subject, asked_at=now, moved=new_id(), moved_at=now,
    )  # fmt: skip
    session.add(row)
    session.flush()
    _add(session, actor, row, "town", text, sent, now)
    _tell(session, actor, row, "town", told, now)
    return row


def write(
    session: Session,
    actor: Actor,
    row: ThreadRow,
    side: str,
    text: str,
    sent: Sequence[Sent],
    told: Told,
    now: datetime,
) -> MessageRow:
    """Ask on, or answer. `row` is locked. A closed question opens again. Raises Invalid."""
    checked(text)
    row.state = "open" if side == "town" else "answered"
    message = _add(session, actor, row, side, text, sent, now)
    _tell(session, actor, row, side, told, now)
    return message


def close(session: Session, actor: Actor, row: ThreadRow, side: str, now: datetime) -> None:
    """Nothing is left to answer. `row` is locked. Raises Conflict if it is closed."""
    if row.state == "closed":
        raise Conflict(say("この問い合わせは、もう終わっています。"))
    row.state, row.moved, row.moved_at = "closed", new_id(), now
    session.add(MessageRow(thread=row.id, side=side, kind="closed", by=actor.subject, text="", at=now))
    audit.record(session, actor, "support.closed", row.id, now=now)


def _add(
    session: Session, actor: Actor, row: ThreadRow, side: str, text: str, sent: Sequence[Sent], now: datetime
) -> MessageRow:
    message = MessageRow(
        id=new_id(), thread=row.id, side=side, kind="text", by=actor.subject, text=text.strip(), at=now
    )
    session.add(message)
    for one in sent:
        file = FileRow(purpose="support", subject=message.id, name=one.name)
        file.remember(one.stored, now)
        session.add(file)
    row.moved, row.moved_at = new_id(), now
    session.flush()
    audit.record(session, actor, f"support.{'asked' if side == 'town' else 'answered'}", row.id, now=now)
    return message


def _tell(session: Session, actor: Actor, row: ThreadRow, side: str, told: Told, now: datetime) -> None:
    """The other side, and whoever else stands on this one: a colleague must not answer twice."""
    places = {
        row.tenant: ("portal.admin", f"{told.site}/portal/{told.code}/support/{row.id}"),
        told.prefecture: ("operator", f"{told.site}/operator/support/{row.id}"),
    }
    for tenant, (role, link) in places.items():
        people = {person for person, roles in members_db.roles_of(session, tenant).items() if role in roles}
        context = {"asked": side == "town", "town": told.town, "title": row.title, "link": link}
        ways = notice_choices.about(session, tenant, "support")
        for person in sorted(people - {actor.subject}):
            telling.send(session, ways.get(person), person, _WRITTEN, context, now)
