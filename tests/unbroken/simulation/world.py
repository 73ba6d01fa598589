"""One simulated installation: a source that tells, two readers, and everything between them that may go wrong.

Outbox, relay, embedded bus and inbox are the real ones, on real SQLite files. Chance comes from one seed, time from one clock
that the seed moves: the same seed is the same schedule, step by step.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from sqlalchemy import delete, event, select

from libs.common import inbox, outbox, relay
from libs.common.bus import Reader
from libs.common.bus.embedded import EmbeddedBus
from libs.common.clock import FixedClock
from libs.common.events import Envelope
from libs.common.migrate import migrate
from libs.common.settings import Settings
from libs.common.tests.events.counter import db as counter
from libs.common.tests.events.counter import worker
from tests.unbroken.simulation.actors import Actor, WatchedDatabase, pause

PACKAGE = "libs.common.tests.events.counter"
SOURCE = "simsource"
START = datetime(2026, 4, 1, 0, 0, 0, 1, tzinfo=UTC)
TENANTS = ["402036", "401005", None]
SETTLING = 8
"""Rounds of eleven minutes until all is quiet: a poison event is dead by then, where the seed says that it may die early."""


class Stores:
    """Three databases, made once and emptied for each schedule."""

    def __init__(self, folder: Path) -> None:
        self.source, self.first, self.second = (self._open(folder / name) for name in ("source", "first", "second"))

    def _open(self, folder: Path) -> WatchedDatabase:
        migrate(Settings(data_dir=folder, keys_dir=folder / "keys", database_url=None), "counter", PACKAGE)
        database = WatchedDatabase(f"sqlite:///{folder / 'counter.sqlite'}", "counter")
        # Programs die here, not machines: what is committed needs no disk to be remembered.
        event.listen(database.engine, "connect", lambda raw, record: raw.execute("PRAGMA synchronous=OFF"))
        return database

    def empty(self) -> None:
        for database in (self.source, self.first, self.second):
            database.dies = lambda: False
            with database.transaction() as session:
                for table in (outbox.OutboxRow, outbox.OutboxHead, inbox.InboxRow, counter.EffectRow):
                    session.execute(delete(table))
            for tenant in TENANTS[:2]:
                with database.transaction(tenant) as session:
                    session.execute(delete(counter.TallyRow))

    def close(self) -> None:
        for database in (self.source, self.first, self.second):
            database.close()


class ShakyBus(EmbeddedBus):
    """The embedded bus whose readers' stores may be out of reach, and whose caller may be overtaken between two envelopes."""

    def __init__(self, readers: Sequence[Reader], chance: random.Random, seen: list[Envelope]) -> None:
        super().__init__(readers)
        self._chance = chance
        self._seen = seen

    def deliver(self, envelopes: Sequence[Envelope]) -> int:
        if self._chance.random() < 0.1:
            raise OSError("the reader's store is out of reach")
        handed = list(envelopes)
        if self._chance.random() < 0.3:  # a bus may take only the first of them
            handed = handed[: self._chance.randint(1, len(handed))]
        pause()
        sent = super().deliver(handed)
        self._seen.extend(handed)
        if self._chance.random() < 0.1:
            raise OSError("handed over, but the answer was lost")
        return sent


@dataclass
class Rates:
    """How often, of one turn: a program dies; a program dies just before it commits."""

    death: float = 0.04
    death_at_commit: float = 0.04


