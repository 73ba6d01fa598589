"""One process: the port people reach, the port services reach, the loop that mails, and the sample's post office."""

import asyncio
import contextlib
import gc
import sys
import threading
from collections.abc import Iterator
from functools import partial

import uvicorn
import uvloop

from gateway import mail, mail_catcher
from gateway.app import Gateway, InternalDoor
from gateway.commands import refuse_sample_accounts, refuse_sample_on_staff_network
from gateway.decisions import Decisions
from gateway.pages.app import create_own_app
from gateway.parts import Parts, build_parts, staff_side
from gateway.server import StrictProtocol
from gateway.settings import Settings
from libs.common import instances, log, migrated, telemetry, unsafe
from libs.common.leaving import Leaving, LeavingServer

IDLE = 0.5
"""Seconds between two looks for mails to send."""
SWITCH = 0.0005
"""Seconds for which a thread (a page of ours, spans on their way to a file) may compute before it is the loop's turn; Python's own
are 0.005."""


def run(settings: Settings) -> None:
    unsafe.refuse("gateway", settings)
    if settings.staff_url:
        refuse_sample_on_staff_network(settings)
    log.start("gateway")
    telemetry.metrics.BUILD.labels("gateway", "api", settings.release, settings.fingerprint()).set(1)
    telemetry.start(
        "gateway",
        data_dir=settings.data_dir,
        trace_ratio=settings.trace_ratio,
        metrics_port=settings.metrics_port,
        metrics_host=settings.metrics_host,
    )
    migrated.wait(settings, "gateway", "gateway")
    parts = build_parts(settings)
    refuse_sample_accounts(settings, parts.service.database)
    catcher = mail_catcher.start(settings)
    try:
        with (
            mailing(parts),
            instances.announced(parts.service, role="api"),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(serve(parts))
    finally:
        if catcher is not None:
            catcher.stop()
        parts.close()
        telemetry.stop()


async def serve(parts: Parts) -> None:
    own = create_own_app(parts)
    settings = parts.settings
    staff = staff_side(parts) if settings.staff_url else None
    beside = Gateway(staff, create_own_app(staff)) if staff is not None else None
    gateway = Gateway(parts, own, beside=beside)
    doors = [Leaving(gateway), *([Leaving(beside)] if beside is not None else [])]
    config = partial(_config, taking_seconds=settings.upstream_idle_seconds)
    people = LeavingServer(config(doors[0], settings.gateway_host, settings.gateway_port, lifespan="on"), doors)
    inside = Leaving(InternalDoor(own))
    others = [config(inside, settings.gateway_internal_host, settings.gateway_internal_port)]
    if beside is not None:
        others.append(config(doors[1], settings.gateway_staff_host, settings.gateway_staff_port))
    if settings.gateway_decision_port:
        decisions = Decisions(parts, gateway.admission)
        others.append(config(decisions, settings.gateway_decision_host, settings.gateway_decision_port))
    servers = [_Quiet(one, [inside]) for one in others]
    never_pause_for_long()
    running = [asyncio.create_task(server.serve()) for server in servers]
    await people.serve()
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*running)
    if staff is not None:
        staff.callers.close()


def never_pause_for_long() -> None:
    """What everybody at the door would wait for now and then: a look at all objects of the process (a tenth of a second; what was made
    at the start stays anyway and is not looked at again), and threads that hold the interpreter for many turns of the loop."""
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH)


class _Quiet(LeavingServer):
    """A further server of the process: the first one hears the signals for all."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(  # type: ignore[no-untyped-def]
    app, host: str, port: int, *, taking_seconds: float, lifespan: str = "off"
) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=partial(StrictProtocol, taking_seconds=taking_seconds),  # type: ignore[arg-type]
        ws="none",
        lifespan=lifespan,  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        proxy_headers=False,  # we read X-Forwarded-For ourselves, from trusted proxies only
        server_header=False,
        timeout_keep_alive=65,
        timeout_graceful_shutdown=30,
        backlog=2048,
    )


@contextlib.contextmanager
def mailing(parts: Parts) -> Iterator[None]:
    """Send waiting mails in a thread for as long as the block runs."""
    stopping = threading.Event()
    thread = threading.Thread(target=_mail_loop, args=(parts, stopping), name="mail")
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(20)


def _mail_loop(parts: Parts, stopping: threading.Event) -> None:
    said = log.get(__name__)
    pause = IDLE
    while not stopping.is_set():
        try:
            pause = 0.0 if mail.jobs.run_next(parts.service) else IDLE
        except Exception:
            # The store is away: nothing is lost, the mails wait in it.
            pause = min(max(pause, IDLE) * 2, 10.0)
            said.exception("mail loop failed")
        if pause:
            stopping.wait(pause)
