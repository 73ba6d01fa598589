"""Applications that seem to be of the same person for the same procedure: shown to staff, never refused."""

import hashlib
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.eapply.db import ApplicationRow
from services.eapply.forms.definition import Procedure
from services.eapply.forms.show import lines
from services.eapply.forms.text import search_key

MOST = 10


def likeness(procedure: Procedure, row: ApplicationRow) -> str | None:
    """A hash of procedure and name as it sounds, whatever the way of writing; None where no name was asked for."""
    kana = procedure.used_for("applicant_kana")
    sound = search_key(str(row.answers.get(kana.key, ""))) if kana else ""
    name = sound or search_key(row.applicant_name)
    return hashlib.sha256(f"{row.procedure_id}:{name}".encode()).hexdigest() if name else None


@dataclass(frozen=True, slots=True)
class Alike:
    """Another application like this one: `same` of `all` answers are equal."""

    row: ApplicationRow
    same: int
    all: int


def alike(session: Session, row: ApplicationRow, procedure: Procedure) -> list[Alike]:
    """The latest applications that seem to be of the same person, newest first."""
    if row.likeness is None:
        return []
    found = select(ApplicationRow).where(ApplicationRow.likeness == row.likeness, ApplicationRow.id != row.id)
    others = session.scalars(found.order_by(ApplicationRow.arrived_at.desc(), ApplicationRow.id).limit(MOST))
    own = {line.path: line.text for line in lines(procedure, row.answers)}
    return [_compared(own, other, procedure) for other in others]


def _compared(own: dict[str, str], other: ApplicationRow, procedure: Procedure) -> Alike:
    theirs = {line.path: line.text for line in lines(procedure, other.answers)}
    paths = own.keys() | theirs.keys()
    return Alike(other, sum(own.get(path) == theirs.get(path) for path in paths), len(paths))
