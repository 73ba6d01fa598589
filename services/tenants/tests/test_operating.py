"""Operators watch the queues, mend what is stuck, keep the register and compare the figures with their source."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import inbox
from libs.common.clock import FixedClock
from libs.common.db import Database
from libs.common.errors import Unavailable
from libs.common.outbox import OutboxRow
from libs.common.telemetry import metrics
from libs.common.testing.service import NOW
from services.tenants import compare, worker
from services.tenants.db import ComparisonRow, UsageRow
from services.tenants.db import requests as requests_db
from services.tenants.db import subscriptions as subscriptions_db
from services.tenants.neighbours import Neighbours
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, GUEST, KURUME, MEMBER, OOKI, OPERATOR
from services.tenants.tests.test_joining_a_service import approve, ask_to_join, room_request, state
from services.tenants.tests.test_the_register_changes import record
from services.tenants.use_cases import saga

pytestmark = pytest.mark.any_store


def event(
    kind: str, number: int, sequence: int, *, tenant: str = KURUME, subject: str = "", **data: Any
) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"event-{number}",
        "source": f"/services/{kind.split('.')[0]}",
        "type": kind,
        "subject": subject or data.get("application_id", "s"),
        "time": NOW.isoformat(),
        "tenantid": tenant,
        "sequence": sequence,
        "traceparent": None,
        "datacontenttype": "application/json",
        "data": data,
    }


def submitted(number: int, application: str, **more: Any) -> dict[str, Any]:
    data = {
        "application_id": application,
        "procedure_id": "p-1",
        "fiscal_year": 2026,
        "channel": "online",
        "submitted_at": NOW.isoformat(),
    }
    return event("eapply.application.submitted.v1", number, 1, **{**data, **more})


def arrive(database: Database, *envelopes: dict[str, Any]) -> None:
    with database.transaction() as session:
        inbox.receive(session, list(envelopes), NOW)
    while inbox.handle_next(database, worker.subscriptions, FixedClock(NOW)):
        pass


def totals(database: Database) -> dict[tuple[str, str], int]:
    with database.reading() as session:
        return {(row.tenant, row.channel): row.applications for row in session.scalars(select(UsageRow))}


# ---- events ---------------------------------------------------------------------------------------------------------


def test_an_application_told_twice_counts_once(cloud: Cloud) -> None:
    arrive(
        cloud.database,
        submitted(1, "a-1"),
        submitted(2, "a-1"),
        submitted(1, "a-1"),
        submitted(3, "a-2", channel="paper"),
    )
    assert totals(cloud.database) == {(KURUME, "online"): 1, (KURUME, "paper"): 1}


def test_paper_counted_by_staff_is_in_the_totals_and_corrected_by_the_next_count(cloud: Cloud) -> None:
    told = {"procedure_id": "p-1", "fiscal_year": 2026, "month": "2026-10-01", "counted_at": NOW.isoformat()}
    first, second = (
        event("eapply.paper_applications.counted.v1", number, number, subject="p-1:2026-10", **told, **counts)
        for number, counts in ((1, {"applications": 120, "added": 120}), (2, {"applications": 100, "added": -20}))
    )
    arrive(cloud.database, submitted(3, "a-1"), first, second, first)
    assert totals(cloud.database) == {(KURUME, "online"): 1, (KURUME, "paper"): 100}


def test_a_decision_is_kept_and_an_older_one_changes_nothing(cloud: Cloud) -> None:
    decided = {"application_id": "a-1", "outcome": "approved", "decided_at": NOW.isoformat()}
    withdrawn = {"application_id": "a-1", "withdrawn_at": NOW.isoformat()}
    arrive(cloud.database, submitted(1, "a-1"), event("eapply.application.decided.v1", 2, 5, **decided))
    arrive(cloud.database, event("eapply.application.withdrawn.v1", 3, 4, **withdrawn))
    with cloud.database.reading(tenant=KURUME) as session:
        from services.tenants.db import usage as usage_db

        assert usage_db.outcomes(session, "eapply") == {"approved": 1}


def test_the_rooms_answers_arrive_over_the_bus(cloud: Cloud) -> None:
    request_id = ask_to_join(cloud.database)
    approve(cloud.database, request_id)
    asked = {"request_id": room_request(cloud.database, request_id)}
    progress = {**asked, "action": "provision", "done": 1, "total": 3, "label": "様式を写しています"}
    arrive(
        cloud.database,
        event("eapply.room.progressed.v1", 1, 1, tenant=OOKI, subject="room", **progress),
        event("eapply.room.provisioned.v1", 2, 2, tenant=OOKI, subject="room", **asked),
        event("eapply.room.provisioned.v1", 3, 3, tenant=OOKI, subject="room", **asked),
    )
    assert state(cloud.database, request_id) == "done"
    failed = {**asked, "action": "provision", "reason": "あとから届いた失敗"}
    arrive(cloud.database, event("eapply.room.failed.v1", 4, 4, tenant=OOKI, subject="room", **failed))
    assert state(cloud.database, request_id) == "done"


def test_the_timer_chases_silent_rooms(cloud: Cloud) -> None:
    request_id = ask_to_join(cloud.database)
    approve(cloud.database, request_id)
    cloud.clock.advance(seconds=61)
    worker.chase_silent_rooms(cloud.service, None)  # type: ignore[arg-type]
    with cloud.database.reading() as session:
        from services.tenants.db import requests as requests_db

        assert requests_db.find_request(session, request_id).asks == 2


# ---- the late reader and the nightly comparison -----------------------------------------------------------------------


def source(lines: list[dict[str, Any]], broken_after: int | None = None) -> httpx.MockTransport:
    """The source's snapshot; it may break off once, and goes on from the cursor."""
    broken = {"yet": broken_after is None}

    def answer(request: httpx.Request) -> httpx.Response:
        start = int(request.url.params.get("cursor", "0"))

        def body() -> Iterator[bytes]:
            for number, line in enumerate(lines[start:], start=start + 1):
                if not broken["yet"] and number > (broken_after or 0):
                    broken["yet"] = True
                    raise httpx.ReadError("gone")
                yield json.dumps(line).encode() + b"\n"
                yield json.dumps({"cursor": str(number)}).encode() + b"\n"
            yield b'{"complete": true}\n'

        return httpx.Response(200, content=body())

    return httpx.MockTransport(answer)


