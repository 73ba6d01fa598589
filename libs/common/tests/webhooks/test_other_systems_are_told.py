"""Other systems of a municipality are told of events: signed, tried again, seen, and never those of somebody else."""

import json
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from standardwebhooks import Webhook, WebhookVerificationError

from libs.common import notices
from libs.common.actor import Actor
from libs.common.clock import FixedClock
from libs.common.db import Database
from libs.common.errors import Conflict, Invalid
from libs.common.ids import new_id
from libs.common.inbox import Subscriptions
from libs.common.jobs import Jobs
from libs.common.room import RoomRequest
from libs.common.room.table import OPEN, set_state
from libs.common.service import Service
from libs.common.settings import Settings
from libs.common.testing.service import NOW, make_service
from libs.common.tests.webhooks.receiver import Receiver
from libs.common.webhooks import delivering, listen, manage
from libs.common.webhooks.table import AttemptRow, DeliveryRow, WebhookRow

MADE, PAID = "shop.order.made.v1", "shop.order.paid.v1"
CLERK = Actor("staff", "person-9", "古賀 真理", "402036", "402036")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


class Shop:
    """A service with two municipalities, its worker, and the clock in our hands."""

    def __init__(self, database: Database, folder: Path, receiver: Receiver) -> None:
        settings = Settings(data_dir=folder, keys_dir=folder, fetch_allowed=receiver.allowed)
        self.clock = FixedClock(NOW)
        self.service: Service = make_service("shop", database, folder, settings=settings, clock=self.clock)
        self.receiver, self.jobs, self.subscriptions = receiver, Jobs(), Subscriptions("shop")
        listen(self.subscriptions, self.jobs, [MADE, PAID])
        for tenant in ("402036", "401307"):
            request = RoomRequest(new_id(), tenant, "provision", code=tenant, name=tenant)
            with database.transaction(tenant=tenant) as session:
                set_state(session, request, OPEN, NOW)

    def webhook(self, *types: str, tenant: str = "402036", url: str = "") -> WebhookRow:
        with self.service.database.transaction(tenant=tenant) as session:
            return manage.add(
                session, CLERK, manage.Wish(url or self.receiver.url, "文書管理", list(types or (MADE,))),
                known={MADE, PAID}, allowed={("127.0.0.1", int(self.receiver.allowed.split(":")[1]))}, now=NOW,
            )  # fmt: skip

    def happens(self, type_: str = MADE, tenant: str = "402036", event_id: str = "") -> None:
        """The event comes back from the bus, as `handle_next` hands it over."""
        envelope = {
            "id": event_id or new_id(), "type": type_, "subject": "order-1", "sequence": 3, "tenantid": tenant,
            "time": self.clock.now().isoformat(), "data": {"order_id": "order-1"},
        }  # fmt: skip
        with self.service.database.transaction(tenant=tenant) as session:
            self.subscriptions.handlers[type_](session, envelope, self.clock.now())

    def work(self) -> None:
        while self.jobs.run_next(self.service):
            pass

    def deliveries(self) -> list[DeliveryRow]:
        with self.service.database.reading(tenant="402036") as session:
            return list(session.scalars(select(DeliveryRow).order_by(DeliveryRow.id)))

    def attempts(self) -> list[AttemptRow]:
        with self.service.database.reading(tenant="402036") as session:
            return list(session.scalars(select(AttemptRow).order_by(AttemptRow.delivery_id, AttemptRow.number)))

    def state(self, webhook: WebhookRow) -> str:
        with self.service.database.reading(tenant="402036") as session:
            return manage.find(session, webhook.id).state


@pytest.fixture
def shop(database: Database, tmp_path: Path, receiver: Receiver) -> Shop:
    return Shop(database, tmp_path, receiver)


