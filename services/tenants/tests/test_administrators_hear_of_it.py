"""What happens to a municipality reaches its administrators by mail and in the inbox, as each of them chose."""

from dataclasses import replace
from datetime import date

import pytest

from libs.common import notices
from libs.common.actor import Actor
from libs.common.notices import NoticeRow
from libs.common.testing.service import NOW
from services.tenants import worker
from services.tenants.api.notice_settings import Ways
from services.tenants.db import maintenance as maintenance_db
from services.tenants.db import notice_choices as choices_db
from services.tenants.db import requests as requests_db
from services.tenants.domain.subscriptions import Interval
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, KURUME, MEMBER, OOKI, OPERATOR, PREFECTURE, SECOND_OPERATOR
from services.tenants.tests.test_cost_of_taking_part import RULE, issue
from services.tenants.tests.test_dates_and_notices import NIGHT
from services.tenants.tests.test_joining_a_service import answer, room_request
from services.tenants.tests.test_reserving_servers import POOL, joins, only, reserve
from services.tenants.tests.test_taking_everything import tell
from services.tenants.use_cases import members, saga, subscribe, takeouts, telling

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
SETTINGS = f"/portal/{OOKI}/notices/settings"
COLLEAGUE = replace(ADMIN, subject="person-colleague", name="同僚 花子")
REVIEWER = replace(ADMIN, subject="person-reviewer", roles=frozenset({"eapply.reviewer"}))
ELSEWHERE = Actor("staff", "person-k", "久留米 太郎", KURUME, KURUME, frozenset({"portal.admin"}), "password", "sid-k")


@pytest.fixture(autouse=True)
def people(cloud: Cloud) -> None:
    for who in (ADMIN, COLLEAGUE, REVIEWER, ELSEWHERE):
        with cloud.database.transaction(tenant=who.tenant) as session:
            members.grant(session, OPERATOR, who.tenant or "", who.subject, set(who.roles), NOW)


def heard(cloud: Cloud, who: Actor = ADMIN) -> list[NoticeRow]:
    """The person's notices once all jobs have run, the latest first."""
    while worker.jobs.run_next(cloud.service):
        pass
    with cloud.database.reading() as session:
        return notices.inbox(session, who.subject)


def kinds(cloud: Cloud, who: Actor = ADMIN) -> list[str]:
    return [row.template for row in heard(cloud, who)]


def asked(cloud: Cloud, service: str = "eapply", action: str = "join") -> str:
    sent = cloud.post(f"/portal/{OOKI}/services/{service}/{action}", ADMIN, {"when": "now"})
    return sent.headers["location"].rsplit("/", 1)[1]


def test_joining_and_leaving_are_told_step_by_step_to_administrators_only(cloud: Cloud) -> None:
    joining = asked(cloud)
    assert kinds(cloud) == []
    cloud.post(f"/operator/requests/{joining}/approve", OPERATOR)
    [approved] = heard(cloud)
    assert approved.subject.endswith("大木町の電子申請サービスの申込みが承認されました") and approved.mail == "queued"
    assert f"{cloud.service.settings.public_url}/portal/{OOKI}/requests/{joining}" in approved.body
    for _ in range(2):
        answer(cloud.database, joining, "provisioned")
    assert kinds(cloud) == ["ready", "decided"], "an answer that comes twice is told once"
    leaving = asked(cloud, action="leave")
    answer(cloud.database, leaving, "exported", archive="a.zip")
    assert kinds(cloud)[0] == "exported"
    assert kinds(cloud, COLLEAGUE) == kinds(cloud) and kinds(cloud, REVIEWER) == kinds(cloud, ELSEWHERE) == []


def test_a_refusal_and_a_failure_are_told_without_their_reasons(cloud: Cloud) -> None:
    cloud.post(f"/operator/requests/{asked(cloud)}/refuse", OPERATOR, {"reason": "予算がまだです。"})
    [refused] = heard(cloud)
    assert "見送られました" in refused.subject and "予算" not in refused.body, "a mail is read on the way"
    again = asked(cloud)
    cloud.post(f"/operator/requests/{again}/approve", OPERATOR)
    with cloud.database.transaction(tenant=OOKI) as session:
        saga.failed(session, "eapply", room_request(cloud.database, again), "容量が足りません。", NOW)
    failed = heard(cloud)[0]
    assert failed.template == "failed" and "元に戻して" in failed.body and "容量" not in failed.body


