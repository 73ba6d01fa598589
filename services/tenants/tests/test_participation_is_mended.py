"""An operator mends a line of the participation history in the browser; what was reported before stays as it was."""

import re
from dataclasses import replace
from datetime import date

import httpx
import pytest

from services.tenants import worker
from services.tenants.db import requests as requests_db
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, GUEST, MEMBER, OOKI, OPERATOR
from services.tenants.tests.test_joining_a_service import answer, counted, room_request, status
from services.tenants.tests.test_pages_in_other_languages import japanese_in
from services.tenants.tests.test_the_register_changes import join, on, reasons
from services.tenants.use_cases import saga, subscribe

PAGE = f"/operator/registry/{OOKI}/participation"
DAY = date(2018, 9, 30)
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def look(cloud: Cloud, service: str, *spans: tuple[str, str], reason: str = "届出第3号", **more: str) -> httpx.Response:
    form = {"since": [s for s, _ in spans], "until": [u for _, u in spans], "reason": reason, **more}
    return cloud.post(f"{PAGE}/{service}", OPERATOR, form)


def record(cloud: Cloud, service: str, *spans: tuple[str, str]) -> httpx.Response:
    page = look(cloud, service, *spans)
    assert page.status_code == 200, page.text
    version = re.findall(r'name="version" value="(\d+)"', page.text)[0]
    return look(cloud, service, *spans, version=version, step="record")


def test_a_wrong_line_is_looked_at_then_mended_and_the_old_count_stays_readable(cloud: Cloud) -> None:
    join(cloud.database, f"{OOKI},center,2010-04-01,2019-04-01")
    assert 'value="2019-03-31"' in cloud.get(PAGE, OPERATOR).text, "the form holds what is recorded, with its last day"
    cloud.clock.advance(days=1)
    page = look(cloud, "center", ("2010-04-01", "2018-03-31"), ("2018-10-01", "2019-03-31")).text
    assert "<del>1</del>" in page and "平成30年4月1日" in page and "まだ何も記録していません" in page
    assert counted(cloud.database, DAY, "center") == {OOKI}, "looking keeps nothing"
    assert record(cloud, "center", ("2010-04-01", "2018-03-31"), ("2018-10-01", "2019-03-31")).status_code == 303
    assert counted(cloud.database, DAY, "center") == set()
    assert on(cloud.database, DAY, known_on=date(2026, 11, 20)).count("center") == 1, "as it was reported"
    assert ("subscription.corrected", "届出第3号") in reasons(cloud.database, OOKI)
    shown = cloud.get(f"{PAGE}?done=center", OPERATOR)
    assert "届出第3号" in shown.text and "以前の記録（1）" in shown.text
    assert not japanese_in(cloud.get(PAGE, OPERATOR, cookie="lang=en").text)


def test_what_was_looked_at_before_another_change_is_not_recorded(cloud: Cloud) -> None:
    join(cloud.database, f"{OOKI},center,2010-04-01,")
    stale = look(cloud, "center", ("2011-04-01", ""), version="1", step="record")
    assert stale.status_code == 409 and "台帳が変わりました" in stale.text
    assert counted(cloud.database, date(2010, 5, 1), "center") == {OOKI}


@pytest.mark.parametrize(
    ("service", "spans", "reason", "told"),
    [
        ("center", [("2010-04-01", "2012-03-31"), ("2011-04-01", "")], "届出", "重なっています"),
        ("center", [("2010-04-01", "2010-03-31")], "届出", "それより前です"),
        ("center", [("", "2010-03-31")], "届出", "「いつから」を入力"),
        ("center", [("きのう", "")], "届出", "日付として読めません"),
        ("center", [("2010-04-01", "9999-12-31")], "届出", "日付として読めません"),
        ("ebid", [("2010-04-01", "2011-03-31")], "届出", "2013年度からです"),
        ("center", [("2010-04-01", "")], " ", "訂正の理由を入力"),
        ("eapply", [("2010-04-01", "")], "届出", "訂正では変えられません"),
    ],
)
def test_what_cannot_be_comes_back_with_the_form_and_changes_nothing(
    cloud: Cloud, service: str, spans: list[tuple[str, str]], reason: str, told: str
) -> None:
    refused = look(cloud, service, *spans, reason=reason)
    assert refused.status_code == 422 and told in refused.text
    assert all(f'value="{day}"' in refused.text for span in spans for day in span if day), "nothing is typed twice"
    assert counted(cloud.database, date(2010, 5, 1), service) == set()


def test_a_use_with_a_room_is_ended_by_leaving_not_by_a_correction(cloud: Cloud) -> None:
    asked = cloud.post(f"/portal/{OOKI}/services/eapply/join", ADMIN, {"when": "now"}).headers["location"]
    request_id = asked.rsplit("/", 1)[1]
    waiting = look(cloud, "eapply", ("2026-04-01", ""))
    assert waiting.status_code == 409 and "まだ終わっていない申込み" in waiting.text
    cloud.post(f"/operator/requests/{request_id}/approve", OPERATOR)
    answer(cloud.database, request_id, "provisioned")
    for spans in ([], [("2026-11-20", "2027-03-31")]):
        refused = look(cloud, "eapply", *spans)
        assert refused.status_code == 422 and "訂正では変えられません" in refused.text
    assert record(cloud, "eapply", ("2026-11-01", "")).status_code == 303, "its first day may have been wrong"
    assert status(cloud.database) == {"status": "active", "from": "2026-11-01", "until": None}
    suspended = cloud.post(f"/portal/{OOKI}/services/eapply/suspend", ADMIN).headers["location"].rsplit("/", 1)[1]
    with cloud.database.transaction(tenant=OOKI) as session:
        saga.answered(session, "eapply", room_request(cloud.database, suspended), "suspended", cloud.clock.now())
    assert record(cloud, "eapply", ("2026-11-05", "")).status_code == 303
    assert status(cloud.database) == {"status": "suspended", "from": "2026-11-05", "until": None}, "it stays closed"


