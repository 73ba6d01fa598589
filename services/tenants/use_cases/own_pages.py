"""Write a municipality's own pages: name of the window, logo, contacts, privacy, terms, accessibility. Every version is kept.

The sessions are the municipality's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from libs.common import audit, outbox
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.files import StoredFile
from services.tenants.db import own_pages as db
from services.tenants.db import registry as registry_db
from services.tenants.db.own_pages import FileRow, OwnPageRow
from services.tenants.domain import own_pages as rules
from services.tenants.domain.municipality import existing_on
from services.tenants.events import MunicipalityChanged


@dataclass(frozen=True, slots=True)
class About:
    """How a municipality shows itself; "" where it said nothing. `logo` is the id of a kept file."""

    window: str = ""
    address: str = ""
    phone: str = ""
    hours: str = ""
    mail: str = ""
    site: str = ""
    logo: str = ""

    @property
    def mark(self) -> str:
        """Another logo has another; "" for none."""
        return self.logo[-8:]

    @property
    def reachable(self) -> bool:
        return bool(self.address or self.phone or self.mail or self.site)


def about_of(content: Mapping[str, Any]) -> About:
    return About(**{field.name: str(content.get(field.name, "")) for field in fields(About)})


def about(session: Session) -> About:
    """As it stands."""
    row = db.present(session, rules.ABOUT)
    return about_of(row.content) if row else About()


def keep_logo(session: Session, stored: StoredFile, now: datetime) -> FileRow:
    """The bytes are in the store: from now on a version may name them."""
    row = FileRow(purpose="logo", subject="", name="logo.png")
    row.remember(stored, now)
    session.add(row)
    session.flush()
    return row


def checked(session: Session, kind: str, typed: Mapping[str, str]) -> dict[str, str]:
    """What would be kept of a form. Raises Invalid; NotFound for a logo that is not this municipality's."""
    if rules.checked_kind(kind) != rules.ABOUT:
        return {"text": rules.checked_text(typed.get("text", ""))}
    logo = typed.get("logo", "")
    if logo:
        db.file(session, logo, "logo")
    return rules.checked_about(typed) | {"logo": logo}


def write(session: Session, actor: Actor, kind: str, seen: int, typed: Mapping[str, str], now: datetime) -> OwnPageRow:
    """The next version after `seen`, shown to citizens at once. The same words again are no new version. Raises Invalid;
    Conflict when somebody else was faster."""
    content = checked(session, kind, typed)
    standing = db.present(session, kind)
    if standing and standing.number == seen and standing.content == content:
        return standing
    row = db.add(session, kind, seen, content, actor.subject, now)
    if kind == rules.ABOUT and content["logo"] != (standing.content.get("logo", "") if standing else ""):
        tell_logo(session, now)
    audit.record(session, actor, "own-page.changed", kind, detail={"version": row.number}, now=now)
    return row


def tell_logo(session: Session, now: datetime) -> None:
    """The services show it on their pages, too."""
    tenant, today = session.info["tenant"], local_date(now)
    town = existing_on(registry_db.states(session, tenant), today).get(tenant)
    if town is not None:
        changed = MunicipalityChanged(code=town.code, name=town.name, from_date=today, logo=about(session).mark)
        outbox.add(session, changed, subject=tenant, now=now)


def restore(session: Session, actor: Actor, kind: str, number: int, seen: int, now: datetime) -> OwnPageRow:
    """What version `number` said, as a new version."""
    return write(session, actor, kind, seen, db.version(session, rules.checked_kind(kind), number).content, now)