@dataclass
class World:
    """One schedule. `trace` is what happened, without ids: equal for equal seeds."""

    stores: Stores
    seed: int
    relay_once: Callable[..., int] = relay.relay_once
    rates: Rates = field(default_factory=Rates)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.clock = FixedClock(START)
        self.trace: list[str] = []
        self.told: set[tuple[str, int]] = set()
        self.poison = {"ill"}
        self.patience = self.chance.choice([timedelta(0), timedelta(hours=4)])
        self.cured: set[str] = set()
        self.seen: list[Envelope] = []
        self.stores.empty()
        self.readers = [
            Reader(database, worker.subscriptions(name, SOURCE, cured=self.cured), self.clock)
            for name, database in (("simone", self.stores.first), ("simtwo", self.stores.second))
        ]
        self.bus = ShakyBus(self.readers, self.chance, self.seen)
        for database in (self.stores.source, self.stores.first, self.stores.second):
            database.dies = self._dies_at_commit
        # How often each gets its turn: a relay needs five of them for one round, a loop of the inbox three.
        often = {
            Actor("teller", self._tell): 4,
            Actor("relay-a", self._relay): 5,
            Actor("relay-b", self._relay): 4,
            **{Actor(f"work-{n}", partial(self._work, reader)): 3 for n, reader in enumerate(self.readers * 2)},
            Actor("network", self._late_copy): 1,
            Actor("operator", self._redrive): 1,
        }
        self.actors, self.weights = list(often), list(often.values())

    # ---- what each program does, in the real code ----

    def _tell(self) -> None:
        tenant = self.chance.choice(TENANTS)
        subjects = [self.chance.choice(["a", "b", "ill"]) for _ in range(self.chance.randint(1, 4))]
        made = worker.event_class(SOURCE)
        with self.stores.source.transaction(tenant) as session:
            envelopes = []
            for number, subject in enumerate(subjects):
                poison = subject in self.poison and outbox.sequence_of(session, subject) == 1  # its second one
                event = made(number=number, poison=poison)
                envelopes.append(outbox.add(session, event, subject=subject, now=self.clock.now()))
        self.told |= {(envelope["subject"], envelope["sequence"]) for envelope in envelopes}

    def _relay(self) -> None:
        self.relay_once(self.stores.source, self.bus, self.clock, self.chance.choice([1, 2, 3, 200]))

    def _work(self, reader: Reader) -> None:
        inbox.handle_ready(reader.database, reader.subscriptions, self.clock, self.chance.choice([1, 2, 200]))

    def _late_copy(self) -> None:
        """Something that was handed over long ago comes again, alone or with others, in any order."""
        if self.seen:
            copies = self.chance.sample(self.seen, self.chance.randint(1, min(3, len(self.seen))))
            reader = self.chance.choice(self.readers)
            with reader.database.transaction() as session:
                inbox.receive(session, copies, self.clock.now())

    def _redrive(self) -> None:
        """An operator tries again what fails, though nothing was mended."""
        reader = self.chance.choice(self.readers)
        with reader.database.reading() as session:
            rows = [row.event_id for row in inbox.troubled(session)]
        if rows:
            with reader.database.transaction() as session:
                inbox.redrive(session, rows[0], by="operator", because="hope", now=self.clock.now())

    def _dies_at_commit(self) -> bool:
        return self.chance.random() < self.rates.death_at_commit

    # ---- the schedule ----

    def run(self, turns: int) -> None:
        with self._simulated_time():
            for _ in range(turns):
                (actor,) = self.chance.choices(self.actors, self.weights)
                dies = actor.busy and self.chance.random() < self.rates.death
                self.trace.append(f"{actor.name} {'dies' if dies else 'goes on'}")
                if dies:
                    actor.die()
                else:
                    actor.turn()
                if self.chance.random() < 0.2:
                    self._move_clock()
            for actor in self.actors:  # the box is switched off: whatever stood in the middle is gone
                actor.die()
            self.rates = Rates(death=0, death_at_commit=0)

    def _move_clock(self) -> None:
        """Mostly on, by seconds to hours; sometimes back by up to ten minutes, as a corrected clock does."""
        seconds = self.chance.choice([1, 6, 40, 130, 700, 4 * 3600, -600 * self.chance.random()])
        self.clock.advance(seconds=seconds)
        self.trace.append(f"clock {seconds:+.3f}")

    @contextmanager
    def _simulated_time(self) -> Iterator[None]:
        """A group of events ends early when it takes long: how long it takes is the seed's to say, not the machine's."""
        with (
            patch.object(inbox, "time", SimpleNamespace(monotonic=lambda: self.chance.choice([0.0, 0.1, 0.3]))),
            patch.object(inbox, "_GIVE_UP_AFTER", self.patience),
        ):
            yield

    def settle(self) -> None:
        """Everything runs on undisturbed, and hours pass, until nothing can be done any more."""
        calm = EmbeddedBus(self.readers)
        with self._simulated_time():
            for _ in range(SETTLING):
                while self.relay_once(self.stores.source, calm, self.clock):
                    pass
                for reader in self.readers:
                    while inbox.handle_ready(reader.database, reader.subscriptions, self.clock):
                        pass
                if not any(self._unhandled(reader) for reader in self.readers):
                    return
                self.clock.advance(minutes=11)

    def _unhandled(self, reader: Reader) -> dict[str, int]:
        with reader.database.reading() as session:
            return inbox.unhandled(session)

    def mend(self) -> None:
        """The cause of the poison is mended and an operator sends it on its way."""
        self.cured |= self.poison
        for reader in self.readers:
            with reader.database.transaction() as session:
                for row in inbox.troubled(session):
                    inbox.redrive(session, row.event_id, by="operator", because="mended", now=self.clock.now())

    # ---- what must hold ----

    def outbox_rows(self) -> list[Envelope]:
        with self.stores.source.reading() as session:
            return list(session.scalars(select(outbox.OutboxRow.envelope).order_by(outbox.OutboxRow.position)))

    def effects(self, reader: Reader) -> list[tuple[str, int]]:
        with reader.database.reading() as session:
            return counter.effects(session)

    def tallies(self, reader: Reader) -> dict[str, int]:
        found = {}
        for tenant in TENANTS[:2]:
            with reader.database.reading(tenant) as session:
                row = session.get(counter.TallyRow, (tenant, "all"))
                found[tenant] = row.total if row else 0
        return found


