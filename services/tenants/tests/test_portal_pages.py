"""An administrator opts in and watches; staff are invited; nobody else gets in."""

import io
import re
from datetime import timedelta

import pytest
from PIL import Image

from libs.common.actor import Actor
from libs.common.db import Database
from libs.common.testing.service import NOW
from services.tenants.db import members as members_db
from services.tenants.domain.catalogue import SERVICES
from services.tenants.domain.manuals import MANUALS, PICTURES, SIZE
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, GUEST, KURUME, MEMBER, OOKI, OPERATOR, SECOND_OPERATOR
from services.tenants.tests.test_joining_a_service import close, room_request, state
from services.tenants.use_cases import members, saga

pytestmark = pytest.mark.any_store


def join(cloud: Cloud, **form: str) -> str:
    answer = cloud.post(f"/portal/{OOKI}/services/eapply/join", ADMIN, {"when": "now", **form})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].rsplit("/", 1)[1]


def test_choosing_a_service_shows_cost_effect_and_neighbours(cloud: Cloud) -> None:
    page = cloud.get(f"/portal/{OOKI}/", ADMIN)
    assert page.status_code == 200
    assert "電子申請サービス" in page.text and "公表された単価はありません" in page.text
    assert "まだ申し込めません" not in page.text, "this release has every service"
    assert "久留米圏域のほかの5市町村のうち" in page.text
    assert re.search(r"[0-9,]+円", page.text) is None, "no invented yen"


def test_from_opting_in_to_being_on_every_step_is_on_the_page(cloud: Cloud) -> None:
    request_id = join(cloud)
    page = cloud.get(f"/portal/{OOKI}/requests/{request_id}", ADMIN).text
    assert "協議会の承認を待っています" in page and 'hx-trigger="every 3s"' in page
    approvals = cloud.get("/operator/", OPERATOR).text
    assert "大木町：電子申請サービス" in approvals
    assert cloud.post(f"/operator/requests/{request_id}/approve", OPERATOR).status_code == 303
    page = cloud.get(f"/portal/{OOKI}/requests/{request_id}", ADMIN).text
    assert "協議会が承認しました" in page and 'hx-trigger="every 1s"' in page
    with cloud.database.transaction(tenant=OOKI) as session:
        asked = room_request(cloud.database, request_id)
        saga.progressed(session, "eapply", asked, 2, 4, "手続きの様式を用意しています", NOW)
    page = cloud.get(f"/portal/{OOKI}/", ADMIN).text
    assert "手続きの様式を用意しています" in page and "4のうち2" in page
    with cloud.database.transaction(tenant=OOKI) as session:
        saga.answered(session, "eapply", asked, "provisioned", NOW)
    page = cloud.get(f"/portal/{OOKI}/requests/{request_id}", ADMIN).text
    assert "使えるようになりました" in page and "hx-trigger" not in page
    assert "令和8年11月20日（金）から" in cloud.get(f"/portal/{OOKI}/", ADMIN).text


def test_the_second_operator_sees_a_page_that_explains(cloud: Cloud) -> None:
    request_id = join(cloud)
    cloud.post(f"/operator/requests/{request_id}/approve", OPERATOR)
    answer = cloud.post(f"/operator/requests/{request_id}/approve", SECOND_OPERATOR)
    assert answer.status_code == 409
    assert "ほかの担当者が先に承認しました" in answer.text and "何も変わっていません" in answer.text


def test_a_refusal_without_reason_is_asked_for_and_with_it_told(cloud: Cloud) -> None:
    request_id = join(cloud)
    answer = cloud.post(f"/operator/requests/{request_id}/refuse", OPERATOR, {"reason": ""})
    assert answer.status_code == 422 and "見送る理由を入力してください" in answer.text
    cloud.post(f"/operator/requests/{request_id}/refuse", OPERATOR, {"reason": "接続試験のあとにお願いします。"})
    page = cloud.get(f"/portal/{OOKI}/requests/{request_id}", ADMIN).text
    assert "接続試験のあとにお願いします。" in page and "もう一度申し込む" in page


