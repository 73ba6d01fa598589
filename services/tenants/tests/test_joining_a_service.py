"""A municipality opts in; an operator approves; the room is prepared over the bus; the count moves on the right date."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from libs.common.db import Database
from libs.common.errors import Conflict, Forbidden, Invalid, NotFound
from libs.common.outbox import OutboxRow
from libs.common.testing.service import NOW
from services.tenants.db import requests as requests_db
from services.tenants.db.requests import RequestRow
from services.tenants.domain import catalogue
from services.tenants.domain import requests as rules
from services.tenants.tests.people import ADMIN, KURUME, OOKI, OPERATOR, PREFECTURE, SECOND_OPERATOR, load_fukuoka
from services.tenants.use_cases import count, saga, snapshot, subscribe

TODAY = date(2026, 11, 20)


@pytest.fixture
def registry(database: Database) -> Database:
    load_fukuoka(database)
    return database


def ask_to_join(database: Database, service: str = "eapply", effective_from: date | None = None) -> str:
    with database.transaction(tenant=OOKI) as session:
        return subscribe.request(session, ADMIN, OOKI, service, "join", effective_from=effective_from, now=NOW).id


def approve(database: Database, request_id: str) -> None:
    with database.transaction(tenant=OOKI) as session:
        subscribe.approve(session, OPERATOR, request_id, NOW)


def room_request(database: Database, request_id: str) -> str:
    with database.reading() as session:
        found = requests_db.find_request(session, request_id).room_request
    assert found is not None
    return found


def answer(database: Database, request_id: str, kind: str, now=NOW, **more) -> None:
    asked = room_request(database, request_id)
    with database.transaction(tenant=OOKI) as session:
        saga.answered(session, "eapply", asked, kind, now, **more)


def state(database: Database, request_id: str) -> str:
    with database.reading() as session:
        return requests_db.find_request(session, request_id).state


def told(database: Database, type_: str = "tenants.room.requested.v1") -> list[dict]:
    with database.reading() as session:
        rows = session.scalars(select(OutboxRow).where(OutboxRow.type == type_).order_by(OutboxRow.position))
        return [row.envelope for row in rows]


def counted(database: Database, at: date = TODAY, service: str = "eapply") -> set[str]:
    with database.reading() as session:
        return set(count.on(session, at).joined[service])


def status(database: Database, today: date = TODAY, service: str = "eapply") -> dict | None:
    with database.reading() as session:
        tenants = snapshot.snapshot(session, today)["tenants"]
    return next(t for t in tenants if t["id"] == OOKI)["services"].get(service)


def test_joining_now_becomes_active_when_the_room_is_ready(registry: Database) -> None:
    request_id = ask_to_join(registry)
    assert state(registry, request_id) == "requested"
    assert told(registry) == []
    approve(registry, request_id)
    [event] = told(registry)
    assert (event["tenantid"], event["data"]["service"], event["data"]["action"]) == (OOKI, "eapply", "provision")
    assert counted(registry) == set()
    answer(registry, request_id, "provisioned")
    assert state(registry, request_id) == "done"
    assert counted(registry) == {OOKI}
    assert counted(registry, TODAY - timedelta(days=1)) == set()
    assert status(registry) == {"status": "active", "from": "2026-11-20", "until": None}


def test_joining_from_next_april_is_scheduled_and_begins_by_itself(registry: Database) -> None:
    request_id = ask_to_join(registry, effective_from=date(2027, 4, 1))
    approve(registry, request_id)
    answer(registry, request_id, "provisioned")
    assert status(registry) == {"status": "scheduled", "from": "2027-04-01", "until": None}
    assert counted(registry, date(2027, 3, 31)) == set()
    assert counted(registry, date(2027, 4, 1)) == {OOKI}
    assert status(registry, date(2027, 4, 1)) == {"status": "active", "from": "2027-04-01", "until": None}


def test_the_snapshot_has_a_new_version_on_the_day_something_begins(registry: Database) -> None:
    with registry.reading() as session:
        assert snapshot.version(session, date(2027, 3, 31)) != snapshot.version(session, date(2027, 4, 1))
        assert snapshot.version(session, TODAY) == snapshot.version(session, TODAY)


def test_an_answer_that_comes_twice_has_one_effect(registry: Database) -> None:
    request_id = ask_to_join(registry)
    approve(registry, request_id)
    answer(registry, request_id, "provisioned")
    answer(registry, request_id, "provisioned", NOW + timedelta(days=3))
    with registry.reading() as session:
        assert len(count.read(session).intervals) == 1
        assert [s.kind for s in requests_db.steps_of(session, request_id)][-1] == "done"
    assert len(told(registry, "tenants.subscription.started.v1")) == 1


def test_pressing_twice_is_one_request(registry: Database) -> None:
    assert ask_to_join(registry) == ask_to_join(registry)


def test_of_two_operators_approving_one_wins_and_the_other_learns_what_happened(registry: Database) -> None:
    request_id = ask_to_join(registry)
    approve(registry, request_id)
    with pytest.raises(Conflict, match="ほかの担当者が先に承認"), registry.transaction(tenant=OOKI) as session:
        subscribe.approve(session, SECOND_OPERATOR, request_id, NOW)
    with pytest.raises(Conflict, match="ほかの担当者が先に承認"), registry.transaction(tenant=OOKI) as session:
        subscribe.refuse(session, SECOND_OPERATOR, request_id, "予算がありません", NOW)
    assert len(told(registry)) == 1


def test_a_rule_approves_at_once(registry: Database) -> None:
    with registry.transaction(tenant=PREFECTURE) as session:
        subscribe.set_rule(session, OPERATOR, "eapply", True, NOW)
    assert state(registry, ask_to_join(registry)) == "running"


def test_a_service_that_runs_elsewhere_is_active_without_a_saga(registry: Database) -> None:
    request_id = ask_to_join(registry, "center")
    approve(registry, request_id)
    assert state(registry, request_id) == "done"
    assert told(registry) == []
    assert counted(registry, service="center") == {OOKI}


def close(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """This release has every service: here one is taken back."""
    closed = replace(catalogue.service(key), opened=False)
    monkeypatch.setitem(catalogue._BY_KEY, key, closed)


def test_a_service_this_release_does_not_have_cannot_be_joined(
    registry: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    close(monkeypatch, "opendata")
    with pytest.raises(Forbidden, match="まだ申し込めません"):
        ask_to_join(registry, "opendata")


def test_a_refusal_needs_a_reason_that_the_municipality_reads(registry: Database) -> None:
    request_id = ask_to_join(registry)
    with pytest.raises(Invalid), registry.transaction(tenant=OOKI) as session:
        subscribe.refuse(session, OPERATOR, request_id, "  ", NOW)
    with registry.transaction(tenant=OOKI) as session:
        assert (
            subscribe.refuse(session, OPERATOR, request_id, "接続試験のあとにお申し込みください。", NOW).state
            == "refused"
        )
    assert state(registry, ask_to_join(registry)) == "requested", "a new request may follow"


def test_a_request_can_be_taken_back_until_it_is_approved(registry: Database) -> None:
    request_id = ask_to_join(registry)
    with registry.transaction(tenant=OOKI) as session:
        subscribe.withdraw(session, ADMIN, OOKI, request_id, NOW)
    with pytest.raises(Conflict, match="取り消しました"):
        approve(registry, request_id)
    second = ask_to_join(registry)
    approve(registry, second)
    with pytest.raises(Conflict), registry.transaction(tenant=OOKI) as session:
        subscribe.withdraw(session, ADMIN, OOKI, second, NOW)


def test_another_municipality_cannot_touch_the_request(registry: Database) -> None:
    request_id = ask_to_join(registry)
    with pytest.raises(NotFound), registry.transaction(tenant=KURUME) as session:
        subscribe.withdraw(session, ADMIN, KURUME, request_id, NOW)
    approve(registry, request_id)
    with registry.transaction(tenant=KURUME) as session:
        saga.answered(session, "eapply", room_request(registry, request_id), "provisioned", NOW)
    assert state(registry, request_id) == "running"


def test_a_failure_is_undone_explained_and_can_be_tried_again(registry: Database) -> None:
    request_id = ask_to_join(registry)
    approve(registry, request_id)
    with registry.transaction(tenant=OOKI) as session:
        saga.failed(session, "eapply", room_request(registry, request_id), "置き場所をつくれませんでした。", NOW)
    assert state(registry, request_id) == "failed"
    assert [e["data"]["action"] for e in told(registry)] == ["provision"], "a room that failed clears up by itself"
    answer(registry, request_id, "provisioned")
    assert counted(registry) == set(), "an answer after the failure changes nothing"
    with registry.transaction(tenant=OOKI) as session:
        again = saga.retry(session, OPERATOR, request_id, NOW).id
    answer(registry, again, "provisioned")
    assert counted(registry) == {OOKI}


def test_silence_is_noticed_asked_again_and_in_the_end_undone(registry: Database) -> None:
    request_id = ask_to_join(registry)
    approve(registry, request_id)
    now = NOW
    for asked in range(2, rules.MAX_ASKS + 1):
        with registry.transaction(tenant=OOKI) as session:
            saga.chase(session, request_id, now + timedelta(seconds=59))
        assert len(told(registry)) == asked - 1, "before 60 seconds nothing happens"
        now += rules.PATIENCE
        with registry.reading() as session:
            assert saga.late_requests(session, now) == [(OOKI, request_id)]
        with registry.transaction(tenant=OOKI) as session:
            saga.chase(session, request_id, now)
    events = told(registry)
    assert len({e["data"]["request_id"] for e in events}) == 1, "asked again under the same id"
    now += rules.PATIENCE
    with registry.transaction(tenant=OOKI) as session:
        saga.chase(session, request_id, now)
    assert state(registry, request_id) == "failed"
    last = told(registry)[-1]["data"]
    assert (last["action"], last["request_id"] == room_request(registry, request_id)) == ("delete", False)
    assert (last["code"], last["name"]) == (OOKI, "大木町")


def test_progress_is_a_sign_of_life_and_one_line_per_step(registry: Database) -> None:
    request_id = ask_to_join(registry)
    approve(registry, request_id)
    asked = room_request(registry, request_id)
    later = NOW + timedelta(seconds=50)
    with registry.transaction(tenant=OOKI) as session:
        saga.progressed(session, "eapply", asked, 1, 3, "様式を用意しています", later)
        saga.progressed(session, "eapply", asked, 2, 3, "様式を用意しています", later)
        saga.progressed(session, "eapply", asked, 1, 1, "受付番号を用意しています", later)
    with registry.reading() as session:
        steps = [(s.label, s.done) for s in requests_db.steps_of(session, request_id) if s.kind == "progressed"]
        assert steps == [("様式を用意しています", 2), ("受付番号を用意しています", 1)]
        assert saga.late_requests(session, NOW + timedelta(seconds=70)) == []
        assert saga.late_requests(session, later + timedelta(seconds=60)) != []


def test_a_first_day_in_the_past_is_refused(registry: Database) -> None:
    with pytest.raises(Invalid, match="過ぎています"):
        ask_to_join(registry, effective_from=date(2026, 11, 19))


def at_once(*deeds: Callable[[], Any]) -> list[Any]:
    """What each gave, or the refusal it raised, when all began together."""
    ready = Barrier(len(deeds))

    def run(deed: Callable[[], Any]) -> Any:
        ready.wait()
        try:
            return deed()
        except Conflict as refused:
            return refused

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(run, deeds))


def test_operators_who_approve_in_the_same_moment(registry: Database) -> None:
    request_id = ask_to_join(registry)
    results = at_once(*[lambda: approve(registry, request_id)] * 4)
    assert [type(result) for result in results].count(Conflict) == 3
    assert len(told(registry)) == 1, "the room is asked once"


def test_administrators_who_ask_in_the_same_moment_get_one_request(registry: Database) -> None:
    assert len(set(at_once(*[lambda: ask_to_join(registry)] * 4))) == 1


def test_a_second_open_request_is_impossible_in_the_store(registry: Database) -> None:
    ask_to_join(registry)
    with pytest.raises(IntegrityError), registry.transaction(tenant=OOKI) as session:
        row = RequestRow(
            tenant=OOKI, service="eapply", action="join", state="requested", requested_by="x", requested_at=NOW
        )
        requests_db.add_request(session, row)
