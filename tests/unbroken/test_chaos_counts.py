"""The counting of `make chaos` sees what is lost and what is doubled, at every writer: a zero in docs/chaos.md could be something else."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.eapply.db import ApplicationRow
from tests.unbroken.chaos import faulty, load, verdict
from tests.unbroken.chaos.__main__ import part_of

URL = "http://127.0.0.1:9"
DATABASES: dict[str, list[str]] = {
    "eapply": ["a", "b", "unknown"],
    "tenants": ["a", "b", "b"],
    "ebid": ["a", "b", "b"],
    "opendata": ["a", "b", "b"],
}


class Stores:
    """What stands in each service's store: "b" is there twice, "gone" nowhere, "c" is told to two keys."""

    def column(self, service: str, towns: Any, column: Any, *where: Any) -> list[str]:
        return [*DATABASES[service], "c"] if column is not ApplicationRow.id else ["a", "b", "c", "unknown"]


WRITERS = {
    "eapply": load.Applicants,
    "ebid": load.Bidders,
    "opendata": load.Publisher,
    "tenants": load.Asker,
}


@pytest.mark.parametrize("service", WRITERS)
def test_what_is_lost_or_doubled_is_counted(service: str) -> None:
    told = {"k-a": "a", "k-b": "b", "k-gone": "gone", "k-c": "c", "k-again": "c"}
    writer = WRITERS[service](URL, threading.Event(), acknowledged=told)
    lost, doubled = verdict.judged(Stores(), writer)  # type: ignore[arg-type]
    assert lost == {"k-gone"}
    assert doubled == {"k-b", "k-c", "k-again"}


def test_an_application_nobody_was_told_of_and_a_mail_that_never_came_are_named() -> None:
    writer = load.Applicants(URL, threading.Event(), acknowledged={"k-a": "a", "k-b": "b", "k-c": "c"})
    assert verdict.strangers(Stores(), [writer]) == ["stored and acknowledged to nobody: unknown"]  # type: ignore[arg-type]
    taken = [(load.address_of("k-a"), "1"), (load.address_of("k-b"), "2"), (load.address_of("k-b"), "2")]
    assert verdict.mails_of([writer], taken) == ({"k-c"}, 1)


def test_an_object_that_is_gone_or_has_other_bytes_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {number: hashlib.sha256(load.content_of(number)).hexdigest() for number in (1, 2, 3)}
    bodies = {names[1]: load.content_of(1), names[2]: b"other"}

    def answer(request: httpx.Request) -> httpx.Response:
        body = bodies.get(request.url.path.rpartition("/")[2])
        return httpx.Response(200, content=body) if body is not None else httpx.Response(404)

    client = httpx.Client(transport=httpx.MockTransport(answer))
    monkeypatch.setattr(verdict.httpx, "Client", lambda **options: client)
    writer = load.Machine(URL, threading.Event(), address=f"{URL}/", acknowledged={n: str(i) for i, n in names.items()})
    assert verdict.judged(Stores(), writer) == ({names[2], names[3]}, set())  # type: ignore[arg-type]


def test_a_judge_that_sees_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make chaos` plants a loss and a repetition into every writer at its end."""
    writer = load.Asker(URL, threading.Event(), acknowledged={"k-a": "a"})
    monkeypatch.setattr(verdict, "Stores", lambda running: type("Closing", (Stores,), {"close": lambda self: None})())
    assert verdict.blind(None, [writer]) == []  # type: ignore[arg-type]
    assert writer.acknowledged == {"k-a": "a"}, "what was planted is taken out again"
    monkeypatch.setattr(verdict, "judged", lambda stores, writer: (set(), set()))
    assert verdict.blind(None, [writer]) == ["tenants: does not see what is lost or doubled"]  # type: ignore[arg-type]
    idle = load.Asker(URL, threading.Event())
    assert "nothing was judged" in verdict.blind(None, [idle])[0]  # type: ignore[arg-type]


def test_the_parts_of_a_run_are_all_of_it() -> None:
    faults: Any = {str(number): None for number in range(7)}
    parts = [part_of(faults, f"{which}/3") for which in (1, 2, 3)]
    assert sorted(name for part in parts for name in part) == sorted(faults)


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[faulty.Machine]:
    try:
        yield faulty.Machine("it", tmp_path, faulty.library(tmp_path))
    except faulty.NoCompiler as without:
        pytest.skip(str(without))


PROGRAM = """
import os, sys, time
for line in sys.stdin:
    said = []
    for step in (lambda: os.write(file, b"x"), lambda: os.fsync(file)):
        file = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
        try:
            step(); said.append("ok")
        except OSError as error:
            said.append(error.strerror)
        os.close(file)
    print(*said, round((time.time() - float(line)) / 60), sep=",", flush=True)
"""


def test_a_disk_and_a_clock_fail_while_they_are_told_to(failing: faulty.Machine, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "file")]
    environment = {**os.environ, **failing.environment}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:

        def ask() -> str:
            assert program.stdin and program.stdout
            program.stdin.write(f"{time.time()}\n")
            program.stdin.flush()
            return program.stdout.readline().strip()

        assert ask() == "ok,ok,0"
        with failing.failing(full=True, ahead=600):
            assert ask() == "No space left on device,ok,10"
        with failing.failing(fsync=True, ahead=-600):
            assert ask() == "ok,Input/output error,-10"
        assert ask() == "ok,ok,0"
        program.stdin.close()  # type: ignore[union-attr]
