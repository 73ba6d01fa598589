"""共同企業体 (JV) of a tender: proposed by its 代表者, formed when every member has agreed, then one bidder like any other.

Nobody but the named members sees that one is being formed: no notice, no record of use, no number, as with bids.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from libs.common.actor import Actor
from libs.common.errors import Conflict, Forbidden, Invalid, NotFound, say
from libs.common.ids import new_id
from services.ebid.db import CompanyRow, ParticipationRow, SubmissionRow, TenderRow, VentureMemberRow, VentureRow
from services.ebid.domain import procedure, venture
from services.ebid.domain.money import ratio
from services.ebid.domain.states import State
from services.ebid.use_cases import companies, delegations, log, tenders

Part = tuple[str, str]
"""A partner's 法人番号 and its share in percent, as typed."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A venture as its members see it."""

    row: VentureRow
    company: CompanyRow
    members: list[VentureMemberRow]


def propose(
    session: Session, actor: Actor, tender_id: str, name: str, own_share: str, partners: Sequence[Part], now: datetime
) -> VentureRow:
    """Propose a venture that the actor's company leads. Its own agreement is given by this."""
    log.lock(session)
    row, rule = _forming(session, tender_id, now)
    leader = companies.require_own(session, actor)
    delegations.require(session, actor, row, now)
    _require_free(session, row, leader.id)
    if any(each.row.leader_id == leader.id for each in of_company(session, row, leader.id)):
        raise Conflict(say("この案件で、もう共同企業体を申し出ています。"), code="already-proposed")
    if not name.strip():
        sentence = say("共同企業体の名称を入力してください。")
        raise Invalid(sentence, fields={"name": sentence}, code="incomplete")
    named, shares = read_parts(session, leader, own_share, partners)
    venture.check(rule, shares)
    company = as_company(leader, named, shares, name, now)
    made = VentureRow(tender_id=row.id, company_id=company.id, leader_id=leader.id, proposed_at=now, formed_at=None)
    session.add_all([company, made])
    session.flush()
    for each, share in zip(named, shares, strict=True):
        own = each is leader
        session.add(
            VentureMemberRow(
                tender_id=row.id, venture_id=company.id, company_id=each.id, share=str(share), agreed_at=now if own else None,
                agreed_by=actor.subject if own else None,
            )
        )  # fmt: skip
    session.flush()
    return made


def read_parts(
    session: Session, leader: CompanyRow, own_share: str, partners: Sequence[Part]
) -> tuple[list[CompanyRow], list[Fraction]]:
    """Members and their shares in percent, the representative's first, from what was typed. Raises Invalid, field by field."""
    shares, named = [_share("own_share", own_share)], [leader]
    for place, (number, typed) in enumerate(partners, start=1):
        named.append(_partner(session, f"number-{place}", number, named))
        shares.append(_share(f"share-{place}", typed))
    return named, shares


def as_company(
    leader: CompanyRow, named: Sequence[CompanyRow], shares: Sequence[Fraction], name: str, now: datetime
) -> CompanyRow:
    """The venture as a bidder of the register, not yet stored."""
    return CompanyRow(
        id=new_id(), corporate_number=None, name=name.strip()[:200], representative=f"{leader.name}　{leader.representative}"[:200],
        address=leader.address, categories=leader.categories, valid_until=min(each.valid_until for each in named),
        registered_at=now, updated_at=now, members=[
            {"id": each.id, "number": companies.number_of(each), "name": each.name, "share": venture.shown(share), "leader": each is leader}
            for each, share in zip(named, shares, strict=True)
        ],
    )  # fmt: skip


def _share(field: str, typed: str) -> Fraction:
    try:
        return venture.share(typed)
    except Invalid as refusal:
        raise Invalid(refusal.message, fields={field: refusal.message}, code="share") from None


def _partner(session: Session, field: str, number: str, named: Sequence[CompanyRow]) -> CompanyRow:
    try:
        found = companies.by_number(session, number)
    except (Invalid, NotFound) as refusal:
        raise Invalid(refusal.message, fields={field: refusal.message}, code="partner") from None
    if found in named:
        sentence = say("同じ会社を2回は入れられません。")
        raise Invalid(sentence, fields={field: sentence}, code="partner")
    return found


