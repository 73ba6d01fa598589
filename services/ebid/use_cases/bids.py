"""入札書 and 辞退届. The envelope was closed in the bidder's own browser: no amount passes here.

Nobody is told that something came: no event, no mail, no record of use, before the opening.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import heads
from libs.common.actor import Actor
from libs.common.errors import Conflict, NotFound, say
from libs.common.ids import new_id
from services.ebid.db import CompanyRow, EntryRow, PaperRow, RoundRow, SubmissionRow, TenderRow
from services.ebid.domain import lottery, procedure
from services.ebid.domain.profile import Hours
from services.ebid.domain.states import State
from services.ebid.domain.terms import SETTLE
from services.ebid.sealing.note import stamp
from services.ebid.use_cases import breakdowns, delegations, log, participation, profiles, sealed, tenders, ventures
from services.ebid.use_cases.office import Office
from services.ebid.verify import bundle


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a bidder wants to send in, with all that can be asked before the log is waited for: `held` the round, `hours` those in
    which bids are taken, `delegate` the 受任者, `digest` of the envelope or of the 辞退届."""

    actor: Actor
    row: TenderRow
    held: RoundRow
    bidder: CompanyRow
    hours: Hours
    delegate: dict[str, Any] | None
    kind: str
    envelope: dict[str, Any] | None
    digest: str
    breakdown: breakdowns.Sent | None = None


def bid(
    session: Session,
    actor: Actor,
    tender_id: str,
    given: dict[str, Any],
    now: datetime,
    breakdown: breakdowns.Sent | None = None,
) -> Wanted:
    """A sealed 入札書, looked at before `keep`. Raises Invalid unless it is an envelope for this tender, round and bidder."""
    row, held, bidder = _whose(session, actor, tender_id, now)
    delegate, hours = delegations.require(session, actor, row, now), profiles.hours_of(session, row)
    envelope, digest = sealed.check(given, sealed.header(row, "bid", held.number, bidder.id))
    return Wanted(actor, row, held, bidder, hours, delegate, "bid", envelope, digest, breakdown)


def decline(session: Session, actor: Actor, tender_id: str, now: datetime) -> Wanted:
    """辞退届, in place of a bid."""
    row, held, bidder = _whose(session, actor, tender_id, now)
    delegate, hours = delegations.require(session, actor, row, now), profiles.hours_of(session, row)
    digest = bundle.decline_digest(row.id, held.number, bidder.id)
    return Wanted(actor, row, held, bidder, hours, delegate, "decline", None, digest)


def _whose(session: Session, actor: Actor, tender_id: str, now: datetime) -> tuple[TenderRow, RoundRow, CompanyRow]:
    row = tenders.load_public(session, tender_id)
    bidder = ventures.acting(session, actor, row)
    held = tenders.round_of(session, row, row.round)
    participation.require_admitted(session, row, bidder, now)
    return row, held, bidder


def keep(
    session: Session, wanted: Wanted, office: Office, arrived: datetime, now: datetime
) -> tuple[SubmissionRow, dict[str, Any]]:
    """Take it in; what was kept, and its `receipt`. `arrived`, when it had come whole, decides whether it is in time; `now` is when it is
    written (`log.arrival`): a round is closed `SETTLE` after its deadline, so whoever is in time is in the deadline's checkpoint.

    The same envelope again is the same bid. Raises Conflict when another was sent before (施行令167条の8第3項: no rewriting, no
    exchange, no withdrawal), or after the deadline.
    """
    _require_open(session, wanted, arrived, now)
    row, held, bidder, entry_id = wanted.row, wanted.held, wanted.bidder, new_id()
    # The bidder's own row first: who sends twice at once waits here, and holds no place in the log that another waits for.
    mine = {"tender_id": row.id, "round": held.number, "company_id": bidder.id, "person": wanted.actor.subject,
            "kind": wanted.kind, "envelope": wanted.envelope, "digest": wanted.digest, "entry_id": entry_id,
            "received_at": arrived, "delegate": wanted.delegate}  # fmt: skip
    if not heads.added(session, SubmissionRow, mine):
        before = _require_same(of(session, row, held.number, bidder.id), wanted)
        return before, receipt(session, before)
    if wanted.kind == "decline":
        _require_no_paper(session, wanted, arrived)
    if wanted.kind == "bid":
        breakdowns.keep(session, row, held, bidder, wanted.breakdown, arrived)
    facts: dict[str, Any] = {"round": held.number, "kept": stamp(now)}
    facts |= system_number(row) if wanted.kind == "bid" else {}
    entry = log.enter(session, office.signers, row.id, wanted.kind, wanted.digest, arrived, id_=entry_id, **facts)
    return SubmissionRow(**mine), {"receipt": entry.receipt, "envelope": wanted.envelope}