def test_a_bad_first_day_comes_back_with_the_form(cloud: Cloud) -> None:
    answer = cloud.post(f"/portal/{OOKI}/services/eapply/join", ADMIN, {"when": "day", "day": "2020-01-01"})
    assert answer.status_code == 422 and "開始日が過ぎています" in answer.text
    answer = cloud.post(f"/portal/{OOKI}/services/eapply/join", ADMIN, {"when": "day", "day": "きょう"})
    assert answer.status_code == 422 and "開始する日を選んでください" in answer.text


def test_from_next_april(cloud: Cloud) -> None:
    request_id = join(cloud, when="april")
    page = cloud.get(f"/portal/{OOKI}/requests/{request_id}", ADMIN).text
    assert "令和9年4月1日" in page


def test_a_service_that_is_not_open_cannot_be_joined_by_hand_made_forms(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    close(monkeypatch, "opendata")
    assert cloud.post(f"/portal/{OOKI}/services/opendata/join", ADMIN, {"when": "now"}).status_code == 403
    assert cloud.post(f"/portal/{OOKI}/services/nothing/join", ADMIN, {"when": "now"}).status_code == 404
    assert cloud.post(f"/portal/{OOKI}/services/eapply/destroy", ADMIN, {}).status_code == 404


def test_leaving_gives_the_data_first(cloud: Cloud) -> None:
    request_id = join(cloud)
    cloud.post(f"/operator/requests/{request_id}/approve", OPERATOR)
    with cloud.database.transaction(tenant=OOKI) as session:
        saga.answered(session, "eapply", room_request(cloud.database, request_id), "provisioned", NOW)
    leaving = cloud.post(f"/portal/{OOKI}/services/eapply/leave", ADMIN).headers["location"].rsplit("/", 1)[1]
    assert cloud.get(f"/portal/{OOKI}/requests/{leaving}/archive", ADMIN).status_code == 404
    with cloud.database.transaction(tenant=OOKI) as session:
        saga.answered(session, "eapply", room_request(cloud.database, leaving), "exported", NOW, archive="file-1")
    assert "データを受け取る" in cloud.get(f"/portal/{OOKI}/requests/{leaving}", ADMIN).text
    assert cloud.get(f"/portal/{OOKI}/requests/{leaving}/archive", ADMIN).status_code == 503, "the service is away"
    cloud.others.answers["GET", "/internal/eapply/archives/file-1"] = (200, "PK archive")
    archive = cloud.get(f"/portal/{OOKI}/requests/{leaving}/archive", ADMIN)
    assert (archive.status_code, archive.text) == (200, "PK archive")
    wrong = cloud.post(f"/portal/{OOKI}/requests/{leaving}/confirm", ADMIN, {"name": "はい"})
    assert wrong.status_code == 422 and "サービスの名前「電子申請サービス」を入力してください" in wrong.text
    cloud.post(f"/portal/{OOKI}/requests/{leaving}/confirm", ADMIN, {"name": "電子申請サービス"})
    assert state(cloud.database, leaving) == "running"


@pytest.mark.parametrize("actor", [GUEST, MEMBER, OPERATOR, Actor("person", "citizen", "市民", OOKI, OOKI)])
def test_only_administrators_enter_the_portal(cloud: Cloud, actor: Actor) -> None:
    assert cloud.get(f"/portal/{OOKI}/", actor).status_code in (401, 403, 404)
    assert cloud.post(f"/portal/{OOKI}/services/eapply/join", actor, {"when": "now"}).status_code in (401, 403, 404)


def test_another_municipalitys_pages_and_requests_look_as_if_there_were_none(cloud: Cloud) -> None:
    request_id = join(cloud)
    stranger = Actor("staff", "person-kurume", "他 所", KURUME, KURUME, frozenset({"portal.admin"}))
    assert cloud.get(f"/portal/{OOKI}/", stranger).status_code == 404
    for path in (f"/portal/{KURUME}/requests/{request_id}", f"/portal/{KURUME}/requests/{request_id}/archive"):
        assert cloud.get(path, stranger).status_code == 404
    assert cloud.post(f"/portal/{KURUME}/requests/{request_id}/withdraw", stranger).status_code == 404


def test_portal_leads_to_ones_own_municipality(cloud: Cloud) -> None:
    person = Actor("person", "person-admin", "管理 太郎")
    assert "管理者になっている市町村がありません" in cloud.get("/portal/", person).text
    with cloud.database.transaction(tenant=OOKI) as session:
        members.grant(session, OPERATOR, OOKI, "person-admin", {"portal.admin"}, NOW)
    assert cloud.get("/portal/", person).headers["location"] == f"/portal/{OOKI}/"
    with cloud.database.transaction(tenant=KURUME) as session:
        members.grant(session, OPERATOR, KURUME, "person-admin", {"portal.admin"}, NOW)
    page = cloud.get("/portal/", person).text
    assert "大木町" in page and "久留米市" in page


# ---- members --------------------------------------------------------------------------------------------------------


@pytest.fixture
def staffed(cloud: Cloud) -> Cloud:
    with cloud.database.transaction(tenant=OOKI) as session:
        members.grant(session, OPERATOR, OOKI, ADMIN.subject, {"portal.admin"}, NOW)
    cloud.others.answers["GET", "/internal/gateway/persons"] = (
        200,
        [{"id": ADMIN.subject, "display_name": "管理 太郎", "email": "admin@example.lg.jp", "active": True}],
    )
    return cloud


def roles(database: Database) -> dict[str, set[str]]:
    with database.reading() as session:
        return members_db.roles_of(session, OOKI)


def test_inviting_a_reviewer(staffed: Cloud) -> None:
    staffed.others.answers["POST", "/internal/gateway/invitations"] = (201, {"person_id": "person-new"})
    form = {"email": "shinsa@example.lg.jp", "name": "審査 次郎", "roles": ["eapply.reviewer"]}
    assert staffed.post(f"/portal/{OOKI}/members/", ADMIN, form).status_code == 303
    assert roles(staffed.database)["person-new"] == {"eapply.reviewer"}
    import json

    body = json.loads(staffed.others.asked[-1].content)
    assert body == {
        "email": "shinsa@example.lg.jp",
        "display_name": "審査 次郎",
        "tenant_name": "大木町",
        "roles_text": "電子申請の審査",
    }
    assert "管理 太郎" in staffed.get(f"/portal/{OOKI}/members/", ADMIN).text


def test_no_name_and_no_address_stays_in_the_registry(staffed: Cloud) -> None:
    from sqlalchemy import MetaData, select

    staffed.others.answers["POST", "/internal/gateway/invitations"] = (201, {"person_id": "person-new"})
    form = {"email": "canary@example.lg.jp", "name": "金糸 雀", "roles": ["eapply.reviewer"]}
    staffed.post(f"/portal/{OOKI}/members/", ADMIN, form)
    everything = ""
    with staffed.database.engine.connect().execution_options(raw_sql="test reads all") as connection:
        tables = MetaData()
        tables.reflect(connection)
        for table in tables.sorted_tables:
            everything += str(connection.execute(select(table)).all())
    assert "person-new" in everything, "the search finds what is there"
    assert "canary@example" not in everything and "金糸" not in everything


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"email": "nope", "name": "名", "roles": ["eapply.reviewer"]}, "メールアドレスの形"),
        ({"email": "a@b", "name": " ", "roles": ["eapply.reviewer"]}, "お名前"),
        ({"email": "a@b", "name": "名", "roles": []}, "権限を1つ以上"),
        ({"email": "a@b", "name": "名", "roles": ["operator"]}, "権限を1つ以上"),
    ],
)
def test_what_is_missing_in_an_invitation_is_said_beside_the_field(staffed: Cloud, form: dict, told: str) -> None:
    answer = staffed.post(f"/portal/{OOKI}/members/", ADMIN, form)
    assert answer.status_code == 422 and told in answer.text
    assert not any(r.method == "POST" for r in staffed.others.asked)


