"""Programs of a simulated installation as greenlets: each runs the real code and stops wherever another could come between.

A store pauses its program before and after each of its transactions: on SQLite these are the only places where two
writers meet. Inside a transaction a program cannot be overtaken, but it can die.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import greenlet

from libs.common.db import Database, TenantSession


class Died(greenlet.GreenletExit):
    """A power cut for one program: no `except Exception` of the code may see it, every open transaction is gone."""


class Actor:
    """One program: repeats `step` for ever. `turn()` lets it run to its next pause."""

    def __init__(self, name: str, step: Callable[[], Any]) -> None:
        self.name = name
        self._step = step
        self._runs: greenlet.greenlet | None = None

    @property
    def busy(self) -> bool:
        """Whether it stands in the middle of a step."""
        return self._runs is not None

    def turn(self) -> None:
        """Go on to the next pause, or to the end of the step. What the step raises was survived by the loop around it."""
        if self._runs is None:
            self._runs = greenlet.greenlet(self._once)
        self._runs.switch()
        if self._runs.dead:
            self._runs = None

    def die(self) -> None:
        """Where it stands, at once. It begins anew with its next turn."""
        if self._runs is not None:
            self._runs.throw(Died)
            self._runs = None

    def _once(self) -> None:
        try:
            self._step()
        except (Died, OSError):
            return  # the worker's loop survives a bus that fails; a dead program has nothing to say


def pause() -> None:
    """Here another program may come between. Outside of an actor (at the end, when all is quiet) it does nothing."""
    parent = greenlet.getcurrent().parent
    if parent is not None:
        parent.switch()


class WatchedDatabase(Database):
    """The real store, with a pause around each transaction; `dies` is asked just before each commit."""

    dies: Callable[[], bool] = staticmethod(lambda: False)

    @contextmanager
    def transaction(self, tenant: str | None = None) -> Iterator[TenantSession]:
        pause()
        with super().transaction(tenant) as session:
            yield session
            session.flush()
            if self.dies():
                raise Died
        pause()

    @contextmanager
    def reading(self, tenant: str | None = None) -> Iterator[TenantSession]:
        with super().reading(tenant) as session:
            yield session
        pause()
