"""Keep a set of programs running: start, wait until ready, restart with back-off, stop. Knows nothing of what they do.

supervisor = Supervisor([Program("gateway", [...], ready=...)], environment, logs=Path("var/log"))
supervisor.start()             raises NeverReady with the log's end when something does not come up
supervisor.watch()             returns when `supervisor.stopping` is set
supervisor.stop()              only its own children
"""

import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from infra.local import processes


class NeverReady(RuntimeError):
    """A program did not become ready. The message names it and holds the end of its log."""


@dataclass(frozen=True)
class Program:
    """One child. `ready` is asked until it is true; without it, that it still runs after a moment counts."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] | None = None


@dataclass
class Child:
    """A program as it runs now: how often it died in a row, and when it may start again."""

    program: Program
    process: subprocess.Popen[bytes]
    started: float
    failures: int = 0
    again_at: float | None = None


class Supervisor:
    """Children live in process groups of their own and end with this process even when it is killed."""

    longest_pause = 30.0
    """Seconds: the most that is waited between two starts of a program that keeps dying."""
    settled = 30.0
    """Seconds: a program that ran this long has not failed to start; its next failure counts as the first."""

    brief = 1.5
    """Seconds: a program that cannot be asked whether it is ready counts as ready after so long."""

    def __init__(
        self,
        programs: Sequence[Program],
        environment: Mapping[str, str],
        logs: Path,
        *,
        cwd: Path,
        say: Callable[[str], None] = print,
        revive: Sequence[Callable[[], None]] = (),
    ) -> None:
        """`revive` are called while watching: each brings back something these programs need, where it is gone."""
        self.stopping = threading.Event()
        self.children: dict[str, Child] = {}
        self._programs = programs
        self._environment = dict(environment)
        self._logs = logs
        self._cwd = cwd
        self._say = say
        self._revive = revive

    def start(self, seconds: float = 90.0) -> None:
        """Start all, then wait for all. A program that dies while starting gets two more chances."""
        for program in self._programs:
            self.children[program.name] = Child(program, self._spawn(program), time.monotonic())
        end = time.monotonic() + seconds
        for child in self.children.values():
            self._wait_for(child, end)

    def watch(self, pause: float = 0.2) -> None:
        """Restart what dies, until `stopping` is set. Call from the main thread: children are tied to it."""
        while not self.stopping.wait(pause):
            self.look()

    def look(self) -> None:
        """Once: note what died, start again what has waited long enough."""
        for child in self.children.values():
            self._look_after(child)
        for revive in self._revive:
            revive()

    def stop(self, seconds: float = 15.0) -> None:
        """All at once, so that the slowest decides; the last started is asked first."""
        running = [child.process for child in reversed(self.children.values()) if child.process.poll() is None]
        for process in running:
            process.terminate()
        end = time.monotonic() + seconds
        for process in running:
            processes.stop(process, max(0.1, end - time.monotonic()))

    def log_of(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _spawn(self, program: Program) -> subprocess.Popen[bytes]:
        environment = {**self._environment, **program.environment}
        return processes.spawn(program.command, self.log_of(program.name), env=environment, cwd=self._cwd)

    def _wait_for(self, child: Child, end: float) -> None:
        while not self.stopping.is_set():
            if child.process.poll() is not None:
                child.failures += 1
                if child.failures > 2:
                    raise NeverReady(self._obituary(child, "stops as soon as it is started"))
                self._restart(child)
            elif self._is_ready(child):
                return
            elif time.monotonic() > end:
                raise NeverReady(self._obituary(child, "runs but does not become ready"))
            time.sleep(0.05)

    def _is_ready(self, child: Child) -> bool:
        if child.program.ready is None:
            return time.monotonic() - child.started > self.brief
        return child.program.ready()

    def _look_after(self, child: Child) -> None:
        if child.process.poll() is None:
            return
        now = time.monotonic()
        if child.again_at is None:
            child.failures = 1 if now - child.started > self.settled else child.failures + 1
            pause = min(self.longest_pause, 0.25 * 2 ** (child.failures - 1))
            child.again_at = now + pause
            self._say(
                f"{child.program.name} ended ({_how(child.process.returncode)}); again in {pause:.2g} s. "
                f"Log: {self.log_of(child.program.name)}"
            )
        elif now >= child.again_at:
            self._restart(child)

    def _restart(self, child: Child) -> None:
        processes.kill_group(child.process)  # what a dead parent left behind would hold its port
        child.process = self._spawn(child.program)
        child.started, child.again_at = time.monotonic(), None

    def _obituary(self, child: Child, what: str) -> str:
        log = self.log_of(child.program.name)
        return f"{child.program.name} {what} ({_how(child.process.poll())}). The end of {log}:\n{processes.tail(log)}"


def _how(code: int | None) -> str:
    if code is None:
        return "still running"
    return f"signal {-code}" if code < 0 else f"exit code {code}"