def line(application: str, tenant: str = KURUME, sequence: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "application_id": application,
        "tenant": tenant,
        "procedure_id": "p-1",
        "fiscal_year": 2026,
        "channel": "online",
        "submitted_at": (NOW - timedelta(hours=3)).isoformat(),
        "state": "submitted",
        "outcome": None,
        "sequence": sequence,
        **more,
    }


def compared(cloud: Cloud, lines: list[dict[str, Any]], broken_after: int | None = None) -> ComparisonRow:
    neighbours = Neighbours(cloud.service, source(lines, broken_after))
    compare.compare_with_source(cloud.service, "eapply", neighbours)
    with cloud.database.reading() as session:
        from services.tenants.db import usage as usage_db

        found = usage_db.latest_comparison(session, "eapply")
    assert found is not None
    return found


def test_a_reader_that_comes_late_takes_the_snapshot_and_then_follows_events(cloud: Cloud) -> None:
    found = compared(
        cloud, [line("a-1", OOKI), line("a-2"), line("a-3", sequence=3, outcome="approved", state="decided")]
    )
    assert (found.repaired, found.theirs) == (3, 3)
    arrive(cloud.database, submitted(1, "a-2"), submitted(2, "a-4"))
    assert totals(cloud.database) == {(OOKI, "online"): 1, (KURUME, "online"): 3}


def test_a_snapshot_that_breaks_off_is_taken_up_where_it_was(cloud: Cloud) -> None:
    compared(cloud, [line("a-1", OOKI), line("a-2"), line("a-3")], broken_after=2)
    assert totals(cloud.database) == {(OOKI, "online"): 1, (KURUME, "online"): 2}


def test_drift_is_found_shown_and_mended(cloud: Cloud) -> None:
    arrive(cloud.database, submitted(1, "a-1"), submitted(2, "only-ours"))
    later = line("a-1", sequence=4, outcome="refused", state="decided")
    told = metrics.INTEGRITY.labels("tenants", "drift")
    before = told._value.get()
    found = compared(cloud, [later, line("lost"), line("young", submitted_at=NOW.isoformat())])
    assert (found.missing, found.surplus, found.differing, found.repaired) == (1, 1, 1, 3)
    assert told._value.get() - before == 3, "what was mended is told to the alerts, too"
    cloud.others.answers["GET", "/internal/tenants/queues"] = (
        200,
        {"outbox_age": None, "inbox_age": None, "inbox": {}},
    )
    assert "足りない 1、余分 1、違い 1" in cloud.get("/operator/watch", OPERATOR).text
    again = compared(cloud, [later, line("lost")])
    assert (again.missing, again.differing) == (0, 0)


