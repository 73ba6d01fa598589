"""What was lost, what was done twice: every acknowledged thing must be in every place it belongs to, once, and totals must agree."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import func, select

from infra.local import cloud as clouds
from libs.common.db import Database
from libs.common.inbox import InboxRow
from libs.common.outbox import OutboxRow
from libs.common.settings import Settings
from tests.unbroken.chaos.writers import Judged, Stores


@dataclass(frozen=True)
class Verdict:
    """`lost` and `doubled`: what → how many. `strange`: stored, and acknowledged to nobody."""

    lost: Counter[str] = field(default_factory=Counter)
    doubled: Counter[str] = field(default_factory=Counter)
    strange: Counter[str] = field(default_factory=Counter)

    def since(self, before: "Verdict") -> "Verdict":
        """What was not there before: whatever is wrong once stays wrong."""
        return Verdict(self.lost - before.lost, self.doubled - before.doubled, self.strange - before.strange)


def judge(writers: Mapping[str, Judged], stores: Stores) -> Verdict:
    verdict = Verdict()
    for name, writer in writers.items():
        _look_for(name, writer, stores, verdict)
        for what, there, should in writer.sums(stores):
            if there != should:
                (verdict.lost if there < should else verdict.doubled)[f"{what}: {name}"] = abs(there - should)
        verdict.strange.update(f"{name} {ident}" for ident in writer.strangers(stores))
    return verdict


def _look_for(name: str, writer: Judged, stores: Stores, verdict: Verdict) -> None:
    promised = Counter(dict(writer.acknowledged).values())
    verdict.doubled.update(f"{name} {ident}: two keys" for ident, times in promised.items() if times > 1)
    for place, there in writer.places(stores).items():
        verdict.lost.update(f"{name} {ident}: {place}" for ident in promised if not there[ident])
        verdict.doubled.update(f"{name} {ident}: {place}" for ident in promised if there[ident] > 1)


def stores_of(running: clouds.Running) -> Stores:
    plan = running.plan
    settings = Settings(data_dir=plan.data, keys_dir=plan.data / "keys", database_url=plan.database_url)
    return {name: Database(settings.database_url_of(name), name) for name in clouds.SERVICES}


def waiting(stores: Stores) -> list[str]:
    """Events that are on their way, or have stopped on it."""
    return [line for name, store in stores.items() for line in _waiting_at(name, store)]


def _waiting_at(name: str, store: Database) -> list[str]:
    with store.reading() as session:
        unsent = session.scalar(select(func.count()).select_from(OutboxRow).where(OutboxRow.published_at.is_(None)))
        open_ = select(InboxRow.type, InboxRow.status, InboxRow.error).where(InboxRow.handled_at.is_(None))
        unapplied = [
            f"{name}: {status} {type_} {(error or '')[:200]}" for type_, status, error in session.execute(open_)
        ]
    return [*([f"{name}: {unsent} events not sent"] if unsent else []), *unapplied]
