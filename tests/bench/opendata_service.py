"""Open data as a service: a large CSV made queryable beside SQLite's own `.import`, requests per second of CPU, readings per second.

    python -m tests.bench.opendata_service [--rows 200000] [--datasets 1000] [--requests 200] [--seconds 5]

Everything runs in this one process, in turns, on SQLite; figures are CPU milliseconds per request (`time.process_time`), which a busy
machine changes little. Beside them stand the figures of CKAN 2.12 measured on another, quieter run (11,110 data sets; two workers of
gunicorn, Solr and PostgreSQL together): they are no measurement of this run. `.import` is the SQLite command line's where it is installed,
else Python's csv reader with executemany into an in-file table.
"""

import argparse
import csv
import io
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from libs.common.testing.database import open_database
from libs.common.testing.service import Issuers, make_service
from services.opendata.settings import Settings, furnish
from services.opendata.tests.people import Town, open_room
from services.opendata.use_cases import sensors

CKAN = {
    "package_show": 4.2, "package_search": 7.2, "data set page": 58.0, "search page": 28.0, "rows, filter": 37.0,
    "rows, offset 50,000": 71.0,
}  # fmt: skip
"""CPU milliseconds per request of CKAN 2.12."""
READINGS_GOAL = 10_000


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--datasets", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        town = a_town(folder)
        measure_import(town, folder, options.rows)
        measure_requests(town, options.datasets, options.requests)
        return 0 if measure_sensors(town, options.seconds) >= READINGS_GOAL else 1


def a_town(folder: Path) -> Town:
    factory: Any = SimpleNamespace(mktemp=lambda name: Path(tempfile.mkdtemp(prefix=name, dir=folder)))
    issuers = Issuers("opendata", "tenants")
    database = next(open_database("sqlite", "opendata", "services.opendata", folder, factory))
    settings = Settings(data_dir=folder, keys_dir=folder / "keys", cloud_name="x", opendata_file_limit=10 * 1024**3)
    service = make_service("opendata", database, folder, settings=settings, issuers=issuers)
    furnish(service)
    open_room(service, "405221", "大木町")
    return Town(service, issuers, "405221")


# ---- a large CSV


def measure_import(town: Town, folder: Path, rows: int) -> None:
    path = folder / "large.csv"
    _write(path, rows)
    print(f"{rows:,} rows of 8 columns, {path.stat().st_size / 1e6:.0f} MB")
    tables = town.service.extras["tables"]
    names = ["コード", "名称", "住所", "緯度", "経度", "人数", "日付", "備考"]

    def ours() -> None:
        def lines() -> Any:
            with path.open(encoding="utf-8", newline="") as file:
                reader = csv.reader(file)
                next(reader)
                yield from reader

        tables.make(town.code, names, lines)

    took = {"typed table, durable in the store": _timed(ours), _importer(): _timed(lambda: _import(path, folder))}
    least = took[_importer()]
    for name, seconds in took.items():
        print(f"  {name:36s} {seconds:6.2f} s of processor  {seconds / least:4.2f} ×")
    print("  goal ≤ 2 × of .import (reading and repair of a clerk's file come on top: see opendata_parts)")


def _write(path: Path, rows: int) -> None:
    chance = random.Random(7)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["コード", "名称", "住所", "緯度", "経度", "人数", "日付", "備考"])
        for n in range(rows):
            day, place = (
                f"2026-{n % 12 + 1:02}-{n % 28 + 1:02}",
                (f"{33 + chance.random():.6f}", f"{130 + chance.random():.6f}"),
            )
            writer.writerow(
                [f"0{n:07}", f"施設{n}", f"大木町大字{n % 997}", *place, n % 5000, day, "備考" if n % 3 else ""]
            )


def _importer() -> str:
    return "sqlite3 .import" if shutil.which("sqlite3") else "csv.reader + executemany"


