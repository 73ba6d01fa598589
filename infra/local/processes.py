"""Start and stop children so that none is left behind: own process group, and an end when the parent is killed.

Standard library only: set-up uses this before the virtual environment exists.
"""

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def spawn(
    command: Sequence[str | Path], log: Path, *, end_with_parent: int = signal.SIGTERM, **options: Any
) -> subprocess.Popen[bytes]:
    """Start `command` in a process group of its own; its output is appended to `log`.

    On Linux the child gets the signal `end_with_parent` when the starting thread dies, however it dies.
    Start long-lived children from the main thread, or they end with the thread that started them.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(  # type: ignore[call-overload]
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_tie_to_parent(end_with_parent),
            **options,
        )


def _tie_to_parent(signal_number: int) -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)  # loaded here: nothing may be imported between fork and exec
    parent = os.getpid()

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal_number)
        if os.getppid() != parent:  # the parent died between fork and prctl
            os.kill(os.getpid(), signal_number)

    return tie


def stop(process: subprocess.Popen[bytes], seconds: float = 10.0, first: int = signal.SIGTERM) -> None:
    """Ask the process to end; after `seconds` end its whole group by force. Returns when it is gone."""
    if process.poll() is None:
        process.send_signal(first)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to whatever is left of the process's own group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def is_alive(pid: int) -> bool:
    """Whether `pid` runs (a zombie does not)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return True


def free_port(wanted: int | None = None) -> int:
    """`wanted` if nothing listens there on loopback, else one of those that the system gives to no outgoing connection: between this call
    and the bind of whoever is told the port, nobody's client can take it. Raises OSError when all are taken."""
    below = _ports_of_clients()
    drawn = (random.randrange(10_240, below) for _ in range(200))  # noqa: S311 (no secret)
    for port in chain(() if wanted is None else (wanted,), drawn):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port on 127.0.0.1")


def _ports_of_clients() -> int:
    """Where the ports begin that the system gives to clients."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:  # not Linux: RFC 6335
        return 49_152


def listens(port: int) -> bool:
    """Whether somebody accepts connections on this port of loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(
    ready: Callable[[], bool], *, seconds: float, alive: Callable[[], bool] = lambda: True, pause: float = 0.05
) -> bool:
    """Poll `ready` until it is true (True), or until time is up or `alive` turns false (False)."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ready():
            return True
        if not alive():
            return False
        time.sleep(pause)
    return ready()


def tail(path: Path, lines: int = 20) -> str:
    """The last lines of a log, for an error message; empty when there is no log."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 16_384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