@pytest.mark.parametrize("ending", ["", '{"cursor": "2"}\n', '{"complete": false}\n', '{"application_id": "a-3", "ten'])
def test_a_snapshot_without_its_end_is_refused(cloud: Cloud, ending: str) -> None:
    """Lines may be missing: nothing is concluded from it, above all not that we know too much."""
    arrive(cloud.database, submitted(1, "only-ours"))
    body = "".join(json.dumps(one) + "\n" for one in (line("a-1"), line("a-2"))) + ending
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text=body))
    with pytest.raises(Unavailable):
        compare.compare_with_source(cloud.service, "eapply", Neighbours(cloud.service, transport))
    assert compare.is_due(cloud.service, "eapply", timedelta(hours=23)), "no comparison is noted"
    whole = httpx.MockTransport(
        lambda _: httpx.Response(200, text=body[: len(body) - len(ending)] + '{"complete": true}\n')
    )
    compare.compare_with_source(cloud.service, "eapply", Neighbours(cloud.service, whole))
    assert not compare.is_due(cloud.service, "eapply", timedelta(hours=23))


def test_a_source_that_is_away_leaves_no_comparison(cloud: Cloud) -> None:
    with pytest.raises(Unavailable):
        compare.compare_with_source(cloud.service, "eapply", cloud.service.extras["neighbours"])
    assert compare.is_due(cloud.service, "eapply", timedelta(hours=23))


# ---- dead letters and queues -------------------------------------------------------------------------------------------

LETTER = {
    "event_id": "e-1",
    "type": "eapply.application.submitted.v1",
    "subject": "a-1",
    "tenant": KURUME,
    "status": "dead",
    "attempts": 28,
    "next_at": NOW.isoformat(),
    "received_at": NOW.isoformat(),
    "error": "ValueError: poison",
    "waiting_behind": 2,
    "envelope": {"id": "e-1", "data": {}},
}


def test_dead_letters_are_listed_read_and_re_driven(cloud: Cloud) -> None:
    cloud.others.answers["GET", "/internal/tenants/dead-letters"] = (200, [LETTER])
    cloud.others.answers["POST", "/internal/tenants/dead-letters/e-1/redrive"] = (200, {"status": "pending"})
    page = cloud.get("/operator/dead-letters", OPERATOR).text
    assert "ValueError: poison" in page and "このサービスは応答していません" in page
    refused = cloud.post("/operator/dead-letters/tenants/e-1/redrive", OPERATOR, {"because": " "})
    assert refused.status_code == 422
    done = cloud.post("/operator/dead-letters/tenants/e-1/redrive", OPERATOR, {"because": "様式を直した"})
    assert done.status_code == 303
    assert json.loads(cloud.others.asked[-1].content) == {"by": OPERATOR.subject, "because": "様式を直した"}
    for path in ("/operator/dead-letters/nobody/e-1/skip", "/operator/dead-letters/tenants/e-1/burn"):
        assert cloud.post(path, OPERATOR, {"because": "x"}).status_code == 404


def test_a_letter_resolved_by_a_colleague_is_explained(cloud: Cloud) -> None:
    cloud.others.answers["POST", "/internal/eapply/dead-letters/e-1/skip"] = (
        409,
        {"detail": "この出来事は、もう処理が済んでいます。"},
    )
    answer = cloud.post("/operator/dead-letters/eapply/e-1/skip", OPERATOR, {"because": "重複"})
    assert answer.status_code == 409 and "もう処理が済んでいます" in answer.text


def test_queues_of_every_service_and_one_that_is_away(cloud: Cloud) -> None:
    queues = {"outbox_age": 1.25, "inbox_age": None, "inbox": {"pending": 3, "dead": 1}}
    cloud.others.answers["GET", "/internal/eapply/queues"] = (200, queues)
    page = cloud.get("/operator/watch", OPERATOR).text
    assert "1.2" in page and "応答がありません" in page


# ---- the register ---------------------------------------------------------------------------------------------------


