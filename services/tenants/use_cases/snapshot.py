"""What the gateway needs to know, in one document. Its shape is a contract with the gateway (README.md)."""

from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from services.tenants.db import members as members_db
from services.tenants.db import registry as registry_db
from services.tenants.db import requests as requests_db
from services.tenants.db import subscriptions as subscriptions_db
from services.tenants.db import switches as switches_db
from services.tenants.domain import mergers
from services.tenants.domain.catalogue import DOOR, SERVICES
from services.tenants.domain.municipality import existing_on
from services.tenants.domain.subscriptions import Interval, Subscription, status_on, with_room
from services.tenants.use_cases import departments


def version(session: Session, today: date) -> str:
    """Changes with every change of the register and with the day: a subscription may begin today without anybody."""
    return f"{registry_db.version(session)}.{today.isoformat()}"


def snapshot(session: Session, today: date) -> dict[str, Any]:
    """Tenants with their codes and services, members with their roles. No names of persons, no addresses."""
    states = registry_db.states(session)
    existing, leading = existing_on(states, today), mergers.codes(states, today)
    intervals: dict[str, list[Interval]] = {}
    for interval in subscriptions_db.intervals(session):
        intervals.setdefault(interval.tenant_id, []).append(interval)
    waiting = requests_db.without_room(session)
    off: dict[str, list[str]] = {}
    for row in switches_db.off(session, DOOR):
        off.setdefault(row.tenant, []).append(row.name)
    return {
        "version": version(session, today),
        "prefecture": next((t for t, state in existing.items() if not state.counted), None),
        "labels": {service.key: service.short for service in SERVICES},
        "tenants": [
            {
                "id": tenant,
                "code": state.code,
                "aliases": [code for code in leading.get(tenant, ()) if code != state.code],
                "name": state.name,
                "kana": state.kana,
                "services": _services(intervals.get(tenant, []), tenant, today, waiting),
                "off": sorted(off.get(tenant, ())),
            }
            for tenant, state in existing.items()
        ],
        "members": _members(session, today),
    }


def _members(session: Session, today: date) -> dict[str, dict[str, list[str]]]:
    """Who has which roles; members with a delegation that holds today have that of delegates, too."""
    found = members_db.all_roles(session)
    for tenant, persons in departments.delegates(session, today).items():
        for person in persons & {each for each, places in found.items() if tenant in places}:
            found[person][tenant] = sorted({*found[person][tenant], departments.ROLE})
    return found


def _services(
    intervals: list[Interval], tenant: str, today: date, waiting: set[tuple[str, str]]
) -> dict[str, dict[str, str | None]]:
    found = {
        s.key: with_room(status_on(intervals, tenant, s.key, today), ready=(tenant, s.key) not in waiting)
        for s in SERVICES
    }
    return {key: _facts(subscription) for key, subscription in found.items() if subscription.status != "none"}


def _facts(subscription: Subscription) -> dict[str, str | None]:
    return {
        "status": subscription.status,
        "from": subscription.start.isoformat() if subscription.start else None,
        "until": subscription.end.isoformat() if subscription.end else None,
    }