def system_number(row: TenderRow) -> dict[str, int]:
    """Where the announced lottery adds a number of the system's (群馬県, 香川県, 兵庫県, 大阪府): that number, drawn when the bid comes,
    so that it stands in the log and on the receipt before anybody knows a lottery number."""
    assigned = lottery.profile_of(row.terms.get("lottery", "core")).addend == "assigned"
    return {"assigned": secrets.randbelow(1000)} if assigned else {}


def _require_open(session: Session, wanted: Wanted, arrived: datetime, now: datetime) -> None:
    """Conflict unless the round took bids at `arrived` and is not closed, by what is stored at this moment: 日時変更, 取止め and the close
    are seen."""
    row, held = wanted.row, wanted.held
    found = select(TenderRow.state, TenderRow.round, RoundRow.closed_at, RoundRow.bid_until)
    found = found.join(RoundRow, (RoundRow.tender_id == TenderRow.id) & (RoundRow.number == held.number))
    state, number, closed_at, until = session.execute(found.where(TenderRow.id == row.id)).one()
    if state == State.PUBLISHED and number == held.number and arrived < until and (closed_at or now >= until + SETTLE):
        sentence = say(
            "締切の前に届きましたが、混み合っていて、受け付けの処理が間に合いませんでした。"
            "まだ受け付けられていません。発注者に連絡してください。"
        )
        raise Conflict(sentence, code="too-late")
    if state != State.PUBLISHED or number != held.number or closed_at is not None or arrived >= until:
        raise Conflict(say("締切を過ぎています。締切の時刻ちょうどから後は受け付けられません。"), code="too-late")
    profiles.require_open(wanted.hours, arrived)
    if row.terms.get("venture") is not None:  # somebody may have agreed to one meanwhile
        if ventures.acting(session, wanted.actor, row) is not wanted.bidder:
            raise Conflict(say("共同企業体の構成が変わりました。画面を開き直してください。"), code="changed")
        ventures.require_qualified(session, row, wanted.bidder, now)


def _require_same(before: SubmissionRow | None, wanted: Wanted) -> SubmissionRow:
    if before is None or (before.kind, before.digest) != (wanted.kind, wanted.digest):
        raise Conflict(
            say(
                "この回には、すでに提出されています。差し替えと取消しはできません（競争入札では、地方自治法施行令167条の8第3項）。"
            ),
            code="already-submitted",
        )
    return before


def _require_no_paper(session: Session, wanted: Wanted, arrived: datetime) -> None:
    """Conflict where the bidder's own envelope on paper came before its 辞退届: it cannot be taken back (施行令167条の8第3項). Only the
    bidder, who knows of its envelope, is told. An electronic bid is not refused so: the envelope is the clerk's word, what is sealed and
    signed in for is the company's own, and nobody at a desk may keep a company from bidding (`papers.close`)."""
    key = (session.info["tenant"], wanted.row.id, wanted.held.number, wanted.bidder.id)
    paper = session.get(PaperRow, key)
    if paper is not None and paper.received_at <= arrived:
        sentence = say(
            "紙で出された封筒を、この辞退届より前に受け付けています。提出したものは取り消せないため、辞退届は受け付けられません"
            "（競争入札では、地方自治法施行令167条の8第3項）。封筒を出していないときは、締切までに発注者に連絡してください。"
        )
        raise Conflict(sentence, code="already-submitted")


