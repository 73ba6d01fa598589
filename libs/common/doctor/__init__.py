"""What a production start needs, checked by the software itself, from the place and with the settings of one process.

    make doctor                                                       here
    kubectl exec -n kyodo deployment/eapply-work -- /app/run doctor   with that pod's settings and from its network

Each finding says what was looked at, what is so, and what to do. Nothing is changed, but for one small file that is written to
the object store and taken away again. Exit code 1 where something must be done before people may use the cloud.
"""

import os
from collections.abc import Callable, Collection, Iterable
from datetime import datetime

from libs.common import unsafe
from libs.common.doctor import address, mail, stores
from libs.common.doctor.finding import Finding, Level, bad, good
from libs.common.settings import Settings

__all__ = ["Finding", "examine", "report"]

Check = Callable[[str, Settings, datetime], Iterable[Finding]]


def safe_start(name: str, settings: Settings, now: datetime) -> Iterable[Finding]:
    found = list(unsafe.reasons(name, settings, os.environ))
    if settings.sample:
        found.append("SAMPLE=1: this is the sample, not a start for real use")
    yield from (bad("start", reason, "直すまで起動しません") for reason in found)
    if not found:
        yield good("start", "no unsafe combination of settings")


CHECKS: tuple[Check, ...] = (
    safe_start, address.public_address, address.inside, address.keys_are_private, address.keys_are_believed, stores.database,
    stores.broker, stores.files, mail.server, mail.sender_domain,
)  # fmt: skip


def examine(name: str, settings: Settings, now: datetime, *, unused: Collection[Check] = ()) -> list[Finding]:
    """Every check of one process but those of what it does not use. A check that breaks is a finding, too."""
    found: list[Finding] = []
    for check in (each for each in CHECKS if each not in unused):
        try:
            found += check(name, settings, now)
        except Exception as error:
            found.append(bad(check.__name__, f"{type(error).__name__}: {error}"[:300], "この行を添えて開発元へ"))
    return found


def report(name: str, found: list[Finding]) -> int:
    """Print the findings; 1 where one is bad."""
    marks = {Level.GOOD: "ok  ", Level.UNKNOWN: "?   ", Level.WARNING: "warn", Level.BAD: "BAD "}
    print(f"{name}")
    for each in found:
        print(f"  {marks[each.level]} {each.what}: {each.said}" + (f"\n       → {each.do}" if each.do else ""))
    return 1 if any(each.level is Level.BAD for each in found) else 0
