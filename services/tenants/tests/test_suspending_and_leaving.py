"""Use stops at once, data stay; leaving exports first, deletes after confirmation, and the past count stays right."""

from datetime import date, timedelta

import pytest

from libs.common import audit
from libs.common.db import Database
from libs.common.errors import Conflict, Invalid
from libs.common.testing.service import NOW
from services.tenants.api import words
from services.tenants.db import requests as requests_db
from services.tenants.db.requests import RequestRow
from services.tenants.domain import requests as rules
from services.tenants.tests.people import ADMIN, OOKI
from services.tenants.tests.test_joining_a_service import (
    TODAY,
    answer,
    approve,
    ask_to_join,
    counted,
    registry,
    room_request,
    state,
    status,
    told,
)
from services.tenants.use_cases import saga, subscribe

__all__ = ["registry"]
LATER = NOW + timedelta(days=40)
LATER_DAY = TODAY + timedelta(days=40)


@pytest.fixture
def joined(registry: Database) -> Database:
    request_id = ask_to_join(registry)
    approve(registry, request_id)
    answer(registry, request_id, "provisioned")
    return registry


def ask(database: Database, action, now=LATER) -> str:
    with database.transaction(tenant=OOKI) as session:
        return subscribe.request(session, ADMIN, OOKI, "eapply", action, now=now).id


def test_suspending_closes_the_door_before_the_room_has_answered(joined: Database) -> None:
    request_id = ask(joined, "suspend")
    assert status(joined, LATER_DAY)["status"] == "suspended"
    answer(joined, request_id, "suspended", LATER)
    assert state(joined, request_id) == "done"
    assert counted(joined, LATER_DAY) == {OOKI}, "the agreement goes on"


def test_resuming_opens_it_again_on_the_same_day(joined: Database) -> None:
    answer(joined, ask(joined, "suspend"), "suspended", LATER)
    resumed = ask(joined, "resume")
    assert status(joined, LATER_DAY)["status"] == "suspended"
    answer(joined, resumed, "resumed", LATER)
    assert status(joined, LATER_DAY)["status"] == "active"


def test_a_suspension_that_fails_is_undone(joined: Database) -> None:
    request_id = ask(joined, "suspend")
    with joined.transaction(tenant=OOKI) as session:
        saga.failed(session, "eapply", room_request(joined, request_id), "止められませんでした。", LATER)
    assert status(joined, LATER_DAY)["status"] == "active"


def test_leaving_exports_then_deletes_after_confirmation(joined: Database) -> None:
    request_id = ask(joined, "leave")
    assert [e["data"]["action"] for e in told(joined)] == ["provision", "export"]
    assert status(joined, LATER_DAY)["status"] == "suspended", "nothing may change after the export"
    answer(joined, request_id, "exported", LATER, archive="archive-1")
    assert state(joined, request_id) == "exported"
    with pytest.raises(Invalid, match="電子申請サービス"), joined.transaction(tenant=OOKI) as session:
        subscribe.confirm_leaving(session, ADMIN, OOKI, request_id, "はい", LATER)
    with joined.transaction(tenant=OOKI) as session:
        subscribe.confirm_leaving(session, ADMIN, OOKI, request_id, "電子申請サービス", LATER)
    assert told(joined)[-1]["data"]["action"] == "delete"
    assert counted(joined, LATER_DAY) == {OOKI}
    answer(joined, request_id, "deleted", LATER)
    assert state(joined, request_id) == "done"
    assert status(joined, LATER_DAY) is None
    assert counted(joined, LATER_DAY) == set()
    assert counted(joined, LATER_DAY - timedelta(days=1)) == {OOKI}, "the past stays"
    assert len({e["data"]["request_id"] for e in told(joined)}) == 3, "each thing asked has an id of its own"


def test_a_confirmed_deletion_is_asked_for_until_the_room_answers(joined: Database) -> None:
    request_id = ask(joined, "leave")
    answer(joined, request_id, "exported", LATER, archive="archive-1")
    with joined.transaction(tenant=OOKI) as session:
        subscribe.confirm_leaving(session, ADMIN, OOKI, request_id, "電子申請サービス", LATER)
    now = LATER
    for _ in range(2 * rules.MAX_ASKS):
        now += rules.PATIENCE
        with joined.transaction(tenant=OOKI) as session:
            saga.chase(session, request_id, now)
    assert state(joined, request_id) == "running", "given up, it would count as used with nothing left in it"
    with joined.reading() as session:
        assert len(requests_db.steps_of(session, request_id)) < 2 * rules.MAX_ASKS, "the story does not grow for ever"
    answer(joined, request_id, "deleted", now)
    assert state(joined, request_id) == "done"