def _import(path: Path, folder: Path) -> None:
    target = folder / "peer.sqlite"
    target.unlink(missing_ok=True)
    if shutil.which("sqlite3"):
        subprocess.run(["sqlite3", str(target), ".mode csv", f".import {path} data"], check=True)
        return
    with path.open(encoding="utf-8", newline="") as file, sqlite3.connect(target) as connection:
        reader = csv.reader(file)
        next(reader)
        connection.execute("CREATE TABLE data (a, b, c, d, e, f, g, h)")
        connection.executemany("INSERT INTO data VALUES (?, ?, ?, ?, ?, ?, ?, ?)", reader)


def _timed(step: Callable[[], object], rounds: int = 3) -> float:
    """The median in seconds of processor, of this process and those it started."""
    taken = []
    for _ in range(rounds):
        started = sum(os.times()[:4])
        step()
        taken.append(sum(os.times()[:4]) - started)
    return statistics.median(taken)


# ---- requests


def measure_requests(town: Town, datasets: int, requests: int) -> None:
    machine = town.machine()
    for number in range(datasets):
        files = [{"url": "https://example.com/a.csv", "format": "CSV"}]
        machine.result("package_create", name=f"data-{number}", title=f"避難所の一覧 {number}", notes="防災のための一覧です。",
                       tags=[{"name": "防災"}], license_id="cc-by", resources=files)  # fmt: skip
    rows = io.StringIO()
    csv.writer(rows).writerows([["町", "数"], *([f"町{n % 500}", n] for n in range(100_000))])
    name = town.name_of(town.publish(rows.getvalue().encode(), "rows.csv", title="大きな表"))
    table = town.visitor().result("package_show", id=name)["resources"][0]["id"]
    visitor = town.visitor()
    addresses = {
        "package_show": "/opendata/api/3/action/package_show?id=data-1",
        "package_search": "/opendata/api/3/action/package_search?rows=20&q=避難所",
        "data set page": "/opendata/datasets/data-1",
        "search page": "/opendata/?q=避難所",
        "rows, filter": f"/opendata/data/{table}.json?町=町7",
        "rows, offset 50,000": f"/opendata/api/3/action/datastore_search?resource_id={table}&offset=50000&limit=100",
    }
    print(f"{datasets:,} data sets, CPU per request (the test client's own part included)")
    for what, address in addresses.items():
        ask = partial(visitor.get, address, page="page" in what)
        spent = [_cpu(ask) for _ in range(requests)]
        median, spread, peer = statistics.median(spent), statistics.quantiles(spent, n=10), CKAN[what]
        own = f"{median:6.2f} ms  ({spread[0]:.2f} … {spread[-1]:.2f})"
        print(f"  {what:20s} {own}   CKAN 2.12, as told: {peer:5.1f} ms  {peer / median:5.1f} ×")


def _cpu(step: Callable[[], Any]) -> float:
    started = time.process_time()
    assert step().status_code == 200
    return (time.process_time() - started) * 1000


# ---- sensors


def measure_sensors(town: Town, seconds: float) -> float:
    """Readings per second of processor, in batches of 5,000 for 50 streams, each batch in a transaction of its own."""
    actor = town.machine().actor
    now = town.service.clock.now()
    with town.service.database.transaction(tenant=town.code) as session:
        ids = [sensors.begin(session, actor, sensors.StreamWish(f"s{n}", "水位", "m"), now).id for n in range(50)]
    count, started, spent, tick = 0, time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - started < seconds:
        batch = [(ids[n % 50], f"2026-11-{tick // 86400 % 19 + 1:02}T{(tick + n // 50) // 3600 % 24:02}:{(tick + n // 50) // 60 % 60:02}:"
                  f"{(tick + n // 50) % 60:02}Z", float(n % 100)) for n in range(5000)]  # fmt: skip
        tick += 100
        with town.service.database.transaction(tenant=town.code) as session:
            count += sensors.take_in(session, batch, now).accepted
    rate, wall = count / (time.process_time() - spent), count / (time.perf_counter() - started)
    verdict = "reached" if rate >= READINGS_GOAL else "NOT reached"
    print(
        f"sensors: {rate:,.0f} readings per second of one processor, {wall:,.0f} by the clock; goal {READINGS_GOAL:,}: {verdict}"
    )
    return rate


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
