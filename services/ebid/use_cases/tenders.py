"""A tender from the first draft to its publication, 日時変更 and 取止め. Two persons publish: who drafted does not approve."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit, jobs, outbox, room
from libs.common.actor import Actor
from libs.common.clock import fiscal_year, local_date
from libs.common.errors import Conflict, Forbidden, Invalid, NotFound, say
from libs.common.ids import new_id
from services.ebid import events
from services.ebid.db import CounterRow, RoundRow, TenderRow, heads
from services.ebid.domain import numbers, procedure, states
from services.ebid.domain.procedure import Dates
from services.ebid.domain.states import State, Step
from services.ebid.domain.terms import terms_of
from services.ebid.sealing import envelope
from services.ebid.sealing.canonical import canonical, tagged
from services.ebid.sealing.note import stamp
from services.ebid.use_cases import documents, letters, log, profiles, publishing, sealed, trustees
from services.ebid.use_cases.office import Office
from services.ebid.verify import bundle

CLOSE = "ebid.close"
"""The job that ends a round of bids at its deadline."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What an officer fills in. `terms`: the document of `domain.terms`, without tender and trustees; `disclosure`
    of 予定価格 (after | before) and `announced_limits` beside it."""

    title: str
    summary: str
    place: str
    category: str
    method: str
    requirements: str
    dates: Dates
    terms: dict[str, Any]
    trustees: tuple[str, ...]


def draft(
    session: Session, actor: Actor, wanted: Draft, office: Office, now: datetime, ocid: str | None = None
) -> TenderRow:
    """Begin a tender. It gets its number at once. `ocid`: of the plan that it comes from."""
    _check(session, wanted, now)
    year = fiscal_year(local_date(now))
    serial = next_serial(session, year)
    code = code_of(session)
    row = TenderRow(
        id=new_id(),
        number=numbers.tender_number(code, year, serial),
        ocid=ocid or numbers.ocid(office.prefix, session.info["tenant"], year, serial),
        fiscal_year=year,
        state=State.DRAFT,
        round=1,
        drafted_by=actor.subject,
        drafted_by_name=actor.name,
        version=1,
    )
    _write(session, row, wanted, now)
    session.add(row)
    session.flush()
    session.add(_first_round(row, wanted.dates))
    audit.record(session, actor, "ebid.tender.draft", row.id, detail={"number": row.number}, now=now)
    return row


def edit(session: Session, actor: Actor, tender_id: str, seen: int, wanted: Draft, now: datetime) -> TenderRow:
    """Change a draft. What was sealed for other terms must be sealed again."""
    row = changing(session, tender_id, seen, Step.EDIT, now)
    _check(session, wanted, now)
    before = row.terms
    _write(session, row, wanted, now)
    if row.terms != before:
        row.reserve = None
    first = round_of(session, row, 1)
    first.bid_until, first.opens_at = wanted.dates.bid_until, wanted.dates.opens_at
    row.drafted_by, row.drafted_by_name = actor.subject, actor.name
    audit.record(session, actor, "ebid.tender.edit", row.id, now=now)
    return row


def _check(session: Session, wanted: Draft, now: datetime) -> None:
    errors = {}
    for name, label in (("title", say("件名")), ("summary", say("内容")), ("place", say("場所"))):
        if not getattr(wanted, name).strip():
            errors[name] = say("%(label)sを入力してください。", label=label)
    if wanted.category not in procedure.CATEGORIES:
        errors["category"] = say("区分を選んでください。")
    if wanted.method not in procedure.METHODS:
        errors["method"] = say("入札の方法を選んでください。")
    if errors:
        raise Invalid(say("入力を確かめてください。"), fields=errors, code="incomplete")
    procedure.check_dates(wanted.dates, procedure.METHODS[wanted.method].access, now)
    if not wanted.terms.get("sandbox"):
        profiles.check_hours(session, bid_until=wanted.dates.bid_until, opens_at=wanted.dates.opens_at)


def _write(session: Session, row: TenderRow, wanted: Draft, now: datetime) -> None:
    row.title, row.summary, row.place = wanted.title, wanted.summary, wanted.place
    row.category, row.method, row.requirements = wanted.category, wanted.method, wanted.requirements
    row.questions_until, row.apply_until = wanted.dates.questions_until, wanted.dates.apply_until
    chosen = trustees.chosen(session, wanted.trustees)
    row.trustees, row.threshold = chosen, trustees.threshold(len(chosen))
    keys = [each["public_key"] for each in chosen]
    opens = stamp(
        wanted.dates.opens_at
    )  # an honest trustee's tool opens nothing before it; 日時変更 only moves it away
    row.terms = {
        **wanted.terms,
        "tender": row.id,
        "trustees": keys,
        "threshold": row.threshold,
        "opens_at": opens,
    }
    procedure.check_terms(row.method, row.category, terms_of(row.terms))  # refuses what contradicts the law or itself
    row.updated_at = now


def _first_round(row: TenderRow, dates: Dates) -> RoundRow:
    return RoundRow(tender_id=row.id, number=1, bid_until=dates.bid_until, opens_at=dates.opens_at)


def next_serial(session: Session, year: int) -> int:
    """Unique within the fiscal year, for tenders and plans alike."""
    row = heads.locked(session, CounterRow, {"fiscal_year": year}, {"last": 0})
    row.last += 1
    session.flush()
    return row.last


def code_of(session: Session) -> str:
    place = session.get(room.RoomRow, session.info["tenant"])
    return (place and place.code) or session.info["tenant"]


# ---- towards publication


def seal_limits(
    session: Session, actor: Actor, tender_id: str, seen: int, given: dict[str, Any], now: datetime
) -> TenderRow:
    """Keep 予定価格 and 最低制限価格 as the official's own browser sealed them (封緘). Nobody here can read them."""
    row = changing(session, tender_id, seen, Step.EDIT, now)
    if not sealed.needs_sealing(row):
        raise Conflict(say("この案件の予定価格は事前公表です。封をする価格はありません。"), code="nothing-to-seal")
    row.reserve, digest = sealed.check(given, sealed.limits_header(row))
    audit.record(session, actor, "ebid.limits.seal", row.id, detail={"digest": digest}, now=now)
    return row


