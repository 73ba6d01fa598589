"""A service has two replicas and one of them is sick: dead, failing, hanging, slow. The door leaves it alone and asks the other."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.tests.conftest import CODE, ROOT, Running, make_running, stop, until, wait_for_port
from gateway.upstream import HttpUpstreams, UpstreamRefused
from gateway.upstream.replicas import LEAST
from infra.local.processes import free_port

PATH = f"/t/{CODE}/eapply/"


@dataclass
class Replica:
    """One process of the service, with a folder of its own for what it sees and what is wrong with it."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "gateway.tests.fake_upstream", str(self.port), str(self.folder)]
        self.process = subprocess.Popen(command, cwd=ROOT)
        wait_for_port(self.port)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def fall_sick(self, kind: str) -> None:
        (self.folder / "sick").write_text(kind)

    def recover(self) -> None:
        (self.folder / "sick").unlink(missing_ok=True)

    def seen(self) -> int:
        file = self.folder / "seen.jsonl"
        return sum("method" in json.loads(line) for line in file.read_text().splitlines()) if file.exists() else 0


@dataclass
class Cloud:
    door: Running
    one: Replica
    other: Replica

    def ask(self, method: str = "GET", many: int = 1) -> Counter[int]:
        """How often which status came, of requests sent one after another."""
        client = self.door.client()
        return Counter(client.request(method, PATH).status_code for _ in range(many))

    def uses_both(self) -> bool:
        before = self.one.seen(), self.other.seen()
        self.ask(many=4)
        return self.one.seen() > before[0] and self.other.seen() > before[1]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    replicas = [Replica(tmp_path_factory.mktemp(name), free_port()) for name in ("one", "other")]
    bases = [f"http://127.0.0.1:{replica.port}" for replica in replicas]
    wishes = {"UPSTREAM_FIRST_BYTE_SECONDS": "1.0", "TENANT_SHARE": "1", "REPLICAS": json.dumps({"eapply": bases})}
    door = make_running(tmp_path_factory.mktemp("door"), [], **wishes)
    door.publish()
    try:
        door.command("migrate")
        door.start_upstream()
        for replica in replicas:
            replica.start()
        door.start_gateway()
        yield Cloud(door, *replicas)
    finally:
        door.stop()
        for replica in replicas:
            if replica.process is not None:
                stop(replica.process)


@pytest.fixture
def cloud(running: Cloud) -> Iterator[Cloud]:
    """Both are well and used, before each story."""
    assert until(running.uses_both, 40)
    yield running
    running.one.recover()
    if running.one.process is not None and running.one.process.poll() is not None:
        running.one.start()


@pytest.mark.slow
def test_nobody_notices_that_one_has_died_and_it_is_used_again_when_it_is_back(cloud: Cloud) -> None:
    """Nothing was sent to what takes no connection: what changes something goes to the other one, too."""
    cloud.one.kill()
    assert cloud.ask("POST", 15) + cloud.ask("GET", 15) == {200: 30}
    cloud.one.start()
    assert until(cloud.uses_both, 40)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_one_that_fails_again_and_again_rests_while_the_other_serves(cloud: Cloud, status: int) -> None:
    cloud.one.fall_sick(str(status))
    begun = time.monotonic()
    answers = cloud.ask("GET", 60)
    trials = (
        1 + int(time.monotonic() - begun) // 2
    )  # after two seconds of rest one request is a trial, then ever more seldom
    assert answers[status] <= LEAST + trials
    assert set(answers) == {200, status}
    cloud.one.recover()
    assert until(cloud.uses_both, 60)


def test_a_fault_of_one_page_does_not_make_a_replica_sick(cloud: Cloud) -> None:
    cloud.one.fall_sick("500")
    answers = cloud.ask("GET", 40)
    assert answers[500] >= 10, "the service says what is wrong itself, as with one replica"


def test_one_that_breaks_the_line_is_asked_nothing_twice_that_changes_something(cloud: Cloud) -> None:
    cloud.one.fall_sick("reset")
    before = cloud.one.seen() + cloud.other.seen()
    answers = cloud.ask("POST", 30)
    assert set(answers) == {200, 502}
    assert cloud.one.seen() + cloud.other.seen() - before == 30, "each was sent once, to one of them"


def test_what_only_reads_is_asked_of_the_other_one(cloud: Cloud) -> None:
    cloud.one.fall_sick("reset")
    assert cloud.ask("GET", 30) == {200: 30}