def test_a_participation_that_was_imported_is_no_news(cloud: Cloud) -> None:
    with cloud.database.transaction(tenant=OOKI) as session:
        row = subscribe.provide_room(session, OPERATOR, OOKI, "eapply", NOW)
        assert row is not None
    answer(cloud.database, row.id, "provisioned")
    assert kinds(cloud) == []


def test_a_take_out_is_told_once_when_the_last_part_has_answered(cloud: Cloud) -> None:
    with cloud.database.transaction(tenant=OOKI) as session:
        for service in ("eapply", "backup"):
            found = [Interval(OOKI, service, "joined", date(2018, 4, 1), None, NOW)]
            subscribe.correct_history(session, ADMIN, OOKI, service, found, "検査", NOW)
    with cloud.database.transaction(tenant=OOKI) as session:
        ident = takeouts.ask(session, ADMIN, OOKI, NOW).id
    with cloud.database.reading() as session:
        parts = {part.service: part.room_request for part in takeouts.db.parts(session, ident)}
    tell(cloud, "eapply.room.exported.v1", request_id=parts["eapply"], file="a")
    assert kinds(cloud) == [], "the other part is still being written"
    tell(cloud, "backup.room.failed.v1", request_id=parts["backup"], reason="だめでした。")
    [told] = heard(cloud)
    assert told.template == "exported" and "一部" in told.body and told.body.strip().endswith("/takeout/")


def test_reservations_invoices_and_maintenance_are_told_to_whom_they_concern(cloud: Cloud) -> None:
    joins(cloud.database)
    cloud.post("/operator/capacity/pool", OPERATOR, POOL)
    assert reserve(cloud)[0] == 303
    cloud.post(f"/operator/capacity/{only(cloud).id}/refuse", OPERATOR, {"reason": "点検の日です。"})
    assert "見送られました" in heard(cloud)[0].subject
    cloud.post("/council/sharing/cloud/rule", MEMBER, {**RULE, "subsidy": ""})
    assert issue(cloud) == 303
    assert kinds(cloud)[0] == "invoice" and "円" not in heard(cloud)[0].body
    for service in ("cloud", ""):
        cloud.post("/operator/maintenance", OPERATOR, NIGHT | {"service": service})
    with cloud.database.reading() as session:
        rows = maintenance_db.ending_after(session, NOW)
    for row in rows:
        cloud.post(f"/operator/maintenance/{row.id}/cancel", OPERATOR)
    assert kinds(cloud) == [*["maintenance"] * 4, "invoice", "reservation"]
    assert kinds(cloud, ELSEWHERE) == ["maintenance"] * 2, "久留米市 does not take part in the first"
    assert {"取りやめ" in row.subject for row in heard(cloud, ELSEWHERE)} == {True, False}


CHOSEN = dict.fromkeys((kind for kind in telling.KINDS if kind not in telling.ALWAYS), "mail")


def test_each_administrator_chooses_what_and_how(cloud: Cloud) -> None:
    page = cloud.get(SETTINGS, ADMIN).text
    assert page.count('value="mail" checked') == len(CHOSEN), "mail, unless somebody chooses"
    assert cloud.post(SETTINGS, ADMIN, CHOSEN | {"decided": "inbox", "ready": "none"}).status_code == 303
    page = cloud.get(f"{SETTINGS}?saved=true", ADMIN).text
    assert "この届け方にしました" in page and page.count('value="none" checked') == 1
    assert 'value="none" checked' not in cloud.get(SETTINGS, COLLEAGUE).text, "one's own, nobody else's"
    joining = asked(cloud)
    cloud.post(f"/operator/requests/{joining}/approve", OPERATOR)
    answer(cloud.database, joining, "provisioned")
    assert [(row.template, row.mail) for row in heard(cloud)] == [("decided", "none")]
    told = {("decided", "queued"), ("ready", "queued")}
    assert {(row.template, row.mail) for row in heard(cloud, COLLEAGUE)} == told