def agree(session: Session, actor: Actor, tender_id: str, venture_id: str, now: datetime) -> VentureRow:
    """A named member agrees; with the last one the venture is formed."""
    log.lock(session)
    row, _ = _forming(session, tender_id, now)
    seen, member = _named(session, actor, row, venture_id)
    if member.agreed_at is not None:
        return seen.row
    delegations.require(session, actor, row, now)
    _require_free(session, row, member.company_id)
    member.agreed_at, member.agreed_by = now, actor.subject
    session.flush()
    if all(each.agreed_at for each in seen.members):
        seen.row.formed_at = now
    return seen.row


def leave(session: Session, actor: Actor, tender_id: str, venture_id: str, now: datetime) -> None:
    """A named member does not want to, or not any more: the venture ends. Not after it has applied or bid."""
    log.lock(session)
    row, _ = _forming(session, tender_id, now)
    seen, _ = _named(session, actor, row, venture_id)
    if _has_sent(session, row, venture_id):
        raise Conflict(
            say("この共同企業体は、すでに申請か入札をしています。解くことはできません。"), code="already-sent"
        )
    for model, key in ((VentureMemberRow, VentureMemberRow.venture_id), (VentureRow, VentureRow.company_id)):
        session.execute(delete(model).where(model.tender_id == row.id, key == venture_id))
    session.delete(seen.company)


def _forming(session: Session, tender_id: str, now: datetime) -> tuple[TenderRow, venture.Rule]:
    """The tender and its rule, while ventures may still be formed."""
    row = tenders.load_public(session, tender_id)
    rule = venture.rule_of(row.terms)
    if rule is None:
        raise Conflict(say("この案件には、共同企業体では参加できません。"), code="no-ventures")
    if not still_forming(session, row, now):
        raise Conflict(say("共同企業体を結成できる期限を過ぎています。"), code="too-late")
    return row, rule


def still_forming(session: Session, row: TenderRow, now: datetime) -> bool:
    """Until 資格確認申請の締切, or where nobody applies until the first round's deadline."""
    applying = procedure.METHODS[row.method].access == "qualified"
    until = row.apply_until if applying else tenders.round_of(session, row, 1).bid_until
    return row.state == State.PUBLISHED and row.round == 1 and until is not None and now < until


def _named(session: Session, actor: Actor, row: TenderRow, venture_id: str) -> tuple[Seen, VentureMemberRow]:
    own = companies.require_own(session, actor)
    for seen in of_company(session, row, own.id):
        if seen.company.id == venture_id:
            return seen, next(each for each in seen.members if each.company_id == own.id)
    raise NotFound(say("この共同企業体は見つかりません。"))


def _require_free(session: Session, row: TenderRow, company_id: str) -> None:
    """Conflict where the company has applied or bid alone, or is in a venture of this tender already: it bids once."""
    if _has_sent(session, row, company_id):
        raise Conflict(say("この会社は、この案件にすでに単体で申請か入札をしています。"), code="already-alone")
    if joined(session, row, company_id) is not None:
        raise Conflict(say("この会社は、この案件の共同企業体にすでに加わっています。"), code="already-joined")


def _has_sent(session: Session, row: TenderRow, company_id: str) -> bool:
    applied = session.get(ParticipationRow, (session.info["tenant"], row.id, company_id))
    sent = select(SubmissionRow.round).where(SubmissionRow.tender_id == row.id, SubmissionRow.company_id == company_id)
    return applied is not None or session.scalar(sent.limit(1)) is not None


# ---- whom somebody acts for


def joined(session: Session, row: TenderRow, company_id: str) -> VentureRow | None:
    """The venture of this tender to which the company has agreed, formed or not."""
    return session.scalar(
        select(VentureRow)
        .join(
            VentureMemberRow,
            (VentureMemberRow.tender_id == VentureRow.tender_id)
            & (VentureMemberRow.venture_id == VentureRow.company_id),
        )
        .where(
            VentureRow.tender_id == row.id,
            VentureMemberRow.company_id == company_id,
            VentureMemberRow.agreed_at.is_not(None),
        )
    )


