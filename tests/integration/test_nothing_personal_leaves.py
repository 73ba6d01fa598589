"""People use every service; nothing of what they typed is in logs (the database's and the broker's own, too), traces, metrics, events, jobs
or what the broker carries: a search for planted values.

The search is proved first: it finds a value that the test itself writes to a log, has the database or broker write, or sends in a header.
"""

import html
import json
import re
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

import amqp
import httpx
import psycopg
import pytest
from kombu import Connection, Exchange, Queue
from psycopg.errors import UniqueViolation
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
UNKEPT = {
    "search": "鶍田 交喙",
    "path": "交喙塚町",
    "file": "鶍田花鶏の診断書",
    "refused": "花鶏の病状",
    "date": "鶍年鶍月",
    "agent": "isuka-agent-7531",
    "page before": "isuka-page-7531",
    "address before": "198.51.100.75",
    "request": "isuka-request-7531",
    "trace": "isuka-trace-7531",
    "broken": "鶍沢 獦子鳥",
    "key": "isuka-key-7531",
    "sign-in": "isuka-in-7531@canary.example",
    "reset": "isuka-out-7531@canary.example",
    "source": "isuka-source-7531",
}
"""What people say by the way, or what is refused: nothing of it has to be kept, so that nobody looks after it."""
SAYING = {
    "user-agent": f"Mozilla/5.0 ({UNKEPT['agent']})",
    "referer": f"https://elsewhere.example/?q={UNKEPT['page before']}",
    "x-forwarded-for": UNKEPT["address before"],
    "x-request-id": UNKEPT["request"],
    "tracestate": f"canary={UNKEPT['trace']}",
    "baggage": f"name={UNKEPT['trace']}",
}
"""Headers of who asks; none of them is believed where no proxy of ours stands before the door."""
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64


def opened(client: httpx.Client, page: str) -> None:
    """A cloud that has just started opens one municipality's rooms after another."""
    assert processes.wait_until(lambda: client.get(page).status_code == 200, seconds=120), client.get(page).text


def applied(url: str) -> str:
    """A guest applies with the canaries in every field; the number of the receipt."""
    with visitor(url, follow_redirects=True) as guest:
        base = f"/t/{TOWN}/eapply/event-moushikomi"
        opened(guest, f"{base}/")
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


def spelled(value: str) -> list[str]:
    """As it may stand in a path, in a query, and in JSON."""
    return [value, quote(value), quote_plus(value), json.dumps(value)[1:-1]]


def refused(cloud: Any) -> list[str]:
    """Somebody looks for a name, mistypes, sends what is no form; what was said, as it may be written."""
    number = applied(cloud.url)
    with visitor(cloud.url) as guest:
        guest.headers.update(SAYING)
        mistyped(guest, number)
        begun(guest)
    with signed_in(cloud.url, "staff@using.example") as staff:
        at_the_desk(staff)
    with signed_in(cloud.url, "admin@using.example") as admin:
        looked_for(admin, f"/portal/{TOWN}/records/", f"/portal/{TOWN}/past/")
        wrong_day = {"q": UNKEPT["search"], "since": UNKEPT["date"]}
        taken(admin.get(f"/portal/{TOWN}/records/", params=wrong_day), 422)
        question = {"title": UNKEPT["refused"] * 100, "text": UNKEPT["refused"], "idempotency_key": new_id()}
        paper = {"papers": (f"{UNKEPT['file']}.exe", b"MZ")}
        taken(admin.post(f"/portal/{TOWN}/support/", data=question, files=paper), 422)
    with signed_in(cloud.url, "operator@cloud.example") as operator:
        looked_for(operator, "/operator/records")
    return [spelling for value in UNKEPT.values() for spelling in spelled(value)]


def looked_for(client: httpx.Client, *pages: str) -> None:
    for page in pages:
        taken(client.get(page, params={"q": UNKEPT["search"]}), 200)


