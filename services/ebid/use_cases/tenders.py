"""A tender as a draft, and how every other use case finds it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit, heads, room
from libs.common.actor import Actor
from libs.common.clock import fiscal_year, local_date
from libs.common.errors import Conflict, Invalid, NotFound, say
from libs.common.ids import new_id
from services.ebid.db import CounterRow, RoundRow, TenderRow
from services.ebid.domain import numbers, procedure, states
from services.ebid.domain.procedure import Dates
from services.ebid.domain.states import State, Step
from services.ebid.domain.terms import terms_of
from services.ebid.sealing.note import stamp
from services.ebid.use_cases import profiles, trustees
from services.ebid.use_cases.office import Office


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
    code = room.code_of(session)
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


def missing(given: Callable[[str], str]) -> dict[str, str]:
    """What no tender can be without, by field, with the sentence beside it; `given`: the text of a field."""
    errors = {}
    for name, label in (("title", say("件名")), ("summary", say("内容")), ("place", say("場所"))):
        if not given(name).strip():
            errors[name] = say("%(label)sを入力してください。", label=label)
    if given("category") not in procedure.CATEGORIES:
        errors["category"] = say("区分を選んでください。")
    if given("method") not in procedure.METHODS:
        errors["method"] = say("方法を選んでください。")
    return errors


def _check(session: Session, wanted: Draft, now: datetime) -> None:
    if errors := missing(partial(getattr, wanted)):
        raise Invalid(say("入力を確かめてください。"), fields=errors, code="incomplete")
    procedure.check_dates(wanted.dates, procedure.METHODS[wanted.method].access, now)
    if not wanted.terms.get("sandbox"):
        hours = profiles.of(session).hours
        profiles.check_hours(hours, bid_until=wanted.dates.bid_until, opens_at=wanted.dates.opens_at)


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
        "ranks": "stand",
        "bound": "with_tax",
        "admission": procedure.METHODS[
            row.method
        ].access,  # and that decisions are in the log: the verifier asks for them
        "hours": profiles.of(session).hours.document(),  # a change of the profile closes no door of a running tender
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


def unanswered(row: TenderRow, rounds: Sequence[RoundRow]) -> bool:
    """Whether an ended 競争入札 had no bid, or after a 再度の入札 no winner: what 施行令167条の2第1項8号 wants before a 随意契約."""
    ended = row.state == State.CANCELLED or (row.state == State.CONCLUDED and not (row.outcome or {}).get("winner"))
    nobody = (rounds[0].result or {}).get("outcome") == "no_bids"
    return ended and procedure.METHODS[row.method].competitive and (nobody or len(rounds) > 1)


def entitled(session: Session, row: TenderRow) -> Sequence[str]:
    """From the second round on: who is asked to bid again, or for a quotation, by id."""
    before = round_of(session, row, row.round - 1)
    return round_of(session, row, row.round).invited or (before.result or {}).get("rebidders", ())


def is_practice(row: TenderRow) -> bool:
    """練習用: marked everywhere, in no feed, no event, no statistics; its hours are its own."""
    return bool(row.terms.get("sandbox"))


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


def by_ids(session: Session, ids: set[str]) -> dict[str, TenderRow]:
    return {row.id: row for row in session.scalars(select(TenderRow).where(TenderRow.id.in_(ids)))}


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


def rounds_by_tender(session: Session, ids: set[str]) -> dict[str, list[RoundRow]]:
    """Of many tenders at once."""
    found: dict[str, list[RoundRow]] = {each: [] for each in ids}
    for held in session.scalars(select(RoundRow).where(RoundRow.tender_id.in_(ids)).order_by(RoundRow.number)):
        found[held.tender_id].append(held)
    return found


def published(session: Session, words: str = "", limit: int = 100) -> list[TenderRow]:
    """What everybody may see, newest first."""
    statement = select(TenderRow).where(TenderRow.state.in_(states.PUBLIC))
    for word in words.split()[:5]:
        statement = statement.where(TenderRow.title.contains(word, autoescape=True))
    return list(session.scalars(statement.order_by(TenderRow.published_at.desc(), TenderRow.id).limit(limit)))


def for_the_desk(session: Session, limit: int = 200) -> list[TenderRow]:
    return list(session.scalars(select(TenderRow).order_by(TenderRow.id.desc()).limit(limit)))
