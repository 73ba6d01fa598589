"""The faults, each with its name, how long it lasts, and what it needs. `make chaos FAULTS=all` or some: `FAULTS=broker-60,clock-ahead`."""

import json
import os
import random
import shutil
import signal
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kombu
import psutil
from sqlalchemy import select

from infra.local import processes
from libs.common.bus.rabbitmq import message_of
from libs.common.events import Envelope, source_of
from libs.common.outbox import OutboxRow
from services.__main__ import DEPLOYABLES
from tests.unbroken.chaos.oracle import stores_of
from tests.unbroken.chaos.stage import Stage

WRONG_CLOCK = Path(__file__).with_name("wrong_clock.c")


@dataclass
class Fault:
    """`title` stands in the table. Between `begin` and `end` lie `seconds`."""

    name: str
    title: str
    seconds: float = 0.0

    def lacks(self, stage: Stage) -> str | None:
        """Why it cannot be done here; None if it can."""
        return None

    def begin(self, stage: Stage) -> None:
        raise NotImplementedError

    def end(self, stage: Stage) -> None:
        """Nothing, where the supervisor or the product mends it."""


@dataclass
class Killed(Fault):
    """SIGKILL; the supervisor brings it back at once, as Kubernetes does."""

    what: str = ""

    def begin(self, stage: Stage) -> None:
        if self.what in stage.running.nodes:
            stage.node(self.what).kill()
        else:
            os.kill(stage.pid(self.what), signal.SIGKILL)


@dataclass
class Restarted(Fault):
    """An orderly stop, as at an update; started again at once."""

    what: str = ""

    def begin(self, stage: Stage) -> None:
        stage.node(self.what).stop()


@dataclass
class Away(Fault):
    """Killed, and not there for a while: connections are refused."""

    what: str = ""

    def begin(self, stage: Stage) -> None:
        stage.held.add(self.what)
        stage.node(self.what).kill()

    def end(self, stage: Stage) -> None:
        stage.held.discard(self.what)
        processes.wait_until(stage.node(self.what).is_ready, seconds=120)


@dataclass
class Frozen(Fault):
    """There, and answers nothing."""

    what: str = ""
    _family: list[psutil.Process] = field(default_factory=list)

    def begin(self, stage: Stage) -> None:
        self._family = family(stage, self.what)
        for each in self._family:
            each.suspend()

    def end(self, stage: Stage) -> None:
        for each in self._family:
            with suppress(psutil.NoSuchProcess):
                each.resume()


@dataclass
class Sick(Fault):
    """Not dead, but slow: two seconds in three it stands still."""

    what: str = ""
    _well: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def begin(self, stage: Stage) -> None:
        self._well.clear()
        self._thread = threading.Thread(target=self._suffer, args=(stage,))
        self._thread.start()

    def end(self, stage: Stage) -> None:
        self._well.set()
        assert self._thread
        self._thread.join()

    def _suffer(self, stage: Stage) -> None:
        while not self._well.is_set():
            process = psutil.Process(stage.pid(self.what))
            with suppress(psutil.NoSuchProcess):
                process.suspend()
            self._well.wait(2)
            with suppress(psutil.NoSuchProcess):
                process.resume()
            self._well.wait(1)


@dataclass
class Lined(Fault):
    """Something is done to lines: `cut`, `refuse`, or a delay of each piece in seconds."""

    which: tuple[str, ...] = ()
    way: str | float = "cut"

    def begin(self, stage: Stage) -> None:
        for line in (stage.lines[name] for name in self.which):
            if isinstance(self.way, float):
                line.slow(self.way)
            elif self.way == "cut":
                line.cut()
            else:
                line.refuse()

    def end(self, stage: Stage) -> None:
        for name in self.which:
            stage.lines[name].mend()


@dataclass
class Full(Fault):
    """Not one byte is left on a disk."""

    disk: str = ""

    def lacks(self, stage: Stage) -> str | None:
        return None if self.disk in stage.disks else "ディスクを分けて載せる権限がありません(root と mount が要ります)"

    def begin(self, stage: Stage) -> None:
        filler = os.open(stage.folder / self.disk / "filler", os.O_WRONLY | os.O_CREAT)
        for size in (1 << 20, 4096):  # a page at a time, or what the database frees meanwhile never ends
            with suppress(OSError):
                while os.write(filler, bytes(size)):
                    pass
        os.close(filler)

    def end(self, stage: Stage) -> None:
        (stage.folder / self.disk / "filler").unlink()


