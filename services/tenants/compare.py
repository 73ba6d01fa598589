"""Our small copy of a service's applications beside the service's own snapshot: what is missing is taken over."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import groupby
from typing import Any

from libs.common.service import Service
from libs.common.telemetry import metrics
from services.tenants.db import usage as db
from services.tenants.neighbours import Neighbours
from services.tenants.use_cases import usage
from services.tenants.use_cases.usage import Drift, Told

ON_THE_WAY = timedelta(minutes=10)
"""An application this young may still be in the bus: it is taken over, but is no drift."""


def is_due(service: Service, source: str, every: timedelta) -> bool:
    with service.database.reading() as session:
        latest = db.latest_comparison(session, source)
    return latest is None or service.clock.now() - latest.compared_at >= every


def compare_with_source(service: Service, source: str, neighbours: Neighbours | None = None) -> None:
    """Walk the source's snapshot municipality by municipality. Raises Unavailable when it breaks off: nothing is noted."""
    asked = neighbours or Neighbours(service)
    now = service.clock.now()
    drifts: list[Drift] = []
    ours = theirs = repaired = 0
    try:
        for tenant, told in _by_tenant(asked.applications(source)):
            with service.database.transaction(tenant=tenant) as session:
                drift = usage.compare(session, source, told)
                ours += len(db.applications(session, source))
                theirs += len(told)
                for one in told:
                    if one.id in drift.missing or one.id in drift.differing:
                        usage.count_application(session, source, one)
                        repaired += 1
            young = {t.id for t in told if now - t.submitted_at < ON_THE_WAY}
            drifts.append(Drift(drift.missing - young, drift.surplus, drift.differing - young))
    finally:
        if neighbours is None:
            asked.close()
    apart = sum(len(drift.missing) + len(drift.surplus) + len(drift.differing) for drift in drifts)
    metrics.count_integrity(service.name, "drift", apart)
    with service.database.transaction() as session:
        usage.record_comparison(session, source, drifts, ours=ours, theirs=theirs, repaired=repaired, now=now)


def _by_tenant(lines: Iterator[dict[str, Any]]) -> Iterator[tuple[str, list[Told]]]:
    """The snapshot comes tenant by tenant."""
    told = (usage.told_from_snapshot(line) for line in lines if "application_id" in line)
    for tenant, group in groupby(told, key=lambda t: t.tenant):
        yield tenant, list(group)
