"""What was agreed is changed: another first day, no first day at all, an end on a later day."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from libs.common.db import Database
from libs.common.errors import Conflict, Invalid
from libs.common.jobs.table import JobRow
from libs.common.testing.service import NOW
from services.tenants import worker
from services.tenants.db import subscriptions as subscriptions_db
from services.tenants.domain import subscriptions as rules
from services.tenants.domain.history import believed
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, OOKI, OPERATOR, PREFECTURE
from services.tenants.tests.test_joining_a_service import (
    TODAY,
    answer,
    approve,
    counted,
    room_request,
    state,
    status,
    told,
)
from services.tenants.tests.test_suspending_and_leaving import joined, registry
from services.tenants.use_cases import merging, saga, subscribe

pytestmark = pytest.mark.any_store

__all__ = ["joined", "registry"]
APRIL, OCTOBER = date(2027, 4, 1), date(2027, 10, 1)
LAST = APRIL - timedelta(days=1)


def ask(database: Database, action, day: date | None = None, now=NOW) -> str:
    with database.transaction(tenant=OOKI) as session:
        return subscribe.request(session, ADMIN, OOKI, "eapply", action, effective_from=day, now=now).id


@pytest.fixture
def scheduled(registry: Database) -> Database:
    """Joined from next April, the room is ready."""
    request_id = ask(registry, "join", APRIL)
    approve(registry, request_id)
    answer(registry, request_id, "provisioned")
    return registry


# ---- before it has begun


def test_another_first_day_waits_for_the_council_and_then_counts(scheduled: Database) -> None:
    moving = ask(scheduled, "move", OCTOBER)
    assert state(scheduled, moving) == "requested"
    assert counted(scheduled, APRIL) == {OOKI}, "until it is approved the old day stands"
    approve(scheduled, moving)
    assert state(scheduled, moving) == "done"
    assert (counted(scheduled, OCTOBER - timedelta(days=1)), counted(scheduled, OCTOBER)) == (set(), {OOKI})
    assert status(scheduled) == {"status": "scheduled", "from": "2027-10-01", "until": None}
    assert [e["data"]["action"] for e in told(scheduled)] == ["provision"], "the room that is ready stays"
    assert [e["data"]["until_date"] for e in told(scheduled, "tenants.subscription.ended.v1")] == ["2027-04-01"]
    assert told(scheduled, "tenants.subscription.started.v1")[-1]["data"]["from_date"] == "2027-10-01"


def test_where_a_rule_approves_joining_it_approves_another_first_day_too(scheduled: Database) -> None:
    with scheduled.transaction(tenant=PREFECTURE) as session:
        subscribe.set_rule(session, OPERATOR, "eapply", True, NOW)
    assert state(scheduled, ask(scheduled, "move", OCTOBER)) == "done"


def test_a_first_day_that_came_while_its_change_waited_is_not_changed(scheduled: Database) -> None:
    moving = ask(scheduled, "move", OCTOBER)
    with pytest.raises(Conflict, match="もう使い始めています"), scheduled.transaction(tenant=OOKI) as session:
        subscribe.approve(session, OPERATOR, moving, NOW + (APRIL - TODAY))
    assert status(scheduled, APRIL) == {"status": "active", "from": "2027-04-01", "until": None}


def test_a_use_called_off_before_it_began_is_never_counted_and_its_room_goes(scheduled: Database) -> None:
    calling_off = ask(scheduled, "cancel")
    assert told(scheduled)[-1]["data"]["action"] == "delete"
    assert counted(scheduled, APRIL) == set() and status(scheduled, APRIL) is None, "before the room has answered"
    answer(scheduled, calling_off, "deleted")
    assert state(scheduled, calling_off) == "done"
    assert state(scheduled, ask(scheduled, "join", APRIL)) == "requested", "it can be asked for again"


def test_what_has_begun_is_left_not_called_off(joined: Database) -> None:
    for action in ("move", "cancel"):
        with pytest.raises(Conflict, match="もう使っています"):
            ask(joined, action)


# ---- an end on a later day


def test_leaving_at_the_years_end_counts_until_then_and_begins_by_itself(cloud: Cloud) -> None:
    database = cloud.database
    joining = ask(database, "join")
    approve(database, joining)
    answer(database, joining, "provisioned")
    leaving = ask(database, "leave", APRIL)
    assert status(database) == {"status": "active", "from": "2026-11-20", "until": "2027-04-01"}, "in use until then"
    assert (counted(database, LAST), counted(database, APRIL)) == ({OOKI}, set()), "the next year knows of it today"
    assert [e["data"]["action"] for e in told(database)] == ["provision"], "nothing is written out before its day"
    with pytest.raises(Conflict, match="承認はいりません"):
        approve(database, leaving)
    worker.begin_agreed_leavings(cloud.service, None)  # type: ignore[arg-type]
    assert state(database, leaving) == "requested"
    cloud.clock.advance(days=(APRIL - TODAY).days)
    for _ in range(2):
        worker.begin_agreed_leavings(cloud.service, None)  # type: ignore[arg-type]
    assert [e["data"]["action"] for e in told(database)] == ["provision", "export"]
    assert status(database, APRIL) is None, "the door is closed"
    later = cloud.clock.now() + timedelta(days=3)
    answer(database, leaving, "exported", later, archive="archive-1")
    with database.transaction(tenant=OOKI) as session:
        subscribe.confirm_leaving(session, ADMIN, OOKI, leaving, "電子申請サービス", later)
    answer(database, leaving, "deleted", later)
    assert (counted(database, LAST), counted(database, APRIL)) == ({OOKI}, set()), "a late confirmation adds no day"
    assert told(database, "tenants.subscription.ended.v1")[-1]["data"]["until_date"] == "2027-04-01"


def test_an_agreed_end_can_be_taken_back(joined: Database) -> None:
    leaving = ask(joined, "leave", APRIL)
    with joined.transaction(tenant=OOKI) as session:
        subscribe.withdraw(session, ADMIN, OOKI, leaving, NOW + timedelta(days=1))
    assert status(joined) == {"status": "active", "from": "2026-11-20", "until": None}
    assert counted(joined, APRIL) == {OOKI}


@pytest.mark.parametrize("how", ["taken back after the export", "the export fails"])
def test_a_leaving_that_is_undone_on_its_day_leaves_the_service_in_use(joined: Database, how: str) -> None:
    leaving = ask(joined, "leave", APRIL)
    on_the_day = NOW + (APRIL - TODAY)
    with joined.transaction(tenant=OOKI) as session:
        subscribe.begin_leaving(session, leaving, on_the_day)
    if how == "the export fails":
        with joined.transaction(tenant=OOKI) as session:
            saga.failed(session, "eapply", room_request(joined, leaving), "書き出せませんでした。", on_the_day)
    else:
        answer(joined, leaving, "exported", on_the_day, archive="archive-1")
        with joined.transaction(tenant=OOKI) as session:
            subscribe.withdraw(session, ADMIN, OOKI, leaving, on_the_day)
    assert status(joined, APRIL) == {"status": "active", "from": "2026-11-20", "until": None}
    assert counted(joined, APRIL) == {OOKI}


@pytest.mark.parametrize(
    ("end", "known", "told_so"),
    [
        (TODAY, None, "過ぎています"),
        (date(2029, 4, 2), None, "先すぎます"),
        (APRIL, date(2027, 1, 1), "もう決まっています"),
    ],
)
def test_an_end_that_cannot_be_is_refused(end: date, known: date | None, told_so: str) -> None:
    with pytest.raises(Invalid, match=told_so):
        rules.check_end(end, TODAY, known)
    assert rules.check_end(date(2029, 4, 1), TODAY) == date(2029, 4, 1), "the last day of the year after next is used"


# ---- the pages


def test_terms_are_changed_in_the_browser(cloud: Cloud) -> None:
    page = f"/portal/{OOKI}/services/eapply"

    def post(action: str, **form: str) -> str:
        sent = cloud.post(f"{page}/{action}", ADMIN, form)
        assert sent.status_code == 303, sent.text
        return sent.headers["location"]

    first = post("join", when="april")
    cloud.post(f"/operator/requests/{first.rsplit('/', 1)[1]}/approve", OPERATOR)
    answer(cloud.database, first.rsplit("/", 1)[1], "provisioned")
    assert "新しい開始日" in cloud.get(page, ADMIN).text
    moving = post("move", when="day", day=TODAY.isoformat())
    assert "いまの開始日のまま" in cloud.get(moving, ADMIN).text
    assert "開始日の変更" in cloud.get("/operator/", OPERATOR).text
    cloud.post(f"/operator/requests/{moving.rsplit('/', 1)[1]}/approve", OPERATOR)
    assert "開始日を変えました" in cloud.get(moving, ADMIN).text
    wrong = cloud.post(f"{page}/leave", ADMIN, {"when": "day", "day": "きょう"})
    assert wrong.status_code == 422 and "最後に使う日を選んでください" in wrong.text
    leaving = post("leave", when="april")
    followed = cloud.get(leaving, ADMIN).text
    assert "2027年3月31日まで使います" in followed and "hx-trigger" not in followed
    assert "使い続ける" in followed
    assert "令和9年3月31日（水）まで" in cloud.get(f"/portal/{OOKI}/", ADMIN).text
    assert "令和9年4月1日（木）に始まります" in cloud.get("/operator/", OPERATOR).text


def test_leaving_ends_the_present_use_and_the_one_that_is_scheduled(joined: Database) -> None:
    """A correction left two: one that ends, one that begins later. Leaving took any one of them; taken back, both hold again."""

    def spans() -> list[tuple[date, date | None]]:
        with joined.reading() as session:
            found = believed(subscriptions_db.intervals(session, OOKI, "eapply"))
            return sorted((i.valid_from, i.valid_until) for i in found if i.kind == "joined")

    two = [(TODAY, OCTOBER), (date(2028, 4, 1), None)]
    with joined.transaction(tenant=OOKI) as session:
        held = [rules.Interval(OOKI, "eapply", "joined", start, until, NOW) for start, until in two]
        subscribe.correct_history(session, OPERATOR, OOKI, "eapply", held, "検査", NOW)
    leaving = ask(joined, "leave", APRIL, NOW + timedelta(minutes=1))
    assert spans() == [(TODAY, APRIL)]
    with joined.transaction(tenant=OOKI) as session:
        subscribe.withdraw(session, ADMIN, OOKI, leaving, NOW + timedelta(minutes=2))
    assert spans() == two


@pytest.mark.parametrize("wish", [None, OCTOBER])
def test_a_request_of_a_municipality_that_has_merged_is_not_approved(registry: Database, wish: date | None) -> None:
    asked = ask(registry, "join", wish)
    with registry.transaction(tenant=PREFECTURE) as session:
        merger = merging.Merger([OOKI, "405035"], "405248", "合併町", "がっぺいまち", "筑後", APRIL)
        merging.merge(session, OPERATOR, merger, "告示", NOW)
    day = NOW if wish else NOW + (APRIL - TODAY)
    with pytest.raises(Conflict, match="もう台帳にありません"), registry.transaction(tenant=OOKI) as session:
        subscribe.approve(session, OPERATOR, asked, day)
    assert state(registry, asked) == "requested"


def test_two_things_recorded_in_one_moment_are_both_told(registry: Database) -> None:
    with registry.transaction(tenant=PREFECTURE) as session:
        merger = merging.Merger([OOKI, "405035"], "405248", "合併町", "がっぺいまち", "筑後", APRIL)
        merging.merge(session, OPERATOR, merger, "告示", NOW)
        merging.correct(session, OPERATOR, "405248", OCTOBER, "日の訂正", NOW)
    with registry.reading(tenant=OOKI) as session:
        rows = select(JobRow).where(JobRow.job_kind == merging.TOLD, JobRow.tenant == OOKI).order_by(JobRow.id)
        found = [row.payload["reason"] for row in session.scalars(rows)]
    assert found == ["告示", "日の訂正"]
