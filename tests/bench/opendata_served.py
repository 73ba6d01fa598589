"""The catalogue as it is served: CPU milliseconds of the server per request, over 11,000 data sets, beside CKAN's.

The server is a process of its own (uvicorn, one worker, SQLite); it is asked over the loopback by four connections that stay open,
as CKAN was. Only its own processor time counts (/proc): that of who asks does not. CKAN's figures are those of another, quieter run
(2.12, 11,110 data sets; its workers, Solr and PostgreSQL together).
"""

import csv
import io
import json
import multiprocessing
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

import uvicorn

from libs.common.actor import Actor
from services.opendata.tests.people import BROWSER, Town
from tests.bench.gateway import cpu_seconds

CONNECTIONS = 4


@dataclass(frozen=True)
class Asked:
    """`addresses`: asked one after the other, again from the first. `ckan`: CPU ms per request of CKAN 2.12. `times`: the goal."""

    what: str
    addresses: tuple[str, ...]
    ckan: float
    times: float
    page: bool = False


def questions(table: str) -> list[Asked]:
    api = "/opendata/api/3/action"
    some = range(0, 11_000, 37)  # 298 data sets, not one
    words = ["避難所", "AED", "ごみ", "給食", "水道", "公園", "人口", "図書館", "バス停", "保育所"]
    return [
        Asked("data set page", tuple(f"/opendata/datasets/data-{n}" for n in some), 58.0, 10, page=True),
        Asked("search page", tuple(f"/opendata/?q={quote(word)}" for word in words), 28.0, 10, page=True),
        Asked("package_show", tuple(f"{api}/package_show?id=data-{n}" for n in some), 4.2, 3),
        Asked("package_search, 20 rows", tuple(f"{api}/package_search?rows=20&start={n}" for n in range(0, 400, 20)), 7.2, 3),
        Asked("package_search, words, 5 facets", tuple(
            f"{api}/package_search?q={quote(word)}&facet.field={quote(FACETS)}" for word in words), 7.6, 3),
        Asked("rows, filter", tuple(f"/opendata/data/{table}.json?{quote('町')}={quote('町')}{n}" for n in range(50)), 37.0, 10),
        Asked("datastore_search, filter", tuple(
            f"{api}/datastore_search?resource_id={table}&filters=" + quote(json.dumps({"町": f"町{n}"})) for n in range(50)), 37.0, 10),
        Asked("rows, offset 50,000", tuple(
            f"{api}/datastore_search?resource_id={table}&limit=100&offset={50_000 + n}" for n in range(50)), 71.0, 10),
    ]  # fmt: skip


FACETS = '["organization","groups","tags","res_format","license_id"]'


def large_table(town: Town) -> str:
    """A published table of 100,000 rows; its id."""
    rows = io.StringIO()
    csv.writer(rows).writerows([["町", "数"], *([f"町{n % 500}", n] for n in range(100_000))])
    name = town.name_of(town.publish(rows.getvalue().encode(), "rows.csv", title="大きな表"))
    return town.visitor().result("package_show", id=name)["resources"][0]["id"]


@contextmanager
def served(town: Town, *, kept: bool = True) -> Iterator[tuple[int, int]]:
    """(port, process) of a server of its own for `town`'s service. Without `kept` it sends no whole answer twice (api/answers.py)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    town.service.database.engine.dispose()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(town, port, kept), daemon=True)
    process.start()
    try:
        _wait(port)
        yield port, process.pid or 0
    finally:
        process.terminate()
        process.join(10)


def _serve(town: Town, port: int, kept: bool) -> None:
    if not kept:
        town.service.extras["answers"].room = 0
    town.service.database.engine.dispose(close=False)
    uvicorn.run(
        town.app, port=port, log_config=None, access_log=False, server_header=False, date_header=False, lifespan="off"
    )


def _wait(port: int) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)


def measure(town: Town, port: int, pid: int, asked: Asked, seconds: float, rounds: int) -> list[float]:
    """CPU milliseconds per request, one figure each round; the first answers are not counted."""
    ask(town, port, asked, seconds / 2)
    found = []
    for _ in range(rounds):
        before = cpu_seconds(pid)
        answered = ask(town, port, asked, seconds)
        found.append((cpu_seconds(pid) - before) / answered * 1000)
    return found


def ask(town: Town, port: int, asked: Asked, seconds: float) -> int:
    """Ask for so long; how many answers came. An answer that is not 200 ends the measurement."""
    until, counts = time.monotonic() + seconds, [0] * CONNECTIONS
    head = town.issuers.headers(Actor("guest", "guest", sid="bench"), "opendata", html=asked.page) | {
        "User-Agent": BROWSER
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())

    def one(number: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as line:
            reader = line.makefile("rb")
            at = number * 7
            while time.monotonic() < until:
                address = asked.addresses[at % len(asked.addresses)]
                line.sendall(f"GET {address} HTTP/1.1\r\nHost: bench\r\n{lines}\r\n".encode())
                _answered(reader, address)
                at, counts[number] = at + 1, counts[number] + 1

    threads = [threading.Thread(target=one, args=(number,)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not all(counts):
        raise RuntimeError(f"a connection got no answer: {asked.what}")
    return sum(counts)


def _answered(reader: io.BufferedReader, address: str) -> None:
    status = reader.readline()
    if b" 200 " not in status:
        raise RuntimeError(f"{address}: {status.decode()}")
    length = 0
    while (line := reader.readline().strip().lower()) != b"":
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    if not length or len(reader.read(length)) != length:
        raise RuntimeError(f"{address}: no whole answer")
