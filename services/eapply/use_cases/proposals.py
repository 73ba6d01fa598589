"""The rows of 起案: the one that is open, those that were, and how they end."""

from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common.actor import Actor
from services.eapply.db import ApplicationRow, ProposalRow

Result = Literal["approved", "returned", "recalled", "withdrawn"]


def open_proposal(session: Session, application_id: str, *, lock: bool = False) -> ProposalRow | None:
    found = select(ProposalRow).where(ProposalRow.application_id == application_id, ProposalRow.result.is_(None))
    return session.scalar(found.with_for_update() if lock else found)


def proposals(session: Session, application_id: str) -> list[ProposalRow]:
    """All of one application, oldest first."""
    found = select(ProposalRow).where(ProposalRow.application_id == application_id)
    return list(session.scalars(found.order_by(ProposalRow.proposed_at, ProposalRow.id)))


def end(proposal: ProposalRow, actor: Actor, result: Result, now: datetime, comment: str = "") -> None:
    proposal.result, proposal.comment = result, comment
    proposal.judged_by, proposal.judged_by_name, proposal.judged_at = actor.subject, actor.name, now


def end_open(session: Session, actor: Actor, row: ApplicationRow, result: Result, now: datetime) -> None:
    """End the open one, if there is one."""
    proposal = open_proposal(session, row.id, lock=True)
    if proposal is not None:
        end(proposal, actor, result, now)
