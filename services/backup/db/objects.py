"""Questions about objects. `live`: arrived and not deleted."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from services.backup.db.tables import ObjectRow
from services.backup.domain.protocol import CONFIG

LOCKS = "locks"
BROKEN = ("damaged", "missing")
TO_OPEN = (CONFIG, "keys")
"""Without one of each nobody opens a repository, whatever else is there."""
_ONE = select(ObjectRow).where(
    ObjectRow.repository_id == bindparam("repository"),
    ObjectRow.type == bindparam("type"),
    ObjectRow.name == bindparam("name"),
)
"""Asked for every object; to put such a statement together costs as much as to ask it."""
_ONE_LIVE = _ONE.where(ObjectRow.deleted_at.is_(None))


def find(session: Session, repository_id: str, type_: str, name: str) -> ObjectRow | None:
    """The row, deleted or not."""
    return session.scalar(_ONE, {"repository": repository_id, "type": type_, "name": name})


def there(at: datetime | None) -> ColumnElement[bool]:
    """Live now, or as it was `at` an earlier moment. Locks are of the present only."""
    if at is None:
        return ObjectRow.deleted_at.is_(None)
    then = and_(ObjectRow.arrived_at <= at, or_(ObjectRow.deleted_at.is_(None), ObjectRow.deleted_at > at))
    return and_(then, ObjectRow.type != LOCKS)


def find_there(session: Session, repository_id: str, type_: str, name: str, at: datetime | None) -> ObjectRow | None:
    """The object as seen now or `at`. For `config`, `name` is empty: there is one at any moment."""
    if at is None and type_ != CONFIG:
        return session.scalar(_ONE_LIVE, {"repository": repository_id, "type": type_, "name": name})
    statement = select(ObjectRow).where(ObjectRow.repository_id == repository_id, ObjectRow.type == type_, there(at))
    if type_ != CONFIG:
        statement = statement.where(ObjectRow.name == name)
    return session.scalar(statement.order_by(ObjectRow.arrived_at.desc()).limit(1))


Names = Sequence[tuple[str, int]]


def names(session: Session, repository_id: str, type_: str, at: datetime | None) -> Names:
    return session.execute(_names(repository_id, type_, at)).tuples().all()


def names_at_second(
    session: Session, repository_id: str, type_: str, at: datetime | None, locks_since: datetime
) -> Names:
    """Those that the second site has, and locks that were taken since then, wherever they lie."""
    lock = and_(ObjectRow.type == LOCKS, ObjectRow.arrived_at > locks_since)
    statement = _names(repository_id, type_, at).where(or_(ObjectRow.copied_at.is_not(None), lock))
    return session.execute(statement).tuples().all()


def _names(repository_id: str, type_: str, at: datetime | None) -> Select[tuple[str, int]]:
    return select(ObjectRow.name, ObjectRow.size).where(
        ObjectRow.repository_id == repository_id, ObjectRow.type == type_, there(at), ~_lost()
    )


def _lost() -> ColumnElement[bool]:
    """No site has its bytes: restic shall find it missing, and not ask for it until it gives up."""
    return and_(broken("first"), or_(ObjectRow.copied_at.is_(None), broken("second")))


def can_be_opened(session: Session, repository_id: str, since: datetime | None = None) -> bool:
    """`since`: with what had arrived by then."""
    statement = select(ObjectRow.type).where(
        ObjectRow.repository_id == repository_id, ObjectRow.type.in_(TO_OPEN), there(None)
    )
    if since is not None:
        statement = statement.where(ObjectRow.arrived_at <= since)
    return set(session.scalars(statement.distinct())) == set(TO_OPEN)


def live_and_kept(session: Session, repository_id: str) -> list[ObjectRow]:
    """Every object of a repository whose bytes are still kept, locks excepted."""
    statement = select(ObjectRow).where(ObjectRow.repository_id == repository_id, ObjectRow.type != LOCKS)
    return list(session.scalars(statement))


def some_of(session: Session, repository_id: str, limit: int) -> list[ObjectRow]:
    """Any objects of a repository, deleted ones and locks too."""
    return list(session.scalars(select(ObjectRow).where(ObjectRow.repository_id == repository_id).limit(limit)))


def to_copy(session: Session, limit: int) -> list[ObjectRow]:
    """What the second site lacks, in the order of arrival. What the first has lost comes when it has been repaired."""
    statement = (
        select(ObjectRow)
        .where(ObjectRow.copied_at.is_(None), ObjectRow.type != LOCKS)
        .where(or_(ObjectRow.first_state.is_(None), ObjectRow.first_state == "ok"))
        .order_by(ObjectRow.arrived_at, ObjectRow.type, ObjectRow.name)
        .limit(limit)
    )
    return list(session.scalars(statement))


def lag(session: Session, repository_id: str | None = None) -> tuple[int, int, datetime | None]:
    """(objects, bytes, arrival of the oldest) that are not at the second site yet."""
    statement = select(func.count(), func.coalesce(func.sum(ObjectRow.size), 0), func.min(ObjectRow.arrived_at)).where(
        ObjectRow.copied_at.is_(None), ObjectRow.type != LOCKS
    )
    if repository_id is not None:
        statement = statement.where(ObjectRow.repository_id == repository_id)
    count, size, oldest = session.execute(statement.select_from(ObjectRow)).one()
    return count, int(size), oldest


def to_check(session: Session, site: str, before: datetime, limit: int) -> list[ObjectRow]:
    """Objects of one site that were last checked longest ago, at least not since `before`."""
    checked = getattr(ObjectRow, f"{site}_checked_at")
    statement = select(ObjectRow).where(
        or_(checked.is_(None), checked < before), ObjectRow.type != LOCKS, ~broken(site)
    )
    if site == "second":
        statement = statement.where(ObjectRow.copied_at.is_not(None))
    return list(session.scalars(statement.order_by(checked.asc().nulls_first()).limit(limit)))


def to_repair(session: Session, site: str, limit: int) -> list[ObjectRow]:
    """Objects known to be damaged or missing at one site; those tried longest ago first."""
    checked = getattr(ObjectRow, f"{site}_checked_at")
    statement = select(ObjectRow).where(broken(site)).order_by(checked.asc().nulls_first()).limit(limit)
    return list(session.scalars(statement))


def broken(site: str) -> ColumnElement[bool]:
    state = getattr(ObjectRow, f"{site}_state")
    return and_(state.is_not(None), state.in_(BROKEN))


def count_broken(session: Session, repository_id: str) -> int:
    statement = select(func.count()).select_from(ObjectRow)
    return (
        session.scalar(
            statement.where(ObjectRow.repository_id == repository_id, or_(broken("first"), broken("second")))
        )
        or 0
    )


def oldest_check(session: Session, repository_id: str, site: str) -> datetime | None:
    """Since when every object of the repository at this site has been checked; None while one never was."""
    checked = getattr(ObjectRow, f"{site}_checked_at")
    of_repository = and_(ObjectRow.repository_id == repository_id, ObjectRow.type != LOCKS)
    if session.scalar(select(ObjectRow.name).where(of_repository, checked.is_(None)).limit(1)) is not None:
        return None
    return session.scalar(select(func.min(checked)).where(of_repository))


def to_purge(session: Session, trusted_now: datetime, limit: int) -> list[ObjectRow]:
    """Deleted objects whose time of keeping is over."""
    statement = select(ObjectRow).where(ObjectRow.deleted_at.is_not(None), ObjectRow.keep_until <= trusted_now)
    return list(session.scalars(statement.order_by(ObjectRow.keep_until).limit(limit)))


def set_aside(session: Session) -> list[ObjectRow]:
    """Rows made for files that had none (`sites.set_aside_unknown`): arrived and deleted at one moment."""
    statement = select(ObjectRow).where(ObjectRow.deleted_at == ObjectRow.arrived_at)
    return list(session.scalars(statement.order_by(ObjectRow.type, ObjectRow.name)))


def set_checked(session: Session, row: ObjectRow, site: str, state: str, now: datetime) -> None:
    """What a look at the bytes of `row` at `site` found."""
    session.execute(
        update(ObjectRow)
        .where(ObjectRow.repository_id == row.repository_id, ObjectRow.type == row.type, ObjectRow.name == row.name)
        .values({f"{site}_checked_at": now, f"{site}_state": state})
        .execution_options(synchronize_session=False)
    )


def set_copied(session: Session, row: ObjectRow, now: datetime) -> None:
    session.execute(
        update(ObjectRow)
        .where(ObjectRow.repository_id == row.repository_id, ObjectRow.type == row.type, ObjectRow.name == row.name)
        .values(copied_at=now, second_checked_at=now, second_state="ok")
        .execution_options(synchronize_session=False)
    )


def forget_site(session: Session, site: str) -> None:
    """The whole site was lost and is empty again: nothing of the session's tenant is there."""
    values: dict[str, object] = {f"{site}_state": "missing"} if site == "first" else {"copied_at": None}
    session.execute(
        update(ObjectRow).where(ObjectRow.type != LOCKS).values(values).execution_options(synchronize_session=False)
    )
