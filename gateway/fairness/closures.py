"""Maintenance and read-only, per tenant and service: set by operators, known to every gateway within seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway import db
from gateway.hygiene import SAFE_METHODS
from libs.common.clock import JST
from libs.common.db import Database
from libs.common.errors import Sentence, Unavailable, say

AGAIN = 300
"""Seconds after which to ask again where no end is known."""


@dataclass(frozen=True, slots=True)
class Closure:
    tenant: str | None
    service: str | None
    mode: str
    sentence: str
    begins_at: datetime
    ends_at: datetime | None

    def holds(self, tenant: str | None, service: str, now: datetime) -> bool:
        here = self.tenant in (None, tenant) and self.service in (None, service)
        return here and self.begins_at <= now and (self.ends_at is None or now < self.ends_at)


class Closures:
    """Those in force or to come, as last read from the store."""

    def __init__(self) -> None:
        self.known: Sequence[Closure] = ()

    def read(self, database: Database, now: datetime) -> None:
        """Runs in a thread, every few seconds."""
        with database.reading() as session:
            self.known = [
                Closure(r.for_tenant, r.service, r.mode, r.sentence, r.begins_at, r.ends_at)
                for r in db.closures(session, now)
            ]

    def check(self, tenant: str | None, service: str, method: str, now: datetime) -> None:
        """Raises Unavailable for what is closed to this request. Free of charge as long as nothing is closed."""
        for one in self.known:
            if one.holds(tenant, service, now) and (one.mode == "maintenance" or method not in SAFE_METHODS):
                raise _closed(one, now)


def _until(sentence: str, end: datetime) -> Sentence:
    return say(
        "%(sentence)s%(month)s月%(day)s日%(hour)s時%(minute)s分ごろまでの予定です。",
        sentence=sentence,
        month=end.month,
        day=end.day,
        hour=end.hour,
        minute=end.minute,
    )


def _closed(closure: Closure, now: datetime) -> Unavailable:
    reading = closure.mode == "read-only"
    sentence = closure.sentence or (
        say("ただいま、見ることだけできます。") if reading else say("ただいま、保守のため止めています。")
    )
    if closure.ends_at is not None:
        sentence = _until(sentence, closure.ends_at.astimezone(JST))
    left = AGAIN if closure.ends_at is None else max(1, int((closure.ends_at - now).total_seconds()))
    kept = say("今回の入力は送られていません。前の画面の入力は、ブラウザの「戻る」で開けます。") if reading else ""
    return Unavailable(sentence, code=closure.mode, kept=kept, retry_after=left)
