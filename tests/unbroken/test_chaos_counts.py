"""The counting of `make chaos` sees what is lost and what is doubled: each zero in docs/chaos.md could be something else.

Faults of the product are planted in a whole installation of this process (every service, SQLite, the embedded bus); the writers and the
oracle are those of `make chaos`.
"""

import shutil
import smtplib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from libs.common import outbox
from libs.common.events import Envelope
from libs.common.ids import new_id
from libs.common.testing.database import _sqlite_template
from libs.common.testing.service import NOW
from services.__main__ import DEPLOYABLES
from services.eapply.tests import people as citizens
from services.opendata.tests import people as publishers
from tests.integration.installation import Installation
from tests.unbroken.chaos.load import Writer
from tests.unbroken.chaos.oracle import Verdict, judge
from tests.unbroken.chaos.page import Row
from tests.unbroken.chaos.post import PostOffice
from tests.unbroken.chaos.writers import Applicant, Backup, Publisher, Stores, address_of, paper_clerk

TOWN, NAME = "402036", "久留米市"


class Used:
    """An installation, and the writers that have used it."""

    def __init__(self, cloud: Installation) -> None:
        self.cloud = cloud
        self.town = citizens.Town(cloud.services["eapply"], cloud.issuers, TOWN)
        self.stores: Stores = {name: service.database for name, service in cloud.services.items()}
        stopping = threading.Event()
        self.people = Applicant(stopping, town=TOWN)
        self.clerk = paper_clerk(None, self.stores, stopping, TOWN)
        self.publisher = Publisher(stopping)
        self._before = Verdict()

    def apply(self, count: int = 1) -> None:
        for _ in range(count):
            key = new_id()
            given = {"procedure": "event-moushikomi", "answers": citizens.EVENT | {"email": address_of(key)}}
            guest = self.town.guest(key)
            headers = guest._headers(False) | {"Idempotency-Key": key}
            answer = guest.client.post(guest.address("api/applications"), json=given, headers=headers)
            assert answer.status_code == 201, answer.text
            self.people.acknowledged[key] = answer.json()["application_id"]

    def count_paper(self) -> None:
        number = len(self.clerk.acknowledged)
        form = {"procedure": self.clerk.procedure, "month": f"{NOW:%Y-%m}", "applications": str(number + 1)}
        assert self.town.staff().post("desk/numbers", form).status_code == 200
        self.clerk.acknowledged[str(number)] = str(number + 1)

    def publish(self, name: str) -> None:
        program = publishers.Town(self.cloud.services["opendata"], self.cloud.issuers, TOWN).machine()
        self.publisher.acknowledged[name] = program.result("package_create", name=name, title=name)["id"]

    def verdict(self) -> Verdict:
        """What has gone wrong since the test began."""
        self.cloud.run()
        return self._judged().since(self._before)

    def begin(self) -> None:
        """A total that has lost one and gained one would look right: it is read anew."""
        self.cloud.run()
        self.clerk.before = self.clerk.told(self.stores) - len(self.clerk.acknowledged)
        self._before = self._judged()

    def _judged(self) -> Verdict:
        return judge({"people": self.people, "paper": self.clerk, "data sets": self.publisher}, self.stores)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Used]:
    folder = tmp_path_factory.mktemp("cloud")
    for deployable in DEPLOYABLES:
        template = _sqlite_template(deployable.name, f"services.{deployable.name}", tmp_path_factory)
        shutil.copy(template, folder / f"{deployable.name}.sqlite")
    cloud = Installation(folder, NOW)
    cloud.load()
    for people in (citizens, publishers):
        people.open_room(cloud.services[people.__name__.split(".")[1]], TOWN, NAME)
    made = Used(cloud)
    made.apply(2)
    made.count_paper()
    made.publish("before")
    assert made.verdict() == Verdict(), "nothing was planted, nothing is found"
    yield made
    cloud.close()


@pytest.fixture
def used(installed: Used) -> Used:
    """The installation as the tests before left it: what is lost there stays lost, and is not counted again."""
    installed.begin()
    return installed


