"""`make run`: choose store and bus, prepare, start, show the way in, keep running until Ctrl-C.

python -m infra.local.run            in the foreground
python -m infra.local.run stop       ends the one that runs
python -m infra.local.run reset      deletes var/'s sample data, after asking
"""

import fcntl
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from infra.local import cloud, nodes, processes
from infra.local.supervisor import NeverReady, Supervisor

ROOT = Path(__file__).parents[2]
VAR = ROOT / "var"
SAMPLE_DATA = ("data", "nodes", "log")


class AlreadyRunning(RuntimeError):
    """Another `make run` holds this checkout. The message says where it is to be found."""


def choose(environment: Mapping[str, str], *, rabbitmq_installed: bool) -> tuple[str, str]:
    """Store (`sqlite`, `named`, `private`) and bus (`embedded`, `named`, `private`). Only a named server is ever touched."""
    store, bus = environment.get("DB") or "", environment.get("BUS") or ""
    if store not in ("", "sqlite", "postgresql") or bus not in ("", "embedded", "rabbitmq"):
        raise cloud.StepFailed("DB is sqlite or postgresql; BUS is embedded or rabbitmq")
    chosen_store = "sqlite"
    if store != "sqlite":
        chosen_store = "named" if environment.get("DATABASE_URL") else ("private" if store else "sqlite")
    chosen_bus = "embedded"
    if bus != "embedded":
        private = bus == "rabbitmq" or rabbitmq_installed
        chosen_bus = "named" if environment.get("AMQP_URL") else ("private" if private else "embedded")
    return chosen_store, chosen_bus


STORES = {
    "sqlite": "SQLite files in var/data (DB=postgresql or DATABASE_URL=… for PostgreSQL)",
    "named": "the PostgreSQL server that DATABASE_URL names",
    "private": "a private PostgreSQL server of this checkout, in var/nodes",
}
BUSES = {
    "embedded": "embedded (AMQP_URL=… or BUS=rabbitmq for RabbitMQ)",
    "named": "the RabbitMQ server that AMQP_URL names",
    "private": "a private RabbitMQ node of this checkout, in var/nodes (BUS=embedded does without)",
}


@contextmanager
def only_one(folder: Path) -> Iterator[Path]:
    """A lock that the system takes back however we end; beside it what `stop` and a second start want to know."""
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "running.json"
    with (folder / "running.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            known = read_state(folder)
            where = f" at {known['url']}" if known.get("url") else ", still starting"
            raise AlreadyRunning(
                f"The cloud already runs{where}. Stop it with `make stop` (or Ctrl-C in its terminal)."
            ) from None
        try:
            state.write_text(json.dumps({"pid": os.getpid()}))
            yield state
        finally:
            state.unlink(missing_ok=True)


def read_state(folder: Path) -> dict[str, object]:
    try:
        return json.loads((folder / "running.json").read_text())
    except (OSError, ValueError):
        return {}


def run() -> int:
    started = time.monotonic()
    with ExitStack() as stack:
        state = stack.enter_context(only_one(VAR))
        store, bus = choose(os.environ, rabbitmq_installed=nodes.has_rabbitmq())
        print(f"  store: {STORES[store]}\n  bus:   {BUSES[bus]}", flush=True)
        own = cloud.own_nodes(stack, VAR / "nodes", database=store == "private", broker=bus == "private")
        plan = cloud.plan(
            VAR,
            os.environ,
            database_url=os.environ["DATABASE_URL"] if store == "named" else cloud.url_of(own, "postgresql"),
            amqp_url=os.environ["AMQP_URL"] if bus == "named" else cloud.url_of(own, "rabbitmq"),
        )
        environment = plan.environment(os.environ)
        cloud.prepare(plan, environment, lambda text: print(f"  {text}", flush=True))
        revive = [node.revive for node in own.values()]
        supervisor = Supervisor(cloud.programs(plan), environment, plan.logs, cwd=ROOT, say=_note, revive=revive)
        _stop_on_signals(supervisor)
        stack.callback(supervisor.stop)
        print("  starting", flush=True)
        supervisor.start()
        if supervisor.stopping.is_set():
            return 130
        pids = {name: child.process.pid for name, child in supervisor.children.items()}
        state.write_text(json.dumps({"pid": os.getpid(), "url": plan.url, "programs": pids}))
        welcome(plan, time.monotonic() - started)
        supervisor.watch()
        print("\nStopping…", flush=True)
    print("Stopped. Your data is kept in var/; `make run` starts again where you left off.", flush=True)
    return 0


def welcome(plan: cloud.Plan, seconds: float) -> None:
    print(f"\n共同クラウドの準備ができました({seconds:.0f} 秒)。\n\n    {plan.public_url or plan.url}\n")
    sign_ins = plan.data / "sample-sign-ins.txt"
    if sign_ins.exists():
        print(sign_ins.read_text().rstrip() + "\n")
    if not plan.public_url:  # WebAuthn takes no number for a site's name
        print(
            f"パスキーを試すときは http://localhost:{plan.gateway_port} を開いてください。数字のアドレスでは使えません。\n"
        )
    print(f"Logs: {os.path.relpath(plan.logs, ROOT)}/   Stop: Ctrl-C, or `make stop` elsewhere.", flush=True)


def _note(text: str) -> None:
    print(f"  {time.strftime('%H:%M:%S')} {text}", flush=True)


def _stop_on_signals(supervisor: Supervisor) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: supervisor.stopping.set())


def stop() -> int:
    """Ask the running one to end and wait until it has."""
    pid = read_state(VAR).get("pid")
    if not isinstance(pid, int) or not processes.is_alive(pid):
        print("Nothing runs here.")
        return 0
    os.kill(pid, signal.SIGTERM)
    if not processes.wait_until(lambda: not processes.is_alive(pid), seconds=60):
        print(f"Process {pid} was asked to stop and has not ended yet.", file=sys.stderr)
        return 1
    print("Stopped.")
    return 0


def reset() -> int:
    """Only below var/, only what the sample made. A database server that you named keeps its databases."""
    folders = [VAR / name for name in SAMPLE_DATA if (VAR / name).exists()]
    if not folders:
        print("There is nothing to delete.")
        return 0
    print("This deletes, for good: " + ", ".join(str(folder.relative_to(ROOT)) for folder in folders))
    try:
        answer = input("Delete? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        print("Nothing was deleted.")
        return 1
    with only_one(VAR):
        for folder in folders:
            shutil.rmtree(folder)
    print("Deleted. `make run` loads the sample afresh.")
    return 0


def main(arguments: list[str]) -> int:
    actions = {(): run, ("stop",): stop, ("reset",): reset}
    action = actions.get(tuple(arguments))
    if action is None:
        print(__doc__, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # until the supervisor listens: unwind, stopping nodes
    try:
        return action()
    except (AlreadyRunning, cloud.StepFailed, nodes.NodeFailed, NeverReady) as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
