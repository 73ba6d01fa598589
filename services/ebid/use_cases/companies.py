"""The register of suppliers, common to all municipalities, and 指名停止."""

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, Forbidden, Invalid, NotFound, say
from libs.common.ids import new_id
from services.ebid.db import CompanyPersonRow, CompanyRow, SuspensionRow
from services.ebid.domain import company, procedure
from services.ebid.use_cases import journal
from services.ebid.use_cases.office import Office

FIELDS = {"name": say("会社名"), "representative": say("代表者の氏名"), "address": say("所在地")}


def register(session: Session, actor: Actor, given: dict[str, str], categories: list[str], now: datetime) -> CompanyRow:
    """Register a company for the signed-in person, or renew and correct theirs. One 法人番号 is one company."""
    number = company.corporate_number(given["corporate_number"]) if given["corporate_number"].strip() else None
    _check(given, categories)
    row = own(session, actor)
    link = session.get(CompanyPersonRow, actor.subject)
    if link is not None and link.delegation_id is not None:
        raise Forbidden(say("会社の登録と委任は、代表者の登録をした方が行います。"), code="not-the-company")
    if row is None:
        row = CompanyRow(id=new_id(), registered_at=now)
        session.add(row)
        session.add(CompanyPersonRow(person=actor.subject, company_id=row.id, since=now))
    elif row.corporate_number not in (None, number):
        raise Conflict(say("登録した法人番号は変えられません。"), code="corporate-number-fixed")
    for name in FIELDS:
        setattr(row, name, given[name].strip())
    row.corporate_number, row.categories, row.updated_at = number, categories, now
    row.valid_until = company.valid_until(local_date(now))
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(
            say("この法人番号は、すでに登録されています。登録した方におたずねください。"), code="already-registered"
        ) from None
    return row


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
    if row.valid_until < today:
        raise Forbidden(say("会社の登録の期限が切れています。登録を更新してください。"), code="registration-expired")
    register = procedure.KINDS[category].register if category else None
    if register is not None and register not in row.categories:
        raise Forbidden(
            say(
                "会社の登録に「%(category)s」が入っていません。登録を直してください。",
                category=procedure.REGISTER[register],
            ),
            code="category-missing",
        )
    if company.suspended([(each.first, each.last) for each in suspensions(session, row.id)], today):
        raise Forbidden(say("指名停止の期間中のため、参加できません。"), code="suspended")


def suspend(
    session: Session, actor: Actor, number: str, first: date, last: date, reason: str, office: Office, now: datetime
) -> SuspensionRow:
    """Impose 指名停止; every municipality sees it and refuses bids meanwhile, and the log has it."""
    row = by_number(session, number)
    if last < first or not reason.strip():
        raise Invalid(say("期間と理由を確かめてください。"), fields={"reason": say("期間と理由を入力してください。")})
    told = SuspensionRow(
        id=new_id(), company_id=row.id, by_tenant=session.info["tenant"], first=first, last=last, reason=reason,
        imposed_at=now,
    )  # fmt: skip
    session.add(told)
    document = {"suspension": told.id, "company": identifier(row), "first": first.isoformat(), "last": last.isoformat(),
                "reason": reason}  # fmt: skip
    journal.write(session, office, journal.MUNICIPALITY, "suspension", document, now)
    audit.record(session, actor, "ebid.company.suspend", row.id, reason, now=now)
    return told


def suspensions(session: Session, company_id: str) -> list[SuspensionRow]:
    return list(session.scalars(select(SuspensionRow).where(SuspensionRow.company_id == company_id)))


def all_suspensions(session: Session, today: date) -> list[tuple[SuspensionRow, CompanyRow]]:
    """Those that hold today or begin later, with their companies."""
    found = (
        select(SuspensionRow, CompanyRow)
        .join(CompanyRow, CompanyRow.id == SuspensionRow.company_id)
        .where(SuspensionRow.last >= today)
        .order_by(SuspensionRow.first)
    )
    return [(told, row) for told, row in session.execute(found)]


def by_number(session: Session, number: str) -> CompanyRow:
    row = session.scalar(select(CompanyRow).where(CompanyRow.corporate_number == company.corporate_number(number)))
    if row is None:
        raise NotFound(say("この法人番号の会社は、登録されていません。"))
    return row


def by_ids(session: Session, ids: set[str]) -> dict[str, CompanyRow]:
    return {row.id: row for row in session.scalars(select(CompanyRow).where(CompanyRow.id.in_(ids)))} if ids else {}


def identifier(row: CompanyRow) -> str:
    """How OCDS names the company: `JP-JCN-<法人番号>`, or a local id for a sole proprietor, who has none."""
    return f"JP-JCN-{row.corporate_number}" if row.corporate_number else f"KYODO-{row.id}"


def references(session: Session, row: CompanyRow) -> list[dict[str, str]]:
    """How OCDS names a bidder: a company itself; a 共同企業体 by itself and then each member, the representative first."""
    members = row.members or []
    known = by_ids(session, {each["id"] for each in members})
    found = [row, *(known[each["id"]] for each in members)]
    return [{"id": identifier(each), "name": each.name} for each in found]
