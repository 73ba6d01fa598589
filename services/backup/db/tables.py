"""The tables. The objects' rows follow the files: a row is committed after its file is safe, so a row never promises too much."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.db import CommonBase, Json, service_metadata
from libs.common.tenancy import SharedTable, TenantTable

ID = String(36)
_UNCOPIED = text("copied_at IS NULL AND type <> 'locks'")
_BROKEN = text("first_state IN ('damaged', 'missing') OR second_state IN ('damaged', 'missing')")
_DELETED = text("deleted_at IS NOT NULL")


class Base(CommonBase):
    __abstract__ = True
    metadata = service_metadata()


def _of_repository(name: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["tenant_id", "repository_id"], ["repositories.tenant_id", "repositories.id"], name=f"{name}_of_repository"
    )


class AllowanceRow(TenantTable, Base):
    """What a municipality may keep in all its repositories, in bytes. Its row lock orders every change of its objects."""

    __tablename__ = "allowances"

    quota: Mapped[int] = mapped_column(BigInteger)
    live: Mapped[int] = mapped_column(BigInteger, default=0)
    held: Mapped[int] = mapped_column(BigInteger, default=0)


class RepositoryRow(TenantTable, Base):
    """A restic repository. `name` stands in its address. Bytes as in AllowanceRow; `sealed_password` is of the drill.

    `closing_at`: since when two people want it disposed of, so that nothing is written any more; `disposed_at`: it is empty.
    """

    __tablename__ = "repositories"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(62))
    title: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(100))
    alert_address: Mapped[str | None] = mapped_column(String(254))
    quota: Mapped[int] = mapped_column(BigInteger)
    live: Mapped[int] = mapped_column(BigInteger, default=0)
    held: Mapped[int] = mapped_column(BigInteger, default=0)
    retention_days: Mapped[int]
    promised_hours: Mapped[int]
    last_point_at: Mapped[datetime | None]
    last_proven_at: Mapped[datetime | None]
    added_since_point: Mapped[int] = mapped_column(BigInteger, default=0)
    sealed_password: Mapped[bytes | None] = mapped_column(LargeBinary)
    closing_at: Mapped[datetime | None]
    disposed_at: Mapped[datetime | None]


class AccessKeyRow(TenantTable, Base):
    """What the machine token `token_id` (kept by the gateway) may do here: one repository, one mode."""

    __tablename__ = "access_keys"
    __table_args__ = (_of_repository("access_key"),)

    token_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    repository_id: Mapped[str] = mapped_column(ID)
    mode: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(100))
    created_by: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class ObjectRow(TenantTable, Base):
    """One file of a repository; `name` is the SHA-256 of its bytes (of `config` too, whose address has no name).

    `deleted_at` set: a tombstone, whose bytes stay until `keep_until` (trusted time). `first_state`, `second_state`: ok |
    damaged | missing, as last checked there; None: never checked. `copied_at`: since when the second site has it.
    """

    __tablename__ = "objects"
    __table_args__ = (
        _of_repository("object"),
        Index("ix_objects_uncopied", "tenant_id", "arrived_at", postgresql_where=_UNCOPIED, sqlite_where=_UNCOPIED),
        Index("ix_objects_deleted", "tenant_id", "keep_until", postgresql_where=_DELETED, sqlite_where=_DELETED),
        Index("ix_objects_broken", "tenant_id", postgresql_where=_BROKEN, sqlite_where=_BROKEN),
        Index(None, "tenant_id", "first_checked_at"),
        Index(None, "tenant_id", "second_checked_at"),
    )

    repository_id: Mapped[str] = mapped_column(ID, primary_key=True)
    type: Mapped[str] = mapped_column(String(10), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    arrived_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    keep_until: Mapped[datetime | None]
    copied_at: Mapped[datetime | None]
    first_checked_at: Mapped[datetime | None]
    first_state: Mapped[str | None] = mapped_column(String(10))
    second_checked_at: Mapped[datetime | None]
    second_state: Mapped[str | None] = mapped_column(String(10))


class RecoveryPointRow(TenantTable, Base):
    """A snapshot as it arrived. `added` are the new bytes since the point before; `stored` all live bytes then."""

    __tablename__ = "recovery_points"
    __table_args__ = (_of_repository("point"), Index(None, "tenant_id", "repository_id", "arrived_at"))

    repository_id: Mapped[str] = mapped_column(ID, primary_key=True)
    snapshot: Mapped[str] = mapped_column(String(64), primary_key=True)
    arrived_at: Mapped[datetime]
    added: Mapped[int] = mapped_column(BigInteger)
    stored: Mapped[int] = mapped_column(BigInteger)
    deleted_at: Mapped[datetime | None]


class AlertRow(TenantTable, Base):
    """Something somebody must look at. `kind`: a word of `use_cases.alerts.WORDS`."""

    __tablename__ = "alerts"
    __table_args__ = (_of_repository("alert"), Index(None, "tenant_id", "repository_id", "cleared_at"))

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    repository_id: Mapped[str] = mapped_column(ID)
    kind: Mapped[str] = mapped_column(String(20))
    raised_at: Mapped[datetime]
    cleared_at: Mapped[datetime | None]


class DrillRow(TenantTable, Base):
    """A restore that was tried. `evidence` is exactly what was signed; `state`: running | passed | failed."""

    __tablename__ = "drills"
    __table_args__ = (_of_repository("drill"), Index(None, "tenant_id", "repository_id", "asked_at"))

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    repository_id: Mapped[str] = mapped_column(ID)
    kind: Mapped[str] = mapped_column(String(10))
    asked_at: Mapped[datetime]
    asked_by: Mapped[str] = mapped_column(String(100))
    finished_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(10))
    evidence: Mapped[dict[str, Any] | None] = mapped_column(Json)
    signature: Mapped[str | None] = mapped_column(String(120))


class DisposalRow(TenantTable, Base):
    """A repository shall go for good. `due_at` (trusted time) is set when the second person agrees; from `begun_at` on bytes are gone."""

    __tablename__ = "disposals"
    __table_args__ = (_of_repository("disposal"), Index(None, "tenant_id", "repository_id"))

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    repository_id: Mapped[str] = mapped_column(ID)
    reason: Mapped[str] = mapped_column(String(500))
    asked_by: Mapped[str] = mapped_column(String(100))
    asked_at: Mapped[datetime]
    agreed_by: Mapped[str | None] = mapped_column(String(100))
    agreed_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    stopped_by: Mapped[str | None] = mapped_column(String(100))
    stopped_at: Mapped[datetime | None]
    begun_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]


class SiteRow(SharedTable, Base):
    """A place where bytes are kept, known by the mark in its folder: an empty mount point is not taken for it."""

    __tablename__ = "sites"
    __shared_because__ = "the places of the whole service; nothing of any municipality"

    name: Mapped[str] = mapped_column(String(10), primary_key=True)
    mark: Mapped[str] = mapped_column(String(36))
    made_at: Mapped[datetime]


class TrustedTimeRow(SharedTable, Base):
    """Time that retention counts in; see `domain.retention.trusted`."""

    __tablename__ = "trusted_time"
    __shared_because__ = "one time for all"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    seen: Mapped[datetime]
