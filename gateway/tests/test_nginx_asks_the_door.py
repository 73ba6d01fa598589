"""A real nginx asks the door (`auth_request`) and passes bodies on itself: what the door decides is what happens."""

import asyncio
import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest

from gateway.decisions import Decisions
from gateway.nginx import config
from gateway.tests.conftest import CODE, OLD, PASSWORD, ROOT, Running, running, until
from gateway.tests.inside import URL, Inside, inside
from gateway.tests.nginx import nginx
from gateway.tests.test_answers_in_parts_and_over_time import hanging
from gateway.tests.test_requests_pass_to_services import EVIL, actor, headers_of
from gateway.use_cases import accounts
from infra.local.processes import free_port

PATH = f"/t/{CODE}/eapply/a"


@dataclass
class Fronted:
    """A gateway, and the address of the nginx in front of it."""

    cloud: Running
    front: str

    def client(self) -> httpx.Client:
        made = self.cloud.client(headers={"origin": self.front, "sec-fetch-site": "same-origin"})
        made.base_url = self.front
        return made


@pytest.fixture(scope="module")
def fronted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fronted]:
    folder, port, decisions = tmp_path_factory.mktemp("fronted"), free_port(), free_port()
    told = {"GATEWAY_DECISION_PORT": str(decisions), "TRUSTED_PROXIES": '["127.0.0.1/32"]'}
    with running(folder, **told) as cloud, nginx(folder / "nginx", port, printed(cloud, port)):
        yield Fronted(cloud, f"http://127.0.0.1:{port}")


def printed(cloud: Running, port: int) -> str:
    """What `python -m gateway nginx` prints for this gateway."""
    command = [sys.executable, "-m", "gateway", "nginx", "--listen", f"127.0.0.1:{port}"]
    env = {**os.environ, **cloud.environment}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout


def test_a_service_sees_through_nginx_what_it_sees_through_the_door(fronted: Fronted) -> None:
    sent = {**EVIL, "accept-language": "ja", "cookie": "lang=en; kyodo_session=none"}
    seen = []
    for client in (fronted.cloud.client(), fronted.client()):
        fronted.cloud.forget_seen()
        answer = client.post(f"{PATH}?q=1&r=%E3%81%82", content=b"abc", headers=sent)
        assert answer.status_code == 200, answer.text
        seen += fronted.cloud.seen()
    door, front = seen
    same = ("method", "raw", "query", "size", "sha256", "whole")
    assert [door[name] for name in same] == [front[name] for name in same]
    ours, theirs = headers_of(door), headers_of(front)
    assert set(ours) - {"connection"} == set(theirs) - {"connection"}
    differ = {name for name in theirs if ours.get(name) != theirs[name]}
    assert differ <= {
        "authorization",
        "host",
        "origin",
        "traceparent",
        "x-forwarded-host",
        "x-request-id",
        "connection",
    }
    assert theirs["cookie"] == "lang=en", "the door's own cookies stay with the door"
    assert answer.headers["x-request-id"] == theirs["x-request-id"] != EVIL["x-request-id"]


def test_a_browser_gets_through_nginx_the_headers_it_gets_through_the_door(fronted: Fronted) -> None:
    answers = [
        c.get(f"{PATH}?cookies=a=b", headers={"accept": "*/*"}) for c in (fronted.cloud.client(), fronted.client())
    ]
    door, front = (answer.headers for answer in answers)
    assert door["set-cookie"].count("kyodo_guest=") == front["set-cookie"].count("kyodo_guest=") == 1
    varying = {"date", "server", "content-length", "set-cookie", "x-request-id", "connection", "transfer-encoding"}
    varying.add("x-hop")  # named by the service's Connection header: nginx knows only the usual ones
    assert {n: door.get_list(n) for n in door if n not in varying} == {
        n: front.get_list(n) for n in front if n not in varying
    }
    assert front["cache-control"] == "no-store"
    shared = fronted.client().get(f"{PATH}?cache=public,+max-age=60")
    assert shared.headers.get_list("cache-control") == ["public, max-age=60"], "what the service says holds"