def test_one_that_hangs_holds_up_few(cloud: Cloud) -> None:
    cloud.one.fall_sick("hang")
    with ThreadPoolExecutor(8) as threads:
        answers = Counter(
            status for each in threads.map(lambda _: cloud.ask("GET", 10), range(8)) for status in each.elements()
        )
    assert answers[200] + answers[504] == 80
    assert answers[504] <= 3 * LEAST, "those that were on their way when it began, and the trials"


def test_one_that_is_slow_gets_little(cloud: Cloud) -> None:
    """The one with the fewest requests on their way is next: whoever is slow is given less, without being called sick."""
    cloud.one.fall_sick("slow")
    before = cloud.one.seen(), cloud.other.seen()
    with ThreadPoolExecutor(8) as threads:
        answers = sum(threads.map(lambda _: cloud.ask("GET", 20), range(8)), Counter())
    assert answers == {200: 160}
    slow, quick = cloud.one.seen() - before[0], cloud.other.seen() - before[1]
    assert quick > 2 * slow, f"{slow} to the slow one, {quick} to the other"


def test_when_all_of_them_are_sick_the_service_rests_as_a_whole(cloud: Cloud) -> None:
    cloud.one.fall_sick("503")
    cloud.other.fall_sick("503")
    try:
        client = cloud.door.client()
        assert until(lambda: client.get(PATH).json().get("code") == "service-resting", 40)
    finally:
        cloud.other.recover()
    cloud.one.recover()
    assert until(cloud.uses_both, 60)


# ---- a name with several addresses -----------------------------------------------------------------------------------


def test_a_name_that_resolves_to_several_addresses_is_several_replicas() -> None:
    """As a headless Service of Kubernetes: the addresses come and go with the pods, and a look that fails changes nothing."""
    asked, known = asyncio.run(_addresses_come_and_go())
    assert asked["both"] == {"127.0.0.1", "127.0.0.2"}
    assert asked["one has gone"] == {"127.0.0.2"}
    assert asked["nothing is known"] == {"127.0.0.2"}
    assert known == [(0, 2), (0, 1), (0, 1)]


async def _addresses_come_and_go() -> tuple[dict[str, set[str]], list[tuple[int, int]]]:
    loop = asyncio.get_running_loop()
    port, seen, known = free_port(), set[str](), []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (await reader.readline()).strip():
            pass
        seen.add(writer.get_extra_info("sockname")[0])
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    addresses: list[str] | None = ["127.0.0.1", "127.0.0.2"]

    async def look(host: str, port: int, **_: object) -> list[tuple]:
        if addresses is None:
            raise socket.gaierror("the name server is away")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in addresses]

    servers = [await asyncio.start_server(serve, ip, port) for ip in ("127.0.0.1", "127.0.0.2")]
    usual, loop.getaddrinfo = loop.getaddrinfo, look  # type: ignore[method-assign]
    upstreams = HttpUpstreams({"eapply": [f"http://eapply.example:{port}"]})
    asked = {}
    for name, found in (
        ("both", ["127.0.0.1", "127.0.0.2"]),
        ("one has gone", ["127.0.0.2"]),
        ("nothing is known", None),
    ):
        addresses = found
        upstreams._pools["eapply"].replicas._looked = -1e9  # time passes
        await _ask(upstreams)
        await asyncio.sleep(0.05)  # the look happens beside the request
        seen.clear()
        for _ in range(4):
            await _ask(upstreams)
        asked[name] = set(seen)
        known.append(upstreams.resting("eapply"))
    await upstreams.close()
    loop.getaddrinfo = usual  # type: ignore[method-assign]
    for server in servers:
        server.close()
    return asked, known


async def _ask(upstreams: HttpUpstreams) -> None:
    answer = await upstreams.open("eapply", "GET", b"/", [], None)
    assert (await answer.chunk(), answer.ended) == (b"ok", True)
    answer.close(whole=True)


def test_a_name_that_nobody_knows_is_a_service_that_is_not_there() -> None:
    async def ask() -> None:
        upstreams = HttpUpstreams({"eapply": ["http://nowhere.invalid:1"]})
        with pytest.raises(UpstreamRefused):
            await upstreams.open("eapply", "POST", b"/", [], None)
        await upstreams.close()

    asyncio.run(ask())
