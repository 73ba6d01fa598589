"""Links in mails: each opens one door, once, for a while. The mail itself is a job in the same transaction."""

import hmac
import secrets
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from gateway import db, domain
from libs.common import jobs
from libs.common.errors import NotFound, say

MAIL = "gateway.mail"
BEGIN = frozenset({"sign-up", "reset", "invitation"})
"""What those links are for by which a password is chosen, or another way in."""
ADDRESS = frozenset({"address"})
"""… and those by which an account gets another address."""


def issue(
    session: Session,
    *,
    purpose: str,
    email: str,
    now: datetime,
    mail: str,
    person_id: str | None = None,
    facts: dict[str, Any] | None = None,
) -> db.TicketRow:
    """A ticket and the mail `mail` that carries it. Neither row nor job holds the secret: the mail is made when sent."""
    ticket = db.TicketRow(
        id=secrets.token_urlsafe(16),
        purpose=purpose,
        email=email,
        person_id=person_id,
        created_at=now,
        expires_at=now + domain.TICKET_LIFE[purpose],
    )
    session.add(ticket)
    jobs.add(session, MAIL, {"mail": mail, "ticket": ticket.id, "facts": facts or {}}, key=ticket.id, now=now)
    return ticket


def secret_of(key: bytes, ticket_id: str) -> str:
    """What stands in the link."""
    return f"{ticket_id}.{domain.keyed_digest(key, ticket_id)}"


def ident_of(key: bytes, secret: str) -> str:
    """The ticket whose link this is. Raises NotFound for what we never wrote: nothing of it may go into a cookie or a query."""
    ident, _, mac = secret.partition(".")
    if not hmac.compare_digest(domain.keyed_digest(key, ident).encode(), mac.encode(errors="replace")):
        raise _closed()
    return ident


def find(
    session: Session, key: bytes, secret: str, now: datetime, *, lock: bool = False, purposes: frozenset[str] = BEGIN
) -> db.TicketRow:
    """The open ticket of a link. Raises NotFound for a wrong, used or expired one, or one for something else: they look the same."""
    ticket = db.ticket(session, ident_of(key, secret), lock=lock)
    if ticket is None or ticket.used_at is not None or ticket.expires_at <= now or ticket.purpose not in purposes:
        raise _closed()
    return ticket


def _closed() -> NotFound:
    sentence = say(
        "このリンクは、期限が切れているか、すでに使われています。お手数ですが、もう一度はじめからお願いします。"
    )
    return NotFound(sentence, code="link-closed")
