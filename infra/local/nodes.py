"""Private RabbitMQ and PostgreSQL nodes: own folder, own free ports on loopback, ended by their process id.

    python -m infra.local.nodes rabbitmq var/nodes/mq        prints the address, runs until Ctrl-C or SIGTERM
    python -m infra.local.nodes postgresql var/nodes/pg

In tests and in the supervisor: `with nodes.rabbitmq(folder) as node: node.url`. A node can be killed and started again in the
same folder and on the same port, which is what the fault tests do.
Neither ever touches a server that somebody else started.
"""

import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from infra.local import processes


class NodeFailed(RuntimeError):
    """A node could not be started; the message holds the end of its log."""


class Node(ABC):
    """One server process in one folder. `start`, `stop` (graceful), `kill` (SIGKILL), in any order, repeatable."""

    kind: ClassVar[str]

    def __init__(self, folder: Path, *, port: int | None = None, durable: bool = False) -> None:
        self.folder = folder.resolve()
        self.durable = durable
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self._remembered("port") or port or processes.free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str: ...

    @property
    def log(self) -> Path:
        return self.folder / "log" / f"{self.kind}.log"

    def start(self, seconds: float = 60.0) -> None:
        if self.process and self.process.poll() is None:
            return
        self.process = self._spawn()
        process = self.process
        if not processes.wait_until(self.is_ready, seconds=seconds, alive=lambda: process.poll() is None):
            self.kill()
            raise NodeFailed(f"private {self.kind} did not start in {self.folder}:\n{processes.tail(self.log)}")
        self._remember(port=self.port, pid=self.process.pid)

    def stop(self) -> None:
        if self.process:
            processes.stop(self.process, seconds=20.0, first=self.stop_signal)

    def kill(self) -> None:
        """End at once, as a power cut would. Returns when nothing of it runs any more."""
        if not self.process:
            return
        running = self.process.poll() is None
        # PostgreSQL's backends lead sessions of their own; a survivor would hold the memory the next start needs.
        children = _children(self.process.pid)
        processes.kill_group(self.process)
        for pid in children:
            _kill(pid)
        # The port is asked too: a process of many threads counts as gone before its last thread has closed its sockets.
        if running:
            processes.wait_until(
                lambda: not any(map(processes.is_alive, children)) and not processes.listens(self.port), seconds=10
            )

    def discard(self) -> None:
        """End at once and forget what it kept outside its folder."""
        self.kill()

    def revive(self) -> None:
        """Start again if it died; a start that fails is tried again at the next call."""
        if self.process and self.process.poll() is not None:
            with suppress(NodeFailed):
                self.kill()
                self.start()

    stop_signal: ClassVar[int] = signal.SIGTERM

    @abstractmethod
    def is_ready(self) -> bool: ...

    @abstractmethod
    def _spawn(self) -> subprocess.Popen[bytes]: ...

    def _remember(self, **values: Any) -> None:
        (self.folder / "node.json").write_text(json.dumps(values))

    def _remembered(self, name: str) -> int | None:
        """What the last start in this folder used, unless somebody else took that port meanwhile."""
        try:
            value = int(json.loads((self.folder / "node.json").read_text())[name])
        except (OSError, ValueError, KeyError):
            return None
        return value if processes.free_port(value) == value else None


_AnyNode = TypeVar("_AnyNode", bound=Node)


