"""A client reads: which object, and from which site."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from libs.common.errors import NotFound, Unavailable, say
from services.backup.db import ObjectRow
from services.backup.db import objects as db
from services.backup.domain.modes import may_delete
from services.backup.settings import Held
from services.backup.sites import Key, Reader, Site, SiteBroken, SiteDown
from services.backup.use_cases.admit import Door

STALE = timedelta(minutes=30)
"""Age at which restic itself no longer believes in a lock; whoever is at work writes another every five minutes."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the catalogue knows of an object. `sites` may have it, in the order in which they should be asked."""

    key: Key
    size: int
    sites: tuple[Site, ...]


def find(session: Session, held: Held, door: Door, type_: str, name: str, at: datetime | None) -> Found:
    """The object as it is now, or as it was `at`. NotFound if it is not, or was not, there, or no site has it any more."""
    row = db.find_there(session, door.repository_id, type_, name, at)
    sites = _sites(held, row) if row is not None else ()
    if row is None or not sites:
        raise NotFound(say("この名前のものはありません。"), code="unknown-object")
    return Found(Key(door.tenant, door.repository_id, type_, row.name), row.size, sites)


def _sites(held: Held, row: ObjectRow) -> tuple[Site, ...]:
    """Never one whose bytes are known to be wrong."""
    sites = []
    if row.first_state not in db.BROKEN:
        sites.append(held.first)
    if row.copied_at is not None and row.second_state not in db.BROKEN:
        sites.append(held.second)
    return tuple(sites)


def open_object(found: Found) -> Reader:
    """The whole object at the first site that has it. A file of another length is not it.

    Unavailable when no site can give it now: the client asks again, meanwhile the check repairs it or raises the alarm.
    """
    for site in found.sites:
        try:
            reader = site.open(found.key)
        except (FileNotFoundError, SiteBroken, SiteDown):
            continue
        if reader.size == found.size:
            return reader
        reader.close()
    raise Unavailable(
        say("いまこの部分を読み出せません。少し待ってから、もう一度お試しください。"), code="bytes-unavailable"
    )


def names(
    session: Session, held: Held, door: Door, type_: str, at: datetime | None, now: datetime
) -> list[tuple[str, int]]:
    """Names and sizes of one type, as they are now or were `at`.

    While the first site is away they are those of the second, which is copied in the order of arrival: the repository as it was
    a little earlier, and whole. Of a snapshot whose bytes nobody can give, restic asks for a quarter of an hour, and ends.
    Whoever can delete sees everything all the same: from a part of it `prune` would take for rubbish what it sees nobody use.
    """
    if (at is None and may_delete(door.mode, "data")) or held.first.up:
        return list(db.names(session, door.repository_id, type_, at))
    return list(db.names_at_second(session, door.repository_id, type_, at, now - STALE))
