"""People use every service; nothing of what they typed is in logs, traces, metrics, events, jobs or what the broker carries: a search for
planted values.

The search is proved first: it finds a value that the test itself writes to a log, and one in a header at the broker.
"""

import html
import json
import re
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from kombu import Connection, Exchange, Queue
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from infra.local import cloud as clouds
from infra.local import processes
from libs.common.ids import new_id
from tests.visitors import signed_in, visitor

TOWN = "402036"
CANARIES = {
    "name": "鵤木 金糸雀",
    "kana": "イカルギ カナリア",
    "phone": "0942-99-7531",
    "email": "canary-7531@canary.example",
    "event": "金糸雀を聴く会",
}
"""Each is a value that nothing else in the sample has; the telephone number is looked for without its marks, too."""
FORMS = [*CANARIES.values(), "0942997531", "%E9%87%91%E7%B3%B8%E9%9B%80", r"\u91d1\u7cf8\u96c0"]
TYPED = {
    "sign-up": "tsugumi-7531@canary.example",
    "password": "tsugumi-password-7531",
    "member": "鶫沢 ツグミ",
    "invited": "tsugumi-staff-7531@canary.example",
    "person number": "1234 5678 9018",
    "address": "緋連雀町七五三一番地",
    "representative": "鶫沢 緋色",
    "deposit": "tsugumi-deposit-7531-long-enough",
    "maker": "鶫沢工房 銀次",
    "told": "電話は0942-99-7532です",
}
"""What people type at the other services: by what it is."""


def applied(url: str) -> str:
    """A guest applies with the canaries in every field; the number of the receipt."""
    with visitor(url, follow_redirects=True) as guest:
        base = f"/t/{TOWN}/eapply/event-moushikomi"
        guest.get(f"{base}/")
        draft = str(guest.post(f"{base}/start").url).rpartition("/")[0]
        page = guest.post(f"{draft}/entry", data={**CANARIES, "people": "2"})
        key = re.search(r'name="key" value="([^"]+)"', page.text)
        assert key and CANARIES["name"] in page.text, "the canaries were taken"
        number = re.search(rf"{TOWN}-\d{{4}}-\d{{5}}-\d", guest.post(f"{draft}/submit", data={"key": key[1]}).text)
        assert number
        return number.group()


def taken(answer: httpx.Response, *statuses: int) -> httpx.Response:
    """What was typed has been taken, so that it could have leaked."""
    assert answer.status_code in (statuses or (303,)), answer.text
    return answer


def used(cloud: Any) -> list[str]:
    """Somebody types at every service; what was typed, and the secrets that they were given."""
    with visitor(cloud.url) as guest:
        taken(guest.post("/sign-up", data={"email": TYPED["sign-up"]}), 200)
        wrong = {"email": TYPED["sign-up"], "password": TYPED["password"]}
        taken(guest.post("/sign-in", data=wrong), 200, 401, 422)
        asked = {"municipality": TOWN, "title": "ほしいデータ", "body": TYPED["told"]}
        taken(guest.post("/opendata/requests/", data=asked))
        [dataset] = re.findall(r'href="/opendata/datasets/([\w-]+)"', guest.get("/opendata/").text)[:1]
        app = {
            "title": "使った作品",
            "description": TYPED["told"],
            "url": "https://app.example",
            "maker": TYPED["maker"],
        }
        taken(guest.post(f"/opendata/datasets/{dataset}/apps/new", data=app))
    with signed_in(cloud.url, "admin@using.example") as admin:
        question = {
            "title": "質問",
            "service": "",
            "text": TYPED["person number"] + TYPED["told"],
            "idempotency_key": new_id(),
        }
        taken(admin.post(f"/portal/{TOWN}/support/", data=question))
        invited = {"email": TYPED["invited"], "name": TYPED["member"], "roles": ["eapply.reviewer"]}
        taken(admin.post(f"/portal/{TOWN}/members/", data=invited))
    with signed_in(cloud.url, "citizen@home.example") as bidder:
        company = {
            "name": "鶫沢建設",
            "representative": TYPED["representative"],
            "address": TYPED["address"],
            "corporate_number": "",
        }
        taken(bidder.post("/ebid/company", data=company | {"categories": ["works"]}))
    with signed_in(cloud.url, "staff@using.example") as staff:
        return [*TYPED.values(), TYPED["told"][3:15], *backed_up(staff)]


def backed_up(staff: httpx.Client) -> list[str]:
    """A repository with a deposited password and a key; the key's secret parts."""
    desk = f"/t/{TOWN}/backup/desk/"
    form = {
        "name": f"canary-{new_id()[-6:]}",
        "title": "試し",
        "quota": "10",
        "retention_days": "30",
        "promised_hours": "26",
    }
    here = taken(staff.post(f"{desk}repositories", data=form)).headers["location"]
    taken(staff.post(f"{here}/password", data={"act": "", "password": TYPED["deposit"]}))
    page = taken(staff.post(f"{here}/keys", data={"mode": "append", "key_name": "k", "days": "30"}), 201)
    address = re.search(r"RESTIC_REPOSITORY=rest:(\S+)", html.unescape(page.text))
    assert address
    assert httpx.post(f"{address[1]}?create=true", trust_env=False, timeout=60).status_code == 200
    secret = urlsplit(address[1]).password
    assert secret and len(secret) > 10
    return [secret]