class RabbitMQ(Node):
    """Ready in about 2 s, 140 MB. Its own Erlang cookie and its own epmd, so no other node can be met by accident."""

    kind = "rabbitmq"

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder, **options)
        self.epmd: subprocess.Popen[bytes] | None = None
        self.epmd_port = processes.free_port()
        self.dist_port = processes.free_port()

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def is_ready(self) -> bool:
        """The broker answers an AMQP 0-9-1 protocol header with a method frame (Connection.Start)."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.settimeout(2)
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return connection.recv(1) == b"\x01"
        except OSError:
            return False

    def stop(self) -> None:
        super().stop()
        self._stop_epmd()

    def kill(self) -> None:
        super().kill()
        self._stop_epmd()

    def ctl(self, *arguments: str) -> str:
        """`rabbitmqctl …` against this node; its output. Raises CalledProcessError."""
        command = [str(_rabbitmq_program("rabbitmqctl")), "--node", "kyodo@localhost", "--quiet", *arguments]
        return subprocess.run(command, env=self._environment(), check=True, capture_output=True, text=True).stdout

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._write_files()
        environment = self._environment()
        # epmd as our own child in the foreground; else the broker would leave one running after its end.
        self._stop_epmd()
        epmd = [_epmd(), "-port", str(self.epmd_port), "-address", "127.0.0.1"]
        self.epmd = processes.spawn(epmd, self.folder / "log" / "epmd.log", env=environment)
        processes.wait_until(lambda: processes.listens(self.epmd_port), seconds=10)
        return processes.spawn([_rabbitmq_program("rabbitmq-server")], self.log, env=environment, cwd=self.folder)

    def _stop_epmd(self) -> None:
        if self.epmd:
            processes.stop(self.epmd, seconds=2.0)

    def _write_files(self) -> None:
        for name in ("home", "mnesia", "log"):
            (self.folder / name).mkdir(exist_ok=True)
        (self.folder / "env.conf").touch()
        (self.folder / "enabled_plugins").write_text("[].\n")
        cookie = self.folder / "home" / ".erlang.cookie"
        if not cookie.exists():
            cookie.touch(mode=0o600)
            cookie.write_text(secrets.token_hex(20))
            cookie.chmod(0o400)
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.local = 127.0.0.1:{self.port}\n"
            "log.console = true\nlog.console.level = warning\nlog.file = false\n"
            "vm_memory_high_watermark.absolute = 512MB\ndisk_free_limit.absolute = 50MB\n"
        )

    def _environment(self) -> dict[str, str]:
        settings = {
            "HOME": self.folder / "home",
            "RABBITMQ_CONF_ENV_FILE": self.folder / "env.conf",
            "RABBITMQ_CONFIG_FILE": self.folder / "rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.folder / "enabled_plugins",
            # The name does not hold the port: the folder keeps its data when the port changes.
            "RABBITMQ_NODENAME": "kyodo@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": self.port,
            "RABBITMQ_DIST_PORT": self.dist_port,
            "RABBITMQ_MNESIA_BASE": self.folder / "mnesia",
            "RABBITMQ_MNESIA_DIR": self.folder / "mnesia" / "db",
            "RABBITMQ_LOG_BASE": self.folder / "log",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": self.folder / "rabbit.pid",
            "ERL_EPMD_PORT": self.epmd_port,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "LC_ALL": "C.UTF-8",
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        }
        return {name: str(value) for name, value in settings.items()}


class PostgreSQL(Node):
    """Ready in under a second once made. Refuses to run as root, so root hands the folder to another user."""

    kind = "postgresql"
    stop_signal = signal.SIGINT  # "fast shutdown": ends sessions, does not wait for them

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder, **options)
        self.programs = postgresql_programs()
        self.owner = _unprivileged_user()
        self.home = _reachable(self.folder, self.owner)
        if self.owner:
            os.chown(self.home, self.owner.pw_uid, self.owner.pw_gid)

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def is_ready(self) -> bool:
        command = [self.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def _spawn(self) -> subprocess.Popen[bytes]:
        data = self.home / "data"
        if not (data / "PG_VERSION").exists():
            self._make(data)
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.home if self._short() else "",
            "shared_buffers": "64MB",
            "max_connections": 300,
        }
        if not self.durable:
            settings |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
            # Its many databases live for one test: tidying them, and compiling queries for tables never counted, is work for nothing.
            settings |= {"autovacuum": "off", "jit": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return processes.spawn(
            [self.programs / "postgres", "-D", data, "-p", str(self.port), *options],
            self.log,
            end_with_parent=signal.SIGINT,
            **self._as_owner(),
        )

    def discard(self) -> None:
        super().discard()
        if self.home != self.folder:
            shutil.rmtree(self.home, ignore_errors=True)

    def _make(self, data: Path) -> None:
        command = [self.programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]
        command += [] if self.durable else ["--no-sync"]
        made = subprocess.run(command, check=False, capture_output=True, text=True, **self._as_owner())
        if made.returncode:
            raise NodeFailed(f"initdb failed in {self.home}:\n{made.stderr}")

    def _as_owner(self) -> dict[str, Any]:
        options: dict[str, Any] = {"cwd": self.home, "env": {**os.environ, "LC_ALL": "C.UTF-8"}}
        if self.owner:
            options |= {"user": self.owner.pw_uid, "group": self.owner.pw_gid, "extra_groups": []}
        return options

    def _short(self) -> bool:
        """A Unix socket's path must fit 107 bytes; TCP on loopback works either way."""
        return len(str(self.home)) < 80


