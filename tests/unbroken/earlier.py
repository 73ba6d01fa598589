"""`make earlier`: the code of a release before, on the tables of this one (GOV.UK Notify 2016: a column had gone that old code still read).

    python -m tests.unbroken.earlier [--revision v2026.10]

A cloud is prepared by this checkout: its migrations, its sample. Then the earlier revision's own code runs on those stores: people read
a page of every service, citizens apply, a program backs up; then, as in the middle of a roll-out, this code's HTTP runs beside the
earlier work and door, so that the earlier code reads what this code writes. Whatever was acknowledged must be stored and counted, once.
PostgreSQL and RabbitMQ where they are installed, else SQLite and the embedded bus. The earlier code is unpacked by `git archive`; the
packages are this checkout's.
"""

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path

from infra.local import cloud as clouds
from infra.local import nodes, processes
from infra.local.supervisor import Supervisor
from tests.integration import test_kill_anything as story
from tests.unbroken.chaos.load import PAGES, Machine, Visitors, citizens, machine

ROOT = Path(__file__).parents[2]
MIGRATIONS = ("libs/common/migrations/*.py", "gateway/migrations/*.py", "services/*/migrations/*.py")
APPLICATIONS, OBJECTS, VISITS = 6, 6, 3
"""How many of each must succeed in each half, visits per service."""


class NoEarlier(Exception):
    """There is no earlier revision here: a clone without history."""


def git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise NoEarlier(done.stderr.decode(errors="replace").strip())
    return done.stdout


def usual_revision() -> str:
    """What ran before the newest change of a table: the first parent of the last commit that brought a migration."""
    newest = git("log", "-1", "--format=%H", "--diff-filter=A", "--", *MIGRATIONS).decode().strip()
    if not newest:
        raise NoEarlier("no commit brought a migration")
    return git("rev-parse", f"{newest}^").decode().strip()


def unpack(revision: str, folder: Path) -> list[str]:
    """Its code in `folder`. Returns the migrations that this checkout has and it has not."""
    with tarfile.open(fileobj=BytesIO(git("archive", "--format=tar", revision))) as archive:
        archive.extractall(folder, filter="data")
    ours = {str(path.relative_to(ROOT)) for pattern in MIGRATIONS for path in ROOT.glob(pattern)}
    return sorted(name for name in ours if not (folder / name).exists())


@contextmanager
def running(folder: Path, code: Path) -> Iterator[clouds.Running]:
    """A cloud prepared by this checkout, whose programs all run the code in `code`."""
    real = nodes.has_postgresql() and nodes.has_rabbitmq()
    with ExitStack() as stack:
        own = clouds.own_nodes(stack, folder / "nodes", database=real, broker=real)
        made = clouds.plan(
            folder,
            {"GATEWAY_PORT": str(processes.free_port())},
            ports={},
            database_url=clouds.url_of(own, "postgresql"),
            amqp_url=clouds.url_of(own, "rabbitmq"),
        )
        environment = made.environment(_given())
        clouds.prepare(made, environment, print)
        supervisor = Supervisor(clouds.programs(made), environment, made.logs, cwd=code)
        stack.callback(supervisor.stop)
        supervisor.start(seconds=300)
        yield clouds.Running(made, supervisor, own)


@contextmanager
def this_code_s_http(old: clouds.Running) -> Iterator[None]:
    """In place of the earlier code's, at the same port: the earlier door and the earlier work go on."""
    processes.stop(old.supervisor.children["apps"].process)
    apps = [program for program in clouds.programs(old.plan) if program.name == "apps"]
    supervisor = Supervisor(apps, old.plan.environment(_given()), old.plan.logs, cwd=ROOT)
    supervisor.start(seconds=300)
    try:
        yield
    finally:
        supervisor.stop()


def _given() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in clouds.NAMED_BY_PEOPLE}


def check(revision: str) -> list[str]:
    """What went wrong; nothing, if the earlier code can live with these tables."""
    with tempfile.TemporaryDirectory(prefix="kyodo-earlier-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        newer = unpack(revision, folder / "code")
        print(f"{len(newer)} migrations it does not know: {', '.join(map(_short, newer))}", flush=True)
        with running(folder, folder / "code") as old:
            return _used(old)


def _short(path: str) -> str:
    return Path(path).stem


def _used(old: clouds.Running) -> list[str]:
    stopping = threading.Event()
    if missing := _missing(old):
        return missing
    people, backing_up = citizens(old), machine(old, stopping)
    people.begin()
    threads = backing_up.begin()
    try:
        problems = _half("the earlier code", old, people, backing_up)
        with this_code_s_http(old):
            problems += _missing(old)  # the door lets a service rest that was away for a moment
            problems += _half("this code's HTTP before the earlier work", old, people, backing_up)
            _end(people, stopping, threads)
            problems += _arrived(old, people)
            problems += [f"acknowledged and lost: {each}" for each in backing_up.lost()]
    finally:
        _end(people, stopping, threads)
    return problems


def _missing(old: clouds.Running) -> list[str]:
    """Pages of services that do not come, also after a while."""
    pages = [old.url + path for path in PAGES.values()]
    processes.wait_until(lambda: all(clouds.is_ready(page) for page in pages), seconds=180, pause=0.5)
    return [f"no page at {page}" for page in pages if not clouds.is_ready(page)]


def _end(people: story.Citizens, stopping: threading.Event, threads: list[threading.Thread]) -> None:
    people.end()
    stopping.set()
    for thread in threads:
        thread.join(60)


def _half(what: str, old: clouds.Running, people: story.Citizens, backing_up: Machine) -> list[str]:
    """Until enough of everything was answered well since now."""
    stopping, applied, kept = threading.Event(), len(people.acknowledged), len(backing_up.acknowledged)
    visitors = Visitors(old.url, stopping)
    threads = visitors.begin()

    def enough() -> bool:
        read = all(visitors.answers[service, True] >= VISITS for service in PAGES)
        more = len(people.acknowledged) - applied >= APPLICATIONS and len(backing_up.acknowledged) - kept >= OBJECTS
        return read and more

    done = processes.wait_until(enough, seconds=120)
    stopping.set()
    for thread in threads:
        thread.join(60)
    said = f"{len(people.acknowledged) - applied} applications, {len(backing_up.acknowledged) - kept} objects, {dict(visitors.answers)}"
    print(f"{what}: {said}", flush=True)
    problems = [] if done else [f"{what}: not enough was answered: {said}"]
    problems += [
        f"{what}: {count} pages of {service} failed" for (service, good), count in visitors.answers.items() if not good
    ]
    return problems + [f"{what}: refused {each}" for each in people.refused[:3]]


def _arrived(old: clouds.Running, people: story.Citizens) -> list[str]:
    try:
        story.everything_arrived(old, people)
    except AssertionError as error:
        return [f"events: {error}"[:600]]
    return []


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make earlier", description=__doc__)
    parser.add_argument("--revision", help="a tag or commit; usual: what ran before the newest migration")
    try:
        revision = parser.parse_args(arguments).revision or usual_revision()
        print(f"the code of {git('log', '-1', '--format=%h %cs %s', revision).decode().strip()}", flush=True)
        problems = check(revision)
    except NoEarlier as error:
        print(f"no such revision here: {error}", file=sys.stderr)
        return 2
    print(
        "\n".join(problems)
        or "it reads and writes on the tables of this checkout; nothing was lost, nothing done twice"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
