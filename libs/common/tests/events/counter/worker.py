"""The made-up services of the event tests: any `source` tells of counted things, any `reader` writes them down."""

from datetime import datetime

from sqlalchemy.orm import Session

from libs.common import outbox
from libs.common.db import Database
from libs.common.events import Envelope, Event, registry
from libs.common.inbox import Subscriptions
from libs.common.tests.events.counter.db import EffectRow, TallyRow


class StillBroken(RuntimeError):
    """What the handler raises for a poison event."""


def event_class(source: str) -> type[Event]:
    """`<source>.thing.counted.v1`, made once per source."""
    name = f"{source}.thing.counted.v1"
    if name not in registry:

        class Counted(Event, type=name):
            number: int
            poison: bool = False

        Counted.__qualname__ = f"Counted_{source}"
    return registry[name]


def subscriptions(reader: str, *sources: str, cured: set[str] | None = None) -> Subscriptions:
    """A reader of `sources`. A poison event raises until its subject is in `cured`."""
    made = Subscriptions(reader)
    for source in sources:

        @made.on(source=source, type=f"{source}.thing.counted.v1")
        def write_down(session: Session, envelope: Envelope, now: datetime) -> None:
            session.add(EffectRow(event_id=envelope["id"], subject=envelope["subject"], sequence=envelope["sequence"]))
            if envelope["tenantid"] is not None:
                _tally(session)
            if envelope["data"].get("poison") and envelope["subject"] not in (cured or ()):
                session.flush()  # the effect is there already when it fails: it must go away again
                raise StillBroken(envelope["subject"])

    return made


def _tally(session: Session) -> None:
    row = session.get(TallyRow, (session.info["tenant"], "all"))
    if row is None:
        session.add(TallyRow(id="all", total=1))
    else:
        row.total += 1


def count(
    database: Database,
    source: str,
    subjects: list[str],
    now: datetime,
    *,
    tenant: str | None = "402036",
    poison: tuple[str, ...] = (),
) -> None:
    """One event for each of `subjects`, in one transaction. The first event of a subject in `poison` is a poison one."""
    made = event_class(source)
    with database.transaction(tenant) as session:
        for number, subject in enumerate(subjects):
            first = outbox.sequence_of(session, subject) == 0
            outbox.add(session, made(number=number, poison=first and subject in poison), subject=subject, now=now)
