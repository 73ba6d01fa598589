"""Applications on paper: entered by staff, so that they are worked on and counted like the others."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import Invalid, say
from libs.common.ids import new_id
from services.eapply.db import ApplicationRow
from services.eapply.domain import mynumber, receipt
from services.eapply.forms.definition import Procedure
from services.eapply.forms.read import Answers
from services.eapply.forms.text import cleaned, katakana
from services.eapply.use_cases import assign, procedures, submit

EARLIEST = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Paper:
    """What is written down of a paper application. `arrived_at`: when it came to the window or with the post. `id` and `key`
    (the 照会キー) are made with the form, so that the same form sent again - a reload, back, a second click - is no second
    application."""

    name: str
    kana: str
    arrived_at: datetime
    memo: str = ""
    id: str = field(default_factory=new_id)
    key: str = field(default_factory=receipt.new_enquiry_key)


def enter(
    session: Session, actor: Actor, procedure_key: str, paper: Paper, now: datetime, *, site: str
) -> tuple[ApplicationRow, str | None]:
    """Enter a paper application: it gets a 受付番号 and a 照会キー to hand over, and its time runs from its arrival. Also where
    nothing is taken online (any more): paper comes to the window all the same. None for the key of another form's."""
    known = session.scalar(select(ApplicationRow).where(ApplicationRow.id == paper.id))
    if known is not None:
        return known, paper.key if submit.key_fits(known, paper.key) else None
    offered = procedures.find(session, procedure_key)
    procedure = procedures.definition(session, offered.id, offered.version)
    _check(paper, now)
    arrival = submit.Arrival(
        procedure_id=offered.id,
        procedure_version=offered.version,
        procedure=procedure,
        answers=_answers(procedure, paper),
        draft_id=None,
        person=None,
        channel="paper",
        arrived_at=paper.arrived_at,
        id=paper.id,
    )
    row = submit.arrive(session, actor, arrival, paper.key, now, site=site)
    row.unread = False
    audit.record(session, actor, "eapply.paper.enter", row.id, now=now)
    if cleaned(paper.memo, lines=True):
        assign.add_note(session, actor, row.id, paper.memo, now)
    return row, paper.key


def _answers(procedure: Procedure, paper: Paper) -> Answers:
    """Name and kana in the fields that are for them; the rest stays on the paper."""
    values = {"applicant_name": cleaned(paper.name), "applicant_kana": katakana(cleaned(paper.kana))}
    fields = ((procedure.used_for(use), value) for use, value in values.items())  # type: ignore[arg-type]
    return {field.key: value for field, value in fields if field is not None and value}


def _check(paper: Paper, now: datetime) -> None:
    mynumber.refuse_in(f"{paper.name}\n{paper.kana}\n{paper.memo}")
    errors = {}
    if not cleaned(paper.name) or len(paper.name) > 200:
        errors["name"] = say("申請した方の氏名を、200文字までで入力してください。")
    if len(paper.kana) > 200:
        errors["kana"] = say("よみがなを、200文字までで入力してください。")
    if not now - EARLIEST < paper.arrived_at <= now:
        errors["arrived"] = say("届いた日時は、いまより前の、400日以内にしてください。")
    if errors:
        raise Invalid(say("直していただくところがあります。"), fields=errors)
