"""What counts as use. COUNTER Code of Practice for Research Data / Release 5: no robots; of two requests for the same thing
by the same visitor within 30 seconds only one counts (double-click filtering, section 7.2)."""

import re
from collections import OrderedDict
from datetime import datetime, timedelta

DOUBLE_CLICK = timedelta(seconds=30)
MANY = 50_000
VOICES, VOICES_DURING = 10, timedelta(days=1)
"""So many guests of one network address give one request their voice in that time: a family, not a program without cookies."""
_ROBOT = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|scan|monitor|preview|fetcher|archiver|headless|facebookexternalhit|curl/|wget|"
    r"python-|libwww|java/|go-http|okhttp|httpclient|axios|node-fetch|scrapy|ckanapi|^$",
    re.IGNORECASE,
)


def is_robot(user_agent: str) -> bool:
    """Programs that go through pages by themselves, and whoever does not say what they are."""
    return _ROBOT.search(user_agent.strip()) is not None


class DoubleClicks:
    """Remembers the last requests. `visitor` is anything that tells visitors apart for half a minute; it is not kept longer."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str], datetime] = OrderedDict()

    def first(self, visitor: str, thing: str, now: datetime) -> bool:
        """Whether this request counts. Each further one begins the 30 seconds anew."""
        while self._seen and (len(self._seen) > MANY or next(iter(self._seen.values())) <= now - DOUBLE_CLICK):
            self._seen.popitem(last=False)
        key = (visitor, thing)
        again = key in self._seen
        self._seen[key] = now
        self._seen.move_to_end(key)
        return not again


class Voters:
    """Remembers which guests voted from where, for a day and in this process only."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str], tuple[datetime, set[str]]] = OrderedDict()

    def may(self, address: str, thing: str, visitor: str, now: datetime) -> bool:
        """Whether this visitor is one of the first `VOICES` of the address."""
        while self._seen and (len(self._seen) > MANY or next(iter(self._seen.values()))[0] <= now - VOICES_DURING):
            self._seen.popitem(last=False)
        _, visitors = self._seen.setdefault((address, thing), (now, set()))
        if visitor not in visitors and len(visitors) >= VOICES:
            return False
        visitors.add(visitor)
        return True
