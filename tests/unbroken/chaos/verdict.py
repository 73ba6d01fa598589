"""Whether what was acknowledged is there, once. Each judge answers for one writer: (keys lost, keys doubled, problems of no one key).

`planted` adds to every writer one thing it was never told and one it was told twice: the judges must name exactly these.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy import select

from infra.local import cloud as clouds
from infra.local import processes
from libs.common.db import Database
from libs.common.inbox import InboxRow
from libs.common.outbox import OutboxRow
from libs.common.settings import Settings
from services.eapply.db import ApplicationRow
from services.ebid.db import SubmissionRow
from services.opendata.db import DatasetRow
from services.tenants.db import ThreadRow
from services.tenants.db.usage import ApplicationRow as CountedRow
from tests.integration.test_kill_anything import TOWNS
from tests.unbroken.chaos.load import TOWN, Applicants, Bidders, Machine, Publisher, Writer, address_of, content_of

PATIENCE = 600
"""Seconds until what waits on the way must have arrived."""


@dataclass
class Verdict:
    """By writer: keys that were acknowledged and are not there, or are there twice. `mails`: applications without their mail."""

    lost: dict[str, set[str]] = field(default_factory=dict)
    doubled: dict[str, set[str]] = field(default_factory=dict)
    mails_missing: set[str] = field(default_factory=set)
    mails_repeated: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (any(self.lost.values()) or any(self.doubled.values()) or self.mails_missing or self.problems)


def store_of(running: clouds.Running, service: str) -> Database:
    """The service's store, seen past the cables."""
    settings = Settings(data_dir=running.plan.data, keys_dir=running.plan.data / "keys", database_url=_url(running))
    return Database(settings.database_url_of(service), service)


def _url(running: clouds.Running) -> str | None:
    return running.nodes["postgresql"].url if "postgresql" in running.nodes else running.plan.database_url


class Stores:
    """Every service's store, to be read by the judges; `close` at the end."""

    def __init__(self, running: clouds.Running) -> None:
        self._of = {name: store_of(running, name) for name in clouds.SERVICES}

    def close(self) -> None:
        for database in self._of.values():
            database.close()

    def column(self, service: str, towns: Iterable[str], column: Any, *where: Any) -> list[Any]:
        found: list[Any] = []
        for town in towns:
            with self._of[service].reading(town) as session:
                found += session.scalars(select(column).where(*where))
        return found

    def waiting(self, but: set[str]) -> list[str]:
        """What is still on its way between the services, in words; events whose id is in `but` are left out."""
        told = []
        for name, database in self._of.items():
            with database.reading() as session:
                unsent = session.scalars(select(OutboxRow).where(OutboxRow.published_at.is_(None)))
                told += [f"{name}: unsent {row.envelope['type']} of {row.added_at}" for row in unsent]
                left = session.scalars(select(InboxRow).where(InboxRow.status.not_in(["done", "skipped"])))
                told += [
                    f"{name}: {row.status} {row.type} tried {row.attempts}: {row.error}"
                    for row in left
                    if row.event_id not in but
                ]
        return told

    def counted(self) -> list[str]:
        """Applications as the registry counts them, from events."""
        return self.column("tenants", TOWNS, CountedRow.id)


def there_once(acknowledged: dict[str, str], stored: Iterable[str]) -> tuple[set[str], set[str]]:
    """(keys whose thing is not stored, keys whose thing is stored more than once or was told to two keys)."""
    counts, known = Counter(stored), Counter(acknowledged.values())
    lost = {key for key, ident in acknowledged.items() if not counts[ident]}
    doubled = {key for key, ident in acknowledged.items() if counts[ident] > 1 or known[ident] > 1}
    return lost, doubled