def test_the_gateway_away_nothing_changes(staffed: Cloud) -> None:
    form = {"email": "a@b.lg.jp", "name": "名", "roles": ["eapply.reviewer"]}
    answer = staffed.post(f"/portal/{OOKI}/members/", ADMIN, form)
    assert answer.status_code == 503 and "何も変わっていません" in answer.text
    assert set(roles(staffed.database)) == {ADMIN.subject}


def test_changing_and_removing_rights(staffed: Cloud) -> None:
    with staffed.database.transaction(tenant=OOKI) as session:
        members.grant(session, ADMIN, OOKI, "person-2", {"eapply.reviewer"}, NOW)
    staffed.post(f"/portal/{OOKI}/members/person-2", ADMIN, {"roles": ["eapply.manager", "portal.admin"]})
    assert roles(staffed.database)["person-2"] == {"eapply.manager", "portal.admin"}
    staffed.post(f"/portal/{OOKI}/members/person-2", ADMIN, {"roles": []})
    assert "person-2" not in roles(staffed.database)


def test_the_last_administrator_cannot_remove_themself(staffed: Cloud) -> None:
    answer = staffed.post(f"/portal/{OOKI}/members/{ADMIN.subject}", ADMIN, {"roles": ["eapply.reviewer"]})
    assert answer.status_code == 409 and "管理者がいなくなる" in answer.text
    assert roles(staffed.database) == {ADMIN.subject: {"portal.admin"}}


