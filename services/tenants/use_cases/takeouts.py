"""Everything a municipality owns, from every room it uses, in one go: ask all rooms to export, follow their answers.

The rooms stay open. An answer that comes twice, late or to nobody changes nothing; a silent room is asked again under the same id.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from libs.common import audit, jobs, room
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.files import StoredFile
from libs.common.room import rows
from libs.common.tenancy import TenantTable
from services.tenants.db import (
    ApplicationRow,
    AssumptionRow,
    BackupMonthRow,
    BackupProofRow,
    BackupRow,
    DatasetsRow,
    DatasetYearRow,
    DelegationRow,
    DepartmentMemberRow,
    DepartmentRow,
    FileRow,
    IntervalRow,
    InvoiceRow,
    MemberRow,
    MessageRow,
    MunicipalityRow,
    NoticeChoiceRow,
    OwnPageRow,
    PastApplicationRow,
    PastImportRow,
    PastTotalRow,
    ProcedureRow,
    RequestRow,
    RequestStepRow,
    ReservationRow,
    TenderRow,
    ThreadRow,
    UsageRow,
)
from services.tenants.db import subscriptions as subscriptions_db
from services.tenants.db import takeouts as db
from services.tenants.db.base import Base
from services.tenants.db.takeouts import TakeoutPartRow, TakeoutRow
from services.tenants.domain.catalogue import SERVICES
from services.tenants.domain.subscriptions import Interval, status_on
from services.tenants.use_cases import saga, telling

GATHER = "tenants.gather-takeout"
"""The job: `takeout` in its payload."""
SILENCE = timedelta(seconds=60)
ASKS = 10
"""After so many times a room that says nothing has failed."""
OWN: dict[str, type[Base]] = {
    "municipality": MunicipalityRow,
    "participation": IntervalRow,
    "requests": RequestRow,
    "request-steps": RequestStepRow,
    "members": MemberRow,
    "notice-choices": NoticeChoiceRow,
    "usage": UsageRow,
    "applications": ApplicationRow,
    "procedures": ProcedureRow,
    "past-imports": PastImportRow,
    "past-applications": PastApplicationRow,
    "past-totals": PastTotalRow,
    "backups": BackupRow,
    "backup-months": BackupMonthRow,
    "backup-proofs": BackupProofRow,
    "datasets": DatasetsRow,
    "dataset-years": DatasetYearRow,
    "tenders": TenderRow,
    "invoices": InvoiceRow,
    "reservations": ReservationRow,
    "effects": AssumptionRow,
    "pages": OwnPageRow,
    "questions": ThreadRow,
    "messages": MessageRow,
    "files": FileRow,
    "departments": DepartmentRow,
    "department-members": DepartmentMemberRow,
    "delegations": DelegationRow,
}
"""Name in the archive → what the registry itself keeps of a municipality. Persons are their ids: their names are their own."""


def can_be_taken(row: TakeoutRow, now: datetime) -> bool:
    """Whether the services still keep the files of their parts, and we the archive of all."""
    return row.asked_at > now - room.KEPT


def ask(session: Session, actor: Actor, tenant: str, now: datetime) -> TakeoutRow:
    """Ask every room in use (or suspended) for its data. One at a time: one that is under way is given back.

    Who uses no service (any more) still takes what the registry itself keeps, before it is forgotten.
    """
    for earlier in db.of_tenant(session, tenant)[:1]:
        if under_way(earlier, db.parts(session, earlier.id), now):
            return earlier
    services = rooms_in_use(subscriptions_db.intervals(session, tenant), tenant, local_date(now))
    row = TakeoutRow(tenant=tenant, asked_by=actor.subject, asked_at=now)
    session.add(row)
    session.flush()
    for service in services:
        part = TakeoutPartRow(takeout=row.id, service=service, tenant=tenant, heard_at=now)
        session.add(part)
        session.flush()
        saga.ask_room(session, tenant, service, "export", part.room_request, now)
    audit.record(session, actor, "takeout.requested", row.id, detail={"services": services}, now=now)
    if not services:
        gather(session, row, now)
    return row


def under_way(row: TakeoutRow, parts: list[TakeoutPartRow], now: datetime) -> bool:
    """Whether a room has not answered yet, or all have and the archive is being put together."""
    states = {part.state for part in parts}
    return "asked" in states or (states <= {"exported"} and row.file is None and can_be_taken(row, now))


def rooms_in_use(own: list[Interval], tenant: str, day: date) -> list[str]:
    """Services whose room holds data of the municipality on `day`, by its history."""
    rooms = [s.key for s in SERVICES if s.delivery == "room" and s.opened]
    return [key for key in rooms if status_on(own, tenant, key, day).status in ("active", "suspended")]


# ---- answers --------------------------------------------------------------------------------------------------------


def progressed(session: Session, service: str, data: dict[str, Any], now: datetime) -> None:
    part = _expected(session, service, data["request_id"])
    if part is not None:
        part.done, part.total, part.label, part.heard_at = data["done"], data["total"], data["label"], now


def exported(session: Session, service: str, data: dict[str, Any], now: datetime) -> None:
    part = _expected(session, service, data["request_id"])
    if part is not None:
        part.state, part.heard_at, part.file = "exported", now, data["file"]
        part.size, part.sha256 = data.get("size"), data.get("sha256")
        audit.record(session, saga.SYSTEM, "takeout.exported", part.takeout, detail={"service": service}, now=now)
        _when_all_answered(session, part, now)


def failed(session: Session, service: str, data: dict[str, Any], now: datetime) -> None:
    part = _expected(session, service, data["request_id"])
    if part is not None:
        part.state, part.heard_at, part.label = "failed", now, data["reason"][:500]
        _when_all_answered(session, part, now)


def _expected(session: Session, service: str, room_request: str) -> TakeoutPartRow | None:
    part = db.part_of(session, session.info["tenant"], service, room_request)
    return part if part is not None and part.state == "asked" else None


def _when_all_answered(session: Session, part: TakeoutPartRow, now: datetime) -> None:
    """Once for the whole take-out. Answers of two services at the same moment wait for each other: one of them is the last."""
    session.flush()
    row = session.get_one(TakeoutRow, part.takeout, with_for_update=True)
    states = {each.state for each in db.parts(session, part.takeout)}
    if "asked" in states:
        return
    if "failed" in states:
        telling.tell(session, part.tenant, "exported", part.takeout, "takeout/", now, good=False)
    else:
        gather(session, row, now)


def gather(session: Session, row: TakeoutRow, now: datetime) -> None:
    """All parts are there: have them put together. The session is the tenant's; asked again, the same job does it."""
    row.job = jobs.add(session, GATHER, {"takeout": row.id}, key=row.id, now=now)


