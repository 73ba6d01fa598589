"""入札書 and 辞退届. The envelope was closed in the bidder's own browser: no amount passes here.

Nobody is told that something came: no event, no mail, no record of use, before the opening.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common.actor import Actor
from libs.common.errors import Conflict, NotFound, say
from services.ebid.db import CompanyRow, EntryRow, RoundRow, SubmissionRow, TenderRow
from services.ebid.domain.states import State
from services.ebid.sealing.canonical import canonical, tagged
from services.ebid.use_cases import breakdowns, delegations, log, participation, profiles, sealed, tenders, ventures
from services.ebid.use_cases.office import Office


def submit(
    session: Session,
    actor: Actor,
    tender_id: str,
    given: dict[str, Any],
    office: Office,
    now: datetime,
    breakdown: breakdowns.Sent | None = None,
) -> SubmissionRow:
    """Take a sealed 入札書. `now` is `log.moment`: whoever is in time is in the log's next checkpoint.

    The same envelope again is the same bid. Raises Conflict when another was sent before (施行令167条の8第3項: no rewriting, no
    exchange, no withdrawal), or after the deadline.
    """
    row, held, bidder, delegate = _open_round(session, actor, tender_id, now)
    envelope, digest = sealed.check(given, sealed.header(row, "bid", held.number, bidder.id))
    before = of(session, row, held.number, bidder.id)
    if before is not None:
        return _same(before, "bid", digest)
    breakdowns.keep(session, row, held, bidder, breakdown, now)
    return _keep(session, actor, row, held, bidder, "bid", envelope, digest, delegate, office, now)


def decline(session: Session, actor: Actor, tender_id: str, office: Office, now: datetime) -> SubmissionRow:
    """辞退届, in place of a bid."""
    row, held, bidder, delegate = _open_round(session, actor, tender_id, now)
    digest = tagged("decline", canonical({"tender": row.id, "round": held.number, "bidder": bidder.id})).hex()
    before = of(session, row, held.number, bidder.id)
    if before is not None:
        return _same(before, "decline", digest)
    return _keep(session, actor, row, held, bidder, "decline", None, digest, delegate, office, now)


def _open_round(
    session: Session, actor: Actor, tender_id: str, now: datetime
) -> tuple[TenderRow, RoundRow, CompanyRow, dict[str, Any] | None]:
    row = tenders.load_public(session, tender_id)
    bidder = ventures.acting(session, actor, row)
    held = tenders.round_of(session, row, row.round)
    if row.state != State.PUBLISHED or held.closed_at is not None or now >= held.bid_until:
        raise Conflict(say("入札の締切を過ぎています。締切の時刻ちょうどから後は受け付けられません。"), code="too-late")
    if not tenders.is_practice(row):
        profiles.require_open(session, now)
    participation.require_admitted(session, row, bidder, now)
    return row, held, bidder, delegations.require(session, actor, row, now)


def _same(before: SubmissionRow, kind: str, digest: str) -> SubmissionRow:
    if (before.kind, before.digest) != (kind, digest):
        raise Conflict(
            say(
                "この回の入札書か辞退届は、すでに提出されています。差し替えと取消しはできません（地方自治法施行令167条の8）。"
            ),
            code="already-submitted",
        )
    return before


def _keep(
    session: Session, actor: Actor, row: TenderRow, held: RoundRow, bidder: CompanyRow, kind: str,
    envelope: dict[str, Any] | None, digest: str, delegate: dict[str, Any] | None, office: Office, now: datetime,
) -> SubmissionRow:  # fmt: skip
    entry = log.enter(session, office.signer, row.id, kind, digest, now, round=held.number)
    kept = SubmissionRow(
        tender_id=row.id, round=held.number, company_id=bidder.id, person=actor.subject, kind=kind, envelope=envelope,
        digest=digest, entry_id=entry.id, received_at=now, delegate=delegate,
    )  # fmt: skip
    session.add(kept)
    session.flush()
    return kept


def of(session: Session, row: TenderRow, number: int, company_id: str) -> SubmissionRow | None:
    """What a company sent in a round: for that company only."""
    return session.scalar(
        select(SubmissionRow).where(
            SubmissionRow.tender_id == row.id,
            SubmissionRow.round == number,
            SubmissionRow.company_id == company_id,
        )
    )


def receipt(session: Session, kept: SubmissionRow) -> dict[str, Any]:
    """受付票 for programs: the log's signed promise, and once a checkpoint covers it the proof. Can be fetched for ever."""
    entry = session.get(EntryRow, (session.info["tenant"], kept.entry_id))
    if entry is None:
        raise NotFound(say("受付票が見つかりません。"))
    return {"receipt": entry.receipt, "envelope": kept.envelope, **log.proof_of(session, entry.position)}


def received(session: Session, row: TenderRow, number: int) -> list[tuple[SubmissionRow, EntryRow]]:
    """All of a round, in the log's order. Called by the closing and the opening only."""
    found = (
        select(SubmissionRow, EntryRow)
        .join(EntryRow, EntryRow.id == SubmissionRow.entry_id)
        .where(SubmissionRow.tender_id == row.id, SubmissionRow.round == number)
        .order_by(EntryRow.position)
    )
    return [(kept, entry) for kept, entry in session.execute(found)]


def delegated(session: Session, held: RoundRow) -> list[SubmissionRow]:
    """Of an opened round: what 受任者 sent."""
    found = select(SubmissionRow).where(SubmissionRow.tender_id == held.tender_id, SubmissionRow.round == held.number)
    return [kept for kept in session.scalars(found) if kept.delegate] if held.opened_at else []
