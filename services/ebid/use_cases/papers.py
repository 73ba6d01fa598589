"""紙入札: the sealed envelope is received and logged; after the deadline and before anything is opened two persons type what is in it.

Its reception is told to nobody, as with any bid: not even a record of use is written. A company that has bid electronically, too, has
bid once already: its paper is left out when the round closes (施行令167条の8第3項), and whoever registers a paper learns nothing of it.
"""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, say
from services.ebid.db import CompanyRow, EntryRow, PaperRow, RoundRow, ShareRow, SubmissionRow, TenderRow
from services.ebid.domain.money import check_lottery_number, parse_amount
from services.ebid.domain.opened import paper_payload, read_bid
from services.ebid.domain.ranking import Bid
from services.ebid.domain.states import State
from services.ebid.sealing.canonical import canonical, tagged
from services.ebid.sealing.note import moment
from services.ebid.use_cases import bids as bids_
from services.ebid.use_cases import companies, log, paper_ventures, participation, tenders
from services.ebid.use_cases.office import Office
from services.ebid.verify import bundle


def receive(
    session: Session,
    actor: Actor,
    tender_id: str,
    number: str,
    serial: str,
    office: Office,
    now: datetime,
    written: paper_ventures.Written | None = None,
) -> EntryRow:
    """Take an envelope in. `now` is `log.moment`; `serial` is written on the envelope and its receipt; `written` where it comes from
    a 共同企業体, whose 代表者 `number` is then."""
    row = tenders.load(session, tender_id)
    held = tenders.round_of(session, row, row.round)
    if not row.terms.get("paper") or row.state != State.PUBLISHED:
        raise Conflict(say("この案件は、紙での提出を受け付けていません。"), code="no-paper")
    if held.closed_at is not None or now >= held.bid_until:
        raise Conflict(say("締切を過ぎています。"), code="too-late")
    if not serial.strip():
        sentence = say("封筒に書いた番号を入力してください。")
        raise Invalid(sentence, fields={"serial": sentence})
    bidder = companies.by_number(session, number)
    if written is not None:
        bidder = paper_ventures.bidder(session, row, bidder, written, now)
    participation.require_admitted(session, row, bidder, now, alone=False)
    _require_first(session, row, held.number, bidder)
    digest = bundle.paper_digest(row.id, held.number, bidder.id, serial.strip())
    facts: dict[str, Any] = {"round": held.number, **bids_.system_number(row)}
    entry = log.enter(session, office.signers, row.id, "paper", digest, now, **facts)
    session.add(
        PaperRow(
            tender_id=row.id, round=held.number, company_id=bidder.id, serial=serial.strip()[:60], digest=digest, entry_id=entry.id,
            received_at=now, received_by=actor.subject, counted=True, first=None, typed=None,
        )
    )  # fmt: skip
    session.flush()
    return entry


def _require_first(session: Session, row: TenderRow, number: int, bidder: CompanyRow) -> None:
    """Conflict where an envelope of the company, alone or in a 共同企業体, was received in this round."""
    before = select(PaperRow.company_id).where(PaperRow.tender_id == row.id, PaperRow.round == number)
    for known in companies.by_ids(session, set(session.scalars(before))).values():
        if paper_ventures.people(known) & paper_ventures.people(bidder):
            raise Conflict(say("この会社の封筒は、すでに受け付けています。"), code="already-received")


def close(session: Session, row: TenderRow, number: int, now: datetime) -> None:
    """Who has also bid electronically, alone or in a 共同企業体, or had sent a 辞退届 before the envelope came, has no bid on paper: that
    envelope is left out. A 辞退届 that came after it takes nothing back. Ventures that came on paper are formed."""
    found = [paper for paper, _ in received(session, row, number)]
    if not found:
        return
    sent = select(SubmissionRow.company_id, SubmissionRow.kind, SubmissionRow.received_at)
    sent = list(session.execute(sent.where(SubmissionRow.tender_id == row.id, SubmissionRow.round == number)))
    known = companies.by_ids(session, {*(paper.company_id for paper in found), *(each.company_id for each in sent)})
    for paper in found:
        people = paper_ventures.people(known[paper.company_id])
        paper.counted = not any(
            people & paper_ventures.people(known[each.company_id])
            and (each.kind == "bid" or each.received_at < paper.received_at)
            for each in sent
        )
    session.flush()
    paper_ventures.form(session, row, found, now)


def bidders(session: Session, row: TenderRow) -> set[str]:
    """Who bid on paper in a round that is opened, by id; of a round that is not nobody is told."""
    opened = select(RoundRow.number).where(RoundRow.tender_id == row.id, RoundRow.opened_at.is_not(None))
    found = select(PaperRow.company_id).where(
        PaperRow.tender_id == row.id, PaperRow.counted, PaperRow.round.in_(opened)
    )
    return set(session.scalars(found))