class Overheard:
    """Everything that goes over the broker from now on: a queue of our own at every exchange."""

    def __init__(self, url: str | None) -> None:
        self._connection = Connection(url) if url else None
        self.said: list[str] = []
        if self._connection is not None:
            self._channel: Any = self._connection.channel()
            self._queue = Queue(f"overheard-{new_id()}", durable=False, auto_delete=True, channel=self._channel)
            self._queue.declare()
            for service in clouds.SERVICES:
                self._queue.bind_to(Exchange(f"{service}.events", type="topic", durable=True), "#")

    def listen(self) -> None:
        while self._connection is not None and (message := self._queue.get(no_ack=True)):
            kept = {"headers": message.headers, "properties": message.properties, "delivery": message.delivery_info}
            body: str | bytes = message.body  # text when its sender named an encoding
            said = body if isinstance(body, str) else bytes(body).decode()
            self.said.append(json.dumps(kept, ensure_ascii=False, default=str) + said)

    def plant(self, value: str) -> None:
        """A message with the value in a header, into this queue only: no reader of ours gets it."""
        if self._connection is not None:
            told = {"headers": {"planted": value}, "routing_key": self._queue.name}
            self._connection.Producer(self._channel).publish({}, **told)

    def close(self) -> None:
        if self._connection is not None:
            self._queue.delete()
            self._connection.close()


def places(running: clouds.Running) -> Iterator[tuple[str, str]]:
    """Where something could have leaked to, and what stands there."""
    for folder in (running.plan.logs, running.plan.data / "traces"):
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            yield path.name, path.read_text("utf-8", errors="replace")
    for child in running.supervisor.children.values():
        for name, port in child.program.environment.items():
            if name.endswith("METRICS_PORT"):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
                    yield f"metrics of {child.program.name}", answer.read().decode()
    for service in clouds.SERVICES:
        yield from tables(running, service)


def tables(running: clouds.Running, service: str) -> Iterator[tuple[str, str]]:
    """The events of a service, and its jobs."""
    engine = create_engine(store(running, service))
    with engine.connect() as connection:
        for name, column in (("outbox", "envelope"), ("inbox", "envelope"), ("jobs", "payload")):
            found = connection.execute(text(f"SELECT CAST({column} AS text) FROM {name}")).scalars()
            yield f"{name} of {service}", "\n".join(found)
    engine.dispose()


def arrived(running: clouds.Running) -> int:
    """How many applications the registry has heard of."""
    return dict(tables(running, "tenants"))["inbox of tenants"].count("eapply.application.submitted.v1")


def store(running: clouds.Running, service: str) -> Any:
    if running.plan.database_url is None:
        return f"sqlite:///{running.plan.data / service}.sqlite"
    return make_url(running.plan.database_url).set(drivername="postgresql+psycopg", database=f"kyodo_{service}")


def leaks(running: clouds.Running, values: Sequence[str] = FORMS, overheard: Sequence[str] = ()) -> list[str]:
    everywhere = [*places(running), *(("the broker", said) for said in overheard)]
    return [f"{value} in {where}" for where, said in everywhere for value in values if value in said]


def test_what_a_citizen_typed_is_in_no_log_trace_metric_event_or_job(cloud: Any) -> None:
    if cloud.local is None:
        pytest.skip("looks into the folders of processes; containers run the same code")
    running: clouds.Running = cloud.local
    planted: Path = running.plan.logs / "planted.log"
    planted.write_text(f"somebody wrote {CANARIES['phone']} here")
    try:
        assert leaks(running) == [f"{CANARIES['phone']} in planted.log"], "the search finds what is there"
    finally:
        planted.unlink()
    before = arrived(running)
    assert applied(cloud.url)
    assert processes.wait_until(lambda: arrived(running) > before, seconds=120), "the event has reached its last reader"
    looked = {where for where, _ in places(running)}
    assert any(name.startswith("metrics") for name in looked) and len(looked) > 15, looked
    assert leaks(running) == []


def test_what_people_type_at_every_service_stays_where_it_belongs(cloud: Any) -> None:
    if cloud.local is None:
        pytest.skip("looks into the folders of processes; containers run the same code")
    running: clouds.Running = cloud.local
    overheard = Overheard(running.plan.amqp_url)
    try:
        if running.plan.amqp_url:
            overheard.plant(TYPED["member"])
            assert processes.wait_until(lambda: bool(overheard.listen() or overheard.said), seconds=60)
            assert leaks(running, [TYPED["member"]], overheard.said) == [f"{TYPED['member']} in the broker"], (
                "the search finds it"
            )
            overheard.said.clear()
        before = arrived(running)
        values = used(cloud)
        applied(cloud.url)  # its event goes the whole way after everything else
        assert processes.wait_until(lambda: arrived(running) > before, seconds=120)
        overheard.listen()
        assert bool(overheard.said) == bool(running.plan.amqp_url), "events went over the broker"
        assert leaks(running, [*FORMS, *values], overheard.said) == []
    finally:
        overheard.close()
