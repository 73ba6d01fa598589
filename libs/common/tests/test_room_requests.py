"""A request about a room: carried out once, told step by step, undone when it fails, taken over when its worker is
killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from libs.common import events, files, inbox, room
from libs.common.audit import AuditEntryRow
from libs.common.clock import FixedClock, SystemClock
from libs.common.db import Database
from libs.common.errors import Conflict, Forbidden
from libs.common.ids import new_id
from libs.common.inbox import InboxRow, Subscriptions
from libs.common.jobs import JobRow, Jobs
from libs.common.outbox import OutboxRow
from libs.common.room import Progress, RoomRequest, Step
from libs.common.service import Service
from libs.common.testing.service import NOW, make_service
from libs.common.tests.shop.db import Doc
from libs.common.tests.shop.room import ShopRoom

A, B = "402036", "401307"
SHOP = room.events_for("shop")
Requested = room.requests("tenants")


@pytest.fixture
def service(database: Database, tmp_path: Path) -> Service:
    return furnished(make_service("shop", database, tmp_path, clock=FixedClock(NOW)), tmp_path)


def furnished(service: Service, folder: Path) -> Service:
    service.extras["files"] = files.local(folder / "files")
    return service


class Worker:
    """The worker of the service under test, run by hand."""

    def __init__(self, service: Service, make_room: Any = ShopRoom) -> None:
        self.service, self.sequence = service, 0
        self.subscriptions, self.jobs = Subscriptions("shop"), Jobs()
        room.listen(self.subscriptions, self.jobs, SHOP, make_room)

    def ask(self, action: str, tenant: str = A, request_id: str | None = None, **more: Any) -> str:
        """The registry asks; the request has arrived when this returns."""
        request_id = request_id or new_id()
        fields = {
            "request_id": request_id,
            "service": "shop",
            "action": action,
            "code": tenant,
            "name": "春日市",
            **more,
        }
        self.sequence += 1
        envelope = events.envelope(
            Requested.model_validate(fields),
            subject=f"room:{fields['service']}:{tenant}",
            tenant=tenant,
            sequence=self.sequence,
            now=self.service.clock.now(),
        )
        with self.service.database.transaction() as session:
            inbox.receive(session, [envelope], self.service.clock.now())
        while inbox.handle_next(self.service.database, self.subscriptions, self.service.clock):
            pass
        return request_id

    def work(self) -> None:
        while self.jobs.run_next(self.service):
            pass


def told(service: Service) -> list[tuple[str, dict[str, Any]]]:
    """What went into the outbox: the last words of the type, and the data."""
    with service.database.reading() as session:
        rows = session.scalars(select(OutboxRow).order_by(OutboxRow.position))
        return [(row.type.removeprefix("shop.room.").removesuffix(".v1"), row.envelope["data"]) for row in rows]


def state(service: Service, tenant: str = A) -> str | None:
    with service.database.reading() as session:
        return room.state_of(session, tenant)


def titles(service: Service, tenant: str = A) -> list[str]:
    with service.database.reading(tenant=tenant) as session:
        return list(session.scalars(select(Doc.title).order_by(Doc.id)))


def test_a_room_is_prepared_and_every_step_is_told(service: Service) -> None:
    worker = Worker(service)
    request = worker.ask("provision")
    assert state(service) is None
    worker.work()
    assert titles(service) == ["はじめに", "きまり"]
    assert state(service) == "provisioned"
    kinds = [kind for kind, _ in told(service)]
    assert kinds == ["progressed", "progressed", "provisioned"]
    assert told(service)[1][1] == {
        "request_id": request, "action": "provision", "done": 2, "total": 2, "label": "「きまり」を用意しました"
    }  # fmt: skip
    with service.database.reading(tenant=A) as session:
        assert session.scalars(select(AuditEntryRow.action)).all() == ["room.provision.done"]
    with service.database.reading() as session:
        assert session.get_one(room.RoomRow, A).name == "春日市"
        assert {row.tenant for row in session.scalars(select(OutboxRow))} == {A}


def test_asked_twice_is_done_once_and_answered_twice(service: Service) -> None:
    worker = Worker(service)
    request = worker.ask("provision")
    worker.ask("provision", request_id=request)
    worker.work()
    worker.ask("provision", request_id=request)
    worker.work()
    answers = [data for kind, data in told(service) if kind == "provisioned"]
    assert answers == [{"request_id": request}] * 2
    with service.database.reading() as session:
        assert len(session.scalars(select(JobRow).where(JobRow.job_kind == "room")).all()) == 1


def test_requests_for_other_services_are_left_alone(service: Service) -> None:
    worker = Worker(service)
    worker.ask("provision", service="garden")
    worker.work()
    assert (told(service), state(service)) == ([], None)
    with service.database.reading() as session:
        assert session.scalars(select(InboxRow.status)).all() == ["done"]


class Refusing(ShopRoom):
    def provision(self, request: RoomRequest) -> Progress:
        steps = super().provision(request)
        yield next(steps)
        raise Conflict("ひな形が見つかりません。")


def test_a_preparation_that_is_refused_is_undone_and_explained(service: Service) -> None:
    worker = Worker(service, Refusing)
    request = worker.ask("provision")
    worker.work()
    assert told(service)[-1] == (
        "failed",
        {"request_id": request, "action": "provision", "reason": "ひな形が見つかりません。"},
    )
    assert (titles(service), state(service)) == ([], "deleted")
    good = Worker(service)
    good.ask("provision")
    good.work()
    assert state(service) == "provisioned"


class Broken(ShopRoom):
    attempts = 0

    def provision(self, request: RoomRequest) -> Progress:
        Broken.attempts += 1
        yield from super().provision(request)
        raise RuntimeError("tanaka@example.jp")


def test_a_preparation_that_keeps_breaking_is_tried_again_then_undone(service: Service) -> None:
    worker, clock = Worker(service, Broken), service.clock
    Broken.attempts = 0
    worker.ask("provision")
    for _ in range(60):
        worker.work()
        clock.advance(minutes=1)  # type: ignore[attr-defined]
    assert Broken.attempts == 4
    kind, data = told(service)[-1]
    assert (kind, titles(service)) == ("failed", [])
    assert "tanaka" not in str(told(service)), "an exception's words are not told to other services"
    assert data["reason"].startswith("こちらの不具合で")


def test_a_room_in_use_is_not_undone_when_preparing_it_once_more_fails(service: Service) -> None:
    good, bad = Worker(service), Worker(service, Refusing)
    good.ask("provision")
    good.work()
    bad.ask("provision")
    bad.work()
    assert told(service)[-1][0] == "failed"
    assert (titles(service), state(service)) == (["はじめに", "きまり"], "provisioned")


def use(service: Service, tenant: str = A) -> str:
    try:
        with service.database.reading(tenant=tenant) as session:
            room.check_open(session)
    except Forbidden as refused:
        return refused.code
    return "open"


def test_use_is_refused_with_the_reason_while_the_room_is_not_open(service: Service) -> None:
    worker = Worker(service)
    seen = [use(service)]
    for action in ("provision", "suspend", "suspend", "provision", "resume", "delete", "delete"):
        worker.ask(action)
        worker.work()
        seen.append(use(service))
    assert seen == [
        "service-not-in-use", "open", "service-suspended", "service-suspended", "service-suspended", "open",
        "service-not-in-use", "service-not-in-use",
    ]  # fmt: skip
    assert use(service, B) == "service-not-in-use"
    with service.database.reading() as session:
        assert room.rooms(session) == []


def test_a_room_that_is_not_there_cannot_be_suspended_or_exported(service: Service) -> None:
    worker = Worker(service)
    for action in ("suspend", "resume", "export"):
        worker.ask(action)
        worker.work()
        assert told(service)[-1][0] == "failed", action
    assert state(service) is None


def test_leaving_exports_everything_then_removes_it(service: Service) -> None:
    worker = Worker(service)
    for action in ("provision", "export"):
        worker.ask(action)
        worker.work()
    kind, facts = told(service)[-1]
    assert kind == "exported"
    assert len(service.extras["files"].read(A, facts["file"])) == facts["size"]
    worker.ask("delete")
    worker.work()
    assert told(service)[-1][0] == "deleted"
    assert titles(service) == []
    with service.database.reading(tenant=A) as session:
        kept = session.scalars(select(AuditEntryRow.action).order_by(AuditEntryRow.id)).all()
    assert kept == ["room.provision.done", "room.export.done", "room.delete.done"]


def test_requests_about_one_room_are_carried_out_in_order_and_others_do_not_wait(service: Service) -> None:
    order: list[tuple[str, str]] = []

    class Ordered(ShopRoom):
        def provision(self, request: RoomRequest) -> Progress:
            if request.tenant == A and not order:
                order.append((A, "provision begins"))
                second.work()  # another worker looks for work meanwhile
            yield from super().provision(request)
            order.append((request.tenant, "provision"))

        def suspend(self, request: RoomRequest) -> Progress:
            order.append((request.tenant, "suspend"))
            yield Step(1, 1, "止めました")
            return None

    first, second = Worker(service, Ordered), Worker(service, Ordered)
    first.ask("provision")
    first.ask("suspend")
    first.ask("provision", B)
    first.work()
    service.clock.advance(seconds=2)  # type: ignore[attr-defined]
    first.work()
    assert order == [(A, "provision begins"), (B, "provision"), (A, "provision"), (A, "suspend")]
    assert (state(service, A), state(service, B)) == ("suspended", "provisioned")


KILLED = """
import sys, time
from pathlib import Path
from libs.common import files, room
from libs.common.clock import SystemClock
from libs.common.db import Database
from libs.common.inbox import Subscriptions
from libs.common.jobs import Jobs
from libs.common.room import Step
from libs.common.room import listening
from libs.common.testing.service import make_service
from libs.common.tests.shop.room import ShopRoom
listening.LEASE = 2.0
class Slow(ShopRoom):
    def provision(self, request):
        steps = super().provision(request)
        yield next(steps)
        print("one step", flush=True)
        time.sleep(600)
