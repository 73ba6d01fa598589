"""The database goes away in the middle of the work: whoever asked is told that it is away (503), not that we have a fault (500)."""

from collections.abc import Callable

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from libs.common import jobs
from libs.common.db import Database, TenantSession
from libs.common.ids import new_id
from libs.common.jobs import JobRow
from libs.common.testing.service import NOW

TENANT = "402036"


def write(session: TenantSession) -> None:
    jobs.add(session, "effect", {}, key=new_id(), now=NOW)
    session.flush()


def read(session: TenantSession) -> None:
    session.scalar(select(JobRow.id))


def write_in_a_savepoint(session: TenantSession) -> None:
    with session.begin_nested():
        write(session)


def end_connection(database: Database, session: TenantSession) -> None:
    """As a restart of the server ends it."""
    pid = session.connection().connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
    other = database.engine.raw_connection()
    other.cursor().execute(f"select pg_terminate_backend({pid})")
    other.close()


@pytest.mark.parametrize("before", [read, write, write_in_a_savepoint])
@pytest.mark.parametrize("after", [read, write, write_in_a_savepoint, lambda session: None])
def test_what_is_told_is_that_the_store_is_away(
    database: Database, before: Callable[[TenantSession], None], after: Callable[[TenantSession], None]
) -> None:
    if database.dialect != "postgresql":
        pytest.skip("a file does not go away")
    with pytest.raises(OperationalError) as told, database.transaction(TENANT) as session:
        before(session)
        end_connection(database, session)
        after(session)
    assert told.value.connection_invalidated
    with database.transaction(TENANT) as session:
        write(session)
        assert len(list(session.scalars(select(JobRow.id)))) == 1, "nothing of the broken one was kept"


def test_a_look_that_breaks_off_says_so_too(database: Database) -> None:
    if database.dialect != "postgresql":
        pytest.skip("a file does not go away")
    with pytest.raises(OperationalError), database.reading(TENANT) as session:
        read(session)
        end_connection(database, session)
        read(session)
