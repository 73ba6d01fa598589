"""Run pytest on private RabbitMQ and PostgreSQL nodes that live as long as the run.

    python -m infra.local.test [pytest's arguments]      default: everything not marked slow, one worker more than there are processors

A server named by TEST_AMQP_URL or AMQP_URL, TEST_DATABASE_URL or DATABASE_URL is used instead of a private one.

What fails runs once more, alone: in thousands of tests with real processes on a busy machine one now and then loses a race. Whatever
passes only then is named at the end, so that its race is mended; what fails again, or if more than a few fail, has failed.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from infra.local import cloud, nodes, processes
from infra.local.second_time import failed_in

ROOT = Path(__file__).parents[2]
ROOM = 8 * 2**30
"""Bytes that a whole run may need for its files."""
FEW = 3
"""So many may have failed by chance."""
SOME_FAILED = 1
"""pytest's exit code when it ran to its end and tests failed."""


def environment_for(stack: ExitStack, environment: Mapping[str, str]) -> dict[str, str]:
    """The tests' environment, with servers: the named ones, else private ones."""
    given = {name: value for name, value in environment.items() if name not in (*cloud.NAMED_BY_PEOPLE, "SAMPLE")}
    folder = Path(tempfile.mkdtemp(prefix="kyodo-test-", dir=_place_of_files(environment)))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)  # as root, PostgreSQL runs as another user and must be able to walk in
    given["TMPDIR"] = str(folder)
    broker = environment.get("TEST_AMQP_URL") or environment.get("AMQP_URL")
    database = environment.get("TEST_DATABASE_URL") or environment.get("DATABASE_URL")
    given["TEST_AMQP_URL"] = broker or stack.enter_context(nodes.rabbitmq(folder / "rabbitmq")).url
    given["TEST_DATABASE_URL"] = database or stack.enter_context(nodes.postgresql(folder / "postgresql")).url
    return given


def _place_of_files(environment: Mapping[str, str]) -> str | None:
    """In memory, if there is room: every commit waits for the disk, and no test here can cut the machine's power."""
    memory = Path("/dev/shm")  # noqa: S108
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > ROOM
    return str(memory) if roomy and "TMPDIR" not in environment else None


def pytest_command(arguments: list[str]) -> list[str]:
    """Our defaults first, so that what is given wins. A file's tests stay on one worker and share its fixtures."""
    defaults = [
        "-m",
        "not slow",
        "-n",
        str((os.cpu_count() or 2) + 1),  # much of the time is waiting: for disks, brokers, browsers
        "--dist",
        "loadscope",
        "--no-loadscope-reorder",
        "-p",
        "infra.local.grouping",
        "-p",
        "infra.local.second_time",
        "--timeout",
        "600",
        "-q",
        "--durations",
        "15",
    ]
    return [sys.executable, "-m", "pytest", *defaults, *arguments]


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ExitStack() as stack:
        try:
            environment = environment_for(stack, os.environ)
        except nodes.NodeFailed as failure:
            print(failure, file=sys.stderr)
            return 1
        print(
            f"  RabbitMQ {_place(environment['TEST_AMQP_URL'])}, PostgreSQL {_place(environment['TEST_DATABASE_URL'])}"
        )
        noted = Path(environment["TMPDIR"]) / "failed"
        code = _run(stack, pytest_command(arguments), environment | {"FAILED_TESTS": str(noted)})
        failed = failed_in(noted)
        if code != SOME_FAILED or not 0 < len(failed) <= FEW:
            return code
        print(f"\n  Once more, alone: {', '.join(failed)}", flush=True)
        code = _run(stack, again_command(failed), environment)
        if code == 0:
            print(f"  PASSED ONLY AT THE SECOND TIME (a race: mend it): {', '.join(failed)}")
        return code


def again_command(failed: list[str]) -> list[str]:
    """Just these, one after the other."""
    return [sys.executable, "-m", "pytest", "--timeout", "600", "-q", *failed]


def _run(stack: ExitStack, command: list[str], environment: Mapping[str, str]) -> int:
    tests = subprocess.Popen(command, cwd=ROOT, env=environment)
    stack.callback(processes.stop, tests)
    try:
        return tests.wait()
    except KeyboardInterrupt:
        return tests.wait()  # pytest got it too and reports what it has so far


def _place(url: str) -> str:
    """Host and port: an address may hold a password, which no log needs."""
    return url.rsplit("@", 1)[-1].split("/")[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
