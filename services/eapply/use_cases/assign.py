"""Who is at the desk, who works on a case, and what they note about it."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit, heads
from libs.common.actor import Actor
from libs.common.errors import Conflict, Forbidden, Invalid, NotFound, say
from libs.common.ids import new_id
from services.eapply.db import ApplicationRow, MemberRow, NoteRow, ProcedureRow
from services.eapply.domain.history import What
from services.eapply.domain.states import OPEN, State, Step
from services.eapply.forms.text import cleaned
from services.eapply.use_cases import cases, mails, procedures
from services.eapply.use_cases.approve import MANAGER

SEEN_AGAIN = timedelta(hours=12)
GONE = timedelta(days=400)
"""After so long without a look at the desk, nobody is offered for a case any more."""
MAX_NOTE = 4000


def member(session: Session, subject: str) -> MemberRow | None:
    return session.scalar(select(MemberRow).where(MemberRow.subject == subject))


def is_stale(row: MemberRow | None, actor: Actor, now: datetime) -> bool:
    """Whether `remember` has something to write."""
    if row is None:
        return True
    known = (row.name, row.approves)
    return row.seen_at < now - SEEN_AGAIN or known != (actor.name, MANAGER in actor.roles)


def remember(session: Session, actor: Actor, now: datetime, section: str | None = None) -> None:
    """Somebody is at the desk: name, section and right as they are now. Raises Forbidden for a section of one's own choice where
    a manager has said which it is."""
    first = {"section": "", "name": actor.name, "approves": MANAGER in actor.roles, "seen_at": now}
    row = heads.locked(session, MemberRow, {"subject": actor.subject}, first)
    row.name, row.approves, row.seen_at = actor.name, MANAGER in actor.roles, now
    if section is None:
        return
    wanted = cleaned(section)[:100]
    if row.section_by is not None and wanted != row.section:
        sentence = say("あなたの課は、電子申請の管理者が決めています。変えるときは、管理者に頼んでください。")
        raise Forbidden(sentence, code="section-is-set")
    row.section = wanted


def place(session: Session, actor: Actor, subject: str, section: str, now: datetime) -> MemberRow:
    """A manager says which section somebody belongs to: from now on they may answer its 合議, and name no other themselves.
    Without a section they may again. Raises NotFound for somebody who was never at this desk."""
    row = session.scalar(select(MemberRow).where(MemberRow.subject == subject).with_for_update())
    if row is None:
        raise NotFound(say("その職員は見つかりません。一覧を開き直してください。"))
    before, row.section = row.section, cleaned(section)[:100]
    row.section_by = actor.subject if row.section else None
    audit.record(
        session, actor, "eapply.member.place", subject, detail={"before": before, "section": row.section}, now=now
    )
    return row


def members(session: Session, now: datetime) -> list[MemberRow]:
    """Everybody a case can be given to."""
    found = select(MemberRow).where(MemberRow.seen_at > now - GONE)
    return list(session.scalars(found.order_by(MemberRow.section, MemberRow.name, MemberRow.subject)))


def sections(session: Session) -> list[str]:
    """Sections that can be asked: those of the procedures and those of the people here."""
    ids = session.execute(select(ProcedureRow.id, ProcedureRow.version)).tuples().all()
    named = {each.department for each in procedures.definitions(session, set(ids)).values()}
    return sorted({*named, *session.scalars(select(MemberRow.section).distinct())} - {""})


def assign(
    session: Session, actor: Actor, application_id: str, seen_version: int, to: str, now: datetime, *, site: str
) -> ApplicationRow:
    """Give the case to a member of the desk: examination begins (行政手続法7条) if it had not."""
    row = cases.load_for_step(session, application_id, seen_version)
    person = member(session, to)
    if person is None:
        sentence = say("担当にする人を選んでください。")
        raise Invalid(sentence, fields={"to": sentence})
    if row.state not in OPEN:
        raise Conflict(say("済んだ申請の担当は替えられません。"), code="wrong-state", state=row.state)
    if row.state == State.SUBMITTED:
        cases.advance(row, Step.TAKE, now)
    else:
        cases.touch(row, now)
    row.assignee, row.assignee_name, row.unread = person.subject, person.name, person.subject != actor.subject
    cases.note(session, row, What.ASSIGNED, actor, now, person.name)
    audit.record(session, actor, "eapply.application.assign", row.id, detail={"to": person.subject}, now=now)
    if person.subject != actor.subject:
        mails.tell(session, person.subject, "申請の担当になりました", row, site, now)
    return row


def add_note(session: Session, actor: Actor, application_id: str, text: str, now: datetime) -> NoteRow:
    """Keep a note of staff. It stays beside the case, whatever becomes of it."""
    row = cases.load(session, application_id)
    text = cleaned(text, lines=True)[:MAX_NOTE]
    if not text:
        sentence = say("メモを入力してください。")
        raise Invalid(sentence, fields={"note": sentence})
    note = NoteRow(id=new_id(), application_id=row.id, text=text, by=actor.subject, by_name=actor.name, at=now)
    session.add(note)
    audit.record(session, actor, "eapply.note.add", row.id, now=now)
    return note


def notes(session: Session, application_id: str) -> list[NoteRow]:
    """Notes on a case, newest first."""
    found = select(NoteRow).where(NoteRow.application_id == application_id)
    return list(session.scalars(found.order_by(NoteRow.at.desc(), NoteRow.id.desc())))
