"""`/status/`: whether each part answers now, what is announced, and on which of the last days something was silent."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import say
from services.tenants.api import view
from services.tenants.api.incidents import Shown, shown
from services.tenants.api.maintenance import name_of
from services.tenants.db import incidents as incidents_db
from services.tenants.db import maintenance as maintenance_db
from services.tenants.db import service_days
from services.tenants.neighbours import Neighbours
from services.tenants.use_cases.incidents import PARTS, PAST, REGISTRY

router = APIRouter(include_in_schema=False)

FRESH = timedelta(seconds=5)
"""For so long what was seen is shown again: a crowd on this page asks the services no oftener than one reader."""
SLOW = 1.0
"""Seconds within which a service promises to answer (docs/slo.md)."""
LATE: Mapping[str, float] = {"outbox_age": 120.0, "inbox_age": 120.0, "jobs_age": 300.0}
"""Seconds after which what waits in a service's queue is late: sooner than the operators are called (infra/observe/rules.yaml)."""
STATES = {
    "up": (say("動いています"), "good", "check"),
    "slow": (say("応答に時間がかかっています"), "warn", "alert"),
    "late": (say("受付はできますが、処理が遅れています"), "warn", "alert"),
    "incident": (say("障害が起きています"), "bad", "alert"),
    "read-only": (say("保守のため、見ることだけできます"), "warn", "alert"),
    "maintenance": (say("保守のため止めています"), "warn", "alert"),
    "down": (say("応答がありません"), "bad", "alert"),
}


@router.get("/status/")
def status(request: Request, _actor: Actor = access.public()) -> Response:
    """Says nothing about anybody's data."""
    now = view.now_of(request)
    at, states = _seen(request, now)
    with view.service_of(request).database.reading() as session:
        announced = maintenance_db.ending_after(session, now - PAST)
        silent = service_days.silent(session, view.today_of(request) - PAST + timedelta(days=1))
        incidents = shown(session, incidents_db.since(session, now - PAST))
    return view.public_page(
        request,
        "home/status.html",
        parts=[(name, *STATES[_told(states[key], key, incidents)]) for key, name in PARTS.items()],
        at=at,
        running=[row for row in announced if row.begins_at <= now < row.ends_at],
        coming=[row for row in announced if now < row.begins_at],
        over=[row for row in reversed(announced) if row.ends_at <= now],
        silent=[(day, PARTS[service], missed, asked) for day, service, missed, asked in silent if service in PARTS],
        past=PAST.days,
        incidents=[one for one in incidents if one.ended_at is None],
        ended=[one for one in incidents if one.ended_at is not None],
        name_of=name_of,
    )


def _told(state: str, key: str, incidents: list[Shown]) -> str:
    """What answers is not said to work while the operators tell of an incident there."""
    told = any(one.ended_at is None and one.part in ("", key) for one in incidents)
    return "incident" if told and state in ("up", "slow", "late") else state


_ONE_LOOKS = Lock()


def _seen(request: Request, now: datetime) -> tuple[datetime, dict[str, str]]:
    """When it was looked, and the state of each part then. All are asked at once: one that hangs makes nobody wait for the others."""
    kept: dict[str, Any] = view.service_of(request).extras
    with _ONE_LOOKS:
        known = kept.get("status_seen")
        if known is None or not now - known[0] < FRESH:
            asked = view.neighbours_of(request)
            closed = asked.closures()
            with ThreadPoolExecutor(len(PARTS)) as pool:
                found = list(pool.map(lambda key: _closed(closed, key) or _state(asked, key), PARTS))
            known = kept["status_seen"] = (now, dict(zip(PARTS, found, strict=True)))
    return known


def _closed(closed: Mapping[str | None, str], key: str) -> str | None:
    """How an operator has closed it; the gateway itself cannot be closed, and the registry keeps answering (gateway/fairness)."""
    return None if key in ("gateway", REGISTRY) else closed.get(key) or closed.get(None)


def _state(asked: Neighbours, key: str) -> str:
    begun = time.monotonic()
    if key != REGISTRY and not asked.ready(key):
        return "down"
    if time.monotonic() - begun > SLOW:
        return "slow"
    return "late" if key != "gateway" and _is_late(asked, key) else "up"


def _is_late(asked: Neighbours, key: str) -> bool:
    """Whether its queues wait, or nobody is there who works on them: then what was received is kept, but goes no further."""
    queues, instances = asked.queues(key), asked.instances(key)
    waits = any((queues.get(name) or 0.0) > most for name, most in LATE.items()) if queues else False
    return waits or (bool(instances) and all(one["role"] != "work" for one in instances))
