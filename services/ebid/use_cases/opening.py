"""締切 and 開札: the round is closed and logged, trustees give their shares, the bids are opened and ranked.

Everything follows from what is stored: an opening that was interrupted gives the same result when it is begun again.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit, jobs
from libs.common.actor import Actor
from libs.common.errors import Conflict, Forbidden, Invalid, Refusal, say
from services.ebid.db import RoundRow, ShareRow, TenderRow
from services.ebid.domain import limits as limit_rules
from services.ebid.domain import lottery, procedure, ranking, states, wording
from services.ebid.domain.limits import Limits, limits_of
from services.ebid.domain.opened import limits_against, read_bid
from services.ebid.domain.ranking import Bid
from services.ebid.domain.states import State, Step
from services.ebid.domain.terms import SETTLE, terms_of
from services.ebid.sealing import envelope, making
from services.ebid.sealing.canonical import canonical
from services.ebid.sealing.envelope import NotEnough
from services.ebid.sealing.note import moment, stamp
from services.ebid.use_cases import bids, breakdowns, journal, letters, log, papers, scores, stamps, tenders
from services.ebid.use_cases.office import Office
from services.ebid.verify import bundle

OPEN = "ebid.open"
"""The job that opens a round when enough trustees have given their shares."""
HOLDS = {"hold_review": say("事後審査を行うため"), "hold_investigation": say("低入札価格調査を行うため")}


# ---- 締切


def close(session: Session, tender_id: str, number: int, office: Office, now: datetime) -> bool:
    """End a round when its deadline has settled (`SETTLE`): what was received is fixed in the log, and the log's head is signed. False
    when it is not time, or done."""
    row = tenders.load(session, tender_id)
    log.lock(session)
    held = tenders.round_of(session, row, number, lock=True)
    if row.state != State.PUBLISHED or held.closed_at is not None or now < held.bid_until + SETTLE:
        return False
    papers.close(session, row, number, now)
    papers_ = [(entry.position, paper.digest) for paper, entry in papers.received(session, row, number)]
    received = sorted([*bids.listed(session, row, number, "bid"), *papers_])
    declines = sorted(bids.listed(session, row, number, "decline"))
    limits = log.entries_of(session, row.id, "limits")[0]
    sealed_limits = (limits.position, limits.receipt["entry"]["digest"])
    digest = bundle.closing_digest(row.id, number, received, sealed_limits, declines)
    log.enter(session, office.signers, row.id, "closing", digest, now, round=number)
    head = log.tick(session, office.signers, now)
    _tell_closed(session, row, held, now)
    held.closed_at, held.checkpoint_size = now, head.size
    held.closing = {"bids": received, "limits": sealed_limits, "declines": declines}
    if office.tsa is not None:
        stamps.ask(session, row, held, now)
    return True


def _tell_closed(session: Session, row: TenderRow, held: RoundRow, now: datetime) -> None:
    """入札締切通知書, to whom officials know: applicants and invited companies, whether they bid or not. Of the others nobody may be told
    who they are; each reads its own beside its receipt (`bids.closings`)."""
    if procedure.METHODS[row.method].access != "registered" and held.number == 1:
        values = {
            "round": str(held.number),
            "until": letters.moment(held.bid_until),
            "opens": letters.moment(held.opens_at),
        }
        letters.tell_participants(session, row, "closed", values, now)


def time_left(session: Session, tender_id: str, number: int, now: datetime) -> timedelta:
    """Until the round may be closed; negative after that."""
    return tenders.round_of(session, tenders.load(session, tender_id), number).bid_until + SETTLE - now


# ---- the trustees


def envelopes(session: Session, row: TenderRow) -> list[dict[str, Any]]:
    """All sealed envelopes of the present round, the municipality's own first."""
    return [
        row.reserve or {},
        *(kept.envelope or {} for kept in bids.sealed_of(session, row, row.round)),
        *(kept.envelope for kept in breakdowns.of_round(session, row, row.round)),
    ]


