"""What an application costs beside the bare INSERTs it makes, and whether a million stored ones slow the desk down.

    python -m tests.bench.eapply [--submissions 300] [--rounds 5] [--stored 1000000] [--reads WORD]

On a private PostgreSQL node that writes to the disk as real ones do. Submissions go through the use case, one transaction
each, as a request's do (HTTP and gateway are measured by `gateway`). Beside them, in every round, pgbench runs the INSERTs
and UPDATEs of as many submissions, recorded from them, on a copy of the store: same rows, same indexes, no Python. Then the
desk's reads with 10,000 and with `--stored` applications in one municipality. Goals: reads p95 and submissions p95 no worse
than 1.5 times. Ratios are of medians in one run; the load of the machine is printed.
"""

import argparse
import copy
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import event, make_url, select
from sqlalchemy.orm import Session

from infra.local import nodes
from libs.common import keys
from libs.common.actor import Actor
from libs.common.clock import SystemClock
from libs.common.db import Database
from libs.common.migrate import migrate
from services.eapply.db import ApplicationRow
from services.eapply.domain import receipt
from services.eapply.forms.definition import Procedure
from services.eapply.forms.document import common
from services.eapply.settings import Settings
from services.eapply.use_cases import (
    cases,
    delivery,
    fees,
    numbers,
    once_only,
    pairs,
    procedures,
    queue,
    retention,
    submit,
    who,
)

