"""Whose a registration is: vouched for by the sign-in, or looked at by an official.

Until then it is only said: it keeps the number from nobody, and applies and bids nowhere (`companies.require_qualified`). What the
National Tax Agency publishes of a number helps the official; it verifies nobody, for everybody can read it.
"""

from datetime import datetime
from pathlib import Path

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from libs.common import audit, notices
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, say
from libs.common.ids import new_id
from services.ebid.db import CompanyCheckRow, CompanyPersonRow, CompanyRow, CorporateNumberRow
from services.ebid.domain import company, corporate

MAIL = notices.template(Path(__file__).parents[1] / "templates" / "notices" / "check.txt")


def look(session: Session, actor: Actor, row: CompanyRow, renamed: bool, now: datetime) -> None:
    """What can be found out at once when somebody registers. A verified company that calls itself otherwise is looked at again."""
    number = row.corporate_number or row.claimed_number
    if renamed and row.verified_at is not None:
        _note(session, row, "changed", row.verified_how or "earlier", "", None, now)
        row.verified_at = row.verified_how = None
    if number is None:
        return
    holder = _holder(session, row, number)
    if actor.corporate_number == number:
        if row.verified_at is not None and row.verified_how not in company.WEAK:
            return
        if holder is not None and holder.verified_how == "identity":
            raise Conflict(
                say("この法人番号は、すでに登録されています。登録した方に、委任を頼んでください。"),
                code="already-registered",
            )
        if holder is None or _is_weak(holder):
            _confirm(session, row, number, "identity", "", None, now)


def _holder(session: Session, row: CompanyRow, number: str) -> CompanyRow | None:
    """Who else has this number."""
    found = select(CompanyRow).where(CompanyRow.corporate_number == number, CompanyRow.id != row.id)
    return session.scalar(found.with_for_update())


def _is_weak(holder: CompanyRow) -> bool:
    return holder.verified_at is None or holder.verified_how in company.WEAK


# ---- by an official


def confirm(session: Session, actor: Actor, company_id: str, how: str, note: str, now: datetime) -> CompanyRow:
    """An official has looked: `how` of `company.OFFICIAL`, `note` what was seen (of a paper its day and issuer)."""
    row = load(session, company_id, lock=True)
    number = row.corporate_number or row.claimed_number
    if row.verified_at is not None and row.verified_how not in company.WEAK:
        raise Conflict(say("この登録は、すでに確認が済んでいます。"), code="verified")
    errors: dict[str, str] = {}
    if how not in company.OFFICIAL["company" if number else "sole"]:
        errors["how"] = say("何で確かめたかを選んでください。")
    if not note.strip():
        errors["note"] = say("見たものを入力してください（例：証明書の発行日、公表サイトで見た商号と所在地）。")
    if errors:
        raise Invalid(say("入力を確かめてください。"), fields=errors, code="incomplete")
    holder = _holder(session, row, number) if number else None
    if holder is not None and not _is_weak(holder):
        raise Conflict(
            say(
                "この法人番号は「%(name)s」の登録で確認が済んでいます。先に、その確認を取り消してください。",
                name=holder.name,
            ),
            code="held",
        )
    _confirm(session, row, number, how, note, actor, now)
    return row


def refuse(session: Session, actor: Actor, company_id: str, reason: str, now: datetime) -> CompanyRow:
    """An official could not confirm it. The registrant reads the reason, corrects, and is looked at again."""
    row = load(session, company_id, lock=True)
    if row.verified_at is not None and row.verified_how not in company.WEAK:
        raise Conflict(say("この登録は、すでに確認が済んでいます。"), code="verified")
    _require(reason)
    if row.verified_at is not None:
        _give_up(session, row)
    _note(session, row, "refused", "", reason, actor, now)
    return row


def withdraw(session: Session, actor: Actor, company_id: str, reason: str, now: datetime) -> CompanyRow:
    """What was confirmed does not hold: the company is only said to be it again, and its number is free."""
    row = load(session, company_id, lock=True)
    if row.verified_at is None:
        raise Conflict(say("この登録は、確認されていません。"), code="unverified")
    _require(reason)
    how = row.verified_how or ""
    _give_up(session, row)
    _note(session, row, "withdrawn", how, reason, actor, now)
    return row


def _require(reason: str) -> None:
    if not reason.strip():
        sentence = say("理由を入力してください。登録した方に伝わります。")
        raise Invalid(sentence, fields={"reason": sentence}, code="reason-needed")


def _confirm(
    session: Session, row: CompanyRow, number: str | None, how: str, note: str, actor: Actor | None, now: datetime
) -> None:
    holder = _holder(session, row, number) if number else None
    if holder is not None:
        _give_up(session, holder)
        _note(
            session,
            holder,
            "withdrawn",
            how,
            say("ほかの登録が、この法人番号の会社であると確認されました。"),
            actor,
            now,
        )
    if number:
        row.corporate_number, row.claimed_number = number, None
    row.verified_at, row.verified_how = now, how
    try:
        session.flush()
    except IntegrityError:  # another was confirmed at the same moment
        raise Conflict(say("この法人番号は、いま別の登録で確認されました。"), code="held") from None
    _note(session, row, "confirmed", how, note, actor, now)


