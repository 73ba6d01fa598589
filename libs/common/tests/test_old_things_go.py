"""What is kept for a while only goes after that while, and what still matters stays."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from libs.common import audit, files, idempotency, inbox, outbox, retention
from libs.common.actor import Actor
from libs.common.audit import AuditEntryRow
from libs.common.db import Database
from libs.common.events import Event
from libs.common.idempotency import IdempotencyRow
from libs.common.inbox import InboxRow
from libs.common.jobs import Jobs
from libs.common.outbox import OutboxRow
from libs.common.room import RoomRow
from libs.common.service import Service
from libs.common.settings import Settings
from libs.common.testing.service import NOW, make_service

A, B = "402036", "401307"
CLERK = Actor(kind="staff", subject="clerk-1")


class ShopOpened(Event, type="shop.old_things.opened.v1"):
    """A fact of these tests."""


def service_of(database: Database, folder: Path, **settings: object) -> Service:
    made = make_service("shop", database, folder, settings=Settings(data_dir=folder, keys_dir=folder, **settings))  # type: ignore[arg-type]
    with database.transaction() as session:
        session.add_all(
            RoomRow(tenant=tenant, state=state, changed_at=NOW)
            for tenant, state in ((A, "provisioned"), (B, "suspended"))
        )
    return made


def sent(database: Database, *, published_days_ago: int | None, subject: str) -> None:
    with database.transaction(tenant=A) as session:
        outbox.add(session, ShopOpened(), subject=subject, now=NOW - timedelta(days=200))
        session.flush()
        position = session.scalar(select(OutboxRow.position).where(OutboxRow.subject == subject))
        if published_days_ago is not None and position is not None:
            outbox.mark_published(session, [position], NOW - timedelta(days=published_days_ago))


def arrived(database: Database, status: str, *, handled_days_ago: int | None) -> None:
    with database.transaction() as session:
        session.add(
            InboxRow(
                event_id=f"{status}-{handled_days_ago}",
                source="x",
                type="x.y.z.v1",
                subject=status,
                envelope={},
                status=status,
                attempts=1,
                next_at=NOW,
                received_at=NOW - timedelta(days=200),
                handled_at=None if handled_days_ago is None else NOW - timedelta(days=handled_days_ago),
            )
        )


def round_of(service: Service) -> None:
    jobs = Jobs()
    retention.register(jobs)
    retention.register(jobs)  # the worker does it again: no harm
    while jobs.run_next(service):
        pass


def test_events_that_were_sent_go_and_those_that_wait_stay(database: Database, tmp_path: Path) -> None:
    service = service_of(database, tmp_path)
    sent(database, published_days_ago=15, subject="old")
    sent(database, published_days_ago=13, subject="young")
    sent(database, published_days_ago=None, subject="waiting")
    round_of(service)
    with database.reading() as session:
        assert set(session.scalars(select(OutboxRow.subject))) == {"young", "waiting"}
        assert outbox.sequence_of(session, "old") == 1, "the next event of that subject is number 2"


def test_applied_events_go_and_those_an_operator_must_see_stay(database: Database, tmp_path: Path) -> None:
    service = service_of(database, tmp_path, inbox_kept_days=30)
    arrived(database, "done", handled_days_ago=31)
    arrived(database, "done", handled_days_ago=29)
    arrived(database, "skipped", handled_days_ago=190)
    arrived(database, "dead", handled_days_ago=None)
    arrived(database, "pending", handled_days_ago=None)
    round_of(service)
    with database.reading() as session:
        assert inbox.counts(session) == {"done": 1, "skipped": 1, "dead": 1, "pending": 1}


def test_more_than_one_batch_goes_in_one_round(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    service = service_of(database, tmp_path)
    for number in range(7):
        sent(database, published_days_ago=15, subject=f"old-{number}")
    round_of(service)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(OutboxRow)) == 0


def test_repeated_requests_keys_go_in_every_room_also_a_suspended_one(database: Database, tmp_path: Path) -> None:
    service = service_of(database, tmp_path)
    for tenant, hours in ((A, 49), (A, 1), (B, 49)):
        with database.transaction(tenant=tenant) as session:
            idempotency.once(
                session, f"key-{hours}-hours", scope="x", fingerprint="x", make=dict, now=NOW - timedelta(hours=hours)
            )
    round_of(service)
    left = {}
    for tenant in (A, B):
        with database.reading(tenant=tenant) as session:
            left[tenant] = session.scalar(select(func.count()).select_from(IdempotencyRow))
    assert left == {A: 1, B: 0}


def record(database: Database, *days_ago: int) -> None:
    with database.transaction(tenant=A) as session:
        for days in days_ago:
            audit.record(session, CLERK, "x.done", f"{days}", now=NOW - timedelta(days=days))
    audit.chain_pending(database)


def kept(database: Database) -> list[str]:
    with database.reading(tenant=A) as session:
        return list(session.scalars(select(AuditEntryRow.subject).order_by(AuditEntryRow.position)))


def test_the_audit_record_is_kept_for_ever_unless_the_operator_says_otherwise(
    database: Database, tmp_path: Path
) -> None:
    record(database, 9999, 1)
    round_of(service_of(database, tmp_path))
    assert kept(database) == ["9999", "1"]
    with pytest.raises(ValueError, match="365"):
        Settings(audit_kept_days=30)


def test_old_audit_entries_go_by_rule_and_the_chain_still_verifies(database: Database, tmp_path: Path) -> None:
    record(database, 500, 400, 300, 1)
    service = service_of(database, tmp_path, audit_kept_days=365)
    round_of(service)
    audit.chain_pending(database)
    assert kept(database) == ["300", "1", "audit:2"], "that it was forgotten is itself recorded"
    with database.reading(tenant=A) as session:
        assert audit.verify(session) is None
        assert audit.entries(session)[0].reason == "保存期間（365日）が過ぎたため"
    with database.transaction(tenant=A) as session:
        assert retention.forget_audit(session, "shop", NOW, 365) == 0, "a second round finds nothing"


def test_files_left_half_written_go(database: Database, tmp_path: Path) -> None:
    service = service_of(database, tmp_path)
    service.extras["files"] = files.local(tmp_path / "files")
    left = tmp_path / "files" / ".incoming" / "left"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    old = (NOW - timedelta(days=2)).timestamp()
    os.utime(left, (old, old))
    round_of(service)
    assert not left.exists()
