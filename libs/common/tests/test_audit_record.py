"""The audit record: appended with the change, chained without a lock, and no change to it goes unseen."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from libs.common import audit
from libs.common.actor import Actor
from libs.common.audit import AuditEntryRow, AuditHeadRow
from libs.common.audit.table import AuditMarkRow
from libs.common.db import Database
from libs.common.jobs import Jobs
from libs.common.tenancy import TenantLeak
from libs.common.testing.service import NOW, make_service

A, B = "402036", "401307"
STAFF = Actor(kind="staff", subject="person-1", name="職員 太郎", tenant=A)
ROOT = Path(__file__).parents[3]


def record(database: Database, *subjects: str, tenant: str = A) -> None:
    with database.transaction(tenant=tenant) as session:
        for subject in subjects:
            audit.record(session, STAFF, "thing.changed", subject, "理由です", {"from": 1, "to": "二"}, now=NOW)


def verify(database: Database, tenant: str = A, known_head: tuple[int, str] | None = None) -> int | None:
    with database.reading(tenant=tenant) as session:
        return audit.verify(session, known_head)


def head(database: Database, tenant: str = A) -> tuple[int, str]:
    with database.reading(tenant=tenant) as session:
        return audit.head(session)


def as_administrator(database: Database, *statements: str) -> None:
    """What somebody with the whole database in their hands can do: the guards are switched off first."""
    if database.dialect == "sqlite":
        with sqlite3.connect(database.engine.url.database or "") as raw:
            names = raw.execute("SELECT name FROM sqlite_master WHERE type='trigger' AND tbl_name LIKE 'audit_%'")
            for (name,) in names.fetchall():
                raw.execute(f"DROP TRIGGER {name}")
            for statement in statements:
                assert raw.execute(statement).rowcount > 0
        return
    url = make_url(os.environ["TEST_DATABASE_URL"]).set(drivername="postgresql", database=database.engine.url.database)
    with psycopg.connect(url.render_as_string(hide_password=False)) as raw:
        raw.execute("ALTER TABLE audit_entries DISABLE TRIGGER USER")
        raw.execute("ALTER TABLE audit_heads DISABLE TRIGGER USER")
        for statement in statements:
            assert raw.execute(statement).rowcount > 0  # type: ignore[arg-type]


def test_an_entry_is_kept_with_the_change_and_never_without(database: Database) -> None:
    record(database, "kept")
    with pytest.raises(ZeroDivisionError), database.transaction(tenant=A) as session:
        audit.record(session, STAFF, "thing.changed", "rolled back", now=NOW)
        raise ZeroDivisionError
    with database.reading(tenant=A) as session:
        [entry] = audit.entries(session)
    assert (entry.actor, entry.action, entry.subject, entry.reason) == ("person-1", "thing.changed", "kept", "理由です")
    assert "太郎" not in json.dumps(audit.table.document(entry), ensure_ascii=False), "names are not recorded"


def test_entries_are_chained_per_tenant_and_verify(database: Database) -> None:
    record(database, "a1", "a2")
    record(database, "b1", tenant=B)
    assert audit.chain_pending(database) == 3
    record(database, "a3")
    assert audit.chain_pending(database) == 1
    assert audit.chain_pending(database) == 0
    assert verify(database) is None
    assert verify(database, B) is None
    assert (head(database)[0], head(database, B)[0]) == (3, 1)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(AuditMarkRow)) == 0


def test_an_entry_needs_a_tenant_and_another_tenant_cannot_read_it(database: Database) -> None:
    record(database, "a1")
    with pytest.raises(TenantLeak), database.transaction() as session:
        audit.record(session, STAFF, "thing.changed", "nowhere", now=NOW)
    with database.reading(tenant=A) as session:
        assert len(audit.entries(session)) == 1
    with database.reading(tenant=B) as session:
        assert audit.entries(session) == []
        assert list(audit.export_lines(session)) == []


@pytest.mark.parametrize(
    ("what", "statement", "bad"),
    [
        ("content", "UPDATE audit_entries SET reason = 'another' WHERE tenant_id = '402036' AND position = 3", 3),
        ("time", "UPDATE audit_entries SET at = '2020-01-01 00:00:00.000000' WHERE position = 2", 2),
        ("a middle entry removed", "DELETE FROM audit_entries WHERE position = 4", 4),
        ("the first removed", "DELETE FROM audit_entries WHERE position = 1", 1),
        ("the last removed", "DELETE FROM audit_entries WHERE position = 5", 5),
        ("hash made new after a change", "UPDATE audit_entries SET actor = 'x', hash = id WHERE position = 2", 2),
    ],
)
def test_tampering_is_found_at_its_place(database: Database, what: str, statement: str, bad: int) -> None:
    record(database, *(f"subject {n}" for n in range(5)))
    audit.chain_pending(database)
    assert verify(database) is None
    as_administrator(database, statement)
    assert verify(database) == bad, what


def test_a_chain_made_anew_after_tampering_is_found_by_a_head_noted_elsewhere(database: Database) -> None:
    record(database, "a1", "a2", "a3")
    audit.chain_pending(database)
    noted = head(database)
    assert verify(database, known_head=noted) is None
    with database.reading(tenant=A) as session:
        document = audit.table.document(session.scalars(select(AuditEntryRow).where(AuditEntryRow.position == 3)).one())
    document["reason"] = "forged"
    forged = audit.chain.entry_hash(document)
    as_administrator(
        database,
        f"UPDATE audit_entries SET reason = 'forged', hash = '{forged}' WHERE position = 3",
        f"UPDATE audit_heads SET hash = '{forged}'",
    )
    assert verify(database) is None, "a perfect forgery of the end fits in itself"
    assert verify(database, known_head=noted) == 3


@pytest.mark.parametrize("chained", [True, False])
def test_the_database_refuses_to_change_or_delete_an_entry(database: Database, chained: bool) -> None:
    record(database, "a1")
    if chained:
        audit.chain_pending(database)
    changes = [
        update(AuditEntryRow).values(reason="another"),
        update(AuditEntryRow).values(position=None, hash=None),
        update(AuditEntryRow).values(hash="0" * 64),
        delete(AuditEntryRow),
    ]
    for statement in changes:
        with pytest.raises(DBAPIError, match="never"), database.transaction(tenant=A) as session:
            session.execute(statement.execution_options(synchronize_session=False))
    if chained:
        for statement in (update(AuditHeadRow).values(position=0), delete(AuditHeadRow)):
            with pytest.raises(DBAPIError, match="head"), database.transaction(tenant=A) as session:
                session.execute(statement.execution_options(synchronize_session=False))
    audit.chain_pending(database)
    assert verify(database) is None
    assert head(database)[0] == 1


def test_entries_whose_time_is_over_are_forgotten_by_rule_and_the_rest_still_verifies(database: Database) -> None:
    record(database, *(f"s{n}" for n in range(5)))
    audit.chain_pending(database)
    with database.transaction(tenant=A) as session:
        assert audit.forget_until(session, 3, STAFF, "保存期間（5年）の満了", now=NOW) == 3
    audit.chain_pending(database)
    assert verify(database) is None
    with database.reading(tenant=A) as session:
        kept = {entry.subject: entry.reason for entry in audit.entries(session)}
    assert set(kept) == {"s3", "s4", "audit:3"}
    assert kept["audit:3"] == "保存期間（5年）の満了"
    as_administrator(database, "UPDATE audit_entries SET reason = 'x' WHERE position = 4")
    assert verify(database) == 4


def test_two_workers_chaining_at_once_make_one_chain(database: Database) -> None:
    stop, problems = threading.Event(), []

    def chaining() -> None:
        while not stop.is_set():
            try:
                audit.chain_pending(database)
            except Exception as error:
                problems.append(error)

    threads = [threading.Thread(target=chaining) for _ in range(2)]
    for thread in threads:
        thread.start()
    for n in range(20):
        record(database, f"s{n}")
    stop.set()
    for thread in threads:
        thread.join()
    audit.chain_pending(database)
    assert verify(database) is None
    assert head(database)[0] == 20
    assert problems == []


def test_the_worker_chains_by_its_timer(database: Database, tmp_path: Path) -> None:
    jobs, service = Jobs(), make_service("shop", database, tmp_path)
    audit.register(jobs)
    record(database, "a1")
    assert head(database)[0] == 0
    while jobs.run_next(service):
        pass
    assert head(database)[0] == 1


def test_a_stranger_verifies_an_exported_file_with_nothing_but_python(database: Database, tmp_path: Path) -> None:
    record(database, "a1", "髙橋 𠮷 の申請", "a3")
    audit.chain_pending(database)
    with database.reading(tenant=A) as session:
        lines = list(audit.export_lines(session))
    position, digest = head(database)
    tool, file = ROOT / "libs/common/audit/chain.py", tmp_path / "record.jsonl"

    def run(text: list[str], *options: str) -> tuple[int, str]:
        file.write_text("".join(text), encoding="utf-8")
        command = [sys.executable, "-I", "-S", str(tool), "verify", str(file), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.strip()

    assert run(lines) == (0, f"OK: 3 entries, head 3:{digest}")
    assert run(lines, "--head", f"{position}:{digest}")[0] == 0
    assert run([lines[0], lines[1].replace("𠮷", "吉"), lines[2]])[1].startswith("BAD at position 2: its content")
    assert run([lines[0], lines[2]])[1].startswith("BAD at position 2")
    assert run([lines[1], lines[0], lines[2]])[0] == 1
    assert run(lines[:2])[0] == 0, "a cut-off end fits in itself …"
    assert run(lines[:2], "--head", f"{position}:{digest}")[0] == 1, "… and is found by a noted head"
    assert run(["not json\n"])[0] == 1
    assert run([])[0] == 2