TENANT = "402036"
SITE = "https://example.jp/t/402036/eapply"
ANSWERS = {
    "event": "古文書講座",
    "name": "髙橋 𠮷郎",
    "kana": "タカハシ　ヨシロウ",
    "phone": "0942-30-9000",
    "people": 2,
}
STAFF = Actor("staff", "staff-1", "古賀 真理", TENANT, TENANT, frozenset({"eapply.reviewer"}))
SMALL = 10_000
GOAL = 1.5
OPEN_ONE_IN = 20
"""Of the stored applications, one in so many is still open: at a desk with a million, 50,000, which is more than any has."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submissions", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stored", type=int, default=1_000_000)
    parser.add_argument("--reads", default="", help="only reads whose name holds this")
    chosen = parser.parse_args(arguments)
    if not nodes.has_postgresql():
        print("no PostgreSQL server is installed here", file=sys.stderr)
        return 2
    print(f"load average at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        Path(folder).chmod(0o755)
        store = stack.enter_context(nodes.postgresql(Path(folder) / "store", durable=True))
        desk = Desk(store.url, Path(folder) / "eapply")
        stack.callback(desk.database.close)
        beside_bare_inserts(desk, chosen.submissions, chosen.rounds, Path(folder))
        return with_many_stored(desk, chosen.stored, chosen.reads)


class Desk:
    """One municipality with one procedure, on one server."""

    def __init__(self, server: str, folder: Path) -> None:
        folder.mkdir()
        keys.ensure(folder / "keys", ["eapply"])
        settings = Settings(data_dir=folder, keys_dir=folder / "keys", database_url=server, database_prefix="bench")
        migrate(settings, "eapply", "services.eapply")
        self.address = settings.database_url_of("eapply")
        self.database = Database(self.address, "eapply")
        self.server = server.replace("postgresql+psycopg", "postgresql")
        self.clock = SystemClock()
        self.procedure: Procedure = next(each for each in common() if each.key == "event-moushikomi")
        with self.database.transaction(tenant=TENANT) as session:
            self.row = procedures.publish(session, self.procedure, self.clock.now())

    def on(self, address: str) -> "Desk":
        """The same municipality in a copy of the store."""
        other = copy.copy(self)
        name = address.rpartition("/")[2]
        other.database = Database(
            make_url(self.address).set(database=name).render_as_string(hide_password=False), "eapply"
        )
        return other

    def submit(self, number: int) -> None:
        """One application, in a transaction of its own."""
        guest = Actor("guest", f"guest-{number}", tenant=TENANT, code=TENANT, sid=f"sid-{number}")
        arrival = submit.Arrival(self.row.id, self.row.version, self.procedure, ANSWERS, None, None)
        with self.database.transaction(tenant=TENANT) as session:
            submit.arrive(session, guest, arrival, receipt.new_enquiry_key(), self.clock.now(), site=SITE)


# ---- beside bare INSERTs


def beside_bare_inserts(desk: Desk, count: int, rounds: int, folder: Path) -> None:
    rates, bare_rates, processor = [], [], []
    for number in range(rounds):
        copy = copied(desk, f"bench_bare_{number}")
        script = folder / "bare.sql"
        script.write_text(recorded(desk, count, number * 2 * count))
        bare_rates.append(bare(copy, script, count))
        begun, spent = time.perf_counter(), time.process_time()
        for each in range(count):
            desk.submit((number * 2 + 1) * count + each)
        rates.append(count / (time.perf_counter() - begun))
        processor.append((time.process_time() - spent) / count * 1000)
        print(f"round {number + 1}: {rates[-1]:6.1f} submissions/s; bare INSERTs {bare_rates[-1]:6.1f}/s", flush=True)
    ratios = [ours / theirs for ours, theirs in zip(rates, bare_rates, strict=True)]
    print(
        f"submissions, one connection: median {statistics.median(rates):.1f}/s ({min(rates):.1f} to {max(rates):.1f})"
    )
    print(f"  of the bare INSERTs: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"  processor of this process: median {statistics.median(processor):.1f} ms per submission")


def copied(desk: Desk, name: str) -> str:
    """A copy of the store as it is now; its address."""
    desk.database.engine.dispose()
    with psycopg.connect(desk.server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE bench_eapply")
    return desk.server.rpartition("/")[0] + f"/{name}"


def recorded(desk: Desk, count: int, first: int) -> str:
    """What `count` submissions write, as a script of as many transactions."""
    statements: list[str] = []
    with psycopg.connect(desk.server) as connection:
        cursor = psycopg.ClientCursor(connection)

        def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
            if statement.lstrip().upper().startswith(("INSERT", "UPDATE")):
                statements.extend(cursor.mogrify(statement, each) for each in (parameters if many else [parameters]))

        event.listen(desk.database.engine, "before_cursor_execute", keep)
        for number in range(first, first + count):
            statements.append("BEGIN")
            desk.submit(number)
            statements.append("COMMIT")
        event.remove(desk.database.engine, "before_cursor_execute", keep)
    return "".join(re.sub(r"\s*\n\s*", " ", statement) + ";\n" for statement in statements)


def bare(address: str, script: Path, count: int) -> float:
    """The script's transactions a second, by pgbench with one connection."""
    command = [nodes.postgresql_programs() / "pgbench", "-n", "-c", "1", "-t", "1", "-f", script, address]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    found = re.search(r"latency average = ([\d.]+) ms", done.stdout)
    if done.returncode or not found:
        raise RuntimeError((done.stderr or done.stdout)[-2000:])
    return count / (float(found.group(1)) / 1000)


# ---- with many stored

