"""Until when bids come: fixed in the log, closed by a job, moved by 日時変更."""

from datetime import datetime

from sqlalchemy.orm import Session

from libs.common import audit, jobs, room
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, say
from services.ebid.db import RoundRow, TenderRow
from services.ebid.domain import procedure
from services.ebid.domain.procedure import Dates
from services.ebid.domain.states import Step
from services.ebid.domain.terms import SETTLE
from services.ebid.sealing.note import stamp
from services.ebid.use_cases import letters, log, profiles, publishing, tenders
from services.ebid.use_cases.office import Office
from services.ebid.verify import bundle

CLOSE = "ebid.close"
"""The job that ends a round of bids at its deadline."""


def check_hours(session: Session, row: TenderRow, until: datetime, opens: datetime) -> None:
    """Invalid where a moved deadline or opening lies outside the hours of this tender."""
    profiles.check_hours(profiles.hours_of(session, row), bid_until=until, opens_at=opens)


def log_deadline(session: Session, row: TenderRow, held: RoundRow, office: Office, now: datetime) -> None:
    """Fix in the log until when bids of this round may come."""
    digest = bundle.schedule_digest(row.id, held.number, held.bid_until)
    facts = {"round": held.number, "deadline": stamp(held.bid_until)}
    log.enter(session, office.signers, row.id, "deadline", digest, now, **facts)


def close_at(session: Session, row: TenderRow, held: RoundRow) -> None:
    """The job that closes the round when its deadline has settled. Each deadline has its own: an earlier one finds that it is not
    time."""
    payload, at = {"tender": row.id, "round": held.number}, held.bid_until + SETTLE
    jobs.add(session, CLOSE, payload, key=f"{row.id}:{held.number}:{held.bid_until.isoformat()}", now=at, at=at)


def postpone(
    session: Session, actor: Actor, tender_id: str, seen: int, until: datetime, opens: datetime, reason: str,
    office: Office, now: datetime,
) -> TenderRow:  # fmt: skip
    """日時変更: later dates for bids and opening. What has come stays sealed and valid. `now` is `log.moment`: a deadline that has passed
    stays, though the round is closed a little later."""
    log.lock(session)  # before the round, as the close does
    row = tenders.changing(session, tender_id, seen, Step.POSTPONE, now)
    held = tenders.round_of(session, row, row.round, lock=True)
    if held.closed_at is not None or now >= held.bid_until:
        raise Conflict(say("締切を過ぎているため、日時は変えられません。"), code="closed")
    if not reason.strip():
        sentence = say("変更の理由を入力してください。公表されます。")
        raise Invalid(sentence, fields={"reason": sentence})
    _require_later(held, until, opens)
    procedure.check_dates(Dates(until, None, until, opens), "registered", now)
    check_hours(session, row, until, opens)
    before = {"bid_until": held.bid_until.isoformat(), "opens_at": held.opens_at.isoformat()}
    held.bid_until, held.opens_at = until, opens
    told = {"at": stamp(now), "reason": reason.strip(), "until": stamp(until), "opens": stamp(opens)}
    held.amendments = [*(held.amendments or []), told]
    after = {"bid_until": until.isoformat(), "opens_at": opens.isoformat(), "round": held.number}
    log_deadline(session, row, held, office, now)
    close_at(session, row, held)
    told = {"until": letters.moment(until), "opens": letters.moment(opens), "reason": reason}
    if row.round == 1:
        letters.tell_participants(session, row, "postponed", told, now)
    else:
        letters.write_all(session, row, dict.fromkeys(tenders.entitled(session, row), ("postponed", told)), now)
    audit.record(session, actor, "ebid.tender.postpone", row.id, reason, {"before": before, "after": after}, now=now)
    publishing.release(session, row, ["tenderAmendment"], office.site(room.code_of(session)), now)
    return row


def _require_later(held: RoundRow, until: datetime, opens: datetime) -> None:
    """Invalid for what is no later date. The opening's hour, too, only moves away: an honest trustee's tool keeps to the announced one."""
    wrong: dict[str, str] = {}
    if until < held.bid_until:
        wrong["bid_until"] = say("締切を早めることはできません。")
    if opens < held.opens_at:
        wrong["opens_at"] = say("この日時を早めることはできません。")
    if (until, opens) == (held.bid_until, held.opens_at):
        wrong["bid_until"] = say("日時が変わっていません。")
    if wrong:
        raise Invalid(say("日時を確かめてください。"), fields=wrong, code="bad-dates")