def _give_up(session: Session, row: CompanyRow) -> None:
    if row.corporate_number:
        row.corporate_number, row.claimed_number = None, row.corporate_number
    row.verified_at = row.verified_how = None
    session.flush()


def _note(
    session: Session, row: CompanyRow, outcome: str, how: str, note: str, actor: Actor | None, now: datetime
) -> None:
    """Write down who looked, how and when, and tell those who act for the company."""
    number = row.corporate_number or row.claimed_number or row.sole_number or ""
    session.add(
        CompanyCheckRow(
            id=new_id(), company_id=row.id, number=number, outcome=outcome, how=how, note=note.strip()[:1000],
            by_tenant=session.info.get("tenant") if actor else None, by=actor.subject if actor else None,
            by_name=actor.name if actor else None, at=now,
        )
    )  # fmt: skip
    if actor is not None:
        audit.record(session, actor, f"ebid.company.{outcome}", row.id, note, {"number": number, "how": how}, now=now)
    if outcome == "changed" or (outcome == "confirmed" and how == "identity"):
        return  # whoever did it sees it at once
    told = select(CompanyPersonRow.person).where(CompanyPersonRow.company_id == row.id)
    for person in session.scalars(told):
        context = {"company": row.name, "outcome": outcome, "note": note}
        notices.send(session, to_person=person, template=MAIL, context=context, now=now)


# ---- for pages


def load(session: Session, company_id: str, *, lock: bool = False) -> CompanyRow:
    """A registration. A 共同企業体 is looked at by its members."""
    row = session.get(CompanyRow, company_id, with_for_update=True if lock else None)
    if row is None or row.members is not None:
        raise NotFound(say("この会社の登録は見つかりません。"))
    return row


def waiting(session: Session, limit: int = 200) -> list[CompanyRow]:
    """Registrations at which an official should look, the oldest first; those from before the checks after the new ones."""
    unsure = or_(CompanyRow.verified_at.is_(None), CompanyRow.verified_how.in_(company.WEAK))
    acted_for = CompanyRow.id.in_(select(CompanyPersonRow.company_id))
    found = select(CompanyRow).where(unsure, acted_for, CompanyRow.members.is_(None))
    return list(session.scalars(found.order_by(CompanyRow.verified_at.is_not(None), CompanyRow.id).limit(limit)))


def search(session: Session, words: str, limit: int = 100) -> list[CompanyRow]:
    """Suppliers by a part of the name or the whole number."""
    text = words.strip()
    try:
        number = company.supplier_number(text)
        wanted = or_(*(column == number for column in _NUMBERS))
    except Invalid:
        wanted = CompanyRow.name.contains(text, autoescape=True)
    found = select(CompanyRow).where(wanted, CompanyRow.members.is_(None))
    return list(session.scalars(found.order_by(CompanyRow.name, CompanyRow.id).limit(limit)))


_NUMBERS = (CompanyRow.corporate_number, CompanyRow.claimed_number, CompanyRow.sole_number)


def checks(session: Session, company_id: str) -> list[CompanyCheckRow]:
    """What was found out about a registration, newest first."""
    found = select(CompanyCheckRow).where(CompanyCheckRow.company_id == company_id)
    return list(session.scalars(found.order_by(CompanyCheckRow.at.desc(), CompanyCheckRow.id.desc())))


def published(session: Session, row: CompanyRow) -> CorporateNumberRow | None:
    """What the agency's file says of the number, if the operator has taken it in."""
    number = row.corporate_number or row.claimed_number
    return session.get(CorporateNumberRow, number) if number else None


def agrees(published: CorporateNumberRow, row: CompanyRow) -> bool:
    """Whether name and address are those published, and the number's register is not closed."""
    entry = corporate.Entry(
        published.number,
        published.name,
        published.prefecture,
        published.address,
        published.closed_on,
        published.updated_on,
    )
    return entry.closed_on is None and corporate.agrees(entry, row.name, row.address)


def others(session: Session, row: CompanyRow) -> list[CompanyRow]:
    """Other registrations an official should see beside this one: of the same number, or a sole proprietor of the same name."""
    number = row.corporate_number or row.claimed_number
    if number:
        same = or_(CompanyRow.corporate_number == number, CompanyRow.claimed_number == number)
    else:
        same = CompanyRow.sole_number.is_not(None) & (CompanyRow.representative == row.representative)
    return list(session.scalars(select(CompanyRow).where(same, CompanyRow.id != row.id).order_by(CompanyRow.id)))
