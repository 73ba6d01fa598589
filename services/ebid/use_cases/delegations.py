"""受任者: who may apply and bid for a company by 委任状, in which municipalities and categories, and from when until when.

Its 代表者 writes the 委任状 here and hands over a code; who signs in and gives the code is the 受任者. Both see what was entrusted.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from libs.common import room
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, Forbidden, Invalid, NotFound, say
from libs.common.ids import new_id
from services.ebid.db import CompanyPersonRow, CompanyRow, DelegationRow, TenderRow
from services.ebid.domain import procedure
from services.ebid.use_cases import companies

FIELDS = {
    "branch": say("支店・営業所の名称"),
    "title": say("役職"),
    "name": say("受任者の氏名"),
    "address": say("支店・営業所の所在地"),
}
LONGEST = timedelta(days=2 * 366)
"""A 委任状 lasts no longer than a registration."""
CODE_DAYS = 14
_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the 代表者 writes. `tenants` empty: all municipalities. `first` and `last` are included."""

    texts: dict[str, str]
    categories: list[str]
    tenants: list[str]
    first: date | None
    last: date | None


def entrust(session: Session, actor: Actor, wanted: Wanted, now: datetime) -> tuple[DelegationRow, str]:
    """Make a 委任. Answers with the code to hand over, which is kept nowhere."""
    company = require_representative(session, actor)
    _check(session, company, wanted, now)
    code = "".join(secrets.choice(_LETTERS) for _ in range(12))
    row = DelegationRow(
        id=new_id(), company_id=company.id, categories=wanted.categories, tenants=sorted(set(wanted.tenants)), first=wanted.first,
        last=wanted.last, code_digest=_digest(code), code_until=now + timedelta(days=CODE_DAYS), person=None, made_at=now,
        made_by=actor.subject, ended_at=None, **{name: wanted.texts[name].strip() for name in FIELDS},
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row, code


def _check(session: Session, company: CompanyRow, wanted: Wanted, now: datetime) -> None:
    errors: dict[str, str] = {
        name: say("%(label)sを入力してください。", label=label)
        for name, label in FIELDS.items()
        if not wanted.texts[name].strip()
    }
    if not wanted.categories or set(wanted.categories) - set(company.categories):
        errors["categories"] = say("任せる区分を、会社が登録している区分から選んでください。")
    if set(wanted.tenants) - set(room.rooms(session)):
        errors["tenants"] = say("任せる市町村を一覧から選んでください。")
    if wanted.first is None or wanted.last is None or not wanted.first <= wanted.last <= wanted.first + LONGEST:
        errors["last"] = say("任せる期間を、2年以内で入力してください。")
    elif wanted.last < local_date(now):
        errors["last"] = say("任せる期間が過ぎています。")
    if errors:
        raise Invalid(say("入力を確かめてください。"), fields=errors, code="incomplete")


def _digest(code: str) -> str:
    plain = "".join(letter for letter in code.upper() if letter.isalnum())
    return hashlib.sha256(f"ebid-delegation:{plain}".encode()).hexdigest()


def take_up(session: Session, actor: Actor, code: str, now: datetime) -> DelegationRow:
    """The signed-in person is the 受任者 from now on. A code works once."""
    found = session.scalar(select(DelegationRow).where(DelegationRow.code_digest == _digest(code)).with_for_update())
    if found is None or found.ended_at is not None or found.code_until is None or now >= found.code_until:
        sentence = say("このコードは使えません。会社の代表者に、新しいコードを頼んでください。")
        raise Invalid(sentence, fields={"code": sentence}, code="bad-code")
    if session.get(CompanyPersonRow, actor.subject) is not None:
        raise Conflict(say("すでに会社の登録があります。1人が使える会社は、1つだけです。"), code="already-registered")
    found.person, found.code_digest = actor.subject, None
    session.add(CompanyPersonRow(person=actor.subject, company_id=found.company_id, since=now, delegation_id=found.id))
    session.flush()
    return found


def end(session: Session, actor: Actor, delegation_id: str, now: datetime) -> None:
    """解任. What was sent stays valid."""
    company = require_representative(session, actor)
    row = session.get(DelegationRow, delegation_id)
    if row is None or row.company_id != company.id:
        raise NotFound(say("この委任は見つかりません。"))
    if row.ended_at is not None:
        return
    row.ended_at, row.code_digest = now, None
    session.execute(delete(CompanyPersonRow).where(CompanyPersonRow.delegation_id == row.id))


def listed(session: Session, company_id: str) -> list[DelegationRow]:
    """Those of a company that were not ended, oldest first."""
    found = select(DelegationRow).where(DelegationRow.company_id == company_id, DelegationRow.ended_at.is_(None))
    return list(session.scalars(found.order_by(DelegationRow.made_at, DelegationRow.id)))


def of(session: Session, actor: Actor) -> DelegationRow | None:
    """By which 委任 somebody acts; None for the 代表者's own registration."""
    link = session.get(CompanyPersonRow, actor.subject)
    return session.get(DelegationRow, link.delegation_id) if link and link.delegation_id else None


def require_representative(session: Session, actor: Actor) -> CompanyRow:
    company = companies.require_own(session, actor)
    if of(session, actor) is not None:
        raise Forbidden(say("会社の登録と委任は、代表者の登録をした方が行います。"), code="not-the-company")
    return company


def require(session: Session, actor: Actor, row: TenderRow, now: datetime) -> dict[str, Any] | None:
    """Forbidden, saying why, where the actor is a 受任者 whose 委任 does not reach this tender today. Else how the act is signed:
    None for the company itself, or {branch, title, name, address}."""
    found = of(session, actor)
    if found is None:
        return None
    if not found.first <= local_date(now) <= found.last or found.ended_at is not None:
        raise Forbidden(say("委任の期間の外です。会社の代表者にたずねてください。"), code="not-delegated")
    register = procedure.KINDS[row.category].register
    if register not in found.categories:
        area = procedure.REGISTER[register]
        raise Forbidden(say("「%(category)s」は、委任されていません。", category=area), code="not-delegated")
    if found.tenants and session.info["tenant"] not in found.tenants:
        raise Forbidden(say("この市町村の入札は、委任されていません。"), code="not-delegated")
    return {name: getattr(found, name) for name in FIELDS}


def office(delegate: dict[str, Any] | None) -> str:
    """支店長 as everybody may read it: without the person's name."""
    return f"{delegate['branch']} {delegate['title']}" if delegate else ""