class Broken(AssertionError):
    """A promise that did not hold, with the seed that shows it."""


def check(world: World) -> None:
    """Run one schedule to its end and hold it against every promise. Raises Broken."""
    world.run(turns=world.chance.randint(60, 200))
    rows = world.outbox_rows()
    everything = {(row["subject"], row["sequence"]) for row in rows}
    _promise(world, world.told <= everything, "what a transaction acknowledged is in the outbox")
    world.settle()
    for reader in world.readers:
        effects = world.effects(reader)
        _promise(world, _in_order(effects), f"each subject's effects come in its order: {effects}")
        healthy = {one for one in everything if one[0] not in world.poison}
        _promise(
            world, healthy <= set(effects), f"a poison event holds up only its own subject: {healthy - set(effects)}"
        )
        behind = {one for one in effects if one[0] in world.poison and one[1] > 1}
        _promise(world, not behind, f"nothing of a subject overtakes its poison event: {behind}")
    world.mend()
    world.settle()
    for reader in world.readers:
        effects = world.effects(reader)
        _promise(world, set(effects) == everything, f"nothing told is lost: {everything - set(effects)}")
        _promise(world, max(Counter(effects).values(), default=1) == 1, f"nothing is applied twice: {effects}")
        _promise(world, _in_order(effects), f"each subject's effects come in its order: {effects}")
        counted = Counter(row["tenantid"] for row in rows)
        tallies = world.tallies(reader)
        _promise(world, all(tallies[t] == counted[t] for t in tallies), f"each tenant's sum is right: {tallies}")


def _in_order(effects: list[tuple[str, int]]) -> bool:
    last: dict[str, int] = {}
    for subject, sequence in effects:
        if sequence != last.get(subject, 0) + 1:
            return False
        last[subject] = sequence
    return True


def _promise(world: World, holds: bool, promise: str) -> None:
    if not holds:
        raise Broken(f"seed {world.seed}: {promise}\n  again: make simulate SEED={world.seed}")
