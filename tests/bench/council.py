"""The council's figures with the whole nation: 1,747 municipalities × 6 services × 20 years, beside the bare SQL in the same run.

    python -m tests.bench.council [--store sqlite|postgresql] [--rounds 9]

Each municipality joins and leaves each service by chance, about once in five years; a tenth of what was recorded was corrected
later. Printed: the median and spread of a count on any day (now, and as known earlier), beside one SQL statement that counts one
service with the driver alone; the council's page; shares of all; the yearly report; the import of the nation. Goals: a count
< 50 ms, the page < 200 ms, shares < 100 ms, the report < 10 s, the import < 60 s. They are printed, not judged: they depend on
the machine.
"""

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from infra.local import nodes
from libs.common import keys
from libs.common.db import Database
from libs.common.ids import new_id
from libs.common.migrate import migrate
from libs.common.settings import Settings
from libs.common.testing.service import NOW
from services.tenants import sample
from services.tenants.db import IntervalRow
from services.tenants.db import registry as registry_db
from services.tenants.domain.catalogue import SERVICES
from services.tenants.domain.sharing import Party, Rule, shares
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import MEMBER, OPERATOR
from services.tenants.tests.test_whom_the_council_counts import nation
from services.tenants.use_cases import count, reports
from services.tenants.use_cases.import_municipalities import import_municipalities