def request(session: Session, actor: Actor, tender_id: str, now: datetime) -> dict[str, Any]:
    """What a trustee's tool needs: given out at 開札 only, and that it was given out is recorded."""
    row, place = _openable(session, actor, tender_id, now)
    if not scores.are_fixed(session, row):
        raise Conflict(say("技術点が確定していません。確定してから開きます。"), code="scores-missing")
    if not papers.are_typed(session, row):
        raise Conflict(
            say("紙で届いたものの入力が済んでいません。2人での入力を済ませてから開きます。"), code="papers-untyped"
        )
    if stamps.is_missing(session, row, tenders.round_of(session, row, row.round)):
        raise Conflict(
            say("締切時点のタイムスタンプを待っています。数分あとに、もう一度お試しください。"), code="stamp-missing"
        )
    audit.record(session, actor, "ebid.opening.request", row.id, detail={"round": row.round}, now=now)
    return {
        "format": "kyodo-ebid-opening/1",
        "tender": row.id,
        "title": row.title,
        "round": row.round,
        "place": place,
        "public": row.trustees[place - 1]["public_key"],
        "terms": row.terms,
        "envelopes": envelopes(session, row),
    }


def give(session: Session, actor: Actor, tender_id: str, given: Mapping[str, Any], now: datetime) -> bool:
    """Take a trustee's shares: digest of the envelope → 64 hex digits, or null where its share was broken.

    A share that is not the sealed one is refused at once. True when enough trustees have given theirs.
    """
    row, place = _openable(session, actor, tender_id, now)
    known = {envelope.digest(each): each for each in envelopes(session, row)}
    shares = given.get("shares")
    if not isinstance(shares, dict) or set(shares) != set(known):
        raise Invalid(
            say("この案件のファイルから作ったものではありません。ファイルを選び直してください。"), code="shares"
        )
    wrong = [
        digest for digest, value in shares.items() if value is not None and not _is_right(known[digest], place, value)
    ]
    if wrong:
        raise Invalid(say("あなたのかぎの分が、封入されたものと一致しません。"), code="wrong-share", digests=wrong)
    trustee = row.trustees[place - 1]["id"]
    if session.get(ShareRow, (session.info["tenant"], row.id, row.round, trustee)) is not None:
        raise Conflict(say("あなたの分は、すでに届いています。"), code="already-given")
    session.add(
        ShareRow(
            tender_id=row.id,
            round=row.round,
            trustee_id=trustee,
            shares=dict(shares),
            given_at=now,
            given_by=actor.subject,
        )
    )
    session.flush()
    audit.record(session, actor, "ebid.opening.give", row.id, detail={"round": row.round}, now=now)
    count = len(given_by(session, row, row.round))
    if count < row.threshold:
        return False
    payload = {"tender": row.id, "round": row.round}
    jobs.add(session, OPEN, payload, key=f"{row.id}:{row.round}:{count}", now=now)
    return True


REFUSED = {"too-early": "ebid.opening.too-early", "wrong-share": "ebid.opening.wrong-share"}
"""Refusals of a trustee that are written down, by their code."""


def record_refusal(session: Session, actor: Actor, tender_id: str, refusal: Refusal, now: datetime) -> None:
    """Who asked before the hour, or gave what was not sealed. In a transaction of its own: the refused one leaves nothing."""
    action = REFUSED.get(refusal.code)
    if action is not None:
        audit.record(
            session, actor, action, tenders.load(session, tender_id).id, detail=dict(refusal.details) or None, now=now
        )


def _is_right(closed: dict[str, Any], place: int, value: Any) -> bool:
    try:
        share = bytes.fromhex(value)
    except (ValueError, TypeError):
        return False
    return making.share_commit(share, canonical(closed["head"]), place).hex() == closed["shares"][place - 1]["commit"]


def _openable(session: Session, actor: Actor, tender_id: str, now: datetime) -> tuple[TenderRow, int]:
    """The tender, locked, and the actor's place among its trustees (from 1)."""
    row = tenders.load(session, tender_id, lock=True)
    held = tenders.round_of(session, row, row.round)
    if row.state != State.PUBLISHED:
        raise Conflict(say("この案件は、いま開くところではありません。"), code="wrong-state")
    if now < held.opens_at or held.closed_at is None:
        raise Conflict(say("まだ開く時刻ではありません。時刻より前には、だれも開けません。"), code="too-early")
    place = place_of(row, actor)
    if place is None:
        raise Forbidden(say("あなたは、この案件のかぎの管理者ではありません。"), code="not-a-trustee")
    return row, place


def place_of(row: TenderRow, actor: Actor) -> int | None:
    found = (place for place, each in enumerate(row.trustees, start=1) if each["person"] == actor.subject)
    return next(found, None)


def given_by(session: Session, row: TenderRow, number: int) -> list[ShareRow]:
    """What trustees gave for a round, in the order of arrival."""
    found = select(ShareRow).where(ShareRow.tender_id == row.id, ShareRow.round == number)
    return sorted(session.scalars(found), key=lambda each: (each.given_at, each.trustee_id))


# ---- 開札


