"""After the opening: examine the candidate, bid again, decide, publish the result."""

from collections.abc import Mapping
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from sqlalchemy.orm import Session

from libs.common import audit, outbox, room
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, Invalid, say
from services.ebid import events
from services.ebid.db import BundleRow, CompanyRow, RoundRow, TenderRow
from services.ebid.domain import procedure, scoring
from services.ebid.domain.procedure import Dates
from services.ebid.domain.states import State, Step
from services.ebid.domain.terms import terms_of
from services.ebid.use_cases import (
    bids,
    bundles,
    companies,
    deadlines,
    journal,
    letters,
    log,
    opening,
    publishing,
    scores,
    tenders,
)
from services.ebid.use_cases.office import Office

LOOKED = {"hold_review": "review", "hold_investigation": "investigation"}
"""What a candidate is held for → the notices of its result."""
HELD = tuple(LOOKED)
MOST_ROUNDS = 9


def clear(session: Session, actor: Actor, tender_id: str, seen: int, office: Office, now: datetime) -> RoundRow:
    """The candidate passed 事後審査 or 低入札価格調査."""
    row, held, result = _opened(session, tender_id, seen)
    if result["outcome"] not in HELD:
        raise Conflict(say("審査を待っている候補者はいません。"), code="nobody-held")
    _log_judgement(session, office, row, held, {"act": "clear", "bidder": result["candidate"], "reason": ""}, now)
    letters.write(session, row, result["candidate"], LOOKED[result["outcome"]] + "_passed", {}, now)
    return _judge_again(session, actor, row, held, {"cleared": [*result["cleared"], result["candidate"]]}, "", now)


def lower(
    session: Session, actor: Actor, tender_id: str, seen: int, points: Mapping[str, str], reason: str, office: Office,
    now: datetime,
) -> RoundRow:  # fmt: skip
    """自己採点: what the candidate's papers do not support is taken off its points, with the reason that will be public; who is first
    then follows. `points`: place of the criterion → points as typed, none above the bidder's own."""
    row, held, result = _opened(session, tender_id, seen)
    candidate = result["candidate"]
    if row.terms.get("points") != "self" or result["outcome"] not in HELD:
        raise Conflict(say("自己採点を確かめる候補者はいません。"), code="nobody-held")
    errors: dict[str, str] = {}
    own, criteria = result["opened"]["bids"][candidate]["payload"]["points"], scores.criteria(row)
    total = scoring.total(criteria, points)
    for place, (criterion, most) in enumerate(zip(criteria, own, strict=True)):
        if scoring.read_points(points[str(place)]) * 1000 > most:
            errors[str(place)] = say("%(name)sは、入札者の自己採点より高くできません。", name=criterion.name)
    if not errors and total == Fraction(next(p["technical"] for p in result["places"] if p["bidder"] == candidate)):
        errors["0"] = say("点数が変わっていません。自己採点のとおりなら、適格と認めてください。")
    if not reason.strip():
        errors["reason"] = say("点数を下げる理由を入力してください。公表されます。")
    if errors:
        raise Invalid(say("入力を確かめてください。"), fields=errors, code="points")
    change = {
        "technical": {**result.get("technical", {}), candidate: str(total)},
        "lowered": {**result.get("lowered", {}), candidate: reason.strip()},
        "cleared": [each for each in result["cleared"] if each != candidate],
    }
    judged = {"act": "lower", "bidder": candidate, "points": str(total), "reason": reason.strip()}
    _log_judgement(session, office, row, held, judged, now)
    return _judge_again(session, actor, row, held, change, reason, now)