def own(session: Session, actor: Actor, row: TenderRow) -> CompanyRow | None:
    """Who the actor belongs to in this tender: the formed venture, else their company."""
    company = companies.own(session, actor)
    found = joined(session, row, company.id) if company else None
    return session.get(CompanyRow, found.company_id) if found is not None and found.formed_at else company


def require_own(session: Session, actor: Actor, row: TenderRow) -> CompanyRow:
    companies.require_own(session, actor)
    found = own(session, actor, row)
    assert found is not None
    return found


def acting(session: Session, actor: Actor, row: TenderRow) -> CompanyRow:
    """The bidder for whom the actor may send something: of a venture its 代表者 only."""
    company, bidder = companies.require_own(session, actor), require_own(session, actor, row)
    leader = next((each["id"] for each in bidder.members or () if each["leader"]), company.id)
    if leader != company.id:
        raise Forbidden(say("共同企業体の申請と入札は、代表者の会社が行います。"), code="not-the-representative")
    return bidder


def ids_of(session: Session, company_id: str) -> list[str]:
    """The company's own id, and those of the formed ventures in which it is: whose notices it reads."""
    found = (
        select(VentureRow.company_id)
        .join(
            VentureMemberRow,
            (VentureMemberRow.tender_id == VentureRow.tender_id)
            & (VentureMemberRow.venture_id == VentureRow.company_id),
        )
        .where(VentureMemberRow.company_id == company_id, VentureRow.formed_at.is_not(None))
    )
    return [company_id, *session.scalars(found)]


def of_company(session: Session, row: TenderRow, company_id: str) -> list[Seen]:
    """Ventures of a tender in which a company is named, oldest first. For that company only."""
    members = select(VentureMemberRow.venture_id).where(
        VentureMemberRow.tender_id == row.id, VentureMemberRow.company_id == company_id
    )
    found = select(VentureRow).where(VentureRow.tender_id == row.id, VentureRow.company_id.in_(members))
    rows = list(session.scalars(found.order_by(VentureRow.proposed_at, VentureRow.company_id)))
    known = companies.by_ids(session, {each.company_id for each in rows})
    return [Seen(each, known[each.company_id], members_of(session, row, each.company_id)) for each in rows]


def members_of(session: Session, row: TenderRow, venture_id: str) -> list[VentureMemberRow]:
    """The representative first, then by share."""
    found = select(VentureMemberRow).where(
        VentureMemberRow.tender_id == row.id, VentureMemberRow.venture_id == venture_id
    )
    return sorted(session.scalars(found), key=lambda each: (-ratio(each.share), each.company_id))


def require_qualified(
    session: Session, row: TenderRow, bidder: CompanyRow, now: datetime, *, alone: bool = True
) -> None:
    """Forbidden, saying why, unless this bidder may take part today: each member as the announcement says.

    `alone`: whether it is said that a company is in a venture; a desk that takes papers in must not learn it.
    """
    rule = venture.rule_of(row.terms)
    if bidder.members is None:
        if rule is not None and rule.only:
            raise Forbidden(say("この案件に参加できるのは、共同企業体だけです。"), code="ventures-only")
        if alone and rule is not None and joined(session, row, bidder.id) is not None:
            raise Forbidden(
                say("共同企業体に加わっているため、この案件に単体では参加できません。"), code="in-a-venture"
            )
        companies.require_qualified(session, bidder, row.category, now)
        return
    if rule is None:
        raise Forbidden(say("この案件には、共同企業体では参加できません。"), code="no-ventures")
    known = companies.by_ids(session, {each["id"] for each in bidder.members})
    for each in bidder.members:
        looked_at = rule.qualified == "each" or each["leader"]
        try:
            companies.require_qualified(session, known[each["id"]], row.category if looked_at else None, now)
        except Forbidden as refusal:
            raise Forbidden(
                say("構成員 %(name)s：%(reason)s", name=each["name"], reason=refusal.message), code=refusal.code
            ) from None