def received(session: Session, row: TenderRow, number: int) -> list[tuple[PaperRow, EntryRow]]:
    """The envelopes of a round that count, in the log's order. After the deadline only."""
    found = (
        select(PaperRow, EntryRow)
        .join(EntryRow, EntryRow.id == PaperRow.entry_id)
        .where(PaperRow.tender_id == row.id, PaperRow.round == number, PaperRow.counted)
        .order_by(EntryRow.position)
    )
    return [(paper, entry) for paper, entry in session.execute(found)]


def enter(
    session: Session,
    actor: Actor,
    tender_id: str,
    company_id: str,
    given: dict[str, str],
    office: Office,
    now: datetime,
) -> PaperRow:
    """Type what is in an opened envelope: `amount`, `lottery_number`, or `invalid` with the reason; of a 共同企業体 also that its
    agreement names the members and shares that were written down (`agreement`). The second person types it again, without seeing the
    first; where the two differ both begin anew."""
    row, held = _typing(session, tender_id, now)
    paper = _of(session, row, held.number, company_id)
    if paper is None or not paper.counted:
        raise NotFound(say("この会社の封筒は受け付けていません。"))
    if paper.typed is not None:
        raise Conflict(say("この封筒の入力は済んでいます。"), code="typed")
    read = _read(given, companies.by_ids(session, {company_id})[company_id])
    if paper.first is None:
        paper.first = {"read": read, "by": actor.subject}
        return paper
    if paper.first["by"] == actor.subject:
        raise Conflict(say("2回目は、別の方が入力します。"), code="same-person")
    if paper.first["read"] != read:
        paper.first = None
        return paper
    paper.typed = read
    digest = tagged(
        "paper-opened", canonical({"tender": row.id, "round": held.number, "bidder": company_id, **read})
    ).hex()
    log.enter(session, office.signers, row.id, "paper-opened", digest, now, round=held.number)
    by = [paper.first["by"], actor.subject]
    audit.record(session, actor, "ebid.paper.type", row.id, detail={"company": company_id, "by": by}, now=now)
    return paper


def _typing(session: Session, tender_id: str, now: datetime) -> tuple[TenderRow, RoundRow]:
    """The tender, locked, between its opening hour and the first share of a trustee."""
    row = tenders.load(session, tender_id, lock=True)
    held = tenders.round_of(session, row, row.round)
    given = select(ShareRow.trustee_id).where(ShareRow.tender_id == row.id, ShareRow.round == row.round).limit(1)
    if row.state != State.PUBLISHED or held.closed_at is None or now < held.opens_at or session.scalar(given):
        raise Conflict(say("紙で届いたものは、開く時刻から、かぎが使われるまでの間に入力します。"), code="not-now")
    return row, held


def _read(given: dict[str, str], bidder: CompanyRow) -> dict[str, Any]:
    if given["invalid"].strip():
        return {"amount": 0, "lottery_number": "000", "invalid": given["invalid"].strip()[:200]}
    if bidder.members and given.get("agreement") != "1":
        raise Invalid(
            say(
                "協定書の構成員と出資比率を、ここに書かれたものと見くらべてください。違うときは、無効の理由を入力してください。"
            ),
            code="agreement",
        )
    return {
        "amount": parse_amount(given["amount"]),
        "lottery_number": check_lottery_number(given["lottery_number"] or "000"),
    }


def _of(session: Session, row: TenderRow, number: int, company_id: str) -> PaperRow | None:
    return session.get(PaperRow, (session.info["tenant"], row.id, number, company_id))


def are_typed(session: Session, row: TenderRow) -> bool:
    return all(paper.typed is not None for paper, _ in received(session, row, row.round))


def bids(session: Session, row: TenderRow, number: int, technical: Mapping[str, Fraction]) -> list[Bid]:
    """The typed papers as bids, with their companies' 技術点."""
    found = received(session, row, number)
    return [_bid(paper, entry, technical.get(paper.company_id, Fraction(0))) for paper, entry in found]


def _bid(paper: PaperRow, entry: EntryRow, technical: Fraction) -> Bid:
    typed, at = paper.typed or {}, moment(entry.receipt["entry"]["at"])
    return read_bid(
        paper_payload(typed), typed.get("invalid", ""), bidder=paper.company_id, arrived_at=at, sequence=entry.position,
        assigned=int(entry.receipt["entry"].get("assigned", 0)),
        technical=technical,
    )  # fmt: skip