def test_the_record_says_who_did_what(staffed: Cloud) -> None:
    join(staffed)
    page = staffed.get(f"/portal/{OOKI}/records/", ADMIN).text
    assert "利用の申込み：申し込みました" in page and "管理 太郎" in page
    staffed.clock.advance(seconds=1)
    lines = staffed.get(f"/portal/{OOKI}/records/lines", ADMIN)
    assert lines.status_code == 200


def test_a_late_room_is_shown_as_late(cloud: Cloud) -> None:
    request_id = join(cloud)
    cloud.post(f"/operator/requests/{request_id}/approve", OPERATOR)
    cloud.clock.advance(seconds=61)
    assert "返事が遅れています" in cloud.get(f"/portal/{OOKI}/requests/{request_id}", ADMIN).text
    with cloud.database.transaction(tenant=OOKI) as session:
        saga.chase(session, request_id, NOW + timedelta(seconds=61))
    page = cloud.get(f"/portal/{OOKI}/requests/{request_id}", ADMIN).text
    assert "返事が遅れているため、もう一度頼みました" in page


def test_a_service_shows_its_screen_and_how_the_first_hour_goes(cloud: Cloud) -> None:
    for service in SERVICES:
        page = cloud.get(f"/portal/{OOKI}/services/{service.key}", ADMIN).text
        assert f"/portal/{OOKI}/services/{service.key}/manual" in page
        manual = cloud.get(f"/portal/{OOKI}/services/{service.key}/manual", ADMIN).text
        for step in MANUALS[service.key].steps:
            linked = f'href="{step.path.replace("{code}", OOKI)}"' in manual
            assert step.title in manual
            assert linked == step.path.startswith("/portal/"), (
                "pages of a service that is not in use are named, not linked"
            )
        for shown in re.findall(r'<img src="([^"]+)" alt="[^"]{8,}"', page):
            picture = cloud.get(shown, GUEST)
            assert picture.headers["content-type"] == "image/webp" and len(picture.content) < 100_000
            with Image.open(io.BytesIO(picture.content)) as opened:
                assert opened.size == SIZE
        assert ("<img" in page) == (service.key in PICTURES)
        assert ("<img" in page) != ('aria-labelledby="center-title' in page), "the one without a page is drawn"
    assert cloud.get("/portal/pictures/..%2Fsettings.py", GUEST).status_code == 404
