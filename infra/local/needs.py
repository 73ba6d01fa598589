"""What a pod of each role asks of its node, from measurement: docs/roles.md, which `make bench BENCH=roles` writes with its date.

Memory decides whether a pod lives, so the request is what was seen at most, and the limit twice that. Processor only decides who waits when
a node is full: the request is what a small load took, and there is no limit, which would slow people down while the node idles.
"""

import functools
import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "roles.md"
_ROW = re.compile(r"^\| (\w+) \| (api|listen|work) \| \d+ \| (\d+) \| \d+ \| (\d+) \|", re.MULTILINE)
FLOORS = {"api": 512, "listen": 256, "work": 512, "sites": 1024, "door": 1024}
"""MiB that a limit is at least: letters (PDF), sheets and large uploads were not in that load; restic holds the index of a whole
repository in memory where it drills; a slow reader holds about 0.2 MB at the door (docs/gateway-faults.md), each of the processes for
passwords 90, and REQUESTS_AT_ONCE are 500."""


@dataclass(frozen=True)
class Needs:
    """Millicores, MiB, MiB."""

    cpu: int
    memory: int
    limit: int


@functools.cache
def measured() -> dict[tuple[str, str], tuple[int, int]]:
    """(service, role) → (MiB at most, millicores under load)."""
    rows = _ROW.findall(PAGE.read_text("utf-8"))
    return {(service, role): (int(most), int(busy)) for service, role, most, busy in rows}


def needs(service: str, role: str, *, sites: bool = False) -> Needs:
    """`sites`: whether it holds the sites of backups. Raises KeyError for a role that was never measured."""
    if role == "migrate":  # it comes and goes before anybody waits for it
        return Needs(100, 128, 512)
    most, busy = measured()[service, role]
    memory = _up(most, 16)
    floor = FLOORS["door" if service == "gateway" else "sites" if sites and role == "work" else role]
    return Needs(max(25, _up(busy, 25)), memory, max(floor, _up(2 * memory, 64)))


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
