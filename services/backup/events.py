"""What the backup service tells the world. Ids, numbers of bytes and moments; no names of files, nothing personal."""

from datetime import datetime
from typing import Any, Literal

from libs.common import room
from libs.common.events import Event

room_events = room.events_for("backup")


class RepositoryCreated(Event, type="backup.repository.created.v1"):
    """A municipality has made a repository. A recovery point is promised every `promised_hours` hours."""

    repository_id: str
    promised_hours: int
    created_at: datetime


class RepositoryDisposed(Event, type="backup.repository.disposed.v1"):
    """Two people of the municipality wanted it and the time to stop it is over: nothing of the repository is kept any more."""

    repository_id: str
    disposed_at: datetime


class RecoveryPointArrived(Event, type="backup.recovery_point.arrived.v1"):
    """A snapshot is durable. Bytes: `added` new since the point before, `stored` live in this repository,
    `stored_by_municipality` in all of its repositories."""

    repository_id: str
    arrived_at: datetime
    added: int
    stored: int
    stored_by_municipality: int


class AlertRaised(Event, type="backup.alert.raised.v2"):
    """Somebody must look: a recovery point is overdue, brought unusually much or little, most were deleted, bytes were
    damaged, a disk fails, or a drill failed. `kind` is one of `use_cases/alerts.py · WORDS`; there may be new ones."""

    repository_id: str
    kind: str
    raised_at: datetime


class DamageFound(Event, type="backup.damage.found.v1"):
    """A stored object was no longer what its SHA-256 says. `repaired`: from the other site, and checked again."""

    repository_id: str
    site: Literal["first", "second"]
    repaired: bool
    found_at: datetime


class DrillFinished(Event, type="backup.drill.finished.v1"):
    """A restore was tried. `kind`: `restore` read everything back with the key, `structure` re-read every object without.

    `seconds` is how long it took (RTO), `age_seconds` how old the youngest recovery point was (RPO; None: there is none).
    `evidence` is what `signature` signs (`use_cases/evidence.py`), so that whoever reads it can check it for good.
    """

    repository_id: str
    drill_id: str
    kind: Literal["restore", "structure"]
    passed: bool
    files: int
    bytes: int
    seconds: float
    age_seconds: float | None
    finished_at: datetime
    evidence: dict[str, Any] | None = None
    signature: str | None = None
