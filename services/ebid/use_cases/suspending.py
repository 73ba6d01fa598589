"""指名停止: imposed by one municipality, changed or ended early by it with a reason, known to all and in the log; what it was before is
kept."""

from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, Forbidden, Invalid, NotFound, say
from libs.common.ids import new_id
from services.ebid.db import CompanyRow, SuspensionChangeRow, SuspensionRow
from services.ebid.domain import company
from services.ebid.use_cases import journal
from services.ebid.use_cases.office import Office


def suspend(
    session: Session, actor: Actor, row: CompanyRow, first: date, last: date, reason: str, office: Office, now: datetime
) -> SuspensionRow:
    """Impose 指名停止; every municipality sees it and refuses bids meanwhile."""
    _check(first, last, reason, now)
    told = SuspensionRow(
        id=new_id(), company_id=row.id, by_tenant=session.info["tenant"], first=first, last=last, reason=reason.strip(),
        imposed_at=now,
    )  # fmt: skip
    session.add(told)
    _log(session, office, row, told, reason, now)
    audit.record(session, actor, "ebid.company.suspend", row.id, reason, now=now)
    return told


EARLIEST, LATEST_BEGIN, LATEST_END = timedelta(days=-366), timedelta(days=366), timedelta(days=5 * 366)
"""Between which days, from today, one begins, and until when it lasts. The model of 中央公契連 has at most three years [M]; what lasts
longer is made longer later. A year typed wrong would otherwise keep a company out for centuries, or nobody."""


def _check(first: date, last: date, reason: str, now: datetime, before: date | None = None) -> None:
    """`before`: the first day of one that is changed, which may stay."""
    today, errors = local_date(now), dict[str, str]()
    if first != before and not today + EARLIEST <= first <= today + LATEST_BEGIN:
        errors["first"] = say("始まる日は、今日の1年前から1年後までの日にしてください。年を確かめてください。")
    if last < first:
        errors["last"] = say("終わる日は、始まる日より前にはできません。")
    elif last > today + LATEST_END:
        errors["last"] = say(
            "終わる日は、今日から5年以内にしてください。年を確かめてください。もっと長くするときは、期間が終わる前に変更できます。"
        )
    _raise(errors, reason)


def _raise(errors: dict[str, str], reason: str) -> None:
    """Invalid where something is wrong, or no reason was given."""
    if not reason.strip():
        errors["reason"] = say("理由を入力してください。")
    if errors:
        raise Invalid(say("期間と理由を確かめてください。"), fields=errors)


def change(
    session: Session,
    actor: Actor,
    suspension_id: str,
    first: date,
    last: date,
    reason: str,
    office: Office,
    now: datetime,
) -> SuspensionRow:
    """Another span, with the reason (期間の変更). Only by the municipality that imposed it, and while it is not over."""
    told = running(session, suspension_id, now)
    _check(first, last, reason, now, told.first)
    if (first, last) == (told.first, told.last):
        sentence = say("期間が変わっていません。")
        raise Invalid(sentence, fields={"last": sentence})
    return _changed(session, actor, told, first, last, reason, office, now)


def end(
    session: Session, actor: Actor, suspension_id: str, reason: str, office: Office, now: datetime
) -> SuspensionRow:
    """解除: from this moment the company may take part again. One that has not begun never holds."""
    told = running(session, suspension_id, now)
    _raise({}, reason)
    told.lifted_at = now
    return _changed(session, actor, told, told.first, min(told.last, local_date(now)), reason, office, now)


def running(session: Session, suspension_id: str, now: datetime) -> SuspensionRow:
    """The municipality's own, held for a change. NotFound, Forbidden for another's, Conflict where it is over."""
    told = session.get(SuspensionRow, suspension_id, with_for_update=True)
    if told is None:
        raise NotFound(say("この指名停止は見つかりません。"))
    if told.by_tenant != session.info["tenant"]:
        raise Forbidden(say("ほかの市町村が決めた指名停止は、その市町村だけが変えられます。"), code="of-another")
    if not in_force(told, local_date(now)):
        raise Conflict(say("この指名停止は、もう終わっています。"), code="over")
    return told