def test_a_deletion_that_failed_in_its_room_is_asked_for_anew(joined: Database) -> None:
    request_id = ask(joined, "leave")
    answer(joined, request_id, "exported", LATER, archive="archive-1")
    with joined.transaction(tenant=OOKI) as session:
        subscribe.confirm_leaving(session, ADMIN, OOKI, request_id, "電子申請サービス", LATER)
    first = room_request(joined, request_id)
    with joined.transaction(tenant=OOKI) as session:
        saga.failed(session, "eapply", first, "置き場所が応答しません。", LATER)
        saga.failed(session, "eapply", first, "置き場所が応答しません。", LATER)
    assert state(joined, request_id) == "running" and status(joined, LATER_DAY)["status"] == "suspended"
    with joined.transaction(tenant=OOKI) as session:
        saga.chase(session, request_id, LATER + rules.PATIENCE)
    last = told(joined)[-1]["data"]
    assert (last["action"], last["request_id"]) == ("delete", room_request(joined, request_id))
    assert last["request_id"] != first, "under the first id the room would only say again that it failed"
    answer(joined, request_id, "deleted", LATER + rules.PATIENCE)
    assert state(joined, request_id) == "done"


def test_leaving_that_was_called_off_does_not_speak_of_joining_again() -> None:
    row = RequestRow(state="withdrawn", action="leave", service="eapply")
    assert words.headline(row, str_of) == "やめる手続きを取りやめました。このまま使い続けられます。"
    row.action = "join"
    assert "もう一度申し込めます" in words.headline(row, str_of)


def str_of(text: str, **values: object) -> str:
    return str(text) % values


def test_the_record_keeps_both_the_export_and_the_deletion(joined: Database) -> None:
    request_id = ask(joined, "leave")
    answer(joined, request_id, "exported", LATER, archive="archive-1")
    with joined.transaction(tenant=OOKI) as session:
        subscribe.confirm_leaving(session, ADMIN, OOKI, request_id, "電子申請サービス", LATER)
    answer(joined, request_id, "deleted", LATER)
    with joined.reading(tenant=OOKI) as session:
        actions = [entry.action for entry in audit.entries(session)]
    wanted = ["done", "confirmed", "exported", "requested"]
    assert [a for a in actions if a.startswith("subscription.leave")] == [f"subscription.leave.{w}" for w in wanted]


def test_leaving_can_be_stopped_after_the_export(joined: Database) -> None:
    request_id = ask(joined, "leave")
    with pytest.raises(Conflict), joined.transaction(tenant=OOKI) as session:
        subscribe.withdraw(session, ADMIN, OOKI, request_id, LATER)
    answer(joined, request_id, "exported", LATER, archive="archive-1")
    with joined.transaction(tenant=OOKI) as session:
        subscribe.withdraw(session, ADMIN, OOKI, request_id, LATER)
    assert status(joined, LATER_DAY)["status"] == "active"


@pytest.mark.parametrize(("action", "told_so"), [("resume", "もう使っています"), ("join", "もう使っています")])
def test_what_makes_no_sense_now_is_refused(joined: Database, action: str, told_so: str) -> None:
    with pytest.raises(Conflict, match=told_so):
        ask(joined, action)


def test_a_second_wish_waits_for_the_first(joined: Database) -> None:
    ask(joined, "suspend")
    with pytest.raises(Conflict, match="まだ終わっていない申込み"):
        ask(joined, "leave")


def test_one_that_joined_and_left_in_a_year_is_counted_during_it(joined: Database) -> None:
    from services.tenants.use_cases import count

    request_id = ask(joined, "leave")
    answer(joined, request_id, "exported", LATER, archive="a")
    with joined.transaction(tenant=OOKI) as session:
        subscribe.confirm_leaving(session, ADMIN, OOKI, request_id, "電子申請サービス", LATER)
    answer(joined, request_id, "deleted", LATER)
    with joined.reading() as session:
        years = count.years(session, date(2027, 5, 1))["eapply"]
    year = {y.fiscal_year: (y.at_end, y.during) for y in years}
    assert year[2026] == (0, 1)
    assert year[2025] == year[2027] == (0, 0)