FILL = """
INSERT INTO applications ({columns})
SELECT {values} FROM applications a, generate_series({first}, {last}) AS g WHERE a.id = '{id}'
"""
FRESH = {
    "id": "lpad(to_hex(g), 36, '0')",
    "procedure_id": "a.procedure_id",
    "receipt_number": "'F' || g",
    "serial": "1000000 + g",
    "fiscal_year": "2000 + g % 20",
    "state": f"CASE WHEN g % {OPEN_ONE_IN} = 0 THEN (ARRAY['submitted', 'in_review', 'in_review', 'correction_requested', "
    f"'awaiting_approval'])[1 + g / {OPEN_ONE_IN} % 5] ELSE 'decided' END",
    "outcome": f"CASE WHEN g % {OPEN_ONE_IN} = 0 THEN NULL ELSE 'approved' END",
    "decided_at": f"CASE WHEN g % {OPEN_ONE_IN} = 0 THEN NULL ELSE a.arrived_at - g * interval '3 minutes' END",
    "kept_until": f"CASE WHEN g % {OPEN_ONE_IN} = 0 THEN NULL ELSE a.due_on + 30 + (g % 1800)::int END",
    "unread": f"g % {OPEN_ONE_IN} = 0 AND g / {OPEN_ONE_IN} % 7 = 0",
    "assignee": f"CASE WHEN g / {OPEN_ONE_IN} % 5 = 0 THEN NULL ELSE 'staff-' || g % 40 END",
    "arrived_at": "a.arrived_at - g * interval '3 minutes'",
    "due_on": "a.due_on + 10 - (g / 480)::int",
    "applicant_name": "NAME",
    "search": "'f' || g || chr(10) || replace(NAME, ' ', '') || chr(10) || 'タカハシ'",
    "paired": "'f' || g || chr(10) || replace(NAME, ' ', '') || chr(10) || 'タカハシ'",
    "likeness": "md5(g::text)",
    "applicant_person": "'p-' || g / 3",
    "draft_id": "NULL",
}
"""What differs from one stored application to the next."""
SURNAMES = [
    "佐藤",
    "鈴木",
    "高橋",
    "田中",
    "伊藤",
    "渡辺",
    "山本",
    "中村",
    "小林",
    "加藤",
    "荒井",
    "木村",
    "古賀",
    "松尾",
    "井上",
    "山口",
    "江口",
    "吉田",
    "石橋",
    "原",
]
GIVEN = ["直美", "一郎", "大輔", "陽子", "翔太", "花子", "健", "真理", "由美", "誠"]
NAME = (
    f"(ARRAY{SURNAMES})[1 + (g / 20 + g) % 20] || ' ' || (ARRAY{GIVEN})[1 + g / 400 % 10]"
    " || CASE WHEN g % 9973 = 0 THEN '之' ELSE '' END"
)
"""Two hundred names, each as frequent as the other; one application in 9,973 has one of its own."""
PAIRS = """
INSERT INTO application_pairs (tenant_id, pair, application_id)
SELECT a.tenant_id, substring(line, at, 2), a.id FROM applications a,
    regexp_split_to_table(a.search, chr(10)) AS line, generate_series(1, length(line) - 1) AS at
WHERE a.serial BETWEEN 1000000 + {first} AND 1000000 + {last} AND substring(line, at, 2) !~ '^[0-9-]{{2}}$'
ON CONFLICT DO NOTHING
"""
"""As `use_cases/pairs.py` makes them."""
REPORTS = {"numbers of a year", "the same name, one by one", "a name of common pairs, nobody's"}
"""Judged by no goal: what they read grows with what is stored, and they are asked for seldom. They are printed."""


def reads_of(desk: Desk) -> dict[str, Callable[[Session], object]]:
    now = desk.clock.now()
    citizen = Actor("person", "p-100", "髙橋 𠮷郎", TENANT, TENANT)

    def listed(**wanted: str) -> Callable[[Session], object]:
        return lambda session: queue.page(session, STAFF, queue.Filter(**wanted), now)

    return {
        "queue, by due day": listed(),
        "queue, by arrival": listed(order="arrived"),
        "queue, unread": listed(tab="unread"),
        "queue, mine": listed(tab="mine"),
        "queue, late": listed(tab="late"),
        "queue, returned": listed(tab="returned"),
        "queue, of a procedure": listed(procedure_id=desk.row.id),
        "queue, nobody's": listed(assignee=queue.NOBODY),
        "ended": listed(tab="ended"),
        "ended, by arrival": listed(tab="ended", order="arrived"),
        "ended, of a procedure": listed(tab="ended", order="arrived", procedure_id=desk.row.id),
        "numbers of the tabs": lambda session: queue.counts(session, STAFF, now),
        "one case": lambda session: one_case(session, desk),
        "enquiry by number": lambda session: enquired(session),
        "a citizen's own": lambda session: cases.seen_many(session, who.own_applications(session, citizen), now),
        "told before": lambda session: once_only.told_before(session, citizen),
        "held": retention.held,
        "charges": lambda session: fees.counts(session, now),
        "to be posted": delivery.to_post,
        "numbers of a year": lambda session: numbers.of_year(session, 2010),
        "search for a name nobody has": listed(words="荒木"),
        "a name nobody has, ended": listed(words="荒木", tab="ended"),
        "the same name, one by one": one_by_one(listed(words="荒木")),
        "search for a rare name": listed(words="健之", tab="ended"),
        "search for a frequent name": listed(words="佐藤 直美"),
        "a name of common pairs, nobody's": listed(words="佐藤 松尾"),
    }


