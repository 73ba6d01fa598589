"""Write an incident on the public status page, report on it while it goes on and after, say when it was over, withdraw a wrong one."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, say
from services.tenants.db import incidents as db
from services.tenants.domain import texts
from services.tenants.domain.catalogue import SERVICES
from services.tenants.use_cases import maintenance, service_level

GATEWAY, REGISTRY = "gateway", "tenants"
PARTS = {GATEWAY: say("受付（門）"), REGISTRY: say("市町村の台帳と窓口")} | {
    s.key: s.name for s in SERVICES if s.key in service_level.LOOKED_AT
}
"""What the status page speaks of: key → name."""
PAST = timedelta(days=90)
"""As long as the status page looks back."""
NEED = say("内容を入力してください。")


def begin(session: Session, actor: Actor, part: str, began_at: datetime, text: str, now: datetime) -> db.IncidentRow:
    """Everybody reads it at once, administrators of whom it concerns are told. `part` "": everything. The session is the prefecture's.
    Raises Invalid for a part there is not, a moment to come or longer ago than `PAST`, and for no text or one too long."""
    wrong: dict[str, str] = {}
    if part and part not in PARTS:
        wrong["part"] = say("一覧から選んでください。")
    if began_at > now:
        wrong["began"] = say("まだ来ていない時刻です。これからのことは、メンテナンスとしてお知らせください。")
    elif began_at <= now - PAST:
        wrong["began"] = say("90日より前のことは、稼働状況のページに載りません。")
    said = _said(text, wrong)
    row = db.IncidentRow(part=part, began_at=began_at)
    session.add(row)
    session.flush()
    _write(session, actor, row, said, now)
    audit.record(session, actor, "incident.begun", row.id, said, now=now)
    maintenance.tell_whom_it_concerns(session, "incident", row.id, _service(part), now, good=False)
    return row


def report(session: Session, actor: Actor, ident: str, text: str, now: datetime) -> None:
    """How it stands, or, when it is over, what the cause was. The session is the prefecture's."""
    row = db.find(session, ident)
    said = _said(text, {})
    _write(session, actor, row, said, now)
    audit.record(session, actor, "incident.reported", row.id, said, now=now)


def end(session: Session, actor: Actor, ident: str, ended_at: datetime, text: str, now: datetime) -> None:
    """It was over at `ended_at`, with a last report. Raises Conflict where another operator said so already, Invalid for a moment that is
    to come or before its beginning. The session is the prefecture's."""
    row = db.find(session, ident)
    if row.ended_at is not None:
        raise Conflict(say("この障害は、ほかの担当者が先に終わりにしました。"), code="incident-ended")
    wrong: dict[str, str] = {}
    if ended_at > now:
        wrong["ended"] = say("まだ来ていない時刻です。")
    elif ended_at <= row.began_at:
        wrong["ended"] = say("終わった時刻は、始まった時刻より後にしてください。")
    said = _said(text, wrong)
    row.ended_at = ended_at
    _write(session, actor, row, said, now)
    audit.record(session, actor, "incident.ended", row.id, said, now=now)
    maintenance.tell_whom_it_concerns(session, "incident", row.id, _service(row.part), now, good=True)


def withdraw(session: Session, actor: Actor, ident: str, reason: str, now: datetime) -> None:
    """It was written by mistake: the status page has it no longer. Who took it back and why stands in the records."""
    said = texts.kept(reason, "why", need=say("取り下げる理由を入力してください。記録に残ります。"))
    row = db.find(session, ident)
    row.withdrawn_at = now
    audit.record(session, actor, "incident.withdrawn", row.id, said, now=now)


def _service(part: str) -> str:
    """Whose users it concerns: "" for everybody, also where the door or the registry stands still."""
    return "" if part in (GATEWAY, REGISTRY) else part


def _said(text: str, wrong: dict[str, str]) -> str:
    """The text; raises Invalid with `wrong` and what is wrong of the text."""
    said = ""
    try:
        said = texts.kept(text, "text", need=NEED)
    except Invalid as error:
        wrong = wrong | error.fields
    if wrong:
        raise Invalid(say("直していただくところがあります。"), fields=wrong)
    return said


def _write(session: Session, actor: Actor, row: db.IncidentRow, said: str, now: datetime) -> None:
    session.add(db.IncidentTextRow(incident=row.id, text=said, written_by=actor.subject, written_at=now))
    session.flush()