def mistyped(guest: httpx.Client, number: str) -> None:
    """A guest at every door: searches, addresses that are none, a wrong key, a wrong password, JSON that is none."""
    for service in ("ebid", "opendata"):
        opened(guest, f"/t/{TOWN}/{service}/")
    looked_for(guest, "/", "/ebid/", f"/t/{TOWN}/ebid/", "/opendata/", "/opendata/suggest", f"/t/{TOWN}/eapply/")
    looked_for(guest, "/opendata/api/3/action/package_search", f"/t/{TOWN}/eapply/api/procedures")
    taken(guest.get("/opendata/data/sql", params={"q": f'SELECT 1 FROM "{UNKEPT["search"]}"'}), 400, 404, 422)
    for place in ("", f"t/{TOWN}/eapply/", f"t/{TOWN}/ebid/tenders/", "opendata/datasets/", "portal/", "t/", "status/"):
        taken(guest.get(f"/{place}{UNKEPT['path']}"), 303, 307, 404)
    wrong = {"number": number, "key": UNKEPT["key"]}
    taken(guest.post(f"/t/{TOWN}/eapply/enquiry", data=wrong), 422)
    taken(guest.post(f"/t/{TOWN}/eapply/enquiry", data=wrong | {"number": UNKEPT["refused"]}), 422)
    taken(guest.post("/sign-in", data={"email": UNKEPT["sign-in"], "password": UNKEPT["key"]}), 422)
    taken(guest.post("/reset", data={"email": UNKEPT["reset"]}), 200)
    told = {"municipality": TOWN, "title": UNKEPT["refused"] * 100, "body": UNKEPT["refused"]}
    taken(guest.post("/opendata/requests/", data=told), 422)
    form = {"content-type": "application/json", "idempotency-key": UNKEPT["key"]}
    for place in (f"/t/{TOWN}/eapply/api/applications", "/opendata/api/3/action/package_search"):
        taken(guest.post(place, content=f'{{"answers": {{"name": "{UNKEPT["broken"]}', headers=form), 400, 409, 422)
    misshapen = {"procedure": [UNKEPT["broken"]], "answers": UNKEPT["broken"], UNKEPT["broken"]: 1}
    taken(guest.post(f"/t/{TOWN}/eapply/api/applications", json=misshapen, headers=form), 422)


def begun(guest: httpx.Client) -> None:
    """An application whose answers and file are refused."""
    base = f"/t/{TOWN}/eapply/risai-shomei"
    guest.get(f"{base}/")
    draft = taken(guest.post(f"{base}/start")).headers["location"].rpartition("/")[0]
    damage = {"disaster_date": UNKEPT["date"], "damage": UNKEPT["refused"] * 300, "copies": UNKEPT["refused"]}
    named = f"{UNKEPT['file']}.png"
    for paper in ((named, PNG), (named, UNKEPT["refused"].encode())):
        taken(guest.post(f"{draft}/damage", data=damage, files={"photos": paper}), 422)


def at_the_desk(staff: httpx.Client) -> None:
    """Searches, files whose names say whose they are, and a job that cannot do what it was told."""
    looked_for(staff, f"/t/{TOWN}/eapply/desk/", f"/t/{TOWN}/eapply/desk/queue.csv", f"/t/{TOWN}/ebid/desk/companies")
    room = f"/t/{TOWN}/opendata/desk"
    for name, content in ((f"{UNKEPT['file']}.csv", "名称\n駅\n".encode()), (f"{UNKEPT['file']}.xlsx", b"PK\3\4")):
        sent = taken(staff.post(f"{room}/drafts", files={"file": (name, content)}), 303, 422)
        if sent.status_code == 303:
            taken(staff.post(f"{sent.headers['location']}/discard"))
    source = {"kind": "csv", "url": f"https://{UNKEPT['source']}.invalid/{quote(UNKEPT['file'])}", "every": "DAILY"}
    taken(staff.post(f"{room}/harvests", data=source))
    assert processes.wait_until(lambda: "集められませんでした" in staff.get(f"{room}/harvests").text, seconds=60), (
        "it could not"
    )
    [harvest] = re.findall(r"/harvests/([\w-]+)/stop", staff.get(f"{room}/harvests").text)
    taken(staff.post(f"{room}/harvests/{harvest}/stop"))
    tenders = f"/t/{TOWN}/ebid/desk/tenders"
    [tender] = re.findall(rf'href="{tenders}/([\w-]+)"[^>]*>\s*図書館書架購入', staff.get(f"/t/{TOWN}/ebid/desk/").text)
    found = re.search(r'name="version" value="(\d+)"', staff.get(f"{tenders}/{tender}").text)
    assert found
    paper = {"document": (f"{UNKEPT['file']}.pdf", b"%PDF-1.4\n%%EOF\n", "application/pdf")}
    taken(staff.post(f"{tenders}/{tender}/documents", data={"version": found[1]}, files=paper), 303, 422)


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
    for kind, node in sorted(running.nodes.items()):
        yield f"log of {kind}", node.log.read_text("utf-8", errors="replace")
    for child in running.supervisor.children.values():
        for name, port in child.program.environment.items():
            if name.endswith("METRICS_PORT"):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
                    yield f"metrics of {child.program.name}", answer.read().decode()
    for service in clouds.SERVICES:
        yield from tables(running, service)