def test_what_has_a_day_that_counts_cannot_be_switched_off_and_says_so(cloud: Cloud) -> None:
    """Neither by another form nor by a choice that was made while one could."""
    page = cloud.get(SETTINGS, ADMIN).text
    assert all(why in page and f'name="{kind}"' not in page for kind, why in telling.ALWAYS.items())
    refused = cloud.post(SETTINGS, ADMIN, CHOSEN | {"invoice": "none"})
    assert refused.status_code == 422 and refused.text.count(telling.ALWAYS["invoice"]) == 2
    with cloud.database.transaction() as session:
        choices_db.choose(session, OOKI, ADMIN.subject, dict.fromkeys(telling.KINDS, "none"))
    joining = asked(cloud)
    cloud.post(f"/operator/requests/{joining}/approve", OPERATOR)
    with cloud.database.transaction(tenant=OOKI) as session:
        saga.failed(session, "eapply", room_request(cloud.database, joining), "だめでした。", NOW)
    assert [(row.template, row.mail) for row in heard(cloud)] == [("failed", "queued")]


def test_a_choice_that_is_none_is_refused_beside_its_field(cloud: Cloud) -> None:
    assert set(Ways.model_fields) == set(telling.KINDS), "the form asks for each kind"
    refused = cloud.post(SETTINGS, ADMIN, CHOSEN | {"ready": "pigeon"})
    assert refused.status_code == 422 and 'id="ready-error"' in refused.text
    with cloud.database.reading() as session:
        assert telling.chosen(session, OOKI, ADMIN.subject)["ready"] == "mail"


def test_the_answer_to_a_question_follows_the_choice(cloud: Cloud) -> None:
    cloud.post(SETTINGS, COLLEAGUE, CHOSEN | {"support": "none"})
    cloud.post(f"/portal/{OOKI}/support/", ADMIN, {"title": "印刷", "service": "", "text": "切れます。"})
    assert kinds(cloud, COLLEAGUE) == []


def test_operators_hear_of_every_request_and_what_waits_for_them(cloud: Cloud) -> None:
    for operator in (OPERATOR, SECOND_OPERATOR):
        with cloud.database.transaction(tenant=PREFECTURE) as session:
            members.grant(session, OPERATOR, PREFECTURE, operator.subject, {"operator"}, NOW)
    joining = asked(cloud)
    asked(cloud)
    [told] = heard(cloud, OPERATOR)
    assert "大木町から電子申請サービスの申込み（利用の開始）" in told.subject and told.mail != "none"
    assert "承認か見送りを待っています" in told.body and told.body.strip().endswith("/operator/")
    assert len(heard(cloud, SECOND_OPERATOR)) == 1, "asked twice it is one request, told once to each operator"
    assert kinds(cloud, ADMIN) == [], "who asked knows"
    cloud.post(f"/operator/requests/{joining}/approve", OPERATOR)
    answer(cloud.database, joining, "provisioned")
    asked(cloud, action="leave")
    latest = heard(cloud, OPERATOR)[0]
    assert "利用の終了" in latest.subject and "承認は要りません" in latest.body


def test_operators_hear_of_a_room_that_could_not_be_made_also_of_an_imported_use(cloud: Cloud) -> None:
    with cloud.database.transaction(tenant=PREFECTURE) as session:
        members.grant(session, OPERATOR, PREFECTURE, OPERATOR.subject, {"operator"}, NOW)
    imported = {"file": ("past.csv", f"code,service,from,until\n{OOKI},eapply,2010-04-01,\n", "text/csv")}
    assert cloud.post("/operator/participation", SECOND_OPERATOR, files=imported).status_code == 200
    assert heard(cloud, OPERATOR) == [], "an import is no news"
    with cloud.database.reading() as session:
        [row] = requests_db.requests_in(session, ["running"])
    with cloud.database.transaction(tenant=OOKI) as session:
        saga.failed(session, "eapply", room_request(cloud.database, row.id), "容量が足りません。", NOW)
    [told] = heard(cloud, OPERATOR)
    assert "大木町の電子申請サービス：利用の開始ができませんでした" in told.subject and told.mail == "queued"
    assert "もう一度始める" in told.body and "容量" not in told.body and told.body.strip().endswith("/operator/")
    assert kinds(cloud, ADMIN) == [], "the town asked for nothing"


def test_operators_hear_of_reserved_servers(cloud: Cloud) -> None:
    with cloud.database.transaction(tenant=PREFECTURE) as session:
        members.grant(session, OPERATOR, PREFECTURE, OPERATOR.subject, {"operator"}, NOW)
    joins(cloud.database)
    cloud.post("/operator/capacity/pool", OPERATOR, POOL)
    assert reserve(cloud)[0] == 303
    [told] = heard(cloud, OPERATOR)
    assert "サーバーの予約" in told.subject and "/operator/capacity" in told.body