def submit(session: Session, actor: Actor, tender_id: str, seen: int, now: datetime) -> TenderRow:
    """Ask for approval. Everything that the announcement needs must be there."""
    row = changing(session, tender_id, seen, Step.SUBMIT, now)
    if len(row.trustees) < trustees.LEAST:
        raise Conflict(
            say("開札のかぎを持つ人を%(least)s人以上選んでください。", least=trustees.LEAST), code="too-few-trustees"
        )
    if sealed.needs_sealing(row) and row.reserve is None:
        raise Conflict(say("先に、予定価格などの価格に封をしてください。"), code="reserve-missing")
    row.drafted_by, row.drafted_by_name = actor.subject, actor.name
    audit.record(session, actor, "ebid.tender.submit", row.id, now=now)
    return row


def give_back(session: Session, actor: Actor, tender_id: str, seen: int, reason: str, now: datetime) -> TenderRow:
    """Return the draft to its officer."""
    row = changing(session, tender_id, seen, Step.RETURN, now)
    audit.record(session, actor, "ebid.tender.return", row.id, reason, now=now)
    return row


def publish(
    session: Session, actor: Actor, tender_id: str, seen: int, office: Office, now: datetime, *, warned: bool = False
) -> TenderRow:
    """Approve and publish (公告). Freezes the announcement, logs its digest, tells the world. `warned`: whoever approves has read
    what the scanner found in the papers."""
    row = changing(session, tender_id, seen, Step.PUBLISH, now)
    if row.drafted_by == actor.subject:
        raise Forbidden(say("承認は、作成した方とは別の方が行います。"), code="same-person")
    if not warned and any(each.findings for each in documents.listed(session, row)):
        raise Conflict(
            say("書類に見えない文字や作成者の情報があります。確かめてから公告してください。"), code="papers-unread"
        )
    first = round_of(session, row, 1)
    procedure.check_dates(
        Dates(row.questions_until, row.apply_until, first.bid_until, first.opens_at),
        procedure.METHODS[row.method].access,
        now,
    )
    row.approved_by, row.approved_by_name, row.published_at = actor.subject, actor.name, now
    row.announcement = announcement(session, row, first)
    row.announcement_digest = tagged("announcement", canonical(row.announcement)).hex()
    _log_publication(session, row, first, office, now)
    close_at(session, row, first)
    audit.record(session, actor, "ebid.tender.publish", row.id, detail={"digest": row.announcement_digest}, now=now)
    fact = events.TenderPublished(
        tender_id=row.id, ocid=row.ocid, number=row.number, title=row.title, category=row.category,
        method=row.method, fiscal_year=row.fiscal_year, published_at=now, bid_until=first.bid_until,
        opens_at=first.opens_at,
    )  # fmt: skip
    if not is_practice(row):
        outbox.add(session, fact, subject=row.id, now=now)
    publishing.release(session, row, ["tender"], office.site(code_of(session)), now)
    return row


