"""Bytes between sites: copy in order of arrival, check against the SHA-256, repair from the other, purge by rule."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from libs.common import audit, log, outbox
from libs.common.actor import Actor
from libs.common.db import Database
from libs.common.service import Service
from libs.common.telemetry import metrics
from services.backup.db import ObjectRow, RepositoryRow, TrustedTimeRow
from services.backup.db import objects as objects_db
from services.backup.db import repositories as db
from services.backup.domain.layout import place_of, target_of_place
from services.backup.domain.retention import keep_until, trusted
from services.backup.events import DamageFound
from services.backup.settings import Held, held
from services.backup.sites import Key, Site, SiteBroken, SiteDown, SiteFull, WrongContent, sha256_of
from services.backup.use_cases.alerts import clear_alert, raise_alert
from services.backup.use_cases.store import bring_to_life

PAGE = 50
CHECK_AGAIN = timedelta(days=7)
"""Every object of both sites is read again within about this time, as far as the rate allows."""
_log = log.get(__name__)


def key_of(row: ObjectRow) -> Key:
    return Key(row.tenant_id, row.repository_id, row.type, row.name)


# ---- copying --------------------------------------------------------------------------------------------------------


def copy_some(service: Service, tenant: str, limit: int = PAGE) -> int:
    """Copy the next objects of one municipality to the second site, oldest first. Returns how many were copied."""
    places = held(service)
    if not places.first.up or not places.second.up:
        return 0
    with service.database.reading(tenant=tenant) as session:
        rows = objects_db.to_copy(session, limit)
    return sum(_copy(service, places, tenant, row) for row in rows)


def _copy(service: Service, places: Held, tenant: str, row: ObjectRow) -> bool:
    """True once the second site has the object durably and the row says so."""
    try:
        transfer(places.first, places.second, key_of(row))
    except WrongContent:
        _note(service.database, tenant, row, "first", "damaged", service.clock.now())
        return False
    except FileNotFoundError:
        _note(service.database, tenant, row, "first", "missing", service.clock.now())
        return False
    except SiteBroken as error:
        _note_broken(service, places, tenant, row, error)
        return False
    except (SiteDown, SiteFull) as error:  # it went away after it was looked at, or is full: the next turn goes on
        _log.warning("not_copied", error=str(error))
        return False
    with service.database.transaction(tenant=tenant) as session:
        objects_db.set_copied(session, row, service.clock.now())
    _hold(service, tenant, row, places.second)
    return True


def _note_broken(service: Service, places: Held, tenant: str, row: ObjectRow, error: SiteBroken) -> None:
    """A disk failed in the middle of copying one object: the first site's bytes of it are lost, or the second cannot keep them.
    Everything else is copied all the same."""
    _log.error("site_broken", error=str(error))
    state, _ = state_of(places.first, row)
    if state != "ok":
        return _note(service.database, tenant, row, "first", state, service.clock.now())
    with service.database.transaction(tenant=tenant) as session:
        raise_alert(session, db.by_id(session, row.repository_id), "disk", service.clock.now())


def _hold(service: Service, tenant: str, row: ObjectRow, site: Site) -> None:
    """Where the site can lock: until the end of the time of keeping, if it were deleted at any moment before the next check."""
    if row.deleted_at is not None:
        return
    with service.database.reading(tenant=tenant) as session:
        days = db.by_id(session, row.repository_id).retention_days
    site.hold(key_of(row), service.clock.now() + timedelta(days=days) + CHECK_AGAIN)


def transfer(source: Site, target: Site, key: Key) -> None:
    """Bring one file over, verified on the way and durable at the end. WrongContent if the source's bytes are bad."""
    with source.open(key) as reader, target.begin() as upload:
        for block in reader.blocks(0, reader.size, once=True):
            upload.write([block])
        upload.seal(key)
        upload.keep()


# ---- checking and repairing -----------------------------------------------------------------------------------------