@dataclass
class NotDurable(Fault):
    """fsync and fdatasync fail with EIO, in every process of it."""

    what: str = ""
    _strace: subprocess.Popen[bytes] | None = None

    def lacks(self, stage: Stage) -> str | None:
        return None if shutil.which("strace") else "strace がありません(apt-get install strace)"

    def begin(self, stage: Stage) -> None:
        calls = "fsync,fdatasync"
        pids = [part for each in family(stage, self.what) for part in ("-p", str(each.pid))]
        command = ["strace", "-f", "-qq", "-o", str(stage.folder / "strace.log"), "-e", f"trace={calls}"]
        self._strace = subprocess.Popen([*command, "-e", f"inject={calls}:error=EIO", *pids])

    def end(self, stage: Stage) -> None:
        assert self._strace
        self._strace.terminate()
        self._strace.wait()
        log = stage.folder / "strace.log"
        print(f"    {log.read_text(errors='replace').count('(INJECTED)')} calls failed", flush=True)


@dataclass
class ClockWrong(Fault):
    """Programs whose clock is wrong: they come up right, jump in the middle of their work, and jump back at the end."""

    programs: tuple[str, ...] = ()
    by: int = 600

    def lacks(self, stage: Stage) -> str | None:
        return None if shutil.which("cc") else "C のコンパイラー(cc)がありません"

    def begin(self, stage: Stage) -> None:
        library = stage.folder / "wrong_clock.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(WRONG_CLOCK), "-ldl"], check=True)
        self._say(stage, 0)
        settings = {"LD_PRELOAD": str(library), "WRONG_CLOCK": str(self._file(stage))}
        self._start_again(stage, lambda program: stage.start_again_with(program, **settings))
        self._say(stage, self.by)

    def end(self, stage: Stage) -> None:
        self._say(stage, 0)
        self._start_again(stage, lambda program: stage.without(program, "LD_PRELOAD", "WRONG_CLOCK"))

    def _file(self, stage: Stage) -> Path:
        return stage.folder / f"{self.name}.time"

    def _say(self, stage: Stage, seconds: int) -> None:
        """In place: the programs have the file mapped."""
        file = os.open(self._file(stage), os.O_WRONLY | os.O_CREAT)
        os.pwrite(file, struct.pack("=q", seconds), 0)
        os.close(file)

    def _start_again(self, stage: Stage, end: Callable[[str], None]) -> None:
        """Until other processes run in their places and have had time to begin."""
        children = [stage.running.supervisor.children[program] for program in self.programs]
        before = {child.process.pid for child in children}
        for program in self.programs:
            end(program)

        def up() -> bool:
            others = all(child.process.pid not in before and child.process.poll() is None for child in children)
            return others and all(child.program.ready is None or child.program.ready() for child in children)

        processes.wait_until(up, seconds=120, pause=0.2)
        time.sleep(5)


@dataclass
class Shuffled(Fault):
    """The senders stand still; meanwhile all that waits to be sent is sent by another hand, twice and in another order. When they go on
    they send it once more, in theirs."""

    chance: random.Random = field(default_factory=lambda: random.Random(1))
    _frozen: list[Frozen] = field(default_factory=lambda: [Frozen("", "", what=each) for each in ("work", "work2")])

    def begin(self, stage: Stage) -> None:
        for each in self._frozen:
            each.begin(stage)

    def end(self, stage: Stage) -> None:
        try:
            again = [envelope for envelope in unsent(stage) for _ in range(2)]
            self.chance.shuffle(again)
            with broker(stage) as channel:
                for envelope in again:
                    exchange = f"{source_of(envelope['type'])}.events"
                    channel.basic_publish(message_of(envelope), exchange=exchange, routing_key=envelope["type"])
            print(f"    {len(again)} messages in another order, before their own", flush=True)
        finally:
            for each in self._frozen:
                each.end(stage)


def unsent(stage: Stage) -> list[Envelope]:
    """What stands in all outboxes and was not sent."""
    found: list[Envelope] = []
    for store in stores_of(stage.running).values():
        with store.reading() as session:
            found += session.scalars(select(OutboxRow.envelope).where(OutboxRow.published_at.is_(None)))
        store.close()
    return found


@dataclass
class Poisoned(Fault):
    """To every queue: bytes that are no event, an event of an unknown kind, one without what it needs, one much too large."""

    count: int = 0

    def begin(self, stage: Stage) -> None:
        with broker(stage) as channel:
            for queue in queues():
                for body in POISON:
                    message = kombu_message(body)
                    channel.basic_publish(message, exchange="", routing_key=queue)
                    self.count += 1
        print(f"    {self.count} poisoned messages", flush=True)


POISON = (
    b"\x00\xff\xfe no event",
    b"",
    b"[1, 2, 3]",
    json.dumps({"specversion": "1.0", "type": "eapply.application.submitted.v1"}).encode(),
    json.dumps({"specversion": "1.0", "id": "x", "source": "/services/nobody", "type": "nobody.knows.this.v1",
                "subject": "s", "time": "yesterday", "tenantid": "zzz", "sequence": "one", "data": None}).encode(),
    b'{"deep":' + b"[" * 5000 + b"]" * 5000 + b"}",
)  # fmt: skip


def kombu_message(body: bytes) -> Any:
    import amqp

    return amqp.Message(body, content_type="application/json", content_encoding="utf-8", delivery_mode=2)