def refuse(
    session: Session, actor: Actor, tender_id: str, seen: int, reason: str, office: Office, now: datetime
) -> RoundRow:
    """The candidate is out (失格), with the reason that will be public; the next one comes up."""
    row, held, result = _opened(session, tender_id, seen)
    if result["candidate"] is None:
        raise Conflict(say("候補者がいません。"), code="no-candidate")
    if not reason.strip():
        sentence = say("失格とする理由を入力してください。公表されます。")
        raise Invalid(sentence, fields={"reason": sentence}, code="reason-needed")
    refused = {**result["refused"], result["candidate"]: reason.strip()}
    judged = {"act": "refuse", "bidder": result["candidate"], "reason": reason.strip()}
    _log_judgement(session, office, row, held, judged, now)
    looked = LOOKED.get(result["outcome"])
    kind = f"{looked}_failed" if looked else "disqualified"
    letters.write(session, row, result["candidate"], kind, {"reason": reason.strip()}, now)
    return _judge_again(session, actor, row, held, {"refused": refused}, reason, now)


def _opened(session: Session, tender_id: str, seen: int) -> tuple[TenderRow, RoundRow, dict[str, Any]]:
    row = tenders.load(session, tender_id, lock=True)
    if row.version != seen:
        raise Conflict(say("ほかの方が先に変更しました。画面を開き直して、確かめてください。"), code="changed")
    if row.state != State.OPENED:
        raise Conflict(say("この案件は、いま審査中ではありません。"), code="wrong-state")
    held = tenders.round_of(session, row, row.round, lock=True)
    return row, held, held.result or {}


def _log_judgement(
    session: Session, office: Office, row: TenderRow, held: RoundRow, judged: dict[str, Any], now: datetime
) -> None:
    journal.write(session, office, row.id, "judged", {"round": held.number, **judged}, now)


def _judge_again(
    session: Session, actor: Actor, row: TenderRow, held: RoundRow, change: dict[str, Any], reason: str, now: datetime
) -> RoundRow:
    before = held.result or {}
    result = {**before, **change}
    held.result = result | opening.judge(session, row, held, result)
    row.version, row.updated_at = row.version + 1, now
    opening.tell_holds(session, row, held, before, now)
    audit.record(
        session, actor, "ebid.candidate.judge", row.id, reason or None, {"round": held.number, **change}, now=now
    )
    return held


def rebid(
    session: Session,
    actor: Actor,
    tender_id: str,
    seen: int,
    until: datetime,
    opens: datetime,
    office: Office,
    now: datetime,
) -> RoundRow:
    """再度入札 (施行令167条の8第4項): a further round among those who were over 予定価格."""
    row = tenders.changing(session, tender_id, seen, Step.REBID, now)
    result = tenders.round_of(session, row, row.round).result or {}
    if result["outcome"] != "rebid" or row.round >= procedure.rounds_of(row.method, row.category):
        raise Conflict(say("次の回を行える結果ではありません。"), code="no-rebid")
    held = _next_round(session, row, until, opens, office, now)
    values = {"lowest": f"{result['lowest']:,}", "until": letters.moment(until)}
    letters.write_all(session, row, dict.fromkeys(result["rebidders"], ("rebid", values)), now)
    asked = sorted(result["rebidders"])
    return _told_of_round(session, actor, row, held, "ebid.tender.rebid", asked, office, now)


def negotiate(
    session: Session, actor: Actor, tender_id: str, seen: int, invited: list[str], until: datetime, opens: datetime, office: Office,
    now: datetime,
) -> RoundRow:  # fmt: skip
    """見積 after 不落 (施行令167条の2第1項8号): who was above 予定価格 is asked for a quotation; nothing else changes."""
    row = tenders.changing(session, tender_id, seen, Step.REBID, now)
    above = negotiable(session, row)
    if not above:
        raise Conflict(
            say("見積を依頼できるのは、再度の入札をしても落札者がないときです（施行令167条の2第1項8号）。"),
            code="no-negotiation",
        )
    if not invited or set(invited) - set(above):
        sentence = say("見積を依頼する会社を、予定価格を超えた入札者から選んでください。")
        raise Invalid(sentence, fields={"invited": sentence}, code="not-invited")
    held = _next_round(session, row, until, opens, office, now)
    asked = sorted(set(invited))
    held.kind, held.invited = "quotation", asked
    values = {"lowest": f"{min(above.values()):,}", "until": letters.moment(until)}
    letters.write_all(session, row, dict.fromkeys(asked, ("quotation", values)), now)
    return _told_of_round(session, actor, row, held, "ebid.tender.negotiate", asked, office, now)


