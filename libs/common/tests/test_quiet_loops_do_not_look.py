"""A loop with nothing to do asks the store whether anybody wrote, and looks into its tables only then, or after a second."""

import threading
from contextlib import closing
from typing import Any

from sqlalchemy import select

from libs.common import inbox
from libs.common.db import Database
from libs.common.inbox import Subscriptions
from libs.common.jobs import Jobs
from libs.common.testing.database import database_fixture
from libs.common.testing.service import make_service
from libs.common.tests.events.counter.db import EffectRow
from libs.common.worker import Worker

database = database_fixture("counter", "libs.common.tests.events.counter")


def write(database: Database, subject: str) -> None:
    with database.transaction() as session:
        session.add(EffectRow(event_id=subject, subject=subject, sequence=1))


def test_a_write_is_noticed_and_silence_too(database: Database) -> None:
    with closing(database.changes()) as changes:
        mark = changes.mark()
        unknown = database.dialect != "sqlite"  # there, there may always be something
        assert changes.since(mark) is unknown
        with database.reading() as session:
            session.scalars(select(EffectRow)).all()
        assert changes.since(mark) is unknown, "reading is no change"
        write(database, "first")
        assert changes.since(mark)
        mark = changes.mark()
        assert changes.since(mark) is unknown


def test_a_store_that_cannot_be_asked_is_looked_at(database: Database) -> None:
    with closing(database.changes()) as changes:
        changes._path = "/nowhere/at/all"  # None on PostgreSQL is as unknown
        assert changes.since(changes.mark())


def test_an_idle_worker_hardly_looks_and_an_event_is_applied_all_the_same(
    database: Database, tmp_path: Any, monkeypatch: Any
) -> None:
    looks, applied = [], threading.Event()
    subscriptions = Subscriptions("counter")

    @subscriptions.on(source="somewhere", type="somewhere.thing.happened.v1")
    def note(session: Any, envelope: Any, now: Any) -> None:
        applied.set()

    real = inbox.handle_ready
    monkeypatch.setattr(inbox, "handle_ready", lambda *given: (looks.append(1), real(*given))[1])
    monkeypatch.setattr(inbox, "check_data", lambda *_: None)
    service = make_service("counter", database, tmp_path)
    worker = Worker(service, subscriptions, Jobs(), lambda: None)  # type: ignore[arg-type,return-value]
    worker._holds_relay = lambda: False  # type: ignore[method-assign]
    worker.start()
    try:
        threading.Event().wait(3)
        quiet = len(looks)
        envelope = {
            "specversion": "1.0",
            "id": "e-1",
            "source": "/services/somewhere",
            "type": "somewhere.thing.happened.v1",
            "subject": "thing/1",
            "time": "2026-11-20T01:00:00Z",
            "datacontenttype": "application/json",
            "sequence": 1,
            "data": {},
        }
        with database.transaction() as session:
            inbox.receive(session, [envelope], service.clock.now())  # type: ignore[list-item]
        assert applied.wait(60)
    finally:
        worker.stop()
    if database.dialect == "sqlite":
        assert quiet < 15, "thirty looks in three seconds, were each pause followed by one"
