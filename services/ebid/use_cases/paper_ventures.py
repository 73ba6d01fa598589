"""共同企業体 that bid on paper: who they are stands on the envelope and in the agreement (協定書) that comes with it.

Until the round closes the clerk's entry binds nobody: a member named on an envelope may still bid electronically, and then the envelope is
left out, as every paper of who has bid electronically is. At the close the venture becomes one like any other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common.errors import Conflict, Invalid, say
from services.ebid.db import CompanyRow, PaperRow, TenderRow, VentureMemberRow, VentureRow
from services.ebid.domain import venture
from services.ebid.domain.money import ratio
from services.ebid.use_cases import companies, ventures
from services.ebid.use_cases.ventures import Part


@dataclass(frozen=True, slots=True)
class Written:
    """What the envelope says beside the representative's 法人番号: the venture's name, shares in percent, partners."""

    name: str
    own_share: str
    partners: Sequence[Part]


def bidder(session: Session, row: TenderRow, leader: CompanyRow, written: Written, now: datetime) -> CompanyRow:
    """The venture of an envelope: the one of the same members where there is one already, else a new one.

    Raises Invalid, field by field, for what is not a venture as announced; Conflict where none may bid."""
    rule = venture.rule_of(row.terms)
    if rule is None:
        raise Conflict(say("この案件には、共同企業体では参加できません。"), code="no-ventures")
    if not written.name.strip():
        sentence = say("共同企業体の名称を入力してください。")
        raise Invalid(sentence, fields={"name": sentence}, code="incomplete")
    named, shares = ventures.read_parts(session, leader, written.own_share, written.partners)
    venture.check(rule, shares)
    ids = {each.id for each in named}
    for known in _known(session, row):
        if people(known) - {known.id} == ids:
            return known
    made = ventures.as_company(leader, named, shares, written.name, now)
    session.add(made)
    session.flush()
    return made


def _known(session: Session, row: TenderRow) -> Iterable[CompanyRow]:
    """Ventures of the tender that are formed, or whose envelope was received."""
    formed = select(VentureRow.company_id).where(VentureRow.tender_id == row.id, VentureRow.formed_at.is_not(None))
    papers = select(PaperRow.company_id).where(PaperRow.tender_id == row.id)
    found = companies.by_ids(session, {*session.scalars(formed), *session.scalars(papers)})
    return [each for each in found.values() if each.members]


def people(bidder: CompanyRow) -> set[str]:
    """Ids of everybody who bids by this bidder: itself, and of a 共同企業体 its members."""
    return {bidder.id, *(each["id"] for each in bidder.members or ())}


def form(session: Session, row: TenderRow, papers: Iterable[PaperRow], now: datetime) -> None:
    """At the close: ventures that came on paper are from now on ventures of the tender, whose members read its notices."""
    found = list(papers)
    known = companies.by_ids(session, {each.company_id for each in found})
    for paper in found:
        company = known[paper.company_id]
        if company.members and session.get(VentureRow, (session.info["tenant"], row.id, company.id)) is None:
            _form(session, row, company, counted=paper.counted, now=now)
    session.flush()


def _form(session: Session, row: TenderRow, company: CompanyRow, *, counted: bool, now: datetime) -> None:
    members = company.members or []
    leader = next(each["id"] for each in members if each["leader"])
    formed_at = now if counted else None
    session.add(
        VentureRow(
            tender_id=row.id, company_id=company.id, leader_id=leader, proposed_at=company.registered_at, formed_at=formed_at
        )
    )  # fmt: skip
    session.flush()
    for each in members if counted else ():
        if ventures.joined(session, row, each["id"]) is None:  # agreed elsewhere, where nothing was ever sent
            session.add(
                VentureMemberRow(
                    tender_id=row.id, venture_id=company.id, company_id=each["id"], share=str(ratio(each["share"])),
                    agreed_at=now, agreed_by="paper",
                )
            )  # fmt: skip
