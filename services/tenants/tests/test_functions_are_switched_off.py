"""An operator switches a function of a service off for a municipality, with a reason, and on again; the service is told each time."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from libs.common.actor import Actor
from libs.common.audit.table import AuditEntryRow
from libs.common.outbox import OutboxRow
from libs.common.testing.service import NOW
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, KURUME, OOKI, OPERATOR
from services.tenants.tests.test_administrators_hear_of_it import heard
from services.tenants.tests.test_joining_a_service import answer, approve, ask_to_join, at_once
from services.tenants.tests.test_service_level import takes_part
from services.tenants.use_cases import members, switches

PAGE = "/operator/switches"
FUNCTION = "eapply/payments"
WHY = "決済事業者の障害。夕方に戻す見込み"


@pytest.fixture
def paying(cloud: Cloud) -> Cloud:
    """大木町 uses e-application, which has a function that can be switched off."""
    takes_part(cloud, "eapply")
    says = "申請した方が、手数料を画面から払えます。"
    found = [{"name": "payments", "title": "画面での支払い", "says": says}]
    cloud.others.answers["GET", "/internal/eapply/switches"] = (200, found)
    return cloud


def told(cloud: Cloud) -> list[tuple[str, dict[str, Any]]]:
    with cloud.database.reading() as session:
        rows = session.scalars(
            select(OutboxRow).where(OutboxRow.type == "tenants.switches.set.v1").order_by(OutboxRow.position)
        )
        return [(row.envelope["tenantid"], row.envelope["data"]) for row in rows]


def recorded(cloud: Cloud, tenant: str) -> list[tuple[str, str, str | None]]:
    with cloud.database.reading(tenant=tenant) as session:
        rows = session.scalars(select(AuditEntryRow).where(AuditEntryRow.action.like("switch.%")))
        return sorted((row.action, row.subject, row.reason) for row in rows)


def turn_off(cloud: Cloud, **changed: str) -> Any:
    return cloud.post(PAGE, OPERATOR, {"function": FUNCTION, "tenant": OOKI, "reason": WHY} | changed)


def test_a_function_rests_for_one_municipality_and_comes_back(paying: Cloud) -> None:
    assert "止めている機能はありません" in paying.get(PAGE, OPERATOR).text
    assert turn_off(paying).status_code == 303
    page = paying.get(PAGE, OPERATOR).text
    assert "大木町" in page and WHY in page and "また使えるようにする" in page
    assert turn_off(paying).status_code == 303, "sent twice, it changes and tells nothing more"
    assert told(paying) == [(OOKI, {"service": "eapply", "on": {"payments": False}})]
    assert paying.post(f"{PAGE}/{OOKI}/{FUNCTION}/on", OPERATOR, {"reason": "復旧を確認"}).status_code == 303
    assert "止めている機能はありません" in paying.get(PAGE, OPERATOR).text
    assert told(paying)[1:] == [(OOKI, {"service": "eapply", "on": {"payments": True}})]
    assert recorded(paying, OOKI) == [("switch.off", FUNCTION, WHY), ("switch.on", FUNCTION, "復旧を確認")]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"reason": " "}, "理由を入力してください。"),
        ({"function": ""}, "止める機能を選んでください。"),
        ({"function": "eapply/unknown"}, "止める機能を選んでください。"),
        ({"tenant": ""}, "市町村を選んでください。"),
    ],
)
def test_what_is_missing_is_said_and_nothing_changes(paying: Cloud, changed: dict[str, str], said: str) -> None:
    refused = turn_off(paying, **changed)
    assert refused.status_code == 422 and said in refused.text
    assert told(paying) == []


def test_its_administrators_are_told_and_read_why_on_the_page_of_the_service(paying: Cloud) -> None:
    with paying.database.transaction(tenant=OOKI) as session:
        members.grant(session, OPERATOR, OOKI, ADMIN.subject, set(ADMIN.roles), NOW)
    page = f"/portal/{OOKI}/services/eapply"
    assert "止めている機能があります" not in paying.get(page, ADMIN).text
    turn_off(paying)
    turn_off(paying)
    assert [(one.template, WHY in one.body) for one in heard(paying)] == [("switched", False)], (
        "once, and no reason in a mail"
    )
    shown = paying.get(page, ADMIN).text
    assert "止めている機能があります" in shown and "画面での支払い" in shown and WHY in shown
    paying.post(f"{PAGE}/{OOKI}/{FUNCTION}/on", OPERATOR, {"reason": "復旧を確認"})
    assert "また使えます" in heard(paying)[0].subject
    assert "止めている機能があります" not in paying.get(page, ADMIN).text


def test_coming_back_needs_a_reason_too(paying: Cloud) -> None:
    turn_off(paying)
    refused = paying.post(f"{PAGE}/{OOKI}/{FUNCTION}/on", OPERATOR, {"reason": ""})
    assert refused.status_code == 422 and "理由を入力してください。" in refused.text
    assert len(told(paying)) == 1


def test_all_who_use_the_service_at_once(paying: Cloud) -> None:
    assert turn_off(paying, tenant="all").status_code == 303
    assert [tenant for tenant, _ in told(paying)] == [OOKI], "久留米市 does not use it here"
    assert recorded(paying, KURUME) == []


def test_a_municipality_cannot_switch_anything(paying: Cloud) -> None:
    assert paying.get(PAGE, ADMIN).status_code == 403
    assert paying.post(PAGE, ADMIN, {"function": FUNCTION, "tenant": OOKI, "reason": WHY}).status_code == 403
    assert told(paying) == []


def test_an_unknown_municipality_is_not_found(paying: Cloud) -> None:
    assert turn_off(paying, tenant="999999").status_code == 404


def test_a_service_that_does_not_answer_is_named(paying: Cloud) -> None:
    page = paying.get(PAGE, OPERATOR).text
    assert "電子入札（ebid）は応答していません" in page and "eapplyは応答していません" not in page


def test_a_room_that_is_made_later_hears_what_was_set_before(cloud: Cloud) -> None:
    with cloud.database.transaction(tenant=OOKI) as session:
        switches.turn(session, OPERATOR, "eapply", "payments", False, WHY, NOW)
    request_id = ask_to_join(cloud.database)
    approve(cloud.database, request_id)
    assert len(told(cloud)) == 1
    answer(cloud.database, request_id, "provisioned")
    assert told(cloud)[1:] == [(OOKI, {"service": "eapply", "on": {"payments": False}})]


def test_operators_who_press_in_the_same_moment_tell_it_once(paying: Cloud) -> None:
    """Each told the administrators, the service and the record of its own."""

    def press() -> None:
        with paying.database.transaction(tenant=OOKI) as session:
            switches.turn(session, OPERATOR, "eapply", "payments", False, WHY, datetime.now(UTC))

    assert at_once(*[press] * 4) == [None] * 4
    assert len(told(paying)) == 1 and recorded(paying, OOKI) == [("switch.off", FUNCTION, WHY)]


# ---- the door, which has no room ------------------------------------------------------------------------------------

KEYS = "gateway/programs"


@pytest.fixture
def with_keys(paying: Cloud) -> Cloud:
    """The door has a function that can be switched off, too."""
    found = [{"name": "programs", "title": "プログラムからの利用", "says": "キーを持つプログラムが使えます。"}]
    paying.others.answers["GET", "/internal/gateway/switches"] = (200, found)
    return paying


def told_to_the_door(cloud: Cloud) -> tuple[str, dict[str, list[str]]]:
    """The version of what the door asks for every second, and what rests where."""
    document = cloud.get("/internal/tenants/snapshot", Actor("service", "gateway")).json()
    return document["version"], {town["id"]: town["off"] for town in document["tenants"] if town["off"]}


def test_a_function_of_the_door_rests_for_one_municipality_and_the_door_learns_it(with_keys: Cloud) -> None:
    before, resting = told_to_the_door(with_keys)
    assert resting == {}
    assert turn_off(with_keys, function=KEYS).status_code == 303
    since, resting = told_to_the_door(with_keys)
    assert resting == {OOKI: ["programs"]} and since != before, "else the door keeps what it has"
    page = with_keys.get(PAGE, OPERATOR).text
    assert "サインインとキー" in page and "プログラムからの利用" in page
    assert with_keys.post(f"{PAGE}/{OOKI}/{KEYS}/on", OPERATOR, {"reason": "復旧を確認"}).status_code == 303
    after, resting = told_to_the_door(with_keys)
    assert resting == {} and after not in (before, since)
    assert recorded(with_keys, OOKI) == [("switch.off", KEYS, WHY), ("switch.on", KEYS, "復旧を確認")]
    assert told(with_keys) == [], "no service has to hear of it"
    assert turn_off(with_keys, function="gateway/unknown").status_code == 422


def test_its_administrators_read_on_the_first_page_of_the_portal_why_keys_rest(with_keys: Cloud) -> None:
    with with_keys.database.transaction(tenant=OOKI) as session:
        members.grant(session, OPERATOR, OOKI, ADMIN.subject, set(ADMIN.roles), NOW)
    page = f"/portal/{OOKI}/"
    assert "止めている機能があります" not in with_keys.get(page, ADMIN).text
    turn_off(with_keys, function=KEYS)
    [told_once] = heard(with_keys)
    assert "サインインとキー" in told_once.subject and f"{page}\n" in told_once.body
    shown = with_keys.get(page, ADMIN).text
    assert "止めている機能があります" in shown and "プログラムからの利用" in shown and WHY in shown


def test_all_who_use_anything_have_keys(with_keys: Cloud) -> None:
    assert turn_off(with_keys, function=KEYS, tenant="all").status_code == 303
    assert told_to_the_door(with_keys)[1] == {OOKI: ["programs"]}
