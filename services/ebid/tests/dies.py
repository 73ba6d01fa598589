"""One act of a tender in a process of its own, which is killed at a named step.

The steps exist only here: product code is wrapped in the child, so that nothing in it knows of crashes. `run` gives its exit
code: 0, or -9 when it was killed.
"""

import importlib
import multiprocessing
import os
import signal
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import event

from libs.common.clock import FixedClock
from libs.common.db import Database
from libs.common.testing.service import Issuers, make_service
from services.ebid.settings import Settings, furnish
from services.ebid.tests.people import Town, json_text, visible

WHERE = {
    "papers": ("services.ebid.use_cases.papers", "close"),
    "log entry": ("services.ebid.use_cases.log", "enter"),
    "checkpoint": ("services.ebid.use_cases.log", "_sign"),
    "job made": ("libs.common.jobs", "add"),
    "audit": ("libs.common.audit", "record"),
    "an envelope": ("services.ebid.use_cases.opening", "_open_one"),
    "breakdowns": ("services.ebid.use_cases.opening", "_open_breakdowns"),
    "ranking": ("services.ebid.use_cases.opening", "judge"),
    "letters": ("services.ebid.use_cases.opening", "tell_holds"),
}
STEPS = {
    "bid": ("log entry", "commit", "committed"),
    "close": ("papers", "log entry", "checkpoint", "commit", "committed"),
    "give": ("audit", "job made", "commit", "committed"),
    "open": ("an envelope", "breakdowns", "ranking", "log entry", "audit", "letters", "commit", "committed"),
}
"""By act, in order. "commit": just before it; "committed": before anybody is told."""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(step: str, at: int) -> None:
    """The process dies after the `at`-th call of the step's function, as by a power cut."""
    module_name, name = WHERE[step]
    module = importlib.import_module(module_name)
    setattr(module, name, _dying(getattr(module, name), at))


def _dying(function: Callable[..., Any], at: int) -> Callable[..., Any]:
    calls = 0

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        result = function(*args, **kwargs)
        if calls == at:
            die()
        return result

    return wrapped


def arm_commit(database: Database, town: Town, step: str, changed: str) -> None:
    """Dies at the commit of the transaction that has written into the table `changed`; leases have their own before it."""
    seen = {"written": False}

    @event.listens_for(database.engine, "before_cursor_execute")
    def statement(connection: Any, cursor: Any, text: str, *more: Any) -> None:
        if text.startswith(("INSERT", "UPDATE")) and f" {changed} " in text.replace('"', ""):
            seen["written"] = True

    @event.listens_for(database.engine, "commit")
    def commit(connection: Any) -> None:
        if not seen["written"]:
            return
        if step == "committed":
            connection.connection.dbapi_connection.commit()
        die()


WRITES = {"bid": "submissions", "close": "rounds", "give": "shares", "open": "rounds"}


def main(given: dict[str, Any]) -> None:
    database = Database(given["url"], "ebid")
    folder = Path(given["folder"])
    settings = Settings(data_dir=folder, keys_dir=folder / "keys")
    clock = FixedClock(datetime.fromisoformat(given["now"]))
    issuers = Issuers("ebid", "tenants")
    service = make_service("ebid", database, folder, settings=settings, issuers=issuers, clock=clock)
    furnish(service)
    town = Town(service, issuers, given["code"])
    town.keys = {name: bytes.fromhex(key) for name, key in given["keys"].items()}
    if given["step"] in WHERE:
        arm(given["step"], given.get("at", 1))
    elif given["step"]:
        arm_commit(database, town, given["step"], WRITES[given["act"]])
    ACTS[given["act"]](town, given)
    database.close()


def run(given: dict[str, Any]) -> int | None:
    """From a server that has imported everything and holds no connection: each child is a process of its own at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=main, args=(given,))
    process.start()
    process.join()
    return process.exitcode


def work(town: Town, given: dict[str, Any]) -> None:
    town.work()


def give(town: Town, given: dict[str, Any]) -> None:
    answer = town.give(given["tender"], given["trustee"])
    assert answer.status_code in (200, 409), visible(answer.text)


def bid(town: Town, given: dict[str, Any]) -> None:
    from services.ebid.tests.people import Company, corporate_number

    company = Company.of(town, town.company_actor(given["serial"]), corporate_number(given["serial"]))
    answer = company.post(f"tenders/{given['tender']}/send", {"act": "bid", "envelope": json_text(given["envelope"])})
    assert answer.status_code == 200, visible(answer.text)


ACTS = {"bid": bid, "close": work, "give": give, "open": work}
