"""A municipality that left every service lets the registry forget it: who its people were, what they wrote and set.

What stays, and why (the page says the same): the register, the dated participation and the published counts are the council's history;
invoices are papers of account; requests and the record of who did what, ids only, prove what was done; signed records prove what is gone.
"""

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, say
from services.tenants.db import (
    ApplicationRow,
    AssumptionRow,
    CalendarKeyRow,
    DelegationRow,
    DepartmentMemberRow,
    DepartmentRow,
    FileRow,
    MemberRow,
    MessageRow,
    NoticeChoiceRow,
    OwnPageRow,
    PastApplicationRow,
    PastImportRow,
    ProcedureRow,
    TakeoutPartRow,
    TakeoutRow,
    ThreadRow,
)
from services.tenants.db import capacity as capacity_db
from services.tenants.db import invoices as invoices_db
from services.tenants.db import registry as registry_db
from services.tenants.db import requests as requests_db
from services.tenants.db import subscriptions as subscriptions_db
from services.tenants.db.base import Base
from services.tenants.domain.capacity import HOLDING
from services.tenants.domain.catalogue import SERVICES
from services.tenants.domain.requests import OPEN
from services.tenants.domain.subscriptions import status_on
from services.tenants.use_cases import takeouts

GOES: dict[str, type[Base]] = {
    "department-members": DepartmentMemberRow,
    "departments": DepartmentRow,
    "delegations": DelegationRow,
    "members": MemberRow,
    "notice-choices": NoticeChoiceRow,
    "calendar-keys": CalendarKeyRow,
    "pages": OwnPageRow,
    "messages": MessageRow,
    "questions": ThreadRow,
    "files": FileRow,
    "effects": AssumptionRow,
    "applications": ApplicationRow,
    "procedures": ProcedureRow,
    "past-applications": PastApplicationRow,
    "past-imports": PastImportRow,
    "takeout-parts": TakeoutPartRow,
    "takeouts": TakeoutRow,
}
"""Name in the record → what is deleted, in this order. The rest of `takeouts.OWN` stays."""


def in_the_way(session: Session, tenant: str, now: datetime) -> str:
    """Why nothing can be forgotten yet, as a sentence; "" where nothing hinders. The session is the tenant's."""
    own, today = subscriptions_db.intervals(session, tenant), local_date(now)
    if any(status_on(own, tenant, service.key, today).status != "none" for service in SERVICES):
        return say("使っているサービス、またはこれから使うサービスがあります。先に、すべてのサービスをやめてください。")
    if any(row.state in OPEN for row in requests_db.latest_requests(session, tenant).values()):
        return say("終わっていない申込みがあります。終わってから、もう一度お試しください。")
    if any(row.state in HOLDING and row.until > today for row in capacity_db.of_tenant(session, tenant)):
        return say("サーバーの予約があります。先に、予約を取り消してください。")
    if any(invoice.state == "issued" for invoice in invoices_db.invoices(session, tenant=tenant)):
        return say("お支払いが済んでいない請求があります。入金が記録されてから、もう一度お試しください。")
    return ""


def forget(session: Session, actor: Actor, tenant: str, now: datetime) -> dict[str, int]:
    """Delete it all, in the caller's transaction; how many rows of each kind went. Raises Conflict where something is in the way."""
    if hindrance := in_the_way(session, tenant, now):
        raise Conflict(hindrance, code="still-used")
    gone: dict[str, int] = {}
    for name, model in GOES.items():
        result = session.execute(delete(model).where(takeouts.owned_by(model, tenant)))
        gone[name] = int(getattr(result, "rowcount", 0))
    registry_db.bump_version(session)
    audit.record(session, actor, "registry.forgotten", tenant, detail={"rows": gone}, now=now)
    return gone