TODAY = date(2026, 11, 20)
BARE = """
SELECT count(DISTINCT i.tenant) FROM subscription_intervals i JOIN municipalities m ON m.tenant = i.tenant
WHERE i.service = 'eapply' AND i.kind = 'joined' AND i.superseded_at IS NULL AND i.valid_from <= '2018-09-30'
  AND (i.valid_until IS NULL OR i.valid_until > '2018-09-30') AND m.superseded_at IS NULL AND m.kind <> '都道府県'
  AND (m.valid_from IS NULL OR m.valid_from <= '2018-09-30') AND (m.valid_until IS NULL OR m.valid_until > '2018-09-30')
"""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args(arguments)
    print(f"load average at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {options.store}")
    with tempfile.TemporaryDirectory(prefix="kyodo-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with opened(options.store, Path(folder)) as database:
            measure(database, Path(folder), options.rounds)
    return 0


@contextmanager
def opened(store: str, folder: Path) -> Iterator[Database]:
    """The registry's store, migrated and empty."""
    with ExitStack() as stack:
        url = stack.enter_context(nodes.postgresql(folder / "server")).url if store == "postgresql" else ""
        settings = Settings(data_dir=folder, keys_dir=folder / "keys", database_url=url)
        keys.ensure(settings.keys_dir, ["tenants"])
        migrate(settings, "tenants", "services.tenants")
        database = Database(settings.database_url_of("tenants"), "tenants")
        stack.callback(database.close)
        yield database


def measure(database: Database, folder: Path, rounds: int) -> None:
    sample.load(database, NOW, say=lambda _: None)
    begun = time.monotonic()
    with database.transaction(tenant="400009") as session:
        import_municipalities(session, OPERATOR, nation(), NOW)
    print(f"the nation as tenants, imported:        {time.monotonic() - begun:8.2f} s    (goal < 60)")
    print(f"history: {fill(database):,} intervals")
    cloud = Cloud(database, folder)
    try:
        bare = timed(rounds, lambda: bare_count(database))
        known = date(2020, 1, 1)
        tell("one count, SQL by the driver alone", bare, bare)
        tell("all six counts of a day", timed(rounds, lambda: counted(database, None)), bare, 50)
        tell("the same as known on 2020-01-01", timed(rounds, lambda: counted(database, known)), bare, 50)
        tell("all years of all services", timed(rounds, lambda: years(database)), bare)
        tell("the council's page", timed(rounds, lambda: page(cloud)), bare, 200)
        tell("its first visit after a change", timed(rounds, lambda: first_page(cloud, database)), bare)
        tell("shares of 1,747", timed(rounds, all_shares), bare, 100)
        tell("the yearly report", timed(3, lambda: report(database)), bare, 10_000)
    finally:
        cloud.close()


def fill(database: Database) -> int:
    rng = random.Random(20261120)
    with database.reading() as session:
        towns = list(count.on(session, TODAY).municipalities)
        here = {(interval.tenant_id, interval.service) for interval in count.read(session).intervals}
    rows = [
        row
        for town in towns
        for service in SERVICES
        if (town, service.key) not in here  # the sample's own; one history twice would be none
        for row in life(rng, town, service.key, service.since)
    ]
    with database.transaction() as session:
        for start in range(0, len(rows), 5000):
            session.execute(insert(IntervalRow), rows[start : start + 5000])
    return len(rows)


def life(rng: random.Random, town: str, service: str, since: int) -> list[dict[str, Any]]:
    """Joined and left about once in five years over twenty; a tenth recorded wrongly first."""
    rows, day = [], date(max(since, 2006), 4, 1) + timedelta(days=rng.randrange(1500))
    while day < TODAY:
        until = day + timedelta(days=rng.randrange(200, 3000))
        row = {"id": new_id(), "tenant": town, "service": service, "kind": "joined", "origin": "bench"}
        row |= {"valid_from": day, "valid_until": until if until < TODAY else None}
        row |= {"recorded_at": NOW - timedelta(days=3000), "superseded_at": None}
        if rng.random() < 0.1:
            wrong = row | {"id": new_id(), "valid_from": day - timedelta(days=30), "superseded_at": NOW}
            rows.append(wrong)
            row |= {"recorded_at": NOW}
        rows.append(row)
        day = until + timedelta(days=rng.randrange(30, 1500))
    return rows


def bare_count(database: Database) -> None:
    with database.engine.connect() as connection, closing(connection.connection.cursor()) as cursor:
        cursor.execute(BARE)
        cursor.fetchall()


def counted(database: Database, known: date | None) -> None:
    with database.reading() as session:
        count.on(session, date(2018, 9, 30), known)


def years(database: Database) -> None:
    """Counted anew: what was kept is of another version."""
    with database.transaction() as session:
        registry_db.bump_version(session)
        count.years(session, TODAY)


def first_page(cloud: Cloud, database: Database) -> None:
    with database.transaction() as session:
        registry_db.bump_version(session)
    page(cloud)


def page(cloud: Cloud) -> None:
    assert cloud.get("/council/?on=2018-09-30", MEMBER).status_code == 200


def all_shares() -> None:
    rng = random.Random(7)
    those = [
        Party(str(100_000 + n), rng.randrange(1, 13), rng.randrange(300, 3_700_000), rng.randrange(9_000))
        for n in range(1_747)
    ]
    shares(Rule("eapply", 2026, 4_321_987_654, 30, 50, 20, minimum=100_000), those)


def report(database: Database) -> None:
    from services.tenants.db import plans

    with database.reading() as session:
        reports.make(session, plans.plans(session)[0].id, 2021, 0, TODAY)


@dataclass(frozen=True)
class Took:
    """Milliseconds of each round: on the clock, and of this process on its processor (which other work does not change)."""

    wall: list[float]
    cpu: list[float]


def timed(rounds: int, act: Callable[[], None]) -> Took:
    """After one round that warms up."""
    act()
    wall, cpu = [], []
    for _ in range(rounds):
        begun, spent = time.perf_counter(), time.process_time()
        act()
        wall.append((time.perf_counter() - begun) * 1000)
        cpu.append((time.process_time() - spent) * 1000)
    return Took(wall, cpu)


def tell(what: str, took: Took, bare: Took, goal: int | None = None) -> None:
    middle, spent = statistics.median(took.wall), statistics.median(took.cpu)
    ratio = spent / statistics.median(bare.cpu)
    wanted = f"goal < {goal:,}; " if goal else ""
    spread = f"{min(took.wall):.1f} to {max(took.wall):.1f}"
    print(f"{what:36}{middle:9.1f} ms   ({wanted}{spread}); processor {spent:8.1f} ms, {ratio:6.1f} × bare")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
