"""What is read together is of one moment, also while others write: a page never shows half of the old and half of the new."""

from sqlalchemy import func, select

from libs.common.db import Database
from libs.common.testing.database import database_fixture
from libs.common.tests.events.counter.db import EffectRow

database = database_fixture("counter", "libs.common.tests.events.counter")


def add_one(database: Database, subject: str) -> None:
    with database.transaction() as session:
        session.add(EffectRow(event_id=subject, subject=subject, sequence=1))


def test_a_commit_in_between_is_not_seen(database: Database) -> None:
    """As an importer that renews the register while a certificate is read (足立区 2023)."""
    add_one(database, "before")
    with database.reading() as session:
        first = session.scalar(select(func.count()).select_from(EffectRow))
        add_one(database, "in between")
        second = session.scalar(select(func.count()).select_from(EffectRow))
        rows = session.scalars(select(EffectRow.subject)).all()
    assert (first, second, rows) == (1, 1, ["before"])
    with database.reading() as session:  # and what is read later shows it: the check can fail
        assert session.scalar(select(func.count()).select_from(EffectRow)) == 2
