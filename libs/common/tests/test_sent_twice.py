"""A form sent twice, fifty times, or with another content under the same key."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from libs.common import idempotency, jobs
from libs.common.db import Database
from libs.common.errors import Conflict, Invalid
from libs.common.ids import new_id
from libs.common.jobs import JobRow, Jobs
from libs.common.testing.service import NOW, make_service

A, B = "402036", "401307"
KEY = "0193c0de-aaaa"


def send(
    database: Database, key: str = KEY, *, body: Any = "body", tenant: str = A, who: str = "person-1", later: float = 0
) -> dict[str, Any]:
    """A creating request: its effect is a job row."""
    now = NOW + timedelta(hours=later)
    with database.transaction(tenant=tenant) as session:
        return idempotency.once(
            session,
            key,
            scope=f"{who}:submit",
            fingerprint=idempotency.fingerprint(body),
            make=lambda: {"id": jobs.add(session, "effect", {}, key=new_id(), now=now)},
            now=now,
        )


def effects(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(JobRow)) or 0


def test_sent_twice_is_one_effect_and_the_same_answer(database: Database) -> None:
    assert send(database) == send(database)
    assert effects(database) == 1


def test_the_same_key_with_another_content_is_refused_and_changes_nothing(database: Database) -> None:
    send(database)
    with pytest.raises(Invalid) as refused:
        send(database, body="another body")
    assert refused.value.code == "idempotency-key-reused"
    assert effects(database) == 1


def test_a_key_belongs_to_one_person_of_one_tenant(database: Database) -> None:
    answers = [send(database), send(database, who="person-2"), send(database, tenant=B), send(database, "another-key")]
    assert len({answer["id"] for answer in answers}) == 4
    assert effects(database) == 4


def test_fifty_at_once_are_one_effect(database: Database) -> None:
    answers: list[dict[str, Any]] = []
    gate = threading.Barrier(50)

    def sender() -> None:
        gate.wait()
        answers.append(send(database))

    threads = [threading.Thread(target=sender) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 50
    assert len({answer["id"] for answer in answers}) == 1
    assert effects(database) == 1


def test_after_a_refusal_the_same_key_may_try_again(database: Database) -> None:
    def refuse() -> dict[str, Any]:
        raise Conflict("いまはできません。")

    with pytest.raises(Conflict), database.transaction(tenant=A) as session:
        idempotency.once(session, KEY, scope="person-1:submit", fingerprint="x", make=refuse, now=NOW)
    send(database)
    assert effects(database) == 1


def test_a_key_is_kept_for_48_hours(database: Database) -> None:
    first = send(database)
    assert send(database, later=47.9) == first
    assert send(database, later=48.1) != first
    with database.transaction(tenant=A) as session:
        idempotency.forget_old(session, NOW + timedelta(days=9))
        assert session.scalars(select(idempotency.IdempotencyRow)).all() == []


def test_the_worker_forgets_old_keys_of_every_tenant(database: Database, tmp_path: Path) -> None:
    service, registry = make_service("shop", database, tmp_path), Jobs()
    idempotency.register(registry, lambda _session: [A, B])
    send(database, later=-49)
    send(database, tenant=B, later=-1)
    registry.prepare(service)
    while registry.run_next(service):
        pass

    def left(tenant: str) -> int:
        with database.reading(tenant=tenant) as session:
            return len(session.scalars(select(idempotency.IdempotencyRow)).all())

    assert (left(A), left(B)) == (0, 1)


@pytest.mark.parametrize("key", ["", "short", "x" * 101, "with space!", "日本語のキーです", "line\nbreak"])
def test_a_key_of_another_form_is_refused(database: Database, key: str) -> None:
    with pytest.raises(Invalid) as refused:
        send(database, key)
    assert refused.value.code == "bad-idempotency-key"


def test_fingerprints_tell_where_one_part_ends() -> None:
    assert idempotency.fingerprint({"a": 1, "b": 2}) == idempotency.fingerprint({"b": 2, "a": 1})
    assert idempotency.fingerprint(b"ab", b"c") != idempotency.fingerprint(b"a", b"bc")
