"""How many a day: counted in memory, added up over all gateways in the store every few seconds."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

from gateway import db
from libs.common.clock import JST, Clock, local_date
from libs.common.db import Database

KEPT_DAYS = 400


class Quotas:
    """`most`: kind (`tenant`, `machine`) → requests a day. A gateway may let through what the others have not told it of yet."""

    def __init__(self, most: Mapping[str, int], clock: Clock) -> None:
        self._most = most
        self._clock = clock
        self._day = local_date(clock.now())
        self._told: dict[str, int] = {}
        self._new: Counter[str] = Counter()

    def take(self, **whose: str) -> bool:
        """Count one request for all of `whose` (kind=ident); False if the day's are used up for one of them: then it counts for none."""
        keys = [f"{kind}:{ident}" for kind, ident in whose.items()]
        for kind, key in zip(whose, keys, strict=True):
            most = self._most.get(kind)
            if most is not None and self._told.get(key, 0) + self._new[key] >= most:
                return False
        for key in keys:
            self._new[key] += 1
        return True

    def today(self) -> dict[str, int]:
        """What is known of this day: all gateways' counts, and this one's newest."""
        return dict(Counter(self._told) + self._new)

    def seconds_left(self) -> int:
        """Until the day in Japan ends."""
        now = self._clock.now().astimezone(JST)
        midnight = datetime.combine(now.date() + timedelta(days=1), time(), JST)
        return int((midnight - now).total_seconds()) + 1

    def settle(self, database: Database) -> None:
        """Tell the store what is new, learn what all gateways have counted. Runs in a thread; called every few seconds."""
        today = local_date(self._clock.now())
        new, self._new = self._new, Counter()
        if new or self._most:
            try:
                self._told = self._exchange(database, self._day, new)
            except Exception:
                self._new.update(new)
                raise
        if today != self._day:
            self._day, self._told = today, {}

    @staticmethod
    def _exchange(database: Database, day: date, new: Mapping[str, int]) -> dict[str, int]:
        with database.transaction() as session:
            db.add_counts(session, day, new)
            return db.counts_of(session, day)