def gathered(session: Session, takeout_id: str, stored: StoredFile, now: datetime) -> None:
    """The archive lies in the store: it can be taken. The session is the tenant's."""
    row = session.get_one(TakeoutRow, takeout_id, with_for_update=True)
    row.file, row.size, row.sha256 = stored.id, stored.size, stored.sha256
    audit.record(session, saga.SYSTEM, "takeout.gathered", row.id, detail={"sha256": stored.sha256}, now=now)
    telling.tell(session, row.tenant, "exported", row.id, "takeout/", now)


def files_kept(session: Session, tenant: str, now: datetime) -> set[str]:
    """Ids under which archives lie, or are about to lie, in the store."""
    return db.gathered(session, tenant, now - room.KEPT)


def ungathered(session: Session, now: datetime) -> list[tuple[str, str]]:
    """(tenant, id) of take-outs that wait to be put together: those of a version that sent them while it wrote them."""
    return [(row.tenant, row.id) for row in db.ungathered(session, now - room.KEPT)]


def chase(session: Session, tenant: str, service: str, room_request: str, now: datetime) -> None:
    """Ask a silent room again; after `ASKS` times its part has failed."""
    part = db.part_of(session, tenant, service, room_request)
    if part is None or part.state != "asked" or part.heard_at > now - SILENCE:
        return
    part.heard_at, part.asks = now, part.asks + 1
    if part.asks > ASKS:
        part.state, part.label = "failed", "サービスから返事がありませんでした。"
        _when_all_answered(session, part, now)
    else:
        saga.ask_room(session, tenant, service, "export", room_request, now)


def silent(session: Session, now: datetime) -> list[tuple[str, str, str]]:
    """(tenant, service, room request) of parts to chase."""
    return [(part.tenant, part.service, part.room_request) for part in db.silent(session, now - SILENCE)]


# ---- what the registry itself keeps ---------------------------------------------------------------------------------


NOT_OURS = {"applications": ("sequence",)}
"""Columns that mean something only beside the bus of this installation."""


def own_rows(session: Session, tenant: str, name: str) -> Iterator[bytes]:
    """Every row of the municipality in `OWN[name]`, superseded ones too, as JSON lines."""
    model = OWN[name]
    mine = select(model).where(owned_by(model, tenant))
    return rows.dumped(session, model, without=NOT_OURS.get(name, ()), chosen=mine)


def owned_by(model: type[Base], tenant: str) -> ColumnElement[bool]:
    """The condition on rows of `model`: those of one municipality."""
    if model is RequestStepRow:
        return RequestStepRow.request_id.in_(select(RequestRow.id).where(RequestRow.tenant == tenant))
    owner = "tenant_id" if issubclass(model, TenantTable) else "tenant"
    return getattr(model, owner) == tenant
