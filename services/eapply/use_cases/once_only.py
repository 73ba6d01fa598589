"""Once only: what a person has told this municipality before is offered, never filled in without their saying so.

Only a signed-in person's own applications here are looked at, and only what their definitions call the applicant's name,
reading, birth, address, telephone and mail (`use`). What was taken over is shown as such until it is sent.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common.actor import Actor
from services.eapply.db import ApplicationRow
from services.eapply.forms.definition import FormField, FormStep
from services.eapply.forms.raw import Raw, belongs_to
from services.eapply.forms.retype import type_in
from services.eapply.forms.show import text_of
from services.eapply.use_cases import procedures, who
from services.eapply.use_cases.drafts import Draft

LOOKED_AT = 20
"""The newest applications that are looked at."""
OFFERED = "_offered"
"""Name in a draft's inputs under which the fields stand that were taken over."""


@dataclass(frozen=True, slots=True)
class Told:
    """One thing the person has told before, and in which application (its title)."""

    type: str
    value: Any
    title: str


@dataclass(frozen=True, slots=True)
class Offer:
    """One question of a page that could be answered by what was told before."""

    field: FormField
    text: str
    title: str
    value: Any


def told_before(session: Session, actor: Actor) -> dict[str, Told]:
    """Use → the newest answer; empty for guests."""
    subject = who.person(actor)
    if subject is None:
        return {}
    mine = select(ApplicationRow).where(ApplicationRow.applicant_person == subject)
    rows = list(session.scalars(mine.order_by(ApplicationRow.arrived_at.desc()).limit(LOOKED_AT)))
    known = procedures.definitions(session, {(row.procedure_id, row.procedure_version) for row in rows})
    found: dict[str, Told] = {}
    for row in rows:
        procedure = known[row.procedure_id, row.procedure_version]
        for field in procedure.fields:
            if field.use and field.use not in found and row.answers.get(field.key) is not None:
                found[field.use] = Told(field.type, row.answers[field.key], procedure.title)
    return found


def offers(draft: Draft, step: FormStep, told: dict[str, Told]) -> list[Offer]:
    """What can be offered on this page: only where nothing has been typed."""
    found = []
    for field in step.fields:
        known = told.get(field.use or "")
        if known and known.type == field.type and not _typed(draft.row.raw, field):
            found.append(Offer(field, text_of(field, known.value), known.title, known.value))
    return found


def fill(draft: Draft, offered: list[Offer]) -> Raw:
    """The draft's inputs with what was offered."""
    raw: Raw = dict(draft.row.raw)
    for each in offered:
        type_in(each.field, each.field.key, each.value, raw)
    raw[OFFERED] = sorted({*raw.get(OFFERED, []), *(each.field.key for each in offered)})
    return raw


def _typed(raw: Raw, field: FormField) -> bool:
    """Whether anything is in the field's inputs; an era alone is nothing."""
    return any(any(texts) for name, texts in raw.items() if belongs_to(name, field) and not name.endswith("_era"))
