"""The tables. Answers and definitions are documents; what is searched, sorted or counted has a column of its own."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Index,
    String,
    Text,
    UniqueConstraint,
    and_,
    bindparam,
    literal_column,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.db import Json
from libs.common.tenancy import TenantTable
from services.eapply.db.base import ID, Base, points_at
from services.eapply.domain.states import OPEN, State


class ProcedureRow(TenantTable, Base):
    """A procedure a municipality offers. `version` is the published one; `state` is published | closed."""

    __tablename__ = "procedures"
    __table_args__ = (UniqueConstraint("tenant_id", "key"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    key: Mapped[str] = mapped_column(String(60))
    title: Mapped[str] = mapped_column(String(200))
    category: Mapped[str] = mapped_column(String(60))
    search: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(20))
    version: Mapped[int]
    updated_at: Mapped[datetime]


class ProcedureVersionRow(TenantTable, Base):
    """One published definition, never changed again."""

    __tablename__ = "procedure_versions"
    __table_args__ = (points_at(["procedure_id"], "procedures", ["id"]),)

    procedure_id: Mapped[str] = mapped_column(ID, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    definition: Mapped[dict[str, Any]] = mapped_column(Json)
    digest: Mapped[str] = mapped_column(String(64))
    published_at: Mapped[datetime]


class DraftRow(TenantTable, Base):
    """What somebody is filling in: `raw` inputs as typed, `files` by path. Its owner is a person or a guest's session.

    `resume_hash` is of a link's secret, good once, until `resume_until` (None: used).
    `application_id` is set by the one submission a draft can have.
    `delegation_id`: it is filled in for the giver of that 委任. `bundle_id`: the same for drafts begun together.
    """

    __tablename__ = "drafts"
    __table_args__ = (
        points_at(["procedure_id", "procedure_version"], "procedure_versions", ["procedure_id", "version"]),
        UniqueConstraint("tenant_id", "resume_hash"),
        Index(None, "tenant_id", "owner_person"),
        Index(None, "tenant_id", "bundle_id"),
        Index(None, "tenant_id", "expires_at"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    procedure_id: Mapped[str] = mapped_column(ID)
    procedure_version: Mapped[int]
    owner_person: Mapped[str | None] = mapped_column(String(200))
    owner_session: Mapped[str | None] = mapped_column(String(64))
    raw: Mapped[dict[str, Any]] = mapped_column(Json)
    files: Mapped[dict[str, Any]] = mapped_column(Json)
    step: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime]
    saved_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    resume_hash: Mapped[str | None] = mapped_column(String(64))
    resume_until: Mapped[datetime | None]
    application_id: Mapped[str | None] = mapped_column(ID)
    delegation_id: Mapped[str | None] = mapped_column(ID)
    bundle_id: Mapped[str | None] = mapped_column(ID)


_LISTED = ", ".join(f"'{state.value}'" for state in sorted(OPEN))
_OPEN, _ENDED = f"state IN ({_LISTED})", f"state NOT IN ({_LISTED})"


def _of(name: str, condition: str, *columns: str) -> Index:
    """An index of only the applications that fulfil `condition`. Few are open at a time, however many are stored: the desk
    reads these, and does not become slower with the years."""
    found = text(condition)
    return Index(f"ix_applications_{name}", "tenant_id", *columns, postgresql_where=found, sqlite_where=found)


class ApplicationRow(TenantTable, Base):
    """An application that has arrived. `version` grows with every change: forms carry it, so that two cannot overwrite.

    `due_on` is for sorting: the forecast as of the last change, 9999-12-31 where no period is set. `reached_on`: the
    day it came on from a 経由機関. `days_used` and `within_period` are how it ended in its 標準処理期間 (None: none set,
    or not decided). `alerted_for` is the due day of which its section has been warned. `likeness` is the same for
    two applications that seem to be of one person for one procedure. `electronic`: the applicant agreed to get the
    decision on the screen instead of by post (デジタル手続法7条1項); None: was not asked.
    `kept_until`: the last day of its 保存期間, set when it ends; `hold`: why it is kept beyond that.
    `filed_by`: the delegate who sent it by the 委任 `delegation_id`; `applicant_person` is the giver then.
    `cosigned_on`: the day on which all `cosigners_needed` had first confirmed (連署); `cosign_again`: a correction has
    changed what they confirmed, and they have not confirmed that yet.
    `language`: of the page it was sent from, in which its applicant is written to; None: not known, Japanese.
    `paired`: the `search` of which its pairs are (`db/pairs.py`).
    """

    __tablename__ = "applications"
    __table_args__ = (
        points_at(["procedure_id", "procedure_version"], "procedure_versions", ["procedure_id", "version"]),
        UniqueConstraint("tenant_id", "receipt_number"),
        UniqueConstraint("tenant_id", "fiscal_year", "serial"),
        UniqueConstraint("tenant_id", "draft_id"),
        Index(None, "tenant_id", "state", "due_on", "id"),
        Index(None, "tenant_id", "arrived_at", "id"),
        Index(None, "tenant_id", "applicant_person"),
        Index(None, "tenant_id", "decided_at"),
        Index(None, "tenant_id", "likeness"),
        Index(None, "tenant_id", "kept_until"),
        Index(None, "tenant_id", "filed_by"),
        Index(None, "tenant_id", "bundle_id"),
        Index(None, "tenant_id", "procedure_id", "arrived_at", "id"),
        Index(None, "tenant_id", "fiscal_year", "procedure_id", "channel"),
        _of("open_due", _OPEN, "due_on", "id"),
        _of("open_arrived", _OPEN, "arrived_at", "id"),
        _of("open_assignee", _OPEN, "assignee", "due_on", "id"),
        _of("open_procedure", _OPEN, "procedure_id", "due_on", "id"),
        _of("open_unread", f"{_OPEN} AND unread", "due_on", "id"),
        _of("open_id", _OPEN, "id"),
        _of("returned", "state IN ('in_review') AND unread AND round > 1", "due_on", "id"),
        _of("ended_due", _ENDED, "due_on", "id"),
        _of("unpaired", "paired IS NULL OR paired <> search", "id"),
        _of("held", "hold IS NOT NULL", "kept_until", "id"),
        _of("delegated", "delegation_id IS NOT NULL", "delegation_id"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    procedure_id: Mapped[str] = mapped_column(ID)
    procedure_version: Mapped[int]
    draft_id: Mapped[str | None] = mapped_column(ID)
    receipt_number: Mapped[str] = mapped_column(String(40))
    fiscal_year: Mapped[int]
    serial: Mapped[int]
    channel: Mapped[str] = mapped_column(String(10))
    state: Mapped[str] = mapped_column(String(30))
    outcome: Mapped[str | None] = mapped_column(String(20))
    applicant_person: Mapped[str | None] = mapped_column(String(200))
    applicant_name: Mapped[str] = mapped_column(String(1000))
    search: Mapped[str] = mapped_column(Text)
    paired: Mapped[str | None] = mapped_column(Text)
    answers: Mapped[dict[str, Any]] = mapped_column(Json)
    round: Mapped[int] = mapped_column(default=1)
    arrived_at: Mapped[datetime]
    due_on: Mapped[date]
    enquiry_hash: Mapped[str] = mapped_column(String(200))
    assignee: Mapped[str | None] = mapped_column(String(200))
    assignee_name: Mapped[str | None] = mapped_column(String(200))
    unread: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)
    decided_at: Mapped[datetime | None]
    decision: Mapped[dict[str, Any] | None] = mapped_column(Json)
    opened_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]
    reached_on: Mapped[date | None]
    days_used: Mapped[int | None]
    within_period: Mapped[bool | None]
    alerted_for: Mapped[date | None]
    likeness: Mapped[str | None] = mapped_column(String(64))
    electronic: Mapped[bool | None]
    kept_until: Mapped[date | None]
    hold: Mapped[str | None] = mapped_column(Text)
    delegation_id: Mapped[str | None] = mapped_column(ID)
    filed_by: Mapped[str | None] = mapped_column(String(200))
    filed_by_name: Mapped[str | None] = mapped_column(String(200))
    cosigners_needed: Mapped[int | None]
    cosigned_on: Mapped[date | None]
    cosign_again: Mapped[bool] = mapped_column(default=False)
    bundle_id: Mapped[str | None] = mapped_column(ID)
    language: Mapped[str | None] = mapped_column(String(10))


class RoundRow(TenantTable, Base):
    """The answers as they came: 1 is the application itself, each correction adds one. Never changed."""

    __tablename__ = "application_rounds"
    __table_args__ = (points_at(["application_id"], "applications", ["id"]),)

    application_id: Mapped[str] = mapped_column(ID, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    answers: Mapped[dict[str, Any]] = mapped_column(Json)
    received_at: Mapped[datetime]


class CorrectionRow(TenantTable, Base):
    """補正の求め. `fields`: list of {path, label, reason}; `raw` and `files`: what the applicant is changing.

    `round` is the round that was looked at. It ends by `answered_at` or `cancelled_at`. `cosign_again`: who has confirmed
    before (連署) is asked again for what is corrected; `cosigned_on`: the day on which all had.
    """

    __tablename__ = "corrections"
    __table_args__ = (
        points_at(["application_id"], "applications", ["id"]),
        Index(None, "tenant_id", "application_id", "asked_at"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    application_id: Mapped[str] = mapped_column(ID)
    round: Mapped[int]
    fields: Mapped[list[dict[str, str]]] = mapped_column(Json)
    message: Mapped[str] = mapped_column(Text)
    due_on: Mapped[date]
    asked_at: Mapped[datetime]
    raw: Mapped[dict[str, Any]] = mapped_column(Json)
    files: Mapped[dict[str, Any]] = mapped_column(Json)
    answered_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    cosign_again: Mapped[bool] = mapped_column(default=False)
    cosigned_on: Mapped[date | None]


class HistoryRow(TenantTable, Base):
    """What happened to an application, for both sides to read. `what` is a word of `domain/history.py`."""

    __tablename__ = "application_history"
    __table_args__ = (points_at(["application_id"], "applications", ["id"]),)

    application_id: Mapped[str] = mapped_column(ID, primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    what: Mapped[str] = mapped_column(String(40))
    by_kind: Mapped[str] = mapped_column(String(20))
    by: Mapped[str | None] = mapped_column(String(200))
    by_name: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)


class AttachmentRow(TenantTable, Base):
    """A stored file and what it belongs to. `name` is shown, never used as a path. `malware`: what a scanner found."""

    __tablename__ = "attachments"
    __table_args__ = (
        Index(None, "tenant_id", "draft_id"),
        Index(None, "tenant_id", "application_id"),
        Index(None, "tenant_id", "scanned_at"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    draft_id: Mapped[str | None] = mapped_column(ID)
    application_id: Mapped[str | None] = mapped_column(ID)
    path: Mapped[str] = mapped_column(String(120))
    name: Mapped[str] = mapped_column(String(200))
    size: Mapped[int]
    media_type: Mapped[str] = mapped_column(String(100))
    sha256: Mapped[str] = mapped_column(String(64))
    added_at: Mapped[datetime]
    malware: Mapped[str | None] = mapped_column(String(200))
    scanned_at: Mapped[datetime | None]


class GrantRow(TenantTable, Base):
    """A session that may see one application: it submitted it, or gave 受付番号 and 照会キー."""

    __tablename__ = "grants"
    __table_args__ = (points_at(["application_id"], "applications", ["id"]),)

    session_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    application_id: Mapped[str] = mapped_column(ID, primary_key=True)
    until: Mapped[datetime]


class CounterRow(TenantTable, Base):
    """The last serial given out in a fiscal year."""

    __tablename__ = "counters"

    fiscal_year: Mapped[int] = mapped_column(primary_key=True)
    last: Mapped[int]


class EnquiryFailureRow(TenantTable, Base):
    """Wrong 照会キー for one 受付番号: attempts are slowed."""

    __tablename__ = "enquiry_failures"

    receipt_number: Mapped[str] = mapped_column(String(40), primary_key=True)
    count: Mapped[int]
    last_at: Mapped[datetime]


def in_states(states: Iterable[State]) -> ColumnElement[bool]:
    """Whether an application is in one of `states`, its words written into the statement: were they parameters, a planner
    could not know that an index of open applications holds all that is asked for."""
    return ApplicationRow.state.in_(_literal(states))


def came_back() -> ColumnElement[bool]:
    """Whether a correction has come that nobody has read yet, likewise."""
    return and_(in_states([State.IN_REVIEW]), ApplicationRow.unread, ApplicationRow.round > literal_column("1"))


def not_open() -> ColumnElement[bool]:
    """Whether it has ended, likewise."""
    return ApplicationRow.state.not_in(_literal(OPEN))


def _literal(states: Iterable[State]) -> BindParameter[list[str]]:
    words = sorted(state.value for state in states)
    return bindparam("states", words, unique=True, expanding=True, literal_execute=True)