def one_by_one(read: Callable[[Session], object]) -> Callable[[Session], object]:
    """A search as it was before there were pairs."""

    def done(session: Session) -> None:
        most, pairs.MOST = pairs.MOST, -1
        try:
            read(session)
        finally:
            pairs.MOST = most

    return done


def with_many_stored(desk: Desk, stored: int, only: str = "") -> int:
    """The same reads on a store of 10,000 and on one of many, in turns, so that a busy machine slows both."""
    fill(desk, 1, SMALL)
    small = desk.on(copied(desk, "bench_small"))
    begun = time.perf_counter()
    fill(desk, SMALL + 1, stored)
    print(f"{stored:,} applications stored ({time.perf_counter() - begun:.0f} s)", flush=True)
    missed = 0
    few, many = reads_of(small), reads_of(desk)
    for name in (each for each in few if only in each):
        before, after = in_turns(lambda n=name: reading(small, few[n]), lambda n=name: reading(desk, many[n]))
        missed += told(name, before, after, stored)
    before, after = in_turns(lambda: small.submit(0), lambda: desk.submit(0))
    missed += told("submission", before, after, stored)
    small.database.close()
    return 1 if missed else 0


def told(name: str, before: float, after: float, stored: int) -> bool:
    """Whether the goal was missed."""
    ratio = after / before
    judged = "" if name in REPORTS else f"  ({'≤' if ratio <= GOAL else '>'} {GOAL})"
    print(
        f"{name:28s} p95 {before:8.1f} ms with {SMALL:,}; {after:8.1f} ms with {stored:,}: × {ratio:.2f}{judged}",
        flush=True,
    )
    return bool(judged) and ratio > GOAL


def fill(desk: Desk, first: int, last: int) -> None:
    """Rows straight into the table; their indexes are made as they come, as in use. Not waiting for the disk: only here."""
    with psycopg.connect(desk.server.rpartition("/")[0] + "/bench_eapply", autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        found = connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'applications' ORDER BY ordinal_position"
        )
        columns = [name for (name,) in found]
        (pattern,) = connection.execute("SELECT id FROM applications WHERE draft_id IS NULL LIMIT 1").fetchone() or (
            "",
        )
        values = ", ".join(FRESH.get(name, f"a.{name}").replace("NAME", NAME) for name in columns)
        connection.execute(FILL.format(columns=", ".join(columns), values=values, first=first, last=last, id=pattern))
        connection.execute("ANALYZE applications")
        connection.execute("SET session_replication_role = replica")  # what was just read need not be looked for again
        connection.execute(PAIRS.format(first=first, last=last))
        # First the log goes to the disk: a vacuum marks no page as visible to all while its rows' commit may still be lost, and
        # then each row that is counted by an index alone costs a look into the table, as in no store of some age.
        connection.execute("SET synchronous_commit = on")
        for table in ("applications", "application_pairs"):
            connection.execute(f"ANALYZE {table}")
            connection.execute(f"VACUUM ANALYZE {table}")


def enquired(session: Session) -> None:
    session.scalar(select(ApplicationRow).where(ApplicationRow.receipt_number == "F77"))


def one_case(session: Session, desk: Desk) -> None:
    row = queue.page(session, STAFF, queue.Filter(), desk.clock.now(), size=1).rows[0]
    cases.seen(session, row, desk.clock.now())
    cases.history(session, row.id)


def reading(desk: Desk, read: Callable[[Session], object]) -> None:
    with desk.database.reading(tenant=TENANT) as session:
        read(session)


def in_turns(first: Callable[[], object], second: Callable[[], object], times: int = 60) -> tuple[float, float]:
    """p95 of both in milliseconds, one after the other."""
    spans: tuple[list[float], list[float]] = ([], [])
    for number in range(times + 2):
        for work, kept in zip((first, second), spans, strict=True):
            begun = time.perf_counter()
            work()
            if number > 1:  # the first ones fill caches
                kept.append((time.perf_counter() - begun) * 1000)
    return p95(spans[0]), p95(spans[1])


def p95(spans: list[float]) -> float:
    return statistics.quantiles(spans, n=20)[18]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
