"""Everything a municipality owned in another installation comes in: first all of it is looked at, then every room takes its part in,
and only when all have, what the registry itself keeps. What fails is undone in every room: nothing is half loaded.

An answer that comes twice, late or to nobody changes nothing; a silent room is asked again under the same id. The steps
between the answers are a job (`services/tenants/carryin.py`): killed, it is done again.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from libs.common import audit, jobs
from libs.common.actor import Actor
from libs.common.errors import Conflict
from libs.common.files import StoredFile
from libs.common.ids import new_id
from services.tenants.db import takeins as db
from services.tenants.db.takeins import TakeInPartRow, TakeInRow
from services.tenants.use_cases import saga

KIND = "tenants.take-in"
"""The job: `takein` in its payload."""
SILENCE = timedelta(seconds=60)
ASKS = 30
"""After so many times a room that says nothing has failed."""


def begin(session: Session, actor: Actor, stored: StoredFile, file_name: str, now: datetime) -> TakeInRow:
    """Keep that this archive is to come in. The session is the prefecture's; the archive lies with the files of no tenant."""
    row = TakeInRow(
        file=stored.id,
        file_name=file_name[-200:],
        size=stored.size,
        sha256=stored.sha256,
        asked_by=actor.subject,
        asked_at=now,
    )
    session.add(row)
    session.flush()
    jobs.add(session, KIND, {"takein": row.id}, key=f"{row.id}:rooms", now=now)
    audit.record(session, actor, "takein.requested", row.id, detail={"sha256": stored.sha256}, now=now)
    return row


def refuse(session: Session, takein_id: str, problems: list[str], now: datetime) -> None:
    """Nothing of it was loaded; each wrong thing is kept to be read. The session is the prefecture's."""
    row = db.find(session, takein_id, lock=True)
    row.state, row.problems, row.ended_at = "refused", problems, now
    audit.record(session, saga.SYSTEM, "takein.refused", row.id, detail={"problems": len(problems)}, now=now)


def plan(session: Session, takein_id: str, tenant: str, services: list[str], now: datetime) -> dict[str, str]:
    """Service → the id under which its part is brought; planned again, the same ids."""
    row = db.find(session, takein_id, lock=True)
    row.tenant = tenant
    known = {part.service: part for part in db.parts(session, takein_id)}
    for service in services:
        if service not in known:
            known[service] = TakeInPartRow(takein=takein_id, service=service, tenant=tenant, heard_at=now)
            session.add(known[service])
    session.flush()
    return {service: part.file for service, part in known.items()}


def ask_rooms(session: Session, takein_id: str, now: datetime) -> None:
    """Everything was looked at and lies where its room finds it: ask all of them. The session is the tenant's."""
    row = db.find(session, takein_id, lock=True)
    if row.state != "checking":
        return
    row.state = "running"
    for part in db.parts(session, takein_id):
        _ask(session, part, "import", now)
    _go_on(session, row, now)


def _ask(session: Session, part: TakeInPartRow, action: str, now: datetime) -> None:
    if part.action != action or part.state != "asked":
        part.action, part.state, part.asks, part.label = action, "asked", 0, ""
        part.done, part.total = 0, 0
        part.room_request = part.room_request if action == "import" else new_id()
    part.asks, part.heard_at = part.asks + 1, now
    archive = part.file if action == "import" else None
    saga.ask_room(session, part.tenant, part.service, action, part.room_request, now, archive=archive)  # type: ignore[arg-type]


# ---- answers --------------------------------------------------------------------------------------------------------


def progressed(session: Session, service: str, data: dict[str, Any], now: datetime) -> None:
    part = _expected(session, service, data["request_id"])
    if part is not None:
        part.done, part.total, part.label, part.heard_at = data["done"], data["total"], data["label"], now


def answered(session: Session, service: str, data: dict[str, Any], now: datetime) -> None:
    """A room has taken its part in, or given up what it had taken in."""
    part = _expected(session, service, data["request_id"])
    if part is not None:
        part.state, part.heard_at = "done", now
        _go_on(session, db.find(session, part.takein), now)


def failed(session: Session, service: str, data: dict[str, Any], now: datetime) -> None:
    part = _expected(session, service, data["request_id"])
    if part is not None:
        _part_failed(session, part, data["reason"], now)


def _expected(session: Session, service: str, room_request: str) -> TakeInPartRow | None:
    part = db.part_of(session, session.info["tenant"], service, room_request)
    return part if part is not None and part.state == "asked" else None


def _part_failed(session: Session, part: TakeInPartRow, reason: str, now: datetime, *, silent: bool = False) -> None:
    """A room that says it failed has cleared up by itself; a silent one is told to, like the others."""
    part.heard_at, part.label = now, reason[:500]
    if part.action == "delete" or not silent:
        part.state = "failed"
    undo(session, part.takein, [f"{part.service}：{reason[:500]}"], now)


def undo(session: Session, takein_id: str, problems: list[str], now: datetime) -> None:
    """It cannot be whole: every room gives up what it has. The session is the tenant's."""
    row = db.find(session, takein_id, lock=True)
    row.problems = [*row.problems, *problems]
    if row.state == "running":
        row.state = "undoing"
        for part in db.parts(session, takein_id):
            if part.state != "failed":
                _ask(session, part, "delete", now)
    _go_on(session, row, now)


def _go_on(session: Session, row: TakeInRow, now: datetime) -> None:
    """The last answer: on to what the registry keeps, or to the end of an undone one."""
    session.flush()
    states = {part.state for part in db.parts(session, row.id)}
    if row.state == "running" and states <= {"done"}:
        jobs.add(session, KIND, {"takein": row.id}, key=f"{row.id}:own", now=now)
    elif row.state == "undoing" and "asked" not in states:
        row.state, row.ended_at = "failed", now
        audit.record(session, saga.SYSTEM, "takein.failed", row.id, detail={"problems": row.problems}, now=now)


def finish(session: Session, takein_id: str, now: datetime) -> None:
    """What the registry keeps is in, in this transaction. The record keeps the archive's sum: it holds the record of before."""
    row = db.find(session, takein_id, lock=True)
    if row.state != "running":
        raise Conflict("この取り込みは、もう終わっています。")
    row.state, row.ended_at = "done", now
    audit.record(session, saga.SYSTEM, "takein.done", row.id, detail={"sha256": row.sha256}, now=now)


def chase(session: Session, tenant: str, service: str, room_request: str, now: datetime) -> None:
    """Ask a silent room again; after `ASKS` times its part has failed."""
    part = db.part_of(session, tenant, service, room_request)
    if part is None or part.state != "asked" or part.heard_at > now - SILENCE:
        return
    if part.asks >= ASKS:
        _part_failed(session, part, "サービスから返事がありませんでした。", now, silent=True)
    else:
        _ask(session, part, part.action, now)


def silent(session: Session, now: datetime) -> list[tuple[str, str, str]]:
    """(tenant, service, room request) of parts to chase."""
    return [(part.tenant, part.service, part.room_request) for part in db.silent(session, now - SILENCE)]