def negotiable(session: Session, row: TenderRow) -> dict[str, int]:
    """Who may be asked for a quotation after 不落, by id, with the price that was above 予定価格, cheapest first; nobody while it is not
    time. The law wants a 再度の入札 before (施行令167条の2第1項8号); where nobody bid in that any more, who bid in the round before."""
    rounds = tenders.rounds_of(session, row)
    drawn = row.terms["limits"]["kind"] == "drawn_reserve"  # in another round another price would be drawn
    again = procedure.METHODS[row.method].competitive and 1 < len(rounds) < MOST_ROUNDS
    if drawn or not again or (rounds[-1].result or {}).get("outcome") not in ("rebid", "no_award", "no_bids"):
        return {}
    for held in reversed(rounds):
        places = [each for each in (held.result or {})["places"] if each["standing"] == "over_reserve"]
        if places:
            return {each["bidder"]: each["amount"] for each in sorted(places, key=lambda each: each["amount"])}
    return {}


def _next_round(
    session: Session, row: TenderRow, until: datetime, opens: datetime, office: Office, now: datetime
) -> RoundRow:
    procedure.check_dates(Dates(until, None, until, opens), "registered", now)
    deadlines.check_hours(session, row, until, opens)
    row.round += 1
    held = RoundRow(tender_id=row.id, number=row.round, bid_until=until, opens_at=opens)
    session.add(held)
    session.flush()
    deadlines.log_deadline(session, row, held, office, now)
    deadlines.close_at(session, row, held)
    return held


def _told_of_round(
    session: Session, actor: Actor, row: TenderRow, held: RoundRow, action: str, asked: list[str], office: Office,
    now: datetime,
) -> RoundRow:  # fmt: skip
    document = {"round": row.round, "kind": held.kind or "rebid", "asked": asked}
    journal.write(session, office, row.id, "asked", document, now)
    audit.record(session, actor, action, row.id, detail={"round": row.round}, now=now)
    publishing.release(session, row, ["tenderUpdate"], office.site(room.code_of(session)), now)
    return held


def conclude(
    session: Session, actor: Actor, tender_id: str, seen: int, reason: str, office: Office, now: datetime,
    heard_on: date | None = None, heard: str = "",
) -> TenderRow:  # fmt: skip
    """落札者決定, or 不調・不落 with a reason. `heard_on`, `heard`: when and what 学識経験者 said, where they are heard again.
    The result is public from here on."""
    row = tenders.changing(session, tender_id, seen, Step.CONCLUDE, now)
    held = tenders.round_of(session, row, row.round)
    result = held.result or {}
    if result["outcome"] in HELD:
        raise Conflict(say("候補者の審査が済んでいません。"), code="held")
    awarded = result["outcome"] == "award"
    if not awarded and not reason.strip():
        sentence = say("終える理由を入力してください。公表されます。")
        raise Invalid(sentence, fields={"reason": sentence}, code="reason-needed")
    again = _heard_again(row, heard_on, heard.strip(), now) if awarded else {}
    row.outcome, row.concluded_at = _outcome(row, result, reason.strip()) | again, now
    session.flush()
    known = companies.by_ids(session, set(bidders(session, row)))
    _tell(session, row, known, now)
    journal.write(session, office, row.id, "concluded", {"outcome": row.outcome}, now)
    log.tick(
        session, office.signers, now
    )  # what led to the result is under a signed checkpoint when the result is public
    session.add(BundleRow(tender_id=row.id, document=bundles.make(session, row, office)))
    audit.record(session, actor, "ebid.tender.conclude", row.id, reason or None, {"outcome": row.outcome}, now=now)
    publishing.release(session, row, ["award"], office.site(room.code_of(session)), now)
    if not tenders.is_practice(row):
        outbox.add(session, _fact(row, held, known), subject=row.id, now=now)
    return row