def closings(session: Session, sent: Sequence[SubmissionRow]) -> dict[tuple[str, int], RoundRow]:
    """Of what a bidder sent: the rounds that are closed, by tender and number, of which it has no 入札締切通知書 as a letter."""
    registered = [key for key, method in procedure.METHODS.items() if method.access == "registered"]
    found = select(RoundRow).join(TenderRow, TenderRow.id == RoundRow.tender_id)
    found = found.where(
        RoundRow.tender_id.in_({kept.tender_id for kept in sent}), RoundRow.closed_at.is_not(None),
        TenderRow.method.in_(registered) | (RoundRow.number > 1),
    )  # fmt: skip
    return {(held.tender_id, held.number): held for held in session.scalars(found)}


def of(session: Session, row: TenderRow, number: int, company_id: str) -> SubmissionRow | None:
    """What a company sent in a round: for that company only."""
    return session.scalar(
        select(SubmissionRow).where(
            SubmissionRow.tender_id == row.id,
            SubmissionRow.round == number,
            SubmissionRow.company_id == company_id,
        )
    )


def own(session: Session, ids: Sequence[str], row: TenderRow | None = None) -> list[SubmissionRow]:
    """What a company and its ventures (`ids`) sent, in a tender or in all of this municipality: newest first. For that company only."""
    found = select(SubmissionRow).where(SubmissionRow.company_id.in_(ids))
    if row is not None:
        found = found.where(SubmissionRow.tender_id == row.id)
    return list(
        session.scalars(found.order_by(SubmissionRow.received_at.desc(), SubmissionRow.round.desc()).limit(200))
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


def sealed_of(session: Session, row: TenderRow, number: int) -> list[SubmissionRow]:
    """The bids of a round with their envelopes, as `received`."""
    found = select(SubmissionRow).where(SubmissionRow.tender_id == row.id, SubmissionRow.round == number)
    return list(session.scalars(found.where(SubmissionRow.kind == "bid").order_by(SubmissionRow.company_id)))


def listed(session: Session, row: TenderRow, number: int, kind: str) -> list[tuple[int, str]]:
    """Place in the log and digest of what came electronically in a round, for its closing list."""
    found = select(EntryRow.position, SubmissionRow.digest).join(EntryRow, EntryRow.id == SubmissionRow.entry_id)
    found = found.where(SubmissionRow.tender_id == row.id, SubmissionRow.round == number, SubmissionRow.kind == kind)
    return [(position, digest) for position, digest in session.execute(found)]


class Arrival(NamedTuple):
    """When a bid came: its place in the log, and the receipt."""

    company_id: str
    position: int
    receipt: dict[str, Any]


def arrivals(session: Session, row: TenderRow, number: int) -> list[Arrival]:
    """When the bids of a round came, in the log's order, without their envelopes. As `received`."""
    found = (
        select(SubmissionRow.company_id, EntryRow.position, EntryRow.receipt)
        .join(EntryRow, EntryRow.id == SubmissionRow.entry_id)
        .where(SubmissionRow.tender_id == row.id, SubmissionRow.round == number, SubmissionRow.kind == "bid")
        .order_by(EntryRow.position)
    )
    return [Arrival(*each) for each in session.execute(found)]


def declined(session: Session, held: RoundRow) -> list[SubmissionRow]:
    """Of an opened round: the 辞退届, in the order in which they came. Before the opening nobody is told of them either. Without those
    that came after an envelope on paper, which counts."""
    if held.opened_at is None:
        return []
    papers = select(PaperRow.company_id).where(
        PaperRow.tender_id == held.tender_id, PaperRow.round == held.number, PaperRow.counted
    )
    found = select(SubmissionRow).where(
        SubmissionRow.tender_id == held.tender_id, SubmissionRow.round == held.number, SubmissionRow.kind == "decline",
        SubmissionRow.company_id.not_in(papers),
    )  # fmt: skip
    return list(session.scalars(found.order_by(SubmissionRow.received_at, SubmissionRow.company_id)))


def delegated(session: Session, held: RoundRow) -> list[SubmissionRow]:
    """Of an opened round: what 受任者 sent."""
    found = select(SubmissionRow).where(SubmissionRow.tender_id == held.tender_id, SubmissionRow.round == held.number)
    return [kept for kept in session.scalars(found) if kept.delegate] if held.opened_at else []