def postgresql_programs() -> Path:
    """Folder of the newest PostgreSQL server's programs. Raises NodeFailed when none is installed."""
    on_path = shutil.which("postgres")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    if on_path:
        return Path(on_path).resolve().parent
    raise NodeFailed("PostgreSQL's server is not installed (Debian, Ubuntu: apt-get install postgresql)")


def has_postgresql() -> bool:
    return _found(postgresql_programs)


def has_rabbitmq() -> bool:
    return _found(lambda: _rabbitmq_program("rabbitmq-server")) and _found(_epmd)


def _found(look: Callable[[], object]) -> bool:
    try:
        look()
    except NodeFailed:
        return False
    return True


def _rabbitmq_program(name: str) -> Path:
    # The packages' /usr/sbin/rabbitmq-server changes to a system user; the one under /usr/lib runs as whoever starts it.
    for path in (Path("/usr/lib/rabbitmq/bin") / name, Path(shutil.which(name) or "")):
        if path.is_file():
            return path
    raise NodeFailed("RabbitMQ's server is not installed (Debian, Ubuntu: apt-get install rabbitmq-server)")


def _epmd() -> str:
    found = shutil.which("epmd") or next(map(str, Path("/usr/lib/erlang").glob("erts-*/bin/epmd")), None)
    if not found:
        raise NodeFailed("Erlang's epmd is not installed (it comes with the package erlang-base)")
    return found


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _unprivileged_user() -> pwd.struct_passwd | None:
    """As root: the user that shall own the database. Else nobody needs to be found."""
    if os.getuid() != 0:
        return None
    users = {user.pw_name: user for user in pwd.getpwall()}
    return users.get("postgres") or users["nobody"]


def _reachable(folder: Path, owner: pwd.struct_passwd | None) -> Path:
    """`folder`, or a folder in the system's temporary place when `owner` cannot walk to it (a home closed to others)."""
    if not owner or all(parent.stat().st_mode & stat.S_IXOTH for parent in folder.parents):
        return folder
    note = folder / "moved-to"
    if note.exists() and Path(note.read_text()).is_dir():
        return Path(note.read_text())
    moved = Path(tempfile.mkdtemp(prefix="kyodo-postgresql-", dir="/var/tmp"))
    note.write_text(str(moved))
    return moved


@contextmanager
def rabbitmq(folder: Path, **options: Any) -> Iterator[RabbitMQ]:
    """A running private broker; ended when the block ends."""
    with _running(RabbitMQ(folder, **options)) as node:
        yield node


@contextmanager
def postgresql(folder: Path, **options: Any) -> Iterator[PostgreSQL]:
    """A running private database server; ended when the block ends."""
    with _running(PostgreSQL(folder, **options)) as node:
        yield node


@contextmanager
def _running(node: _AnyNode) -> Iterator[_AnyNode]:
    try:
        node.start()
        yield node
    finally:
        # Of a throw-away node nothing is worth a graceful end, which takes a broker seconds.
        node.stop() if node.durable else node.discard()


def main(arguments: list[str]) -> int:
    kinds = {"rabbitmq": rabbitmq, "postgresql": postgresql}
    if len(arguments) != 2 or arguments[0] not in kinds:
        print(__doc__, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with kinds[arguments[0]](Path(arguments[1])) as node:
            print(node.url, flush=True)
            signal.pause()
    except NodeFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
