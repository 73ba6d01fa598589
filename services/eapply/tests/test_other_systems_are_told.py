"""Staff register another system of the town hall; it is told of applications, and what came of it can be read."""

import json
import re
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from libs.common.audit.table import AuditEntryRow
from libs.common.inbox import handle_next, receive
from libs.common.tests.webhooks.receiver import Receiver
from services.eapply import worker
from services.eapply.tests.people import Browser, Town, visible

MANAGER = frozenset({"eapply.reviewer", "eapply.manager"})
SUBMITTED = "eapply.application.submitted.v1"


@pytest.fixture
def receiver(town: Town) -> Iterator[Receiver]:
    made = Receiver()
    town.service.settings.fetch_allowed = made.allowed
    yield made
    made.close()


def registered(staff: Browser, receiver: Receiver) -> str:
    """The address of the page of a new webhook."""
    data = {"url": receiver.url, "purpose": "文書管理システム", "types": [SUBMITTED]}
    answer = staff.post("desk/webhooks/", data, follow_redirects=False)
    assert answer.status_code == 303, visible(answer.text)
    return answer.headers["location"]


def work(town: Town) -> None:
    """What the relay, the inbox and the jobs of the worker do."""
    service = town.service
    with service.database.transaction() as session:
        receive(session, town.events(SUBMITTED), service.clock.now())
    while handle_next(service.database, worker.subscriptions, service.clock):
        pass
    while worker.jobs.run_next(service):
        pass


def test_an_application_is_told_by_its_number_alone_and_the_answer_is_shown(town: Town, receiver: Receiver):
    staff = town.staff(roles=MANAGER)
    page = registered(staff, receiver)
    sent = town.guest().apply_for_event()
    work(town)
    [(headers, body)] = receiver.taken
    told = json.loads(body)
    assert (told["type"], told["data"]["application_id"]) == (SUBMITTED, sent.id)
    assert "髙橋" not in body.decode()
    shown = staff.get(page)
    assert "申請が届いた" in visible(shown.text)
    assert "受け取り済み" in visible(shown.text)
    record = staff.get(f"{page}/sent/{headers['webhook-id']}")
    assert sent.id in record.text
    assert "204" in visible(record.text)


def test_buttons_do_what_they_say(town: Town, receiver: Receiver):
    staff = town.staff(roles=MANAGER)
    page = registered(staff, receiver)
    secret = re.search(r"whsec_[\w+/=]+", staff.get(page).text)
    assert secret
    staff.post(f"{page}/test")
    work(town)
    assert json.loads(receiver.taken[0][1])["type"] == "webhooks.test"
    assert "一時停止中" in visible(staff.post(f"{page}/pause").text)
    assert "送信中" in visible(staff.post(f"{page}/resume").text)
    assert secret.group() not in staff.post(f"{page}/rotate").text
    assert staff.post(f"{page}/explode").status_code == 404
    staff.post(f"{page}/remove")
    assert staff.get(page).status_code == 404
    assert "送り先はまだありません" in visible(staff.get("desk/webhooks/").text)


def test_a_wrong_address_comes_back_with_what_was_typed(town: Town):
    answer = town.staff(roles=MANAGER).post("desk/webhooks/", {"url": "ftp://x.example/", "purpose": "連携テスト"})
    assert answer.status_code == 422
    assert "連携テスト" in answer.text
    assert "1つ以上選んでください" in visible(answer.text)


def test_a_webhook_moves_to_another_address_and_keeps_its_secret_its_log_and_what_waits(town: Town, receiver: Receiver):
    staff = town.staff(roles=MANAGER)
    page = registered(staff, receiver)
    secret = re.search(r"whsec_[\w+/=]+", staff.get(page).text)
    staff.post(f"{page}/test")
    work(town)
    staff.post(f"{page}/test")
    moved = {"url": receiver.url + "/moved", "purpose": "新しい文書管理", "types": [SUBMITTED]}
    assert staff.post(page, moved, follow_redirects=False).headers["location"] == page
    work(town)
    assert receiver.paths == ["/hook", "/hook/moved"]
    shown = staff.get(page)
    assert secret
    assert secret.group() in shown.text
    assert ("新しい文書管理" in shown.text, shown.text.count("/sent/")) == (True, 2)
    with town.service.database.reading(tenant="402036") as session:
        assert "webhook.changed" in {row.action for row in session.scalars(select(AuditEntryRow))}


@pytest.mark.parametrize("url", ["https://127.0.0.1/hook", "https://files.local/", "https://localhost/hook"])
def test_an_address_inside_is_refused_with_its_reason_where_it_is_typed(town: Town, receiver: Receiver, url: str):
    staff = town.staff(roles=MANAGER)
    page = registered(staff, receiver)
    typed = {"url": url, "purpose": "庁内の連携", "types": [SUBMITTED]}
    for address in ("desk/webhooks/", page):
        answer = staff.post(address, typed)
        assert answer.status_code == 422
        assert "庁内や機器の内部" in visible(answer.text)
        assert url in answer.text
    assert receiver.url in staff.get(page).text


def test_only_managers_see_it(town: Town):
    assert town.staff().get("desk/webhooks/").status_code == 403
    assert "desk/webhooks/" not in town.staff().get("desk/").text
    assert "desk/webhooks/" in town.staff(roles=MANAGER).get("desk/").text


def test_a_deleted_room_leaves_no_webhook(town: Town, receiver: Receiver):
    from libs.common.room import RoomRequest, drain
    from services.eapply.rooms import EapplyRoom

    staff = town.staff(roles=MANAGER)
    page = registered(staff, receiver)
    staff.post(f"{page}/test")
    drain(EapplyRoom(town.service).delete(RoomRequest("r", "402036", "delete")))
    assert staff.get(page).status_code == 404