def tables(running: clouds.Running, service: str) -> Iterator[tuple[str, str]]:
    """The events of a service, and its jobs, with why they failed."""
    engine = create_engine(store(running, service))
    with engine.connect() as connection:
        for name, column in (("outbox", "envelope"), ("inbox", "envelope"), ("jobs", "payload")):
            found = connection.execute(text(f"SELECT CAST({column} AS text) FROM {name}")).scalars()
            yield f"{name} of {service}", "\n".join(found)
        for name in ("inbox", "jobs"):
            found = connection.execute(text(f"SELECT error FROM {name} WHERE error IS NOT NULL")).scalars()
            yield f"errors in {name} of {service}", "\n".join(found)
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


def twice(url: str, value: str) -> None:
    """The same row twice: what PostgreSQL says of it quotes the row."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TEMPORARY TABLE planted (value text PRIMARY KEY)")
        connection.execute("INSERT INTO planted VALUES (%s)", (value,))
        with suppress(UniqueViolation):
            connection.execute("INSERT INTO planted VALUES (%s)", (value,))


def knocks(url: str, name: str) -> None:
    """Somebody of this name, whom the broker does not know."""
    with suppress(amqp.AccessRefused), Connection(url.replace("guest:guest", f"{name}:wrong")) as connection:
        connection.connect()


def test_what_servers_write_of_their_own_accord_is_looked_at_and_the_database_does_not_quote_what_was_typed(
    cloud: Any,
) -> None:
    if cloud.local is None or not cloud.local.nodes:
        pytest.skip("looks into the logs of the cloud's own database and broker")
    running: clouds.Running = cloud.local
    url = running.plan.database_url
    assert url and running.plan.amqp_url
    quoted, kept, knocked = (f"{word}-{new_id()[-12:]}" for word in ("shiomi", "kawasemi", "hitaki"))
    twice(url, quoted)
    knocks(running.plan.amqp_url, knocked)
    for service in clouds.SERVICES:
        twice(make_url(url).set(database=f"kyodo_{service}").render_as_string(hide_password=False), kept)
    found = [f"{quoted} in log of postgresql", f"{knocked} in log of rabbitmq"]
    assert processes.wait_until(lambda: leaks(running, [quoted, kept, knocked]) == found, seconds=60), leaks(
        running, [quoted, kept, knocked]
    )


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


def test_what_is_refused_or_said_by_the_way_is_written_nowhere(cloud: Any) -> None:
    if cloud.local is None:
        pytest.skip("looks into the folders of processes; containers run the same code")
    running: clouds.Running = cloud.local
    overheard = Overheard(running.plan.amqp_url)
    try:
        before = arrived(running)
        values = refused(cloud)
        applied(cloud.url)  # its event goes the whole way after everything else
        assert processes.wait_until(lambda: arrived(running) > before + 1, seconds=120)
        overheard.listen()
        assert leaks(running, values, overheard.said) == []
    finally:
        overheard.close()