def test_a_use_that_was_imported_by_mistake_is_taken_out(cloud: Cloud) -> None:
    join(cloud.database, f"{OOKI},eapply,2010-04-01,")
    assert record(cloud, "eapply").status_code == 303
    assert counted(cloud.database) == set()


def test_only_operators_mend_the_history(cloud: Cloud) -> None:
    for actor in (ADMIN, MEMBER):
        assert cloud.get(PAGE, actor).status_code in (403, 404)
        assert cloud.post(f"{PAGE}/center", actor, {"reason": "x"}).status_code in (403, 404)


def test_an_imported_use_whose_room_failed_gets_it_when_an_operator_tries_again(cloud: Cloud) -> None:
    join(cloud.database, f"{OOKI},eapply,2010-04-01,")
    with cloud.database.transaction(tenant=OOKI) as session:
        row = subscribe.provide_room(session, OPERATOR, OOKI, "eapply", cloud.clock.now())
        assert row is not None
        first = row.id
    with cloud.database.transaction(tenant=OOKI) as session:
        saga.failed(
            session, "eapply", room_request(cloud.database, first), "置き場所がいっぱいです。", cloud.clock.now()
        )
    page = cloud.get("/operator/", OPERATOR).text
    assert "置き場所がいっぱいです。" in page and "もう一度始める" in page
    assert cloud.post(f"/operator/requests/{first}/retry", OPERATOR).status_code == 303
    assert cloud.post(f"/operator/requests/{first}/retry", OPERATOR).status_code == 303, "pressed twice it is one"
    with cloud.database.reading() as session:
        [again] = requests_db.requests_in(session, ["running"])
    answer(cloud.database, again.id, "provisioned")
    assert status(cloud.database) == {"status": "active", "from": "2010-04-01", "until": None}, "its history stays"
    assert "もう一度始める" not in cloud.get("/operator/", OPERATOR).text, "nothing is left to be tried"
    late = cloud.post(f"/operator/requests/{first}/retry", OPERATOR)
    assert late.status_code == 409 and "もう使っています" in late.text


def test_an_imported_use_is_open_only_when_its_room_is_ready(cloud: Cloud) -> None:
    """Counted from the moment it is imported; the door, the town's home and the portal open it when there is something to open."""
    visitor = replace(GUEST, tenant=OOKI, code=OOKI)
    imported = {"file": ("past.csv", f"code,service,from,until\n{OOKI},eapply,2010-04-01,\n", "text/csv")}
    assert cloud.post("/operator/participation", OPERATOR, files=imported).status_code == 200
    assert "/approve" not in cloud.get("/operator/", OPERATOR).text, "nobody has to decide it"
    for run in (False, True):
        while run and worker.jobs.run_next(cloud.service):
            pass
        assert status(cloud.database) == {"status": "preparing", "from": "2010-04-01", "until": None}
        assert counted(cloud.database, DAY) == {OOKI}
        assert f"/t/{OOKI}/eapply/" not in cloud.get(f"/t/{OOKI}/", visitor).text
        page = cloud.get(f"/portal/{OOKI}/services/eapply", ADMIN).text
        assert "準備中" in page and "このサービスを休止する" not in page
    with cloud.database.reading() as session:
        [row] = requests_db.requests_in(session, ["running"])
    with cloud.database.transaction(tenant=OOKI) as session:
        saga.failed(session, "eapply", room_request(cloud.database, row.id), "いっぱいです。", cloud.clock.now())
    assert status(cloud.database)["status"] == "preparing", "a room that failed opens nothing"
    assert "使う準備がまだ終わっていません" in cloud.get(f"/portal/{OOKI}/services/eapply", ADMIN).text
    assert "準備" not in cloud.get(f"/portal/{OOKI}/services/eapply", ADMIN, cookie="lang=en").text
    cloud.clock.advance(seconds=1)
    cloud.post(f"/operator/requests/{row.id}/retry", OPERATOR)
    with cloud.database.reading() as session:
        [again] = requests_db.requests_in(session, ["running"])
    answer(cloud.database, again.id, "provisioned")
    assert status(cloud.database)["status"] == "active"
    assert f"/t/{OOKI}/eapply/" in cloud.get(f"/t/{OOKI}/", visitor).text


def test_only_what_failed_is_tried_again(cloud: Cloud) -> None:
    """A page left open still has its button; what the municipality took back meanwhile is not begun by it."""
    asked = cloud.post(f"/portal/{OOKI}/services/eapply/join", ADMIN, {"when": "now"}).headers["location"]
    request_id = asked.rsplit("/", 1)[1]
    cloud.post(f"/portal/{OOKI}/requests/{request_id}/withdraw", ADMIN)
    refused = cloud.post(f"/operator/requests/{request_id}/retry", OPERATOR)
    assert refused.status_code == 409 and "失敗した申込みではない" in refused.text
    assert counted(cloud.database) == set()
