"""The four roles of every service: `python -m services.<name> api | listen | work | migrate`; and what operators ask of each from
a terminal: `doctor`, `resend HOURS`.

A service's `__main__.py` is only:

    deployable = Deployable("eapply", "services.eapply")
    if __name__ == "__main__":
        roles.main(deployable)

By convention its package has `settings.Settings`, `api.create_app(service)`, `worker.subscriptions`, `worker.jobs` and
`db.Base`; and, where it holds more than a database, `settings.furnish(service)`, which fills `service.extras`.
"""

import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from libs.common.bus import Bus, Reader
    from libs.common.service import Service
    from libs.common.settings import Settings
    from libs.common.worker import Worker


@dataclass(frozen=True)
class Deployable:
    """A service as it is deployed. Modules are imported when a role needs them, so `listen` can patch sockets first."""

    name: str
    package: str

    def settings(self) -> "Settings":
        return self._module("settings").Settings()

    def build(self, settings: "Settings | None" = None) -> "Service":
        from libs.common import service

        built = service.build(self.name, settings or self.settings())
        furnish = getattr(self._module("settings"), "furnish", None)
        if furnish is not None:
            furnish(built)
        return built

    def create_app(self, built: "Service") -> Any:
        return self._module("api").create_app(built)

    def reader(self, built: "Service") -> "Reader":
        from libs.common.bus import Reader

        return Reader(built.database, self._module("worker").subscriptions, built.clock)

    def worker(self, built: "Service", make_bus: "Callable[[], Bus]") -> "Worker":
        from libs.common.worker import Worker

        module = self._module("worker")
        return Worker(built, module.subscriptions, module.jobs, make_bus)

    def sources(self) -> list[str]:
        return self._module("worker").subscriptions.sources

    def _module(self, name: str) -> Any:
        return importlib.import_module(f"{self.package}.{name}")


def main(deployable: Deployable, arguments: Sequence[str] | None = None) -> None:
    run([deployable], list(sys.argv[1:] if arguments is None else arguments))


def run(deployables: Sequence[Deployable], arguments: list[str]) -> None:
    """Play one role for one service, or for several in one process (the single box)."""
    match arguments:
        case ["api"]:
            serve(deployables)
        case ["listen"]:
            listen(deployables)
        case ["work"]:
            work(deployables)
        case ["migrate"]:
            migrate(deployables)
        case ["doctor"]:
            sys.exit(max(doctor(each.name, each.settings()) for each in deployables))
        case ["resend", hours]:
            resend(deployables, float(hours))
        case _:
            sys.exit("usage: python -m services[.<name>] api | listen | work | migrate | doctor | resend HOURS")


def refuse_unsafe(deployables: Sequence[Deployable]) -> None:
    from libs.common import unsafe

    for deployable in deployables:
        unsafe.refuse(deployable.name, deployable.settings())


def doctor(name: str, settings: "Settings") -> int:
    """Look at everything that real use needs, print it; 1 where something must be done first."""
    from libs.common import doctor as doctors
    from libs.common.clock import SystemClock

    return doctors.report(name, doctors.examine(name, settings, SystemClock().now()))


def await_tables(deployables: Sequence[Deployable]) -> None:
    from libs.common import migrated

    for deployable in deployables:
        migrated.wait(deployable.settings(), deployable.name, deployable.package)


def observe(
    deployables: "Sequence[Deployable]",
    role: str,
    settings: "Settings",
    metrics_port: int | None = None,
    ready: Callable[[], bool] | None = None,
) -> None:
    """Begin the log, the figures and the traces. `ready` of a role without a port of its own, as in `telemetry.metrics.serve`."""
    from libs.common import log, telemetry

    service = deployables[0].name if len(deployables) == 1 else "apps"
    name = service if role == "api" else f"{service}-{role}"
    log.start(name)
    telemetry.metrics.BUILD.labels(service, role, settings.release, settings.fingerprint()).set(1)
    if ready:
        telemetry.metrics.watch_ready(service, role, ready)
    telemetry.start(
        name, data_dir=settings.data_dir, trace_ratio=settings.trace_ratio, metrics_port=metrics_port,
        metrics_host=settings.metrics_host, ready=ready,
    )  # fmt: skip