def _heard_again(row: TenderRow, on: date | None, text: str, now: datetime) -> dict[str, dict[str, str]]:
    """施行令167条の10の2第5項: where 学識経験者 wanted to be heard again, nobody is awarded before."""
    if not row.terms.get("hearing", {}).get("again"):
        return {}
    errors: dict[str, str] = {}
    if on is None or on.year < 2000 or on > local_date(now):
        errors["heard_on"] = say("意見を聴いた日を入力してください。年を確かめてください。")
    if not text:
        errors["heard"] = say("落札者を決める前に、改めて意見を聴いた学識経験者と、意見の要旨を入力してください。")
    if on is None or errors:
        raise Invalid(say("入力を確かめてください。"), fields=errors, code="not-heard")
    return {"hearing": {"on": on.isoformat(), "text": text[:500]}}


def bidders(session: Session, row: TenderRow) -> list[str]:
    """Ids of everybody whose bid was opened, in any round."""
    found = {
        place["bidder"]: None
        for held in tenders.rounds_of(session, row)
        for place in (held.result or {}).get("places", ())
    }
    return list(found)


def _outcome(row: TenderRow, result: dict[str, Any], reason: str) -> dict[str, Any]:
    """What is published: where 予定価格 is 非公表, without it and the limits beside it."""
    used = result["result"]["limits"]
    sealed_payload = result["opened"]["limits"]["payload"]
    outcome: dict[str, Any] = {
        "outcome": "awarded" if result["outcome"] == "award" else "failed",
        "reason": reason,
        "winner": None,
        "amount": None,
        "amount_with_tax": None,
        "limits": dict.fromkeys(used) if terms_of(row.terms).hidden else used,
        "reserve_with_tax": None if terms_of(row.terms).hidden else sealed_payload.get("reserve_with_tax"),
    }
    if row.terms["limits"]["kind"] == "drawn_reserve":  # what was sealed is only where the preliminary prices came from
        outcome["reserve_with_tax"] = terms_of(row.terms).tax.contract_amount(used["reserve"])
    if result["outcome"] == "award":
        first = next(place for place in result["places"] if place["bidder"] == result["candidate"])
        amount = first["amount"]
        outcome |= {
            "winner": result["candidate"],
            "amount": amount,
            "amount_with_tax": terms_of(row.terms).tax.contract_amount(amount),
        }
    return outcome


def _tell(session: Session, row: TenderRow, known: dict[str, CompanyRow], now: datetime) -> None:
    outcome = row.outcome or {}
    winner = outcome["winner"]
    declined = {kept.company_id for held in tenders.rounds_of(session, row) for kept in bids.declined(session, held)}
    if winner is None:
        told = dict.fromkeys(sorted({*known, *declined}), ("failed", {"reason": outcome["reason"]}))
    else:
        values = {"amount": f"{outcome['amount_with_tax']:,}", "winner": known[winner].name}
        told = {bidder: ("winner" if bidder == winner else "loser", values) for bidder in known}
        told |= {company: ("decliner", values) for company in declined - set(known)}
    letters.write_all(session, row, told, now)


def _fact(row: TenderRow, held: RoundRow, known: dict[str, CompanyRow]) -> events.ResultPublished:
    outcome = row.outcome or {}
    winner = known.get(outcome["winner"])
    juristic = winner if winner is not None and (winner.corporate_number or winner.members) else None
    assert held.opened_at is not None
    assert row.concluded_at is not None
    return events.ResultPublished(
        tender_id=row.id, ocid=row.ocid, number=row.number, title=row.title, category=row.category, method=row.method,
        fiscal_year=row.fiscal_year, outcome=outcome["outcome"], bidders=len(known),
        winner_corporate_number=juristic.corporate_number if juristic else None,
        winner_name=juristic.name if juristic else None, amount=outcome["amount_with_tax"],
        reserve=outcome["reserve_with_tax"], opened_at=held.opened_at, concluded_at=row.concluded_at,
    )  # fmt: skip