def test_importing_participation_names_every_wrong_line(cloud: Cloud) -> None:
    good = "code,service,from,until\n405221,eapply,2010-04-01,\n"
    answer = cloud.post("/operator/participation", OPERATOR, files={"file": ("h.csv", good.encode("cp932"))})
    assert answer.status_code == 200 and "1行を取り込みました" in answer.text
    bad = "code,service,from,until\n405222,eapply,2010-04-01,\n405035,eapply,x,\n"
    answer = cloud.post("/operator/participation", OPERATOR, files={"file": ("h.csv", bad)})
    assert answer.status_code == 422
    assert "2行目" in answer.text and "3行目" in answer.text and "まだ何も取り込んでいません" in answer.text


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_wrong_line_below_an_empty_one_is_named_as_the_spreadsheet_numbers_it(cloud: Cloud) -> None:
    """An empty line was not counted: the clerk was sent to the line above. A place that is no number stood in the register."""
    text = "code,service,from,until\n405221,eapply,2010-04-01,\n\n,,,\n405035,eapply,x,\n"
    answer = cloud.post("/operator/participation", OPERATOR, files={"file": ("h.csv", text)})
    assert answer.status_code == 422 and "5行目：" in answer.text and "3行目" not in answer.text
    text = "code,name,kana,longitude,latitude\n\n011002,札幌市,さっぽろし,nan,43\n012025,函館市,はこだてし,141,91\n"
    answer = cloud.post("/operator/municipalities", OPERATOR, files={"file": ("t.csv", text)})
    assert answer.status_code == 422
    assert "3行目：緯度や経度の「nan」" in answer.text and "4行目：緯度や経度の「91」" in answer.text


def test_a_participation_that_is_imported_and_goes_on_gets_its_room(cloud: Cloud) -> None:
    text = (
        "code,service,from,until\n405221,eapply,2010-04-01,\n405221,backup,2012-04-01,2013-04-01\n"
        "405221,center,2010-04-01,\n402036,eapply,2010-04-01,\n"
    )
    answered = cloud.post("/operator/participation", OPERATOR, files={"file": ("h.csv", text)})
    assert "いまも使っている2件は、サービスの準備を始めました" in answered.text
    while worker.jobs.run_next(cloud.service):
        pass
    with cloud.database.reading() as session:
        asked = outbox_of(session, "tenants.room.requested.v1")
        running = requests_db.requests_in(session, ["running"])
    assert sorted((e["tenantid"], e["data"]["service"], e["data"]["action"]) for e in asked) == [
        ("402036", "eapply", "provision"),
        ("405221", "eapply", "provision"),
    ], "nothing is prepared for what is over or runs elsewhere"
    assert {row.tenant for row in running} == {"402036", "405221"}
    [own] = [row for row in running if row.tenant == OOKI]
    with cloud.database.transaction(tenant=OOKI) as session:
        saga.answered(session, "eapply", own.room_request or "", "provisioned", NOW)
        found = subscriptions_db.intervals(session, OOKI, "eapply")
    assert [(i.valid_from.isoformat(), i.superseded_at) for i in found] == [("2010-04-01", None)], (
        "its history stays as it came"
    )


def outbox_of(session: Session, kind: str) -> list[dict[str, Any]]:
    return [row.envelope for row in session.scalars(select(OutboxRow).where(OutboxRow.type == kind))]


def test_each_line_that_is_not_in_the_charset_of_the_file_is_named_and_nothing_is_kept(cloud: Cloud) -> None:
    lines = [f"4052{n},大木町,おおきまち,筑後,," for n in ("20", "21", "22", "23")]
    for charset in ("utf-8", "cp932"):
        content = b"\n".join([b"code,name,kana,region,longitude,latitude", *(line.encode(charset) for line in lines)])
        broken = content.replace("大木町".encode(charset), b"\xff\xe3\x81", 2)
        answer = cloud.post("/operator/municipalities", OPERATOR, files={"file": ("t.csv", broken)})
        assert answer.status_code == 422 and "2行に直すところがあります。まだ何も取り込んでいません" in answer.text
        found = re.findall(r"(\d+)行目：読み取れない文字があります", answer.text)
        assert set(found) == {"2", "3"}, charset
    answer = cloud.post("/operator/participation", OPERATOR, files={"file": ("t.csv", "年".encode("utf-16"))})
    assert answer.status_code == 422 and "文字コードが読み取れませんでした" in answer.text