def serve(deployables: Sequence[Deployable]) -> None:
    """HTTP. Several services share one port, told apart by their paths."""
    import uvicorn

    from libs.common import instances
    from libs.common.leaving import Leaving, LeavingServer
    from libs.common.server import Protocol

    refuse_unsafe(deployables)
    settings = deployables[0].settings()
    observe(deployables, "api", settings, settings.metrics_port)
    await_tables(deployables)
    built = {deployable.name: deployable.build() for deployable in deployables}
    apps = {d.name: d.create_app(built[d.name]) for d in deployables}
    app = Leaving(next(iter(apps.values())) if len(apps) == 1 else Apps(apps, default=deployables[0].name))
    config = uvicorn.Config(
        app,
        http=Protocol,
        host=os.environ.get("APPS_HOST", "127.0.0.1"),
        port=int(os.environ.get("APPS_PORT", "8081")),
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,  # longer than the gateway keeps its side
    )
    server = LeavingServer(config, [app])
    with instances.announced(*built.values(), role="api"):
        server.run()
    if not server.started:
        sys.exit(3)  # the port is taken, or the like; the log says why


class Apps:
    """Several services on one port: `/t/<code>/<service>/…`, `/internal/<service>/…` and `/<service>/…` are its own, the
    rest the first's."""

    def __init__(self, apps: dict[str, Any], default: str) -> None:
        self._apps = apps
        self._default = apps[default]
        self._at_once = [app.at_once for app in apps.values() if hasattr(app, "at_once")]

    def at_once(self, target: bytes, headers: Any) -> Any:
        """The first answer of those that have any; as `libs.common.server.AnswersAtOnce` asks."""
        return next((answer for ask in self._at_once if (answer := ask(target, headers)) is not None), None)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._of(scope)(scope, receive, send)

    def _of(self, scope: Any) -> Any:
        parts = scope.get("path", "").split("/")
        if len(parts) > 3 and parts[1] == "t":
            return self._apps.get(parts[3], self._default)
        if len(parts) > 2 and parts[1] == "internal":
            return self._apps.get(parts[2], self._default)
        return self._apps.get(parts[1], self._default) if len(parts) > 1 else self._default


def listen(deployables: Sequence[Deployable]) -> None:
    """RabbitMQ → inbox. Patches sockets before anything else is imported."""
    from libs.common import run as nameko_side

    refuse_unsafe(deployables)
    nameko_side.listen(deployables)


def work(deployables: Sequence[Deployable]) -> None:
    """Relay, inbox, jobs, until SIGTERM."""
    from libs.common import instances, unsafe

    refuse_unsafe(deployables)
    settings, workers = deployables[0].settings(), list["Worker"]()
    unsafe.refuse_lone_relay([deployable.name for deployable in deployables], settings)
    observe(
        deployables,
        "work",
        settings,
        _port("WORK_METRICS_PORT"),
        ready=lambda: bool(workers) and all(worker.ready for worker in workers),
    )
    await_tables(deployables)
    built = [(d, d.build()) for d in deployables]
    readers = [d.reader(service) for d, service in built]
    workers += [d.worker(service, _bus_maker(settings, d.name, readers)) for d, service in built]
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with instances.announced(*(service for _, service in built), role="work"):
        for worker in workers:
            worker.start()
        stopping.wait()
        for worker in workers:
            worker.stop()


def _bus_maker(settings: "Settings", source: str, readers: "list[Reader]") -> "Callable[[], Bus]":
    from libs.common.bus.embedded import EmbeddedBus

    if settings.bus == "embedded":
        return lambda: EmbeddedBus(readers)
    from libs.common.bus.rabbitmq import RabbitBus

    return lambda: RabbitBus(settings.amqp_url, source)


def migrate(deployables: Sequence[Deployable]) -> None:
    """Tables of every service, and its queues where a broker is used."""
    from libs.common.migrate import migrate as migrate_database

    for deployable in deployables:
        settings = deployable.settings()
        later = migrate_database(settings, deployable.name, deployable.package)
        if settings.bus == "rabbitmq":
            from libs.common.bus.rabbitmq import declare_topology

            declare_topology(settings.amqp_url, deployable.name, deployable.sources())
        said = f"has tables of a later release ({', '.join(later)}), left as they are" if later else "is up to date"
        print(f"{deployable.name}: the store {said}", flush=True)


def resend(deployables: Sequence[Deployable], hours: float) -> None:
    """After a restore: the relay sends once more what it sent in the last hours."""
    from libs.common import keeping

    for deployable in deployables:
        service = deployable.build()
        count = keeping.resend(service.database, service.clock.now(), hours)
        print(f"{deployable.name}: {count} events go out once more")


def _port(name: str) -> int | None:
    value = os.environ.get(name)
    return int(value) if value else None
