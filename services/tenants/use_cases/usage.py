"""Applications as another service told of them: counted once, compared with the source, shown as figures."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from services.tenants.db import usage as db
from services.tenants.db.usage import ApplicationRow, ComparisonRow


@dataclass(frozen=True, slots=True)
class Told:
    """One application as its service tells of it. `sequence` counts the events about it that are contained."""

    id: str
    tenant: str
    procedure: str
    fiscal_year: int
    channel: str
    submitted_at: datetime
    outcome: str | None
    sequence: int


def told_from_snapshot(line: dict[str, Any]) -> Told:
    """A line of a service's snapshot. Raises KeyError or ValueError for another shape."""
    return Told(
        id=str(line["application_id"]),
        tenant=str(line["tenant"]),
        procedure=str(line["procedure_id"]),
        fiscal_year=int(line["fiscal_year"]),
        channel=str(line["channel"]),
        submitted_at=datetime.fromisoformat(line["submitted_at"]),
        outcome="withdrawn" if line.get("state") == "withdrawn" else line.get("outcome"),
        sequence=int(line["sequence"]),
    )


def count_application(session: Session, service: str, told: Told) -> bool:
    """Keep the application and raise the totals, once however often it is told. True if it is new. The session is the
    tenant's."""
    present = db.find_application(session, service, told.id)
    if present is not None:
        _follow(present, told.outcome, told.sequence)
        return False
    row = ApplicationRow(
        service=service,
        id=told.id,
        procedure=told.procedure,
        fiscal_year=told.fiscal_year,
        channel=told.channel,
        submitted_at=told.submitted_at,
        outcome=told.outcome,
        sequence=told.sequence,
    )
    db.add_application(session, row)
    return True


def count_paper(session: Session, service: str, procedure: str, fiscal_year: int, added: int) -> None:
    """Staff counted paper applications of a procedure: `added` more, or fewer, than told before. The session is the tenant's."""
    db.raise_totals(session, service, procedure, fiscal_year, "paper", added)


def note_outcome(session: Session, service: str, application_id: str, outcome: str, sequence: int) -> None:
    """The application was decided or withdrawn. One we do not know yet arrives with the source's snapshot."""
    present = db.find_application(session, service, application_id)
    if present is not None:
        _follow(present, outcome, sequence)


def note_procedure(session: Session, service: str, procedure_id: str, key: str, title: str = "") -> None:
    """A procedure was published: its name is kept for the figures."""
    db.note_procedure(session, service, procedure_id, key, title[:200])


def _follow(row: ApplicationRow, outcome: str | None, sequence: int) -> None:
    if sequence > row.sequence:
        row.outcome, row.sequence = outcome or row.outcome, sequence


@dataclass(frozen=True, slots=True)
class Drift:
    """Ids the source has and we lack, that we have and the source lacks, and whose outcome differs."""

    missing: frozenset[str]
    surplus: frozenset[str]
    differing: frozenset[str]


def compare(session: Session, service: str, told: Iterable[Told]) -> Drift:
    """Our copy of the session's tenant beside what its service says. One whose events are still on the way is no drift
    once they are in: compare again before believing it."""
    theirs = {t.id: t for t in told}
    ours = db.applications(session, service)
    both = theirs.keys() & ours.keys()
    return Drift(
        missing=frozenset(theirs.keys() - ours.keys()),
        surplus=frozenset(ours.keys() - theirs.keys()),
        differing=frozenset(k for k in both if theirs[k].outcome != ours[k][0] and theirs[k].sequence > ours[k][1]),
    )


def record_comparison(
    session: Session, service: str, drifts: Iterable[Drift], *, ours: int, theirs: int, repaired: int, now: datetime
) -> None:
    """Keep the sum over all tenants for the operator's page."""
    found = list(drifts)
    row = ComparisonRow(
        service=service,
        compared_at=now,
        ours=ours,
        theirs=theirs,
        missing=sum(len(d.missing) for d in found),
        surplus=sum(len(d.surplus) for d in found),
        differing=sum(len(d.differing) for d in found),
        repaired=repaired,
    )
    db.add_comparison(session, row)
