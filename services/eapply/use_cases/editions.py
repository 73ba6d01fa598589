"""Two who change one draft at once: what it was when the second began to type, and what became of it meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from services.eapply.db import DraftEditionRow, ProcedureDraftRow
from services.eapply.forms.differences import Collision, Difference, differences, join

Document = dict[str, Any]
KEPT = 30
"""Changes back. A draft may have 500 questions; a form is seldom open while it is changed thirty times."""


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What others did since a form was made: `names` of who, the last one at `at`; `changes` in what they left. `document`: theirs
    with what was typed here put into it, `collisions` the places that both changed (what was typed stands). `base`: what the form
    was made from; where that is kept no more (`known` false), only the names can be said."""

    names: tuple[str, ...]
    at: datetime
    document: Document
    base: Document | None = None
    changes: tuple[Difference, ...] = ()
    collisions: tuple[Collision, ...] = ()

    @property
    def known(self) -> bool:
        return self.base is not None


def keep(session: Session, row: ProcedureDraftRow) -> None:
    """Remember the draft as it is now; what is older than `KEPT` changes goes."""
    edition = DraftEditionRow(key=row.key, revision=row.revision, document=row.document)
    edition.at, edition.by_name = row.updated_at, row.updated_by_name
    session.add(edition)
    old = (DraftEditionRow.key == row.key, DraftEditionRow.revision <= row.revision - KEPT)
    session.execute(delete(DraftEditionRow).where(*old))


def last_number(session: Session, key: str) -> int:
    """The last number a draft of this procedure had, 0 for none: the next draft counts on, so that a form of one that was thrown
    away fits no other."""
    return session.scalar(select(func.max(DraftEditionRow.revision)).where(DraftEditionRow.key == key)) or 0


def since(
    session: Session, key: str, seen: int, now_there: Document, typed: Callable[[Document], Document]
) -> Meanwhile | None:
    """What happened to the draft after its edition `seen`, with what was typed over it put into what is there now (three-way, as
    templates are joined). None where nobody did anything."""
    found = select(DraftEditionRow).where(DraftEditionRow.key == key, DraftEditionRow.revision >= seen)
    rows = list(session.scalars(found.order_by(DraftEditionRow.revision)))
    base = rows[0].document if rows and rows[0].revision == seen else None
    later = [row for row in rows if row.revision > seen]
    if not rows:
        return None
    names, at = tuple(dict.fromkeys(row.by_name for row in later)), rows[-1].at
    if base is None:
        return Meanwhile(names, at, typed(now_there))
    joined, collisions = join(base, typed(base), now_there)
    return Meanwhile(names, at, joined, base, tuple(differences(base, now_there)), tuple(collisions))
