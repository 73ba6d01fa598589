"""What is carried out and in, table by table, in the order in which they depend on each other."""

from collections.abc import Iterator

from sqlalchemy import select, union
from sqlalchemy.orm import Session

from libs.common.room import rows
from services.ebid import db

CARRIED: dict[str, type[db.Base]] = {
    "counters": db.CounterRow,
    "trustees": db.TrusteeRow,
    "profiles": db.ProfileRow,
    "qualification_forms": db.QualificationFormRow,
    "qualifications": db.QualificationRow,
    "plans": db.PlanRow,
    "tenders": db.TenderRow,
    "rounds": db.RoundRow,
    "documents": db.DocumentRow,
    "questions": db.QuestionRow,
    "ventures": db.VentureRow,
    "venture_members": db.VentureMemberRow,
    "participations": db.ParticipationRow,
    "proposals": db.ProposalRow,
    "scores": db.ScoreRow,
    "entries": db.EntryRow,
    "submissions": db.SubmissionRow,
    "breakdowns": db.BreakdownRow,
    "papers": db.PaperRow,
    "shares": db.ShareRow,
    "letters": db.LetterRow,
    "bundles": db.BundleRow,
    "contracts": db.ContractRow,
    "feeds": db.FeedRow,
    "releases": db.ReleaseRow,
}
"""What the municipality owns. The register of companies is common to all; those a tender names go along as `COMPANIES`."""
FILES = (db.DocumentRow, db.ProposalRow)
COMPANIES = "companies"


def file_ids(session: Session) -> set[str]:
    """Every stored file that a row of the session's municipality names."""
    return {file_id for model in FILES for file_id in session.scalars(select(model.id))}


def companies(session: Session) -> Iterator[bytes]:
    """The companies that this municipality's tenders name, as JSON lines."""
    naming = (
        db.SubmissionRow,
        db.PaperRow,
        db.ParticipationRow,
        db.QuestionRow,
        db.LetterRow,
        db.VentureRow,
        db.VentureMemberRow,
        db.QualificationRow,
    )
    named = union(*(select(model.company_id) for model in naming)).subquery()
    return rows.dumped(session, db.CompanyRow, chosen=select(db.CompanyRow).where(db.CompanyRow.id.in_(select(named))))
