"""The public bundle of a concluded tender, for `ebid-verify` (services/ebid/verify/FORMAT.md)."""

from typing import Any

from sqlalchemy.orm import Session

from libs.common.errors import NotFound, say
from services.ebid.db import BundleRow, EntryRow, PaperRow, RoundRow, TenderRow
from services.ebid.domain.limits import Limits
from services.ebid.domain.terms import terms_of
from services.ebid.sealing import merkle
from services.ebid.use_cases import bids, journal, log, opening, papers, scores, stamps, tenders
from services.ebid.use_cases.office import Office
from services.ebid.verify import bundle
from services.ebid.verify.bundle import Closing, Declined, Logged, Paper, Round, Sealed


def make(session: Session, row: TenderRow, office: Office) -> dict[str, Any]:
    """Everything from which the result follows. Made once, when the result is published."""
    rounds = [held for held in tenders.rounds_of(session, row) if held.result is not None]
    made = [_round(session, row, held, rounds) for held in rounds]
    ours = log.keys(session, office.signers)
    document = bundle.bundle(office.signers.origin, ours.first, row.terms, made, ours.changes)
    return _with_events(session, row, document, office)


def stored(session: Session, row: TenderRow, office: Office) -> dict[str, Any]:
    """What was made at the conclusion, with the events up to now: a contract and its changes follow. Of a tender that was concluded in
    another installation, whose log is not here, as it was. Raises NotFound before."""
    found = session.get(BundleRow, (session.info["tenant"], row.id))
    if found is None:
        raise NotFound(say("検証用のファイルは、結果の公表と同時に出ます。"))
    ours = log.keys(session, office.signers)
    if found.document["log"]["key"] not in ours:
        return found.document
    # what follows the conclusion is signed by the key of its time
    of_log = bundle.log_of(office.signers.origin, ours.first, ours.changes) if ours.changes else {}
    return _with_events(session, row, {**found.document, **of_log}, office)


def _with_events(session: Session, row: TenderRow, document: dict[str, Any], office: Office) -> dict[str, Any]:
    if "admission" not in row.terms:  # announced before decisions were logged
        return document
    rounds = [held for held in tenders.rounds_of(session, row) if held.checkpoint_size is not None]
    bidders = {bundle.bidder_of(bid) for round_ in document["rounds"] for bid in round_["bids"]}
    return {**document, "journal": journal.public(session, office, row, bidders, rounds[-1].checkpoint_size or 0)}


def _round(session: Session, row: TenderRow, held: RoundRow, rounds: list[RoundRow]) -> Round:
    assert held.checkpoint_size is not None
    assert held.opened_at is not None
    size, result = held.checkpoint_size, held.result or {}
    outcome, used, _ = opening.decided(session, row, held, result)

    entries = log.entries_of(session, row.id)
    proofs = log.proofs(session, (entry.position for entry in entries), size)

    def logged(entry: EntryRow) -> Logged:
        return _logged(entry, proofs[entry.position])

    def first(kind: str) -> Logged:
        return next(logged(entry) for entry in entries if entry.kind == kind)

    def of_round(kind: str) -> list[Logged]:
        found = [entry for entry in entries if entry.kind == kind]
        return [logged(entry) for entry in found if entry.receipt["entry"]["round"] == held.number]

    hidden = terms_of(row.terms).hidden
    opened = {"invalid": ""} if hidden else result["opened"]["limits"]
    limits = _sealed(row.reserve or {}, first("limits"), opened)
    fixed = held.closing or {}
    closing = Closing(of_round("closing")[0], fixed["bids"], tuple(fixed["limits"]), fixed.get("declines"))
    envelopes = [
        (entry.position, _paper(paper, logged(entry))) for paper, entry in papers.received(session, row, held.number)
    ]
    every = bids.received(session, row, held.number)
    received = [(kept, entry) for kept, entry in every if kept.envelope is not None]
    declined = [Declined(kept.company_id, logged(entry)) for kept, entry in every if kept.kind == "decline"]
    sealed_bids: list[tuple[int, Sealed | Paper]] = [
        (entry.position, _sealed(kept.envelope or {}, logged(entry), result["opened"]["bids"][kept.company_id]))
        for kept, entry in received
    ]
    bidders = {kept.company_id for kept, _ in received} | {bid.bidder for _, bid in envelopes}
    technical = opening.points_of(session, row, result)
    entered = {key: entry for key, entry in scores.entries(session, row).items() if key in bidders}
    before = rounds[rounds.index(held) - 1] if held is not rounds[0] else None
    return Round(
        number=held.number,
        checkpoint=log.checkpoint(session, size).note,
        terms=first("terms"),
        schedule=of_round("deadline"),
        closing=closing,
        bids=[bid for _, bid in sorted([*sealed_bids, *envelopes], key=lambda each: each[0])],
        outcome=outcome,
        used=Limits() if hidden else used,
        opened_at=held.opened_at,
        limits=limits,
        refused=result["refused"],
        cleared=result["cleared"],
        consistency=_consistency(session, before, size),
        invited=held.invited or (),
        declined=declined,
        timestamp=stamps.of(session, held),
        beacon=stamps.beacon(session, row, held),
        technical={key: str(points) for key, points in technical.items() if key in bidders},
        points={key: _logged(entry, proofs.get(entry.position, [])) for key, entry in entered.items()},
    )


def _paper(paper: PaperRow, logged: Logged) -> Paper:
    typed = paper.typed or {}
    invalid = typed.get("invalid", "")
    return Paper(paper.company_id, typed["amount"], typed["lottery_number"], logged, paper.serial, invalid)


def _logged(entry: EntryRow, proof: list[bytes]) -> Logged:
    """`proof` is empty for points that were logged after the deadline's checkpoint."""
    return Logged(entry.receipt["entry"], bytes.fromhex(entry.receipt["salt"]), entry.position, proof)


def _consistency(session: Session, before: RoundRow | None, size: int) -> list[bytes]:
    if before is None or before.checkpoint_size is None:
        return []
    return merkle.consistency_proof(log.reader(session), before.checkpoint_size, size)


def _sealed(closed: dict[str, Any], logged: Logged, opened: dict[str, Any]) -> Sealed:
    return Sealed(
        envelope=closed,
        logged=logged,
        seed=bytes.fromhex(opened["seed"]) if "seed" in opened else None,
        content=bytes.fromhex(opened["content"]) if "content" in opened else None,
        shares={int(place): bytes.fromhex(share) for place, share in opened.get("shares", {}).items()},
        invalid=opened["invalid"],
    )