def _changed(
    session: Session,
    actor: Actor,
    told: SuspensionRow,
    first: date,
    last: date,
    reason: str,
    office: Office,
    now: datetime,
) -> SuspensionRow:
    before = SuspensionChangeRow(
        id=new_id(), suspension_id=told.id, by_tenant=told.by_tenant, first=told.first, last=told.last, reason=reason.strip(),
        lifts=told.lifted_at is not None, at=now,
    )  # fmt: skip
    session.add(before)
    detail = {
        "before": [f"{told.first}", f"{told.last}"],
        "after": [f"{first}", f"{last}"],
        "lifted": bool(told.lifted_at),
    }
    told.first, told.last = min(first, last), last
    row = session.get_one(CompanyRow, told.company_id)
    _log(session, office, row, told, reason.strip(), now)
    action = "ebid.suspension.end" if told.lifted_at else "ebid.suspension.change"
    audit.record(session, actor, action, told.company_id, reason, detail, now=now)
    return told


def _log(session: Session, office: Office, row: CompanyRow, told: SuspensionRow, reason: str, now: datetime) -> None:
    """How it is from now on; `lifted` where it was ended by this."""
    document = {
        "suspension": told.id, "company": company.identifier(row.corporate_number, row.id), "first": told.first.isoformat(),
        "last": told.last.isoformat(), "reason": reason, **({"lifted": True} if told.lifted_at else {}),
    }  # fmt: skip
    journal.write(session, office, journal.MUNICIPALITY, "suspension", document, now)


def of(session: Session, company_id: str) -> list[SuspensionRow]:
    found = select(SuspensionRow).where(SuspensionRow.company_id == company_id)
    return list(session.scalars(found.order_by(SuspensionRow.first)))


def of_bidder(session: Session, bidder_id: str | None, today: date) -> list[SuspensionRow]:
    """Those that hold today of a bidder, or of a member of a 共同企業体."""
    bidder = session.get(CompanyRow, bidder_id) if bidder_id else None
    ids = [bidder.id, *(each["id"] for each in bidder.members or ())] if bidder else []
    found = [each for company_id in ids for each in of(session, company_id)]
    return [each for each in found if each.first <= today and in_force(each, today)]


def holds(session: Session, company_id: str, day: date) -> bool:
    spans = [(each.first, each.last) for each in of(session, company_id) if each.lifted_at is None]
    return company.suspended(spans, day)


def in_force(told: SuspensionRow, today: date) -> bool:
    """Whether it holds today or begins later."""
    return told.lifted_at is None and told.last >= today


KEPT = timedelta(days=5 * 366)
"""How long those that are over stay on the page."""


def listed(session: Session, today: date) -> list[tuple[SuspensionRow, CompanyRow]]:
    """Of all municipalities: those that hold, that begin later, and that ended in the last years; the latest end first."""
    found = (
        select(SuspensionRow, CompanyRow)
        .join(CompanyRow, CompanyRow.id == SuspensionRow.company_id)
        .where(SuspensionRow.last >= today - KEPT)
        .order_by(SuspensionRow.last.desc(), SuspensionRow.id)
        .limit(500)
    )
    return [(told, row) for told, row in session.execute(found)]


def changes(session: Session, ids: list[str]) -> dict[str, list[SuspensionChangeRow]]:
    """How each of these suspensions was before its changes, oldest first."""
    found = select(SuspensionChangeRow).where(SuspensionChangeRow.suspension_id.in_(ids))
    known: dict[str, list[SuspensionChangeRow]] = {}
    for each in session.scalars(found.order_by(SuspensionChangeRow.at, SuspensionChangeRow.id)):
        known.setdefault(each.suspension_id, []).append(each)
    return known
