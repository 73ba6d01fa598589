"""Killed while several procedures are being filed: a process of its own dies by SIGKILL. On the store of one file, because a
forked process must not share a server's connections; the transactions are the same on both."""

import os
import re
import signal

import pytest

from services.eapply.tests.one_store import database  # noqa: F401
from services.eapply.tests.people import Town, visible
from services.eapply.tests.test_life_events import begin, complete, count, offer
from services.eapply.use_cases import submit


@pytest.mark.parametrize("place", [1, 2, 3])
def test_killed_in_the_middle_nothing_is_filed_twice_and_nothing_is_lost(town: Town, place: int):
    """The process that sends dies by SIGKILL in the transaction of one of the three."""
    offer(town)
    guest = town.guest()
    bundle = begin(guest)
    keys = complete(town, guest, bundle)
    town.service.database.engine.dispose()
    child = os.fork()
    if child == 0:
        done = submit.submit
        calls = []

        def dying(*args, **more):
            result = done(*args, **more)
            calls.append(1)
            if len(calls) == place:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        submit.submit = dying  # type: ignore[assignment]
        guest.post(f"{bundle}/send", keys)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert count(town) == place - 1
    page = visible(guest.post(f"{bundle}/send", keys).text)
    assert count(town) == 3 and len(town.events("eapply.application.submitted.v1")) == 3
    assert len(set(re.findall(r"402036-\d{4}-\d{5}-\d", page))) == 3
    assert all(key in page for key in keys.values()), "also those of what had been sent before"