def open_round(session: Session, tender_id: str, number: int, office: Office, now: datetime) -> bool:
    """Open everything, rank, store. False when it was done before or more shares are needed."""
    row = tenders.load(session, tender_id, lock=True)
    held = tenders.round_of(session, row, number, lock=True)
    if row.state != State.PUBLISHED or row.round != number or held.opened_at is not None:
        return False
    given = given_by(session, row, number)
    if len(given) < row.threshold:
        return False
    places = {each["id"]: place for place, each in enumerate(row.trustees, start=1)}
    shares = {places[each.trustee_id]: each.shares for each in given}
    try:
        opened = _opened(session, row, number, shares)
    except NotEnough:
        return False  # a trustee reported a broken share: one more must give theirs
    _open_breakdowns(session, row, number, shares, opened["bids"])
    held.opened_at = given[row.threshold - 1].given_at  # not this moment: begun again, it must be the same
    found: dict[str, Any] = {"opened": opened, "refused": {}, "cleared": []}
    held.result = result = found | judge(session, row, held, found)
    row.state, row.version, row.updated_at = states.after(row.state, Step.OPEN), row.version + 1, now
    entry = journal.write(session, office, row.id, "opened", _said(row, held, result["result"]), now)
    actor = Actor("service", "ebid", tenant=session.info["tenant"])
    audit.record(session, actor, "ebid.tender.open", row.id, detail=
                 {"round": number, "result": entry.receipt["entry"]["digest"]}, now=now)  # fmt: skip
    tell_holds(session, row, held, {}, now)
    return True


def _said(row: TenderRow, held: RoundRow, result: dict[str, Any]) -> dict[str, Any]:
    """What the log says of an opening: what will be published of it, so without 非公表 prices. Its moment, too: 和歌山県's lottery
    draws by its milliseconds, which nobody may exchange afterwards."""
    assert held.opened_at is not None
    hidden = {"limits": dict.fromkeys(result["limits"])} if terms_of(row.terms).hidden else {}
    return {"round": held.number, "opened_at": stamp(held.opened_at), "result": {**result, **hidden}}


