"""How a municipality stands with each service today: what its history says, and whether its room is there."""

from datetime import date

from sqlalchemy.orm import Session

from services.tenants.db import requests as requests_db
from services.tenants.db import subscriptions as subscriptions_db
from services.tenants.domain.catalogue import SERVICES
from services.tenants.domain.subscriptions import Subscription, status_on, with_room


def of_town(session: Session, tenant: str, day: date) -> dict[str, Subscription]:
    """Service → its state."""
    own, waiting = subscriptions_db.intervals(session, tenant), requests_db.without_room(session, tenant)
    return {
        s.key: with_room(status_on(own, tenant, s.key, day), ready=(tenant, s.key) not in waiting) for s in SERVICES
    }
