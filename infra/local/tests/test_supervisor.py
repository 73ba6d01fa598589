"""The supervisor with small programs of the tests' own: what starts, what is restarted, what is reported, what is left."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.local import processes
from infra.local.supervisor import NeverReady, Program, Supervisor

ROOT = Path(__file__).parents[3]
SLEEP = "import time; time.sleep(600)"
LISTEN = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1]))); time.sleep(600)
"""


def program(name: str, code: str, *arguments: object, **options: object) -> Program:
    return Program(name, [sys.executable, "-c", code, *map(str, arguments)], **options)  # type: ignore[arg-type]


def supervisor(tmp_path: Path, *programs: Program, said: list[str] | None = None) -> Supervisor:
    say = said.append if said is not None else print
    return Supervisor(programs, os.environ, tmp_path, cwd=ROOT, say=say)


@contextmanager
def watching(made: Supervisor) -> Iterator[None]:
    """Start and watch in one thread, as `make run` does in its main thread: children end with the thread that made them."""
    made.longest_pause = 0.1
    started = threading.Event()

    def work() -> None:
        made.start(seconds=30)
        started.set()
        made.watch(pause=0.02)
        made.stop()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert started.wait(30)
        yield
    finally:
        made.stopping.set()
        thread.join(30)


def test_all_programs_are_up_when_start_returns(tmp_path: Path) -> None:
    port = processes.free_port()
    listener = program("listener", LISTEN, port, ready=lambda: processes.listens(port))
    made = supervisor(tmp_path, listener, program("worker", SLEEP))
    made.start(seconds=30)
    try:
        assert processes.listens(port)
        assert made.children["worker"].process.poll() is None
    finally:
        made.stop()
    assert not processes.listens(port)


def test_a_program_that_dies_is_started_again_and_its_death_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    made = supervisor(tmp_path, program("worker", SLEEP), said=said)
    with watching(made):
        first = made.children["worker"].process.pid
        os.kill(first, signal.SIGKILL)
        assert processes.wait_until(lambda: made.children["worker"].process.pid != first, seconds=20)
        assert processes.is_alive(made.children["worker"].process.pid)
    assert said
    assert "worker ended (signal 9)" in said[0]


def test_a_program_that_never_starts_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    broken = program("broken", "import sys; sys.exit('the key is missing')")
    made = supervisor(tmp_path, program("worker", SLEEP), broken)
    with pytest.raises(NeverReady, match=r"(?s)broken stops as soon.*exit code 1.*the key is missing"):
        made.start(seconds=30)
    made.stop()
    assert made.children["worker"].process.poll() is not None


def test_a_program_that_runs_but_is_never_ready_is_reported(tmp_path: Path) -> None:
    made = supervisor(
        tmp_path, program("deaf", "print('waiting for tenants', flush=True);" + SLEEP, ready=lambda: False)
    )
    with pytest.raises(NeverReady, match="deaf runs but does not become ready"):
        made.start(seconds=1)
    made.stop()


def test_a_program_that_ignores_sigterm_and_its_children_are_ended_by_force(tmp_path: Path) -> None:
    stubborn = f"""
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", {SLEEP!r}])
print(child.pid, flush=True)
child.wait()
"""
    made = supervisor(tmp_path, program("stubborn", stubborn))
    made.start()
    log = tmp_path / "stubborn.log"
    assert processes.wait_until(lambda: log.read_text().strip() != "", seconds=20)
    grandchild = int(log.read_text())
    assert processes.is_alive(grandchild)
    made.stop(seconds=0.2)
    assert processes.wait_until(lambda: not processes.is_alive(grandchild), seconds=10)


def test_nothing_runs_on_when_the_supervisor_itself_is_killed(tmp_path: Path) -> None:
    port = processes.free_port()
    code = f"""
import os, sys
from pathlib import Path
from infra.local import processes
from infra.local.supervisor import Program, Supervisor
listener = Program("listener", [sys.executable, "-c", {LISTEN!r}, "{port}"], ready=lambda: processes.listens({port}))
made = Supervisor([listener], os.environ, Path(sys.argv[1]), cwd=Path.cwd())
made.start()
print("up", flush=True)
made.watch()
"""
    owner = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert owner.stdout
    assert owner.stdout.readline() == "up\n"
    assert processes.listens(port)
    owner.kill()
    owner.communicate()
    assert processes.wait_until(lambda: not processes.listens(port), seconds=20)


def test_a_taken_port_is_not_given_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert processes.free_port(port) != port
    assert processes.free_port(port) == port