def test_rules_and_retries_are_the_operators(cloud: Cloud) -> None:
    assert cloud.post("/operator/rules/eapply", OPERATOR, {"auto": "1"}).status_code == 303
    assert state(cloud.database, ask_to_join(cloud.database)) == "running"
    assert "自動で承認" in cloud.get("/operator/", OPERATOR).text


@pytest.mark.parametrize("actor", [GUEST, ADMIN, MEMBER])
@pytest.mark.parametrize(
    "path", ["/operator/", "/operator/watch", "/operator/dead-letters", "/operator/registry", "/operator/records"]
)
def test_only_operators_operate(cloud: Cloud, actor: Any, path: str) -> None:
    assert cloud.get(path, actor).status_code in (401, 403)


def test_jobs_given_up_and_mails_that_did_not_arrive_are_started_again(cloud: Cloud) -> None:
    job = {"id": "j-1", "kind": "room", "tenant": OOKI, "attempts": 4, "error": "ValueError: x"}
    mail = {"id": "m-1", "template": "invited", "tenant": None, "mail": "failed", "server_said": "550 no such user"}
    cloud.others.answers["GET", "/internal/gateway/stuck/jobs"] = (200, [job])
    cloud.others.answers["GET", "/internal/eapply/stuck/mails"] = (200, [mail])
    cloud.others.answers["POST", "/internal/eapply/stuck/mails/m-1/again"] = (200, {"status": "pending"})
    page = cloud.get("/operator/dead-letters", OPERATOR).text
    assert "ValueError: x" in page and "550 no such user" in page
    assert cloud.post("/operator/again/eapply/mails/m-1", OPERATOR).status_code == 303
    assert cloud.others.asked[-1].url.path == "/internal/eapply/stuck/mails/m-1/again"
    assert cloud.post("/operator/again/gateway/secrets/m-1", OPERATOR).status_code == 404


def test_services_learn_a_new_name_when_it_begins(cloud: Cloud) -> None:
    from services.tenants.tests.test_joining_a_service import answer, told

    request_id = ask_to_join(cloud.database)
    approve(cloud.database, request_id)
    answer(cloud.database, request_id, "provisioned")
    form = {"new_code": "405221", "name": "大木市", "kana": "おおきし", "on": "2026-11-22", "reason": "告示"}
    assert record(cloud, OOKI, "rename", form).status_code == 303
    worker.tell_new_names(cloud.service, None)  # type: ignore[arg-type]
    assert [e["data"]["name"] for e in told(cloud.database)] == ["大木町"]
    cloud.clock.advance(days=2)
    worker.tell_new_names(cloud.service, None)  # type: ignore[arg-type]
    assert [e["data"]["name"] for e in told(cloud.database)] == ["大木町", "大木市"]


def test_the_usage_page_names_procedures_by_their_title(cloud: Cloud) -> None:
    published = {"procedure_id": "p-1", "key": "jido-teate-nintei", "version": 2, "published_at": NOW.isoformat()}
    arrive(
        cloud.database,
        event(
            "eapply.procedure.published.v1", 1, 1, tenant=OOKI, subject="p-1", **published, title="児童手当 認定請求"
        ),
        {**submitted(2, "a-1"), "tenantid": OOKI},
    )
    page = cloud.get(f"/portal/{OOKI}/usage/", ADMIN).text
    assert "児童手当 認定請求" in page and "jido-teate-nintei" not in page


def test_a_procedure_whose_title_was_not_told_is_named_by_its_word(cloud: Cloud) -> None:
    published = {"procedure_id": "p-1", "key": "jido-teate-nintei", "version": 1, "published_at": NOW.isoformat()}
    arrive(
        cloud.database,
        event("eapply.procedure.published.v1", 1, 1, tenant=OOKI, subject="p-1", **published),
        {**submitted(2, "a-1"), "tenantid": OOKI},
    )
    page = cloud.get(f"/portal/{OOKI}/usage/", ADMIN).text
    assert "jido-teate-nintei" in page and "申請 1件" in page


def test_leaving_takes_our_copy_of_single_applications_away_and_keeps_the_totals(cloud: Cloud) -> None:
    from services.tenants.db import usage as usage_db

    arrive(cloud.database, submitted(1, "a-1"))
    with cloud.database.transaction(tenant=KURUME) as session:
        assert usage_db.applications(session, "eapply")
        usage_db.forget(session, "eapply")
        assert not usage_db.applications(session, "eapply")
    assert totals(cloud.database) == {(KURUME, "online"): 1}