@dataclass
class NoIdentity(Fault):
    """The provider that people sign in with is not there."""

    def begin(self, stage: Stage) -> None:
        stage.identity.stop()

    def end(self, stage: Stage) -> None:
        stage.identity.start()


def family(stage: Stage, what: str) -> list[psutil.Process]:
    """All processes of a node or a program."""
    if what in stage.running.nodes:
        node = stage.node(what)
        processes.wait_until(node.is_ready, seconds=60)
        assert node.process is not None
        parent = psutil.Process(node.process.pid)
    else:
        parent = psutil.Process(stage.pid(what))
    return [parent, *parent.children(recursive=True)]


@contextmanager
def broker(stage: Stage) -> Iterator[Any]:
    with kombu.Connection(stage.running.plan.amqp_url) as connection:
        yield connection.channel()


def queues() -> list[str]:
    """Those of all readers, one for each of their sources."""
    return [f"{reader.name}.from.{source}" for reader in DEPLOYABLES for source in reader.sources()]


BROKER = (10, 60, 300, 600, 3600)
NAMES = {"rabbitmq": "メッセージ基盤", "postgresql": "データベース"}
PROGRAMS = {
    "apps": "アプリ(1台目)",
    "apps2": "アプリ(2台目)",
    "work": "作業役(1台目)",
    "work2": "作業役(2台目)",
    "gateway": "入口",
    "listen": "受け取り役",
}


def kills() -> list[Fault]:
    """What `make chaos` does at random."""
    made: list[Fault] = [
        Killed(f"kill-{what}", f"kill -9: {title}", what=what) for what, title in (PROGRAMS | NAMES).items()
    ]
    made += [Frozen(f"frozen-{what}", f"{title}が20秒答えない", 20, what=what) for what, title in NAMES.items()]
    return made


def all_faults() -> list[Fault]:
    """Everything by name, in the order of the table."""
    second = ("postgresql", "rabbitmq")
    return [
        *kills(),
        *(Away(f"broker-{s}", f"メッセージ基盤が{s}秒いない", s, what="rabbitmq") for s in BROKER),
        Restarted("database-restarted", "データベースの再起動", what="postgresql"),
        Away("database-60", "データベースが60秒いない", 60, what="postgresql"),
        Frozen("database-silent", "データベースが60秒答えない(つながるが黙る)", 60, what="postgresql"),
        Full("full-files", "ファイルのディスクが満杯(30秒)", 30, disk="data"),
        Full("full-database", "データベースのディスクが満杯(30秒)", 30, disk="nodes/postgresql"),
        Full("full-broker", "メッセージ基盤のディスクが満杯(60秒)", 60, disk="nodes/rabbitmq"),
        NotDurable("fsync-database", "データベースの fsync が失敗(20秒)", 20, what="postgresql"),
        NotDurable("fsync-files", "アプリ(1台目)の fsync が失敗(20秒)", 20, what="apps"),
        ClockWrong("clock-ahead", "2台目の時計が10分進む(60秒)", 60, programs=("apps2", "work2")),
        ClockWrong("clock-behind", "2台目の時計が10分遅れる(60秒)", 60, programs=("apps2", "work2"), by=-600),
        ClockWrong("clock-gateway-ahead", "入口の時計が10分進む(60秒)", 60, programs=("gateway",)),
        ClockWrong("clock-gateway-behind", "入口の時計が10分遅れる(60秒)", 60, programs=("gateway",), by=-600),
        Lined("partition-database", "2台目がデータベースから切り離される(60秒)", 60, which=("postgresql",)),
        Lined("partition-all", "2台目がすべてから切り離される(60秒)", 60, which=second),
        Lined("slow-lines", "2台目とデータベースの間が0.2秒遅い(60秒)", 60, which=second, way=0.2),
        Sick("sick-apps2", "アプリ(2台目)が止まりがち(60秒)", 60, what="apps2"),
        Sick("sick-work", "作業役(1台目)が止まりがち(60秒)", 60, what="work"),
        Shuffled("shuffled", "出来事が二度ずつ、順番も変わって届く(20秒ぶん)", 20),
        Poisoned("poisoned", "壊れた出来事がすべての待ち行列に届く", 5),
        NoIdentity("no-identity", "本人確認の相手先が60秒いない", 60),
        Lined("no-mail", "メールの送り先が60秒いない", 60, which=("mail",), way="refuse"),
        Lined("mail-silent", "メールの送り先が60秒答えない(つながるが黙る)", 60, which=("mail",)),
    ]


def named(words: str) -> list[Fault]:
    """`all` leaves out what takes an hour. Raises KeyError for a name that is none."""
    known = {fault.name: fault for fault in all_faults()}
    if words == "all":
        return [fault for name, fault in known.items() if name != "broker-3600"]
    return [known[name.strip()] for name in words.split(",")]