@contextmanager
def in_place_of(what: Any, name: str, planted: Callable[..., Any]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(what, name, planted)
        yield


def test_a_relay_that_marks_before_the_bus_has_it_is_found(used: Used) -> None:
    used.apply()
    used.count_paper()
    used.publish("after")
    with in_place_of(used.cloud.bus, "deliver", len):  # "sent", and gone
        used.cloud.run()
    lost = used.verdict().lost
    latest = list(used.people.acknowledged.values())[-1]
    assert lost[f"people {latest}: tenants"] == lost[f"people {latest}: opendata"] == 1, lost
    assert lost["paper applications in the council's total: paper"] == 1
    assert lost["council's count of data sets: data sets"] == 1


def test_a_reader_that_forgets_what_it_has_applied_is_found(used: Used) -> None:
    deliver = used.cloud.bus.deliver

    def twice(envelopes: list[Envelope]) -> int:
        """Every event comes twice, and the inbox cannot know it by its id."""
        deliver([{**envelope, "id": f"{envelope['id']}-again"} for envelope in envelopes])  # type: ignore[typeddict-item]
        return deliver(envelopes)

    used.apply()
    used.count_paper()
    with in_place_of(used.cloud.bus, "deliver", twice):
        used.cloud.run()
    verdict = used.verdict()
    assert verdict.doubled == Counter({"paper applications in the council's total: paper": 1})
    assert not verdict.lost, "an application's own id guards it a second time"


def test_an_event_delivered_twice_is_not_found_since_the_inbox_knows_it(used: Used) -> None:
    deliver = used.cloud.bus.deliver
    used.count_paper()
    with in_place_of(used.cloud.bus, "deliver", lambda envelopes: deliver(envelopes) and deliver(envelopes)):
        used.cloud.run()
    assert used.verdict() == Verdict()


def test_an_answer_before_the_commit_is_found(used: Used) -> None:
    dialect = used.town.service.database.engine.dialect
    with in_place_of(dialect, "do_commit", dialect.do_rollback):  # answered 201, and then the power went
        used.apply()
    latest = list(used.people.acknowledged.values())[-1]
    assert used.verdict().lost[f"people {latest}: eapply"] == 1


def test_a_change_without_its_event_is_found(used: Used) -> None:
    with in_place_of(outbox, "add", lambda *_, **__: None):
        used.apply()
    latest = list(used.people.acknowledged.values())[-1]
    assert set(used.verdict().lost) == {f"people {latest}: tenants", f"people {latest}: opendata"}


def test_what_is_stored_and_acknowledged_to_nobody_is_found(used: Used) -> None:
    used.apply()
    key, ident = used.people.acknowledged.popitem()
    assert used.verdict().strange == Counter({f"people {ident}": 1})
    used.people.acknowledged |= {key: ident, "another key": ident}
    assert used.verdict().doubled == Counter({f"people {ident}: two keys": 1})


def test_a_mail_that_never_came_and_one_that_came_twice_are_found(used: Used) -> None:
    used.apply(2)
    none, twice = list(used.people.acknowledged)[-2:]
    others = {key: used.people.acknowledged.pop(key) for key in list(used.people.acknowledged)[:-2]}
    with PostOffice() as post, smtplib.SMTP("127.0.0.1", post.port) as sender:
        used.people.post = post
        for ident in ("one", "other", "other"):  # a letter sent again with its own Message-ID is the same letter
            sender.sendmail("from@chaos.example", [address_of(twice)], f"Message-ID: <{ident}@x>\r\n\r\nx")
        verdict = used.verdict()
        assert post.resent() == 1
    used.people.post = None
    used.people.acknowledged = others | used.people.acknowledged
    assert verdict.lost == Counter({f"people {used.people.acknowledged[none]}: mail": 1})
    assert verdict.doubled == Counter({f"people {used.people.acknowledged[twice]}: mail": 1})


def test_an_object_with_other_bytes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Backup(threading.Event(), address="http://nowhere.invalid/")
    kept = {f"http://nowhere.invalid/data/{n}": made.content(n) for n in (0, 1)}
    made.acknowledged = {"0": "0", "1": "1", "2": "2"}
    kept["http://nowhere.invalid/data/1"] = b"rotten"
    client = httpx.Client(
        transport=httpx.MockTransport(
            lambda asked: (
                httpx.Response(200, content=kept[str(asked.url)]) if str(asked.url) in kept else httpx.Response(404)
            )
        )
    )
    monkeypatch.setattr(httpx, "Client", lambda **_: client)
    verdict = judge({"objects": made}, {})
    assert verdict.lost == Counter({"objects 1: backup": 1, "objects 2: backup": 1})


def test_a_writer_sends_again_until_it_is_answered_and_rests_when_asked() -> None:
    class Stubborn(Writer):
        asked = 0

        def send(self, number: int) -> tuple[str, str] | None:
            self.asked += 1
            if self.asked < 3:
                raise httpx.ConnectError("nobody there")
            return str(number), f"id-{number}"

    writer = Stubborn(threading.Event(), pause=0.01)
    [thread] = writer.begin()
    assert not writer.idle.wait(0.1)
    assert writer.rest(5)
    assert next(iter(writer.acknowledged.items())) == ("0", "id-0") and writer.answers["ConnectError"] == 2
    there = len(writer.acknowledged)
    assert not writer.idle.wait(0) or len(writer.acknowledged) == there
    writer.stopping.set()
    thread.join(5)


def test_what_was_wrong_before_is_not_counted_again() -> None:
    before = Verdict(lost=Counter({"a": 1}), doubled=Counter({"sum": 2}))
    after = Verdict(lost=Counter({"a": 1, "b": 1}), doubled=Counter({"sum": 5}))
    assert after.since(before) == Verdict(lost=Counter({"b": 1}), doubled=Counter({"sum": 3}))


def test_a_fault_that_is_done_again_keeps_the_worst() -> None:
    first, second = Row("f", "1", 5, 1, 0, 2.0, 3.0, "x"), Row("f", "2", 6, 0, 2, 1.0, float("inf"), "y")
    assert first.and_again(second).line() == "| f | 2 | 2 | 11 | 1 | 2 | 2.0 | 戻らない | x / y |"
