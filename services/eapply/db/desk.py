"""Tables of the desk: what staff keep about their work, not what applicants sent."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.db import Json
from libs.common.tenancy import TenantTable
from services.eapply.db.base import ID, Base, points_at


class ClosureRow(TenantTable, Base):
    """A day on which this municipality's office is closed besides weekends, holidays and the year end."""

    __tablename__ = "office_closures"

    day: Mapped[date] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    added_by: Mapped[str] = mapped_column(String(200))
    added_at: Mapped[datetime]


class MemberRow(TenantTable, Base):
    """Somebody who has been at this desk: whom a case can be given to. `section` is their 課, `section_by` the manager who
    said so (None: only they themselves, which is not enough to answer a 合議); `approves`: held the manager's role when
    last seen."""

    __tablename__ = "desk_members"
    __table_args__ = (Index(None, "tenant_id", "section"),)

    subject: Mapped[str] = mapped_column(String(200), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    section: Mapped[str] = mapped_column(String(100))
    section_by: Mapped[str | None] = mapped_column(String(200))
    approves: Mapped[bool]
    seen_at: Mapped[datetime]


class NoteRow(TenantTable, Base):
    """A note of staff on a case. Never shown to the applicant."""

    __tablename__ = "case_notes"
    __table_args__ = (
        points_at(["application_id"], "applications", ["id"]),
        Index(None, "tenant_id", "application_id"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    application_id: Mapped[str] = mapped_column(ID)
    text: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(String(200))
    by_name: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime]


class ConsultationRow(TenantTable, Base):
    """Another section is asked. `ask_kind`: inquiry (照会: its answer informs) | concurrence (合議: no decision before it
    agrees). `opinion`: agree | object | answered. It ends by `answered_at` or `cancelled_at`."""

    __tablename__ = "consultations"
    __table_args__ = (
        points_at(["application_id"], "applications", ["id"]),
        Index(None, "tenant_id", "application_id"),
        Index(None, "tenant_id", "section", "answered_at"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    application_id: Mapped[str] = mapped_column(ID)
    ask_kind: Mapped[str] = mapped_column(String(20))
    section: Mapped[str] = mapped_column(String(100))
    question: Mapped[str] = mapped_column(Text)
    asked_by: Mapped[str] = mapped_column(String(200))
    asked_by_name: Mapped[str] = mapped_column(String(200))
    asked_at: Mapped[datetime]
    opinion: Mapped[str | None] = mapped_column(String(20))
    answer: Mapped[str | None] = mapped_column(Text)
    answered_by: Mapped[str | None] = mapped_column(String(200))
    answered_by_name: Mapped[str | None] = mapped_column(String(200))
    answered_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]


class ProposalRow(TenantTable, Base):
    """起案: a decision that waits for a second person. `result`: approved | returned | recalled | withdrawn (the
    applicant took the application back)."""

    __tablename__ = "proposals"
    __table_args__ = (
        points_at(["application_id"], "applications", ["id"]),
        Index(None, "tenant_id", "application_id"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    application_id: Mapped[str] = mapped_column(ID)
    outcome: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(Text)
    remark: Mapped[str] = mapped_column(Text)
    proposed_by: Mapped[str] = mapped_column(String(200))
    proposed_by_name: Mapped[str] = mapped_column(String(200))
    proposed_at: Mapped[datetime]
    result: Mapped[str | None] = mapped_column(String(20))
    comment: Mapped[str] = mapped_column(Text, default="")
    judged_by: Mapped[str | None] = mapped_column(String(200))
    judged_by_name: Mapped[str | None] = mapped_column(String(200))
    judged_at: Mapped[datetime | None]


class SavedSearchRow(TenantTable, Base):
    """A search of the queue under a name. `shared`: for everybody at this desk."""

    __tablename__ = "saved_searches"
    __table_args__ = (Index(None, "tenant_id", "owner"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    owner: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(100))
    query: Mapped[dict[str, Any]] = mapped_column(Json)
    shared: Mapped[bool]
    saved_at: Mapped[datetime]


class VisitSlotRow(TenantTable, Base):
    """A time at the window that can be booked by up to `capacity` applicants."""

    __tablename__ = "visit_slots"
    __table_args__ = (Index(None, "tenant_id", "starts_at"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    starts_at: Mapped[datetime]
    minutes: Mapped[int]
    capacity: Mapped[int]
    place: Mapped[str] = mapped_column(String(200))


class VisitRow(TenantTable, Base):
    """A booked visit. An application has one at a time: a new one takes the earlier one's place. `closed_told_at`: when the
    applicant was told that the office closes on that day; `reached`: whether there was an address or an account to tell it to."""

    __tablename__ = "visits"
    __table_args__ = (
        points_at(["application_id"], "applications", ["id"]),
        points_at(["slot_id"], "visit_slots", ["id"]),
        Index(None, "tenant_id", "slot_id"),
    )

    application_id: Mapped[str] = mapped_column(ID, primary_key=True)
    slot_id: Mapped[str] = mapped_column(ID)
    booked_at: Mapped[datetime]
    closed_told_at: Mapped[datetime | None]
    reached: Mapped[bool | None]