def announcement(session: Session, row: TenderRow, first: RoundRow) -> dict[str, Any]:
    """All that is fixed by the publication; its canonical JSON is what the digest is of."""
    return {
        "number": row.number,
        "title": row.title,
        "summary": row.summary,
        "place": row.place,
        "category": row.category,
        "method": row.method,
        "requirements": row.requirements,
        "questions_until": stamp(row.questions_until),
        "apply_until": stamp(row.apply_until) if row.apply_until else None,
        "bid_until": stamp(first.bid_until),
        "opens_at": stamp(first.opens_at),
        "terms": row.terms,
        "trustees": [{"name": each["name"], "institution": each["institution"]} for each in row.trustees],
        "documents": [{"name": each.name, "sha256": each.sha256} for each in documents.listed(session, row)],
    }


def _log_publication(session: Session, row: TenderRow, first: RoundRow, office: Office, now: datetime) -> None:
    assert row.announcement_digest is not None
    log.enter(session, office.signer, row.id, "announcement", row.announcement_digest, now)
    log.enter(session, office.signer, row.id, "terms", bundle.terms_digest(row.terms), now)
    if not sealed.needs_sealing(row):
        row.reserve = sealed.seal_announced(row)
    assert row.reserve is not None
    log.enter(session, office.signer, row.id, "limits", envelope.digest(row.reserve), now, round=1)
    log_deadline(session, row, first, office, now)


def is_practice(row: TenderRow) -> bool:
    """練習用: marked everywhere, in no feed, no event, no statistics; its hours are its own."""
    return bool(row.terms.get("sandbox"))


def check_hours(session: Session, row: TenderRow, until: datetime, opens: datetime) -> None:
    """Invalid where a moved deadline or opening lies outside the municipality's hours."""
    if not is_practice(row):
        profiles.check_hours(session, bid_until=until, opens_at=opens)


def log_deadline(session: Session, row: TenderRow, held: RoundRow, office: Office, now: datetime) -> None:
    """Fix in the log until when bids of this round may come."""
    digest = bundle.schedule_digest(row.id, held.number, held.bid_until)
    facts = {"round": held.number, "deadline": stamp(held.bid_until)}
    log.enter(session, office.signer, row.id, "deadline", digest, now, **facts)


def close_at(session: Session, row: TenderRow, held: RoundRow) -> None:
    """The job that closes the round at its deadline. Each deadline has its own: an earlier one finds that it is not time."""
    payload = {"tender": row.id, "round": held.number}
    key = f"{row.id}:{held.number}:{held.bid_until.isoformat()}"
    jobs.add(session, CLOSE, payload, key=key, now=held.bid_until, at=held.bid_until)