service = make_service("shop", Database(sys.argv[1], "shop"), Path("."), clock=SystemClock())
service.extras["files"] = None
jobs = Jobs()
room.listen(Subscriptions("shop"), jobs, room.events_for("shop"), Slow)
while jobs.run_next(service): pass
"""


@pytest.mark.fault
def test_a_request_whose_worker_is_killed_is_finished_by_another(database: Database, tmp_path: Path) -> None:
    service = furnished(make_service("shop", database, tmp_path, clock=SystemClock()), tmp_path)  # type: ignore[arg-type]
    worker = Worker(service)
    request = worker.ask("provision")
    url = database.engine.url.render_as_string(hide_password=False)
    killed = subprocess.Popen([sys.executable, "-c", KILLED, url], stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    assert killed.stdout.readline() == "one step\n"
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert (titles(service), state(service)) == (["はじめに"], "preparing")
    while state(service) != "provisioned":
        worker.work()
        time.sleep(0.05)
    assert titles(service) == ["はじめに", "きまり"]
    assert [data for kind, data in told(service) if kind == "provisioned"] == [{"request_id": request}]


def test_a_function_rests_in_one_room_and_another_services_word_changes_nothing(service: Service) -> None:
    fun = room.switches.declare("shop", new_id(), "お試し", "試せます。")
    worker = Worker(service)
    for tenant in (A, B):
        worker.ask("provision", tenant)
    worker.work()

    def hear(number: int, of: str, told: dict[str, bool]) -> None:
        event = room.switches_set("tenants").model_validate({"service": of, "on": told})
        envelope = events.envelope(event, subject=f"switches:{A}/{of}", tenant=A, sequence=number, now=NOW)
        with service.database.transaction() as session:
            inbox.receive(session, [envelope], NOW)
        while inbox.handle_next(service.database, worker.subscriptions, service.clock):
            pass

    def on() -> list[bool]:
        found = []
        for tenant in (A, B):
            with service.database.reading(tenant=tenant) as session:
                found.append(room.switches.on(session, fun))
        return found

    assert on() == [True, True]
    hear(1, "other", {fun.name: False})
    assert on() == [True, True]
    hear(1, "shop", {fun.name: False})
    assert on() == [False, True]
    with service.database.reading(tenant=A) as session, pytest.raises(Forbidden, match="いま止めています"):
        room.switches.check(session, fun)
    hear(2, "shop", {fun.name: True})
    assert on() == [True, True]


def test_two_functions_of_one_name_are_a_fault_of_the_code() -> None:
    name = new_id()
    room.switches.declare("shop", name, "お試し", "試せます。")
    with pytest.raises(ValueError, match="twice"):
        room.switches.declare("shop", name, "別のもの", "試せます。")