def judged(stores: Stores, writer: Writer) -> tuple[set[str], set[str]]:
    """(lost, doubled) of this writer."""
    told = writer.acknowledged
    match writer:
        case Applicants(town=town):
            lost, doubled = there_once(told, stores.column("eapply", [town], ApplicationRow.id))
            uncounted, twice = there_once(told, stores.column("tenants", [town], CountedRow.id))
            return lost | uncounted, doubled | twice
        case Bidders(tender=tender):
            return there_once(
                told, stores.column("ebid", [TOWN], SubmissionRow.digest, SubmissionRow.tender_id == tender)
            )
        case Publisher():
            lost, doubled = there_once(told, stores.column("opendata", [TOWN], DatasetRow.id))
            names = Counter(stores.column("opendata", [TOWN], DatasetRow.name))
            return lost, doubled | {name for name in told if names[name] > 1}
        case Machine(address=address):
            return _objects(address, told)
        case _:
            titles = Counter(stores.column("tenants", [TOWN], ThreadRow.title, ThreadRow.tenant == TOWN))
            lost, doubled = there_once(told, stores.column("tenants", [TOWN], ThreadRow.id, ThreadRow.tenant == TOWN))
            return lost, doubled | {key for key in told if titles[key] > 1}


def _objects(address: str, told: dict[str, str]) -> tuple[set[str], set[str]]:
    """An object is named after its bytes: it cannot be there twice. Told twice is two numbers of one content."""
    with httpx.Client(trust_env=False, timeout=30) as client:

        def there(name: str, number: str) -> bool:
            answer = client.get(f"{address}data/{name}")
            return answer.status_code == 200 and answer.content == content_of(int(number))

        lost = {name for name, number in told.items() if not there(name, number)}
    numbers = Counter(told.values())
    return lost, {name for name, number in told.items() if numbers[number] > 1}


def strangers(stores: Stores, writers: list[Writer]) -> list[str]:
    """Applications of these towns that nobody was told of: a second effect of something sent again."""
    known = {ident for writer in writers if isinstance(writer, Applicants) for ident in writer.acknowledged.values()}
    stored = set(stores.column("eapply", TOWNS, ApplicationRow.id))
    return [f"stored and acknowledged to nobody: {ident}" for ident in stored - known]


def mails_of(writers: list[Writer], taken: list[tuple[str, str]]) -> tuple[set[str], int]:
    """(keys of applications whose mail never came, mails that came again under the same number)."""
    reached = {recipient for recipient, _ in taken}
    keys = {key for writer in writers if isinstance(writer, Applicants) for key in writer.acknowledged}
    return {key for key in keys if address_of(key) not in reached}, len(taken) - len(set(taken))


def reached(running: clouds.Running, writers: list[Writer], taken: list[tuple[str, str]], poison: set[str]) -> Verdict:
    """After everything had time to arrive."""
    stores = Stores(running)
    try:
        arrived = processes.wait_until(
            lambda: not stores.waiting(poison) and not mails_of(writers, taken)[0], seconds=PATIENCE, pause=0.5
        )
        made = Verdict(problems=[] if arrived else stores.waiting(poison)[:20])
        for number, writer in enumerate(writers):
            made.lost[f"{number} {writer.name}"], made.doubled[f"{number} {writer.name}"] = judged(stores, writer)
        made.problems += strangers(stores, writers)
        made.mails_missing, made.mails_repeated = mails_of(writers, taken)
        return made
    finally:
        stores.close()


def blind(running: clouds.Running, writers: list[Writer]) -> list[str]:
    """Judges that do not see what is planted into their writer: one lost, one told twice. Empty when all see both."""
    stores, found = Stores(running), []
    try:
        for writer in writers:
            if not writer.acknowledged:
                found.append(f"{writer.name}: nothing was acknowledged, so nothing was judged")
                continue
            with _planted(writer.acknowledged) as (gone, again):
                lost, doubled = judged(stores, writer)
                if gone not in lost or again not in doubled:
                    found.append(f"{writer.name}: does not see what is lost or doubled")
    finally:
        stores.close()
    return found


class _planted:
    """For a `with` block: one acknowledgement of something that is not there, and one more of something that is."""

    def __init__(self, acknowledged: dict[str, str]) -> None:
        self._acknowledged, self._before = acknowledged, dict(acknowledged)

    def __enter__(self) -> tuple[str, str]:
        gone, again = "f" * 64, "e" * 64
        self._acknowledged |= {gone: "99999999", again: next(iter(self._before.values()))}
        return gone, again

    def __exit__(self, *raised: Any) -> None:
        for key in set(self._acknowledged) - set(self._before):
            del self._acknowledged[key]