def postpone(
    session: Session, actor: Actor, tender_id: str, seen: int, until: datetime, opens: datetime, reason: str,
    office: Office, now: datetime,
) -> TenderRow:  # fmt: skip
    """日時変更: later dates for bids and opening. What has come stays sealed and valid."""
    log.lock(session)  # before the round, as the close does
    row = changing(session, tender_id, seen, Step.POSTPONE, now)
    held = round_of(session, row, row.round, lock=True)
    if held.closed_at is not None:
        raise Conflict(say("入札の締切を過ぎているため、日時は変えられません。"), code="closed")
    if not reason.strip():
        sentence = say("変更の理由を入力してください。公表されます。")
        raise Invalid(sentence, fields={"reason": sentence})
    if until < held.bid_until:
        sentence = say("締切を早めることはできません。")
        raise Invalid(sentence, fields={"bid_until": sentence}, code="bad-dates")
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
    letters.tell_participants(session, row, "postponed", told, now)
    audit.record(session, actor, "ebid.tender.postpone", row.id, reason, {"before": before, "after": after}, now=now)
    publishing.release(session, row, ["tenderAmendment"], office.site(code_of(session)), now)
    return row


def cancel(
    session: Session, actor: Actor, tender_id: str, seen: int, reason: str, office: Office, now: datetime
) -> TenderRow:
    """取止め. Sealed bids stay sealed for ever."""
    row = changing(session, tender_id, seen, Step.CANCEL, now)
    if not reason.strip():
        sentence = say("取止めの理由を入力してください。公表されます。")
        raise Invalid(sentence, fields={"reason": sentence})
    row.cancel_reason = reason
    digest = tagged("cancelled", canonical({"tender": row.id, "reason": reason})).hex()
    log.enter(session, office.signer, row.id, "cancelled", digest, now)
    letters.tell_participants(session, row, "cancelled", {"reason": reason}, now)
    audit.record(session, actor, "ebid.tender.cancel", row.id, reason, now=now)
    publishing.release(session, row, ["tenderCancellation"], office.site(code_of(session)), now)
    return row


# ---- finding


def load(session: Session, tender_id: str, *, lock: bool = False) -> TenderRow:
    """A tender of this municipality. Raises NotFound."""
    statement = select(TenderRow).where(TenderRow.id == tender_id)
    row = session.scalar(statement.with_for_update() if lock else statement)
    if row is None:
        raise NotFound(say("この案件は見つかりません。一覧から探してください。"))
    return row


def load_public(session: Session, tender_id: str) -> TenderRow:
    """The same, for everybody: drafts do not exist."""
    row = load(session, tender_id)
    if row.state not in states.PUBLIC:
        raise NotFound(say("この案件は見つかりません。一覧から探してください。"))
    return row


def changing(session: Session, tender_id: str, seen: int, step: Step, now: datetime) -> TenderRow:
    """The tender, locked and moved by `step`. Conflict when somebody changed it since `seen`."""
    row = load(session, tender_id, lock=True)
    if row.version != seen:
        raise Conflict(say("ほかの方が先に変更しました。画面を開き直して、確かめてください。"), code="changed")
    row.state = states.after(row.state, step)
    row.version, row.updated_at = row.version + 1, now
    return row


def round_of(session: Session, row: TenderRow, number: int, *, lock: bool = False) -> RoundRow:
    statement = select(RoundRow).where(RoundRow.tender_id == row.id, RoundRow.number == number)
    return session.scalars(statement.with_for_update() if lock else statement).one()


def rounds_of(session: Session, row: TenderRow) -> list[RoundRow]:
    return list(session.scalars(select(RoundRow).where(RoundRow.tender_id == row.id).order_by(RoundRow.number)))


def published(session: Session, words: str = "", limit: int = 100) -> list[TenderRow]:
    """What everybody may see, newest first."""
    statement = select(TenderRow).where(TenderRow.state.in_(states.PUBLIC))
    for word in words.split()[:5]:
        statement = statement.where(TenderRow.title.contains(word, autoescape=True))
    return list(session.scalars(statement.order_by(TenderRow.published_at.desc(), TenderRow.id).limit(limit)))


def for_the_desk(session: Session, limit: int = 200) -> list[TenderRow]:
    return list(session.scalars(select(TenderRow).order_by(TenderRow.id.desc()).limit(limit)))