@dataclass
class Checked:
    """What one round of checking read and found."""

    objects: int = 0
    bytes: int = 0
    damaged: int = 0
    repaired: int = 0

    def __iadd__(self, other: "Checked") -> "Checked":
        for name in ("objects", "bytes", "damaged", "repaired"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


def check_in_turn(
    service: Service, waiting: list[str], before: datetime, budget: int, go_on: Callable[[], bool]
) -> Checked:
    """Read about `budget` bytes of what was not checked since `before`: the same for each municipality, and what one has no use
    for goes to those that have more. Everybody has a turn; then it ends when `go_on` says so."""
    total = Checked()
    while waiting and total.bytes < budget:
        share = max(1, (budget - total.bytes) // len(waiting))
        more = []
        for tenant in waiting:
            found = check_some(service, tenant, before, share)
            total += found
            if go_on() and found.objects:
                more.append(tenant)
        waiting = more
    return total


def check_some(service: Service, tenant: str, before: datetime, most_bytes: int) -> Checked:
    """Read objects again that were not checked since `before`, on both sites, up to about `most_bytes`."""
    result = Checked()
    places = held(service)
    for site in places.sites:
        if not site.up:
            continue
        with service.database.reading(tenant=tenant) as session:
            rows = objects_db.to_check(session, site.name, before, PAGE)
        for row in rows:
            if result.bytes >= most_bytes:
                break
            try:
                _check(service, tenant, row, site, result)
            except SiteDown:  # it went away after it was looked at: the next round goes on
                break
    return result


def _check(service: Service, tenant: str, row: ObjectRow, site: Site, result: Checked) -> None:
    state, read_bytes = state_of(site, row)
    result.objects += 1
    result.bytes += read_bytes
    if state == "ok":
        _note(service.database, tenant, row, site.name, state, service.clock.now())
        _hold(service, tenant, row, site)
        return
    if not _still_kept(service.database, tenant, row):
        return
    result.damaged += 1
    metrics.count_integrity(service.name, "damaged-object")
    _note(service.database, tenant, row, site.name, state, service.clock.now())
    result.repaired += repair(service, tenant, row, site)


def state_of(site: Site, row: ObjectRow) -> tuple[str, int]:
    """("ok" | "damaged" | "missing", bytes that were read). SiteDown if nobody can tell."""
    try:
        with site.open(key_of(row)) as reader:
            digest, size = sha256_of(reader)
    except FileNotFoundError:
        return "missing", 0
    except SiteBroken:
        return "damaged", 0
    return ("ok" if digest == row.name else "damaged"), size


def repair(service: Service, tenant: str, row: ObjectRow, site: Site) -> bool:
    """Bring the object back from the other site and check it again. Either way it is recorded and told."""
    repaired = _brought_back(held(service).other(site), site, row)
    now = service.clock.now()
    with service.database.transaction(tenant=tenant) as session:
        objects_db.set_checked(session, row, site.name, "ok" if repaired else "damaged", now)
        _record_damage(service, session, row, site, now, repaired=repaired)
        if not repaired:
            raise_alert(session, db.by_id(session, row.repository_id), "damage", now)
    return repaired


def _record_damage(
    service: Service, session: Session, row: ObjectRow, site: Site, now: datetime, *, repaired: bool
) -> None:
    event = DamageFound(repository_id=row.repository_id, site=site.name, repaired=repaired, found_at=now)  # type: ignore[arg-type]
    outbox.add(session, event, subject=row.repository_id, now=now)
    actor = Actor(kind="service", subject=service.name, tenant=row.tenant_id)
    detail = {"site": site.name, "type": row.type, "name": row.name, "repaired": repaired}
    audit.record(session, actor, "backup.damage.found", row.repository_id, detail=detail, now=now)
    _log.warning("damage_found", site=site.name, repaired=repaired)


def _brought_back(other: Site, site: Site, row: ObjectRow) -> bool:
    """From the other site, else from a version that an intruder could not remove."""
    try:
        transfer(other, site, key_of(row))
    except (FileNotFoundError, SiteBroken, SiteDown, SiteFull, WrongContent):
        try:
            site.bring_back(key_of(row))
        except (SiteBroken, SiteDown, SiteFull):
            return False
    return state_of(site, row)[0] == "ok"


def repair_some(service: Service, tenant: str, limit: int = PAGE) -> int:
    """Try again what is known to be damaged or missing, where the other site can help. Returns how many came back."""
    repaired = 0
    places = held(service)
    if not all(site.up for site in places.sites):
        return 0
    for site in places.sites:
        with service.database.reading(tenant=tenant) as session:
            rows = objects_db.to_repair(session, site.name, limit)
        for row in rows:
            if state_of(places.other(site), row)[0] == "ok":
                repaired += repair(service, tenant, row, site)
            else:
                _note_lost(service, tenant, row, site)
    return repaired


def _note_lost(service: Service, tenant: str, row: ObjectRow, site: Site) -> None:
    """Neither site has it now. It may have been lost before it was ever copied, so nobody may have been told yet."""
    now = service.clock.now()
    with service.database.transaction(tenant=tenant) as session:
        objects_db.set_checked(session, row, site.name, "damaged", now)
        if raise_alert(session, db.by_id(session, row.repository_id), "damage", now):
            _record_damage(service, session, row, site, now, repaired=False)


def end_damage(session: Session, now: datetime) -> None:
    """The alert of a repository ends when nothing of it is damaged any more: mended, brought again by its machine, or purged."""
    for repository in db.repositories(session):
        if db.open_alert(session, repository.id, "damage") and not objects_db.count_broken(session, repository.id):
            clear_alert(session, repository, "damage", now)


def _still_kept(database: Database, tenant: str, row: ObjectRow) -> bool:
    """Whether the object has not been purged or deleted while we looked."""
    with database.reading(tenant=tenant) as session:
        return objects_db.find(session, row.repository_id, row.type, row.name) is not None


def _note(database: Database, tenant: str, row: ObjectRow, site: str, state: str, now: datetime) -> None:
    with database.transaction(tenant=tenant) as session:
        objects_db.set_checked(session, row, site, state, now)


# ---- purging --------------------------------------------------------------------------------------------------------


def advance_trusted_time(service: Service) -> datetime:
    """Look at the clock for the time that retention counts in."""
    now = service.clock.now()
    with service.database.transaction() as session:
        row = session.get(TrustedTimeRow, 1, with_for_update=True)
        if row is None:
            row = TrustedTimeRow(id=1, at=now, seen=now)
            session.add(row)
        row.at, row.seen = trusted(row.at, row.seen, now), now
        return row.at


def purge_some(service: Service, tenant: str, limit: int = PAGE) -> int:
    """Remove the bytes and rows of deleted objects whose time of keeping is over. Nobody can do it sooner.

    Files go under the municipality's lock and before the commit: nobody can be bringing the same content meanwhile.
    Returns how many were looked at.
    """
    places = held(service)
    if not all(site.up for site in places.sites):
        return 0
    with service.database.transaction(tenant=tenant) as session:
        allowance = db.lock_allowance(session)
        trusted_now = db.trusted_now(session, service.clock.now())
        rows = objects_db.to_purge(session, trusted_now, limit)
        for row in rows:
            repository = db.by_id(session, row.repository_id, lock=True)
            row.keep_until = until = kept_until(row, repository)
            if until > trusted_now:
                continue
            for site in places.sites:
                site.remove(key_of(row))
            for counted in (repository, allowance):
                counted.held -= row.size
            session.delete(row)
        return len(rows)


def kept_until(row: ObjectRow, repository: RepositoryRow) -> datetime:
    """As was said at the deletion, or longer if the time of keeping has grown since."""
    assert row.deleted_at is not None and row.keep_until is not None
    return max(row.keep_until, row.deleted_at + timedelta(days=repository.retention_days))


def set_aside_unknown(service: Service, tenant: str) -> int:
    """Give files without a row the row of something deleted just now: nobody sees them, and they go when the time of keeping is over.

    Most are of uploads that ended between their file and their commit, so were never acknowledged. But if the database was brought
    back from a copy of the night before, they are what was acknowledged since: `take_back_set_aside`. What is no object goes at once.
    """
    found = 0
    try:
        for key, site in _files(service, tenant):
            found += _set_aside_if_unknown(service, tenant, key, site)
    except SiteDown:  # nobody can tell what is there: the next look goes on
        _log.info("site_away", while_looking_for="unknown files")
    return found


def _set_aside_if_unknown(service: Service, tenant: str, key: Key, site: Site) -> bool:
    with service.database.reading(tenant=tenant) as session:
        if objects_db.find(session, key.repository, key.type, key.name) is not None:
            return False
    size = _size_if_whole(site, key)
    with service.database.transaction(tenant=tenant) as session:
        allowance, repository = db.hold(session, key.repository)
        if objects_db.find(session, key.repository, key.type, key.name) is not None:
            return False
        if size is None:
            site.remove(key)
        elif site.size(key) == size:  # else it has gone meanwhile, or nobody can tell: another look will
            for counted in (allowance, repository):
                counted.held += size
            session.add(_set_aside(session, key, site, size, repository, service.clock.now()))
    return True


def _size_if_whole(site: Site, key: Key) -> int | None:
    """Bytes of an object that could have been acknowledged; None for locks, for rotten files and for what is no object. Raises SiteDown."""
    if key.type == objects_db.LOCKS or target_of_place(place_of(key.type, key.name)) is None:
        return None
    try:
        with site.open(key) as reader:
            digest, size = sha256_of(reader)
    except (FileNotFoundError, SiteBroken):
        return None
    return size if digest == key.name else None


def _set_aside(
    session: Session, key: Key, site: Site, size: int, repository: RepositoryRow, now: datetime
) -> ObjectRow:
    """As the row of an object that arrived and was deleted at this moment; no earlier moment shows it either."""
    at_first = site.name == "first"
    return ObjectRow(
        repository_id=key.repository,
        type=key.type,
        name=key.name,
        size=size,
        arrived_at=now,
        deleted_at=now,
        keep_until=keep_until(now, db.trusted_now(session, now), repository.retention_days),
        copied_at=None if at_first else now,
        first_state="ok" if at_first else "missing",
        second_state=None if at_first else "ok",
    )


def take_back_set_aside(service: Service, tenant: str) -> int:
    """After the database was brought back from an earlier copy: what `set_aside_unknown` found is there again. Returns how many.

    Snapshots come last, each a recovery point of this moment. Quotas do not stop it: the bytes are here already.
    """
    set_aside_unknown(service, tenant)
    with service.database.transaction(tenant=tenant) as session:
        rows = sorted(objects_db.set_aside(session), key=lambda row: row.type == "snapshots")
        now = service.clock.now()
        for row in rows:
            allowance, repository = db.hold(session, row.repository_id)
            bring_to_life(session, repository, allowance, row, now)
        actor = Actor(kind="service", subject=service.name, tenant=tenant)
        audit.record(session, actor, "backup.set-aside.taken-back", tenant, detail={"objects": len(rows)}, now=now)
    return len(rows)


def _files(service: Service, tenant: str) -> Iterator[tuple[Key, Site]]:
    with service.database.reading(tenant=tenant) as session:
        ids = [row.id for row in db.repositories(session)]
    for site in held(service).sites:
        if site.up:
            for repository_id in ids:
                yield from ((key, site) for key in site.files(tenant, repository_id))
