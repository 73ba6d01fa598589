"""Open data as a service: a large CSV made queryable beside SQLite's own `.import`, CPU of the server per request, readings per second.

    python -m tests.bench.opendata_service [--rows 200000] [--seconds 3]

Import and sensors run in this process, in turns, on SQLite; requests are answered by a server of its own (opendata_served.py), whose
processor time alone counts. The table of requests is written to docs/opendata-figures.md. `.import` is the SQLite command line's where
it is installed, else Python's csv reader with executemany into an in-file table.
"""

import argparse
import csv
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
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from libs.common.testing.database import open_database
from libs.common.testing.service import Issuers, make_service
from services.opendata.settings import Settings, furnish
from services.opendata.tests.people import Town, open_room
from services.opendata.use_cases import sensors
from tests.bench import opendata_catalogue, opendata_served

ROUNDS = 3
FIGURES = Path(__file__).parents[2] / "docs" / "opendata-figures.md"
READINGS_GOAL = 10_000


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        town = a_town(folder)
        measure_import(town, folder, options.rows)
        write_down(measure_requests(town, options.seconds), options.seconds)
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


def measure_requests(town: Town, seconds: float) -> list[str]:
    """Lines of the table: what was asked, CPU of the server per request, CKAN's, the ratio, the goal."""
    opendata_catalogue.towns(town.service)
    table = opendata_served.large_table(town)
    count = opendata_catalogue.fill(town.service)
    town.service.extras["catalogue"].look_again()
    town.service.extras["catalogue"].refresh()
    print(f"{count:,} data sets; CPU of the server per request")
    lines = []
    with opendata_served.served(town) as again, opendata_served.served(town, kept=False) as anew:
        for asked in opendata_served.questions(table):
            spent = opendata_served.measure(town, *again, asked, seconds, ROUNDS)
            made = statistics.median(opendata_served.measure(town, *anew, asked, seconds, ROUNDS))
            middle = statistics.median(spent)
            spread, times = f"{min(spent):.2f} … {max(spent):.2f}", asked.ckan / middle
            print(
                f"  {asked.what:34s} {middle:6.2f} ms  ({spread})   made anew {made:6.2f} ms   CKAN 2.12, as told: {asked.ckan:5.1f} ms  "
                f"{times:5.1f} ×, anew {asked.ckan / made:5.1f} ×",
                flush=True,
            )
            verdict = "reached" if times >= asked.times else "not reached"
            if verdict == "reached" and asked.ckan / made < asked.times:
                verdict = "reached by kept answers only"
            lines.append(
                f"| {asked.what} | {middle:.2f} ({spread}) | {made:.2f} | {asked.ckan} | {times:.1f} × | {asked.ckan / made:.1f} × | "
                f"≥ {asked.times:g} × | {verdict} |"
            )
    return lines


def write_down(lines: list[str], seconds: float) -> None:
    """The figures of this run, in the place of those before."""
    cores, load = os.cpu_count(), os.getloadavg()[0]
    FIGURES.write_text(
        f"# Figures of open data\n\nMeasured on {date.today()} by `make bench BENCH=opendata_service`, {cores} cores, load average "  # noqa: DTZ011
        f"{load:.1f}. CPU milliseconds of the server's process per request (median of {ROUNDS} rounds of {seconds:g} s, least … most), "
        "SQLite, one process, "
        "four connections, 11,000 data sets, a table of 100,000 rows; every address is one of 10 to 298 asked in turn. **Asked again**: "
        "most answers are sent again as they were kept (`services/opendata/api/answers.py`; pages for five seconds, data until the "
        "catalogue changes). **Made anew**: no whole answer is kept, only parts of it (`kept.py`): what an address costs that nobody asked "
        "for lately. CKAN's are those of another run on a quieter machine (2.12; its workers, Solr and PostgreSQL together).\n\n"
        "| asked | asked again, ms | made anew, ms | CKAN, ms | ratio | ratio, anew | goal | |\n|---|---|---|---|---|---|---|---|\n"
        + "\n".join(lines)
        + "\n",
        encoding="utf-8",
    )
    print(f"written to {FIGURES.relative_to(FIGURES.parents[1])}")


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
