"""The register of suppliers, common to all municipalities."""

import secrets
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, Forbidden, Invalid, NotFound, say
from libs.common.ids import new_id
from services.ebid.db import CompanyPersonRow, CompanyRow
from services.ebid.domain import company, procedure
from services.ebid.use_cases import qualifications, suspending, verifying

UNVERIFIED = say(
    "登録の確認が済んでいないため、まだ資格確認の申請と入札はできません。市町村の職員が確かめると、お知らせします。"
    "案件の書類を読むことと、質問をすることはできます。"
)
FIELDS = {"name": say("会社名"), "representative": say("代表者の氏名"), "address": say("所在地")}


def register(session: Session, actor: Actor, given: dict[str, str], categories: list[str], now: datetime) -> CompanyRow:
    """Register a company for the signed-in person, or renew and correct theirs.

    Whose the 法人番号 is, is found out beside it (`verifying.look`): until then it is only said, and keeps it from nobody.
    """
    number = _number(given)
    _check(given, categories)
    row = own(session, actor)
    link = session.get(CompanyPersonRow, actor.subject)
    if link is not None and link.delegation_id is not None:
        raise Forbidden(say("会社の登録と委任は、代表者の登録をした方が行います。"), code="not-the-company")
    if row is None:
        row = CompanyRow(id=new_id(), registered_at=now)
        session.add(row)
        session.add(CompanyPersonRow(person=actor.subject, company_id=row.id, since=now))
    elif row.verified_at is not None and (row.corporate_number or None) != number:
        raise Conflict(say("確認が済んだ法人番号は変えられません。"), code="corporate-number-fixed")
    renamed = row.name is not None and row.name != given["name"].strip()
    for name in FIELDS:
        setattr(row, name, given[name].strip())
    row.categories, row.updated_at = categories, now
    row.valid_until = company.valid_until(local_date(now))
    _say_number(session, row, number)
    session.flush()
    verifying.look(session, actor, row, renamed, now)
    return row


def _number(given: dict[str, str]) -> str | None:
    """The 法人番号 as typed, None of a sole proprietor, who has none."""
    typed = given["corporate_number"].strip()
    if given.get("kind", "company" if typed else "sole") == "sole":
        return None
    if not typed:
        sentence = say("法人番号を入力してください。個人事業主の方は「個人事業主」を選んでください。")
        raise Invalid(sentence, fields={"corporate_number": sentence}, code="bad-corporate-number")
    return company.corporate_number(typed)


def _say_number(session: Session, row: CompanyRow, number: str | None) -> None:
    """What the registration says its number is; of a sole proprietor a 業者番号 of ours."""
    if row.corporate_number != number:
        row.corporate_number, row.claimed_number = None, number
    if number is None:
        row.claimed_number, row.sole_number = None, row.sole_number or _free_sole_number(session)


def _free_sole_number(session: Session) -> str:
    """By chance, so that it tells nobody how many there are."""
    while True:
        number = company.sole_number(secrets.randbelow(10**8))
        if session.scalar(select(CompanyRow.id).where(CompanyRow.sole_number == number)) is None:
            return number


def number_of(row: CompanyRow) -> str:
    """By what the company is called up: its 法人番号, held or only said, or its 業者番号."""
    return row.corporate_number or row.claimed_number or row.sole_number or ""


def _check(given: dict[str, str], categories: list[str]) -> None:
    errors: dict[str, str] = {
        name: say("%(label)sを入力してください。", label=label)
        for name, label in FIELDS.items()
        if not given[name].strip()
    }
    if not categories or set(categories) - set(procedure.REGISTER):
        errors["categories"] = say("入札に参加する区分を選んでください。")
    if errors:
        raise Invalid(say("入力を確かめてください。"), fields=errors, code="incomplete")


def own(session: Session, actor: Actor) -> CompanyRow | None:
    """The company the signed-in person acts for."""
    if actor.kind not in ("person", "staff", "operator"):
        return None
    link = session.get(CompanyPersonRow, actor.subject)
    found = session.get(CompanyRow, link.company_id) if link else None
    session.info["ebid.own"] = link, found  # a session forgets rows that nobody holds: asked five times for one bid
    return found


def require_own(session: Session, actor: Actor) -> CompanyRow:
    found = own(session, actor)
    if found is None:
        raise Forbidden(say("先に、会社の登録をしてください。"), code="no-company")
    return found


def require_qualified(session: Session, row: CompanyRow, category: str | None, now: datetime) -> None:
    """Forbidden, saying why, unless the company may take part in tenders of `category` today (None: whatever it is registered for)."""
    today = local_date(now)
    if row.verified_at is None:
        raise Forbidden(UNVERIFIED, code="unverified")
    if row.valid_until < today:
        raise Forbidden(say("会社の登録の期限が切れています。登録を更新してください。"), code="registration-expired")
    register = procedure.KINDS[category].register if category else None
    qualifications.require(session, row, register, now)
    if register is not None and register not in row.categories:
        raise Forbidden(
            say(
                "会社の登録に「%(category)s」が入っていません。登録を直してください。",
                category=procedure.REGISTER[register],
            ),
            code="category-missing",
        )
    if suspending.holds(session, row.id, today):
        raise Forbidden(say("指名停止の期間中のため、参加できません。"), code="suspended")


def unfit(session: Session, bidder_id: str | None, today: date) -> list[tuple[str, str]]:
    """Of a candidate, or of the members of a 共同企業体: whose registration is over or not verified any more, by name, with why. What it
    sent stays; the official reads this before deciding."""
    bidder = session.get(CompanyRow, bidder_id) if bidder_id else None
    named = by_ids(session, {each["id"] for each in bidder.members or ()} or {bidder.id}).values() if bidder else ()
    found: list[tuple[str, str]] = [
        (each.name, say("会社の確認が取り消されています。")) for each in named if each.verified_at is None
    ]
    return found + [(each.name, say("会社の登録の期限が切れています。")) for each in named if each.valid_until < today]


def by_number(session: Session, number: str) -> CompanyRow:
    """The supplier of a 法人番号 or 業者番号. NotFound, too, where somebody only says that it is theirs."""
    wanted = company.supplier_number(number)
    column = CompanyRow.sole_number if wanted.startswith("K") else CompanyRow.corporate_number
    row = session.scalar(select(CompanyRow).where(column == wanted))
    if row is not None:
        return row
    claimed = session.scalar(select(CompanyRow.id).where(CompanyRow.claimed_number == wanted).limit(1))
    if claimed is not None:
        raise NotFound(
            say("この法人番号の登録は、確認が済んでいません。「会社の確認」で先に確かめてください。"), code="unverified"
        )
    raise NotFound(say("この番号の会社は、登録されていません。"))


def by_ids(session: Session, ids: set[str]) -> dict[str, CompanyRow]:
    return {row.id: row for row in session.scalars(select(CompanyRow).where(CompanyRow.id.in_(ids)))} if ids else {}


def identifier(row: CompanyRow) -> str:
    """How OCDS and the log name the company."""
    return company.identifier(row.corporate_number, row.id)


def references(session: Session, row: CompanyRow) -> list[dict[str, str]]:
    """How OCDS names a bidder: a company itself; a 共同企業体 by itself and then each member, the representative first."""
    members = row.members or []
    known = by_ids(session, {each["id"] for each in members})
    found = [row, *(known[each["id"]] for each in members)]
    return [{"id": identifier(each), "name": each.name} for each in found]