def believed(secret: str, taken: tuple[dict[str, str], bytes], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the receiver's library makes of it, its clock being the one of the test."""
    import standardwebhooks.webhooks as library

    class Now(library.datetime):  # type: ignore[misc, name-defined]
        @classmethod
        def now(cls, tz: object = None) -> object:
            return NOW

    monkeypatch.setattr(library, "datetime", Now)
    headers, body = taken
    return Webhook(secret).verify(body, headers)


def test_the_receivers_library_believes_what_we_send_and_nothing_that_was_changed(
    shop: Shop, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = shop.webhook(MADE)
    shop.happens()
    shop.work()
    [(headers, body)] = receiver.taken
    said = believed(webhook.secret, (headers, body), monkeypatch)
    assert said == json.loads(body)
    assert (said["type"], said["data"], said["sequence"]) == (MADE, {"order_id": "order-1"}, 3)
    for changed in ((headers, body + b" "), (headers | {"webhook-id": new_id()}, body)):
        with pytest.raises(WebhookVerificationError):
            believed(webhook.secret, changed, monkeypatch)


def test_only_those_are_told_who_asked_in_the_municipality_where_it_happened(shop: Shop, receiver: Receiver) -> None:
    shop.webhook(MADE)
    shop.webhook(PAID)
    shop.webhook(MADE, tenant="401307", url=receiver.url + "/neighbour")
    event = new_id()
    shop.happens(event_id=event)
    shop.work()
    assert [json.loads(body)["event"] for _, body in receiver.taken] == [event]


def test_a_receiver_that_is_down_is_asked_again_with_the_same_id_until_it_takes_it(
    shop: Shop, receiver: Receiver
) -> None:
    shop.webhook()
    receiver.answers = [(500, {}), (302, {"Location": receiver.url}), (200, {})]
    shop.happens()
    for _ in range(3):
        shop.work()
        shop.clock.advance(seconds=300)
    assert len(receiver.taken) == 3, "a redirect is not followed: it is a failure"
    assert len(set(receiver.ids)) == 1
    assert [(row.number, row.status) for row in shop.attempts()] == [(1, 500), (2, 302), (3, 200)]
    assert shop.attempts()[0].answer == "the receiver says so"
    assert shop.deliveries()[0].state == "sent"
    shop.clock.advance(seconds=10 * 86400)
    shop.work()
    assert len(receiver.taken) == 3


def test_a_receiver_may_say_when_to_come_again(shop: Shop, receiver: Receiver) -> None:
    shop.webhook()
    receiver.answers = [(429, {"Retry-After": "1200"}), (204, {})]
    shop.happens()
    shop.work()
    assert shop.deliveries()[0].next_at == NOW + timedelta(seconds=1200)


def fail_for(shop: Shop, days: int) -> None:
    for _ in range(days * 24):
        shop.clock.advance(seconds=3600)
        shop.work()


@pytest.mark.any_store
def test_after_three_days_it_is_given_up_and_can_be_sent_again(shop: Shop, receiver: Receiver) -> None:
    webhook = shop.webhook()
    receiver.answers = [(500, {})]
    shop.happens()
    shop.work()
    fail_for(shop, 4)
    [row] = shop.deliveries()
    assert (row.state, len(receiver.taken)) == ("failed", len(delivering.SCHEDULE) + 1)
    receiver.answers = [(204, {})]
    with shop.service.database.transaction(tenant="402036") as session:
        found = manage.find(session, webhook.id)
        assert delivering.resend_failed(session, found, shop.clock.now()) == 1
    shop.work()
    assert shop.deliveries()[0].state == "sent"
    assert len(set(receiver.ids)) == 1


@pytest.mark.any_store
def test_after_five_days_without_a_success_it_is_switched_off_and_its_maker_is_told(
    shop: Shop, receiver: Receiver
) -> None:
    webhook = shop.webhook()
    receiver.answers = [(500, {})]
    for _ in range(6):
        shop.happens()
        fail_for(shop, 1)
    assert shop.state(webhook) == "failing"
    assert {row.state for row in shop.deliveries()} == {"failed"}
    with shop.service.database.reading() as session:
        [told] = notices.inbox(session, CLERK.subject)
    assert "文書管理" in told.subject
    before = len(receiver.taken)
    shop.happens()
    shop.work()
    assert len(receiver.taken) == before, "nothing more is sent there"


def test_a_receiver_that_is_gone_is_not_asked_again(shop: Shop, receiver: Receiver) -> None:
    webhook = shop.webhook()
    receiver.answers = [(410, {})]
    shop.happens()
    shop.work()
    assert shop.state(webhook) == "failing"


def test_what_waits_while_it_is_paused_goes_out_when_it_is_resumed(shop: Shop, receiver: Receiver) -> None:
    webhook = shop.webhook()
    shop.happens()
    with shop.service.database.transaction(tenant="402036") as session:
        delivering.pause(session, manage.find(session, webhook.id))
    shop.work()
    assert receiver.taken == []
    shop.clock.advance(seconds=60)
    with shop.service.database.transaction(tenant="402036") as session:
        delivering.resume(session, manage.find(session, webhook.id), shop.clock.now())
    shop.work()
    assert len(receiver.taken) == 1


def test_a_process_that_dies_before_noting_the_answer_sends_the_same_again(
    shop: Shop, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.webhook()
    shop.happens()
    noted = delivering.note

    def died(*_: object) -> None:
        monkeypatch.setattr(delivering, "note", noted)
        raise MemoryError

    monkeypatch.setattr(delivering, "note", died)
    shop.work()
    shop.clock.advance(seconds=60)
    shop.work()
    assert len(receiver.taken) == 2
    assert len(set(receiver.ids)) == 1


def test_while_the_secret_changes_the_old_one_is_believed_for_a_day(
    shop: Shop, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = shop.webhook()
    with shop.service.database.transaction(tenant="402036") as session:
        manage.rotate(session, manage.find(session, webhook.id), NOW)
        new = manage.find(session, webhook.id).secret
    shop.happens()
    shop.work()
    for secret in (webhook.secret, new):
        assert believed(secret, receiver.taken[0], monkeypatch)
    shop.clock.advance(seconds=86401)
    shop.happens()
    shop.work()
    assert len(receiver.taken[1][0]["webhook-signature"].split()) == 1


def test_our_own_network_is_never_asked(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads inside is seen only when it is asked."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("127.0.0.1", 443))])
    shop.webhook(url="https://rebind.example/hook")
    shop.happens()
    shop.work()
    [attempt] = shop.attempts()
    assert attempt.status is None
    assert "庁内" in attempt.problem


@pytest.mark.parametrize(
    "url",
    ["http://example.org/", "ftp://example.org/", "https://a:b@example.org/", "https://example.org:22/", "そこ", "",
     "https://127.0.0.1/hook", "https://[::1]/", "https://localhost/", "https://files.local/x"],
)  # fmt: skip
def test_an_address_that_may_not_be_asked_is_refused_when_it_is_typed(shop: Shop, url: str) -> None:
    with shop.service.database.transaction(tenant="402036") as session, pytest.raises(Invalid) as refused:
        manage.add(session, CLERK, manage.Wish(url, "", ["x"]), known={MADE}, allowed=(), now=NOW)
    assert set(refused.value.fields) == {"url", "purpose", "types"}


def test_there_is_an_end_to_how_many(shop: Shop) -> None:
    for _ in range(manage.MOST):
        shop.webhook()
    with pytest.raises(Conflict):
        shop.webhook()


def test_what_ended_a_month_ago_is_forgotten_and_what_waits_is_not(shop: Shop, receiver: Receiver) -> None:
    shop.webhook()
    shop.happens()
    shop.work()
    receiver.answers = [(500, {})]
    shop.clock.advance(seconds=31 * 86400)
    shop.happens()
    shop.work()  # the timer `webhooks.forget-old` runs, too
    assert [row.state for row in shop.deliveries()] == ["waiting"]