def _opened(session: Session, row: TenderRow, number: int, shares: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """What the envelopes hold: `limits` and, by company, `bids`, as the public bundle needs them."""
    found: dict[str, Any] = {"limits": _open_one(row.reserve or {}, shares), "bids": {}}
    if found["limits"]["payload"] is None:
        raise Conflict(
            say("封をした予定価格を読めませんでした。この案件は取り止めてください。"), code="limits-unreadable"
        )
    contradiction = limits_against(terms_of(row.terms), found["limits"]["payload"])
    if contradiction:
        raise Conflict(
            say("封をした価格が、公表した内容と違います。この案件は取り止めてください。"), code=contradiction
        )
    for kept in bids.sealed_of(session, row, number):
        found["bids"][kept.company_id] = _open_one(kept.envelope or {}, shares)
    return found


def _open_breakdowns(
    session: Session, row: TenderRow, number: int, shares: dict[int, dict[str, Any]], opened: dict[str, Any]
) -> None:
    """内訳書, for the buyer alone: their keys stay out of everything that is published."""
    for kept in breakdowns.of_round(session, row, number):
        found = _open_one(kept.envelope, shares)
        breakdowns.opened(kept, found["payload"], opened.get(kept.company_id, {}).get("payload"))


def _open_one(closed: dict[str, Any], shares: dict[int, dict[str, Any]]) -> dict[str, Any]:
    digest = envelope.digest(closed)
    own = {place: _bytes(each.get(digest)) for place, each in shares.items()}
    opened = envelope.open_envelope(closed, own)
    document: dict[str, Any] = {"payload": opened.payload, "invalid": opened.invalid}
    if opened.seed is not None:
        document["seed"] = opened.seed.hex()
    if opened.content is not None:
        document["content"] = opened.content.hex()
    if opened.invalid:  # then everybody may see why
        document["shares"] = {str(place): share.hex() for place, share in own.items() if share is not None}
    return document


def _bytes(share: str | None) -> bytes | None:
    return None if share is None else bytes.fromhex(share)


def judge(session: Session, row: TenderRow, held: RoundRow, found: dict[str, Any]) -> dict[str, Any]:
    """The ranking that follows from `found`: what was opened, and what officials found since. Pure but for reading."""
    outcome, used, read = decided(session, row, held, found)
    document = bundle.result(outcome, used)
    arrived = {bid.bidder: bid for bid in read}
    places = [
        {
            **place,
            "lottery_number": arrived[place["bidder"]].lottery_number,
            "arrived_at": arrived[place["bidder"]].arrived_at.isoformat().replace("+00:00", "Z"),
            "technical": str(arrived[place["bidder"]].technical),
        }
        for place in document["places"]
    ]
    return {"result": document, "places": places, "outcome": outcome.outcome, "candidate": outcome.candidate,
            "lowest": outcome.lowest, "rebidders": document["rebidders"]}  # fmt: skip


def decided(
    session: Session, row: TenderRow, held: RoundRow, result: dict[str, Any]
) -> tuple[ranking.Outcome, Limits, list[Bid]]:
    """Outcome, limits as used, and the bids as read."""
    terms = terms_of(row.terms)
    technical = points_of(session, row, result)
    read = [
        _bid(arrival, result["opened"], technical.get(arrival.company_id), terms.self_points)
        for arrival in bids.arrivals(session, row, held.number)
    ]
    read += papers.bids(session, row, held.number, technical)
    seed = _seed(session, row, held, read)
    used = ranking.limits_at_opening(terms, read, limits_of(result["opened"]["limits"]["payload"]), seed)
    outcome = ranking.decide(
        terms, read, used, round_=held.number, last_lowest=_last_lowest(session, row, held), refused=result["refused"],
        cleared=frozenset(result["cleared"]), seed=seed, opened_at=held.opened_at,
    )  # fmt: skip
    return outcome, used, read


def points_of(session: Session, row: TenderRow, result: dict[str, Any]) -> dict[str, Fraction]:
    """技術点 that officials gave, by company: all of them before the opening, or with 自己採点 those that were lowered since."""
    if row.terms.get("points") == "self":
        return {bidder: Fraction(points) for bidder, points in result.get("technical", {}).items()}
    return scores.technical(session, row)


def _bid(arrival: bids.Arrival, opened: dict[str, Any], technical: Fraction | None, most: Sequence[int]) -> Bid:
    document = opened["bids"][arrival.company_id]
    payload = json.loads(bytes.fromhex(document["content"])) if document["payload"] is not None else None
    return read_bid(
        payload,
        document["invalid"],
        bidder=arrival.company_id,
        arrived_at=moment(arrival.receipt["entry"]["at"]),
        sequence=arrival.position,
        assigned=int(arrival.receipt["entry"].get("assigned", 0)),
        technical=technical,
        most=most,
    )


def _seed(session: Session, row: TenderRow, held: RoundRow, read: list[Bid]) -> bytes:
    """Of the verifiable lottery and of a drawn factor: known to nobody before all bids are open."""
    assert held.checkpoint_size is not None
    tickets = [ranking.ticket(bid) for bid in read if not bid.invalid]
    return lottery.seed(
        row.id, held.number, log.root_at(session, held.checkpoint_size), tickets, stamps.beacon(session, row, held)
    )


def _last_lowest(session: Session, row: TenderRow, held: RoundRow) -> int | None:
    if held.number == 1:
        return None
    return (tenders.round_of(session, row, held.number - 1).result or {}).get("lowest")


def tell_holds(session: Session, row: TenderRow, held: RoundRow, before: Mapping[str, Any], now: datetime) -> None:
    """保留通知書: to the candidate what is looked at and what to bring; to the others once, when the decision is put off first.
    `before`: the round's result until now, {} at the opening."""
    result = held.result or {}
    outcome, candidate = result["outcome"], result["candidate"]
    if outcome not in HOLDS:
        return
    told: dict[str, letters.Written] = {}
    if before.get("outcome") not in HOLDS:
        reason = str(wording.worded(wording.way_of(row.method), HOLDS[outcome]))
        told = {place["bidder"]: ("on_hold", {"reason": reason}) for place in result["places"]}
    if (candidate, outcome) != (before.get("candidate"), before.get("outcome")):
        told[candidate] = (outcome, {})
    letters.write_all(session, row, told, now)


def drawn_table(result: dict[str, Any]) -> list[tuple[int, int, int, bool]]:
    """How 予備価格 were drawn in an opened round (`limits.drawn_table`); empty where none were sealed."""
    sealed = limits_of(result["opened"]["limits"]["payload"] or {})
    if not sealed.preliminary:
        return []
    counted = {place["bidder"] for place in result["places"] if place["standing"] != "invalid"}
    payloads = {key: each["payload"] or {} for key, each in result["opened"]["bids"].items() if key in counted}
    picks = [tuple(each["picks"]) for each in payloads.values() if each.get("picks")]
    return limit_rules.drawn_table(sealed.preliminary, picks or ranking.NOBODY_DREW)