def test_a_guest_stays_the_same_guest(fronted: Fronted) -> None:
    fronted.cloud.forget_seen()
    client = fronted.client()
    client.get(PATH)
    client.get(PATH)
    one, two = (actor(fronted.cloud, seen) for seen in fronted.cloud.seen())
    assert one.kind == two.kind == "guest" and one.sid == two.sid and one.code == CODE


def test_a_person_signs_in_through_nginx_and_is_that_person(fronted: Fronted) -> None:
    ident = fronted.cloud.person("fronted@example.jp")
    client = fronted.client()
    page = client.get("/sign-in", headers={"accept": "text/html"})
    assert page.status_code == 200
    assert client.post("/sign-in", data={"email": "fronted@example.jp", "password": "wrong"}).status_code == 422
    assert client.post("/sign-in", data={"email": "fronted@example.jp", "password": PASSWORD}).status_code == 303
    fronted.cloud.forget_seen()
    assert client.get(PATH).status_code == 200
    assert actor(fronted.cloud, fronted.cloud.seen()[0]).subject == ident


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/t/402052/eapply/", {}, 403),
        ("GET", "/t/499999/eapply/", {}, 404),
        ("GET", "/internal/eapply/queues", {}, 404),
        ("GET", f"/t/{OLD}/eapply/a?b=c", {}, 308),
        ("GET", PATH, {"authorization": "Bearer wrong"}, 401),
        ("POST", PATH, {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}, 403),
        ("GET", f"/t/{CODE}/eapply/..%2f..%2finternal/x", {}, 400),
        ("GET", f"/t/{CODE}/eapply/%2e%2e/%2e%2e/internal/x", {}, 400),
        ("PROPFIND", PATH, {}, 405),
    ],
)
def test_what_the_door_refuses_is_refused_in_its_words(
    fronted: Fronted, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    fronted.cloud.forget_seen()
    door, front = (c.request(method, path, headers=headers) for c in (fronted.cloud.client(), fronted.client()))
    assert (door.status_code, front.status_code) == (status, status)
    assert door.headers.get("location") == front.headers.get("location")
    if status != 308:
        assert door.json()["code"] == front.json()["code"]
    assert fronted.cloud.seen() == [], "no service heard of it"


def test_staff_s_desk_and_what_is_shared_goes_through_the_door(fronted: Fronted) -> None:
    fronted.cloud.forget_seen()
    assert fronted.client().get(f"/t/{CODE}/eapply/desk/").status_code == 200
    assert headers_of(fronted.cloud.seen()[0])["host"] == f"127.0.0.1:{fronted.cloud.upstream_port}", "sent by the door"


def test_large_bodies_pass_both_ways_and_limits_hold(fronted: Fronted) -> None:
    content, client = b"x" * 40_000_000, fronted.client()
    fronted.cloud.forget_seen()
    assert client.put(f"/t/{CODE}/backup/a", content=content).status_code == 200
    seen = fronted.cloud.seen()[0]
    assert (seen["sha256"], seen["whole"]) == (hashlib.sha256(content).hexdigest(), True)
    assert len(client.get(f"/t/{CODE}/backup/a?do=stream&bytes=40000000").content) == 40_000_000
    fronted.cloud.forget_seen()
    assert client.put(PATH, content=content).status_code == 413
    assert not fronted.cloud.seen(), "its length was known: nothing was sent"
    chunked = client.put(PATH, content=iter([content[:1_000_000]] * 30))
    assert chunked.status_code == 413, "its length was not: the door counted"


def test_what_changes_something_is_not_sent_twice(fronted: Fronted) -> None:
    fronted.cloud.forget_seen()
    assert fronted.client().post(f"{PATH}?do=note-and-reset", content=b"abc").status_code == 502
    assert [line["method"] for line in fronted.cloud.seen() if line["method"] == "POST"] == ["POST"]


@pytest.mark.parametrize("place", ["eapply/live", "eapply/desk/live"])
def test_events_pass_nginx_as_they_are_said_and_the_service_is_let_go_when_the_reader_leaves(
    fronted: Fronted, place: str
) -> None:
    """Passed on by nginx itself, and (a desk's) through the door."""
    cloud = fronted.cloud
    cloud.forget_seen()
    (cloud.folder / "go").unlink(missing_ok=True)
    path = f"/t/{CODE}/{place}?do=events"
    with fronted.client().stream("GET", path, headers={"accept": "text/event-stream"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        pieces = answer.iter_raw()
        assert next(pieces) == b"id: 1\ndata: first\n\n", "while the service has said no more"
        (cloud.folder / "go").touch()
        assert next(pieces) == b"id: 2\ndata: second\n\n"
        assert until(lambda: hanging(cloud) == 1)
    assert until(lambda: hanging(cloud) == 0), "the service was let go"


def test_a_client_that_leaves_nginx_before_the_answer_holds_no_connection_of_the_service(fronted: Fronted) -> None:
    cloud = fronted.cloud
    cloud.forget_seen()
    for place in ("eapply/a", "eapply/desk/a"):
        with socket.create_connection(("127.0.0.1", int(fronted.front.rpartition(":")[2]))) as client:
            client.sendall(f"GET /t/{CODE}/{place}?do=hang HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            assert until(lambda: hanging(cloud) == 1)
        assert until(lambda: hanging(cloud) == 0), place


# ---- who may ask, and what is said -----------------------------------------------------------------------------------


async def ask(made: Inside, *, by: str = "127.0.0.1", method: str = "GET", uri: str = PATH, **headers: str):  # type: ignore[no-untyped-def]
    decisions = Decisions(made.parts, made.app.admission)
    said = {"x-original-method": method, "x-original-uri": uri, **{k.replace("_", "-"): v for k, v in headers.items()}}
    transport = httpx.ASGITransport(decisions, client=(by, 1))
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        return await client.get("/", headers=said)


TRUSTED = {"trusted_proxies": [ip_network("127.0.0.1/32")]}


def test_only_a_trusted_proxy_gets_a_token(tmp_path: Path) -> None:
    with inside(tmp_path, **TRUSTED) as made:
        good = asyncio.run(ask(made))
        assert good.status_code == 204 and good.headers["x-door-authorization"].startswith("Bearer ")
        bad = asyncio.run(ask(made, by="10.9.8.7"))
        assert (bad.status_code, bad.headers["x-door-code"]) == (403, "not-a-proxy")
        assert "x-door-authorization" not in bad.headers and "set-cookie" not in bad.headers


def test_the_three_answers(tmp_path: Path) -> None:
    with inside(tmp_path, **TRUSTED, limits={"network": "3/minute"}) as made:
        ident = asyncio.run(ask(made, authorization="Bearer wrong"))
        assert (ident.status_code, ident.headers["x-door-status"]) == (401, "401")
        none = asyncio.run(ask(made, uri="/t/402052/eapply/"))
        assert (none.status_code, none.headers["x-door-code"]) == (403, "service-suspended")
        answers = [asyncio.run(ask(made)) for _ in range(8)]
        last = answers[-1]
        assert answers[0].status_code == 204
        assert (last.status_code, last.headers["x-door-status"], last.headers["x-door-code"]) == (
            403,
            "429",
            "rate-limited",
        )


def test_a_sign_in_that_is_not_strong_enough_is_not_let_on(tmp_path: Path) -> None:
    with inside(tmp_path, **TRUSTED, demand_acr={"eapply": "two-factor"}) as made:
        with made.parts.service.database.transaction() as session:
            person = accounts.add_person(session, "weak@example.jp", "弱い 花子", made.clock.now()).id
        for acr, status in (("password", 401), ("two-factor", 204)):
            name, value = next(iter(made.session(person, acr=acr).items()))
            assert asyncio.run(ask(made, cookie=f"{name}={value}")).status_code == status


def test_without_its_port_there_is_no_configuration(tmp_path: Path) -> None:
    with inside(tmp_path) as made, pytest.raises(ValueError, match="GATEWAY_DECISION_PORT"):
        config(made.parts.settings, "80")
