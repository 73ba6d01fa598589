"""When the service could not be reached: the same for all municipalities, and public."""

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.db import Json
from libs.common.tenancy import SharedTable
from services.ebid.db.base import Base

_WHY = "one door for all municipalities: it is reached by all or by none, and everybody may know when it was not"


class HeartbeatRow(SharedTable, Base):
    """`reached_at`: when our own probe came through last; `missed`: how often it has not since. One row."""

    __tablename__ = "heartbeat"
    __shared_because__ = _WHY

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reached_at: Mapped[datetime | None]
    missed: Mapped[int]


class OutageRow(SharedTable, Base):
    """From the last probe that came through to the next. `measured`: probes were sent and failed; else none was sent, because the
    prober was down, too. `receipt`: its place in the log. Never changed."""

    __tablename__ = "outages"
    __shared_because__ = _WHY

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    first: Mapped[datetime]
    last: Mapped[datetime] = mapped_column(index=True)
    measured: Mapped[bool]
    receipt: Mapped[dict[str, Any]] = mapped_column(Json)
