"""The one log of all municipalities, as it is kept: hashes only. What stands behind a leaf is its municipality's (`EntryRow`)."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.db import Json
from libs.common.tenancy import SharedTable, TenantTable
from services.ebid.db.base import ID, Base

_Position = BigInteger().with_variant(Integer, "sqlite")
_WHY = "one log for the events of all municipalities, so that its length tells nothing of one of them; hashes only"


class LogHeadRow(SharedTable, Base):
    """`size` leaves are in the tree; slots up to `reserved` may be given to the next events. Its row lock orders all. `changes`: the
    receipts by which each key of the log promised the next one, in order; None while it has its first."""

    __tablename__ = "log_head"
    __shared_because__ = _WHY

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(_Position)
    reserved: Mapped[int] = mapped_column(_Position)
    changes: Mapped[list[dict[str, Any]] | None] = mapped_column(Json)


class LogSlotRow(SharedTable, Base):
    """A place of the next stretch of the log that is taken. `leaf`: the leaf's data (hex), which says nothing by itself."""

    __tablename__ = "log_slots"
    __shared_because__ = _WHY

    position: Mapped[int] = mapped_column(_Position, primary_key=True, autoincrement=False)
    leaf: Mapped[str] = mapped_column(String(64))


class LogNodeRow(SharedTable, Base):
    """The hash of a complete subtree; level 0 are the leaves' hashes. RFC 9162, 2.1."""

    __tablename__ = "log_nodes"
    __shared_because__ = _WHY

    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(_Position, primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(String(64))


class CheckpointRow(SharedTable, Base):
    """A signed note: size, root and time of the log. `stamp`: an authority's RFC 3161 reply over it (DER as hex)."""

    __tablename__ = "log_checkpoints"
    __shared_because__ = _WHY

    size: Mapped[int] = mapped_column(_Position, primary_key=True, autoincrement=False)
    note: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    stamp: Mapped[str | None] = mapped_column(Text)


class EntryRow(TenantTable, Base):
    """What stands at `position` of the log: `receipt` is the log's signed promise with the entry and its salt, from which
    anybody can make the leaf again. `tender_id` "": of the municipality. `serial`, `content` ({salt, document}): of an event whose digest
    is a commitment (`use_cases/journal.py`), its number within the tender and what it says."""

    __tablename__ = "entries"
    __table_args__ = (Index(None, "tenant_id", "tender_id", "kind"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    tender_id: Mapped[str] = mapped_column(ID)
    position: Mapped[int] = mapped_column(_Position)
    kind: Mapped[str] = mapped_column(String(20))
    receipt: Mapped[dict[str, Any]] = mapped_column(Json)
    serial: Mapped[int | None]
    content: Mapped[dict[str, Any] | None] = mapped_column(Json)
