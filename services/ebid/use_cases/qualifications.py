"""競争入札参加資格: common items answered once, each municipality's own where the supplier applies, decided there."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit, notices, room
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, Forbidden, Invalid, NotFound, say
from libs.common.ids import new_id
from services.ebid.db import (
    CompanyAnswersRow,
    CompanyPersonRow,
    CompanyRow,
    QualificationFormRow,
    QualificationRow,
)
from services.ebid.domain import qualification as rules
from services.ebid.domain.qualification import COMMON, OPTIONAL, Form, Item

MAIL = notices.template(Path(__file__).parents[1] / "templates" / "notices" / "qualification.txt")
STATES = {"applied": say("審査中"), "accepted": say("資格あり"), "refused": say("資格なし")}


# ---- what is asked


def form_of(session: Session) -> Form:
    """What this municipality asks beside the common items; nothing, where it has said nothing."""
    row = session.get(QualificationFormRow, (session.info["tenant"], 1))
    if row is None:
        return Form()
    return Form(tuple(row.optional), tuple(map(rules.item_of, row.own)), row.demanded, row.version)


def define(
    session: Session,
    actor: Actor,
    seen: int,
    optional: list[str],
    own: list[dict[str, Any]],
    demanded: bool,
    now: datetime,
) -> None:
    """The manager says what is asked. `seen`: the version that the page was made from, 0 for none. An item without a key is new."""
    if set(optional) - {item.key for item in OPTIONAL} or len(own) > rules.MOST_OWN:
        raise Invalid(say("項目を確かめてください。"), code="item")
    items = [rules.item_of({**each, "key": each["key"] or f"own-{new_id()}"}).document() for each in own]
    row = session.get(QualificationFormRow, (session.info["tenant"], 1), with_for_update=True)
    if (row.version if row else 0) != seen:
        raise Conflict(say("ほかの方が先に変更しました。画面を開き直して、確かめてください。"), code="changed")
    if row is None:
        row = QualificationFormRow(id=1, optional=[], own=[], demanded=False, version=0, updated_at=now)
        session.add(row)
    row.optional, row.own, row.demanded, row.version, row.updated_at = optional, items, demanded, seen + 1, now
    detail = {"optional": optional, "own": [each["label"] for each in items], "demanded": demanded}
    audit.record(session, actor, "ebid.qualification.define", "form", detail=detail, now=now)


def common_items(company: CompanyRow) -> list[Item]:
    return [item for item in COMMON if item.asks(company.categories)]


def items_here(form: Form, company: CompanyRow) -> list[Item]:
    """What this municipality asks this supplier beside the common items."""
    return [item for item in (*form.chosen, *form.own) if item.asks(company.categories)]


# ---- the supplier


def answers_of(session: Session, company_id: str) -> dict[str, str]:
    """What the supplier has answered once for all."""
    row = session.get(CompanyAnswersRow, company_id)
    return dict(row.answers) if row else {}


def answer(session: Session, company: CompanyRow, typed: Mapping[str, str], now: datetime) -> None:
    """共通項目, all of them; what was answered of the others stays."""
    _keep(session, company.id, answers_of(session, company.id) | rules.read(common_items(company), typed), now)


def _keep(session: Session, company_id: str, answers: dict[str, str], now: datetime) -> None:
    row = session.get(CompanyAnswersRow, company_id, with_for_update=True)
    if row is None:
        session.add(CompanyAnswersRow(company_id=company_id, answers=answers, updated_at=now))
    else:
        row.answers, row.updated_at = answers, now


def apply(session: Session, company: CompanyRow, typed: Mapping[str, str], now: datetime) -> QualificationRow:
    """Apply to this municipality, or again. Only its own items and those it chose are typed here."""
    form, common = form_of(session), answers_of(session, company.id)
    if company.verified_at is None:
        raise Conflict(say("登録の確認が済むと、参加資格を申請できます。"), code="unverified")
    if company.valid_until < local_date(now):
        raise Conflict(say("会社の登録の期限が切れています。登録を更新してください。"), code="registration-expired")
    if rules.missing(common_items(company), common):
        raise Conflict(say("先に、共通項目をすべて入力してください。"), code="common-missing")
    here = items_here(form, company)
    given = rules.read(here, typed)
    _keep(session, company.id, common | {key: text for key, text in given.items() if key in form.optional}, now)
    asked = [*common_items(company), *here]
    answers = {item.key: (common | given)[item.key] for item in asked if item.key in common | given}
    row = of(session, company.id, lock=True)
    if row is None:
        row = QualificationRow(company_id=company.id)
        session.add(row)
    row.answers, row.questions, row.categories = answers, [item.document() for item in asked], company.categories
    row.state, row.reason, row.applied_at, row.decided_at = "applied", "", now, None
    row.valid_until = company.valid_until
    session.flush()
    return row


def of(session: Session, company_id: str, *, lock: bool = False) -> QualificationRow | None:
    statement = select(QualificationRow).where(QualificationRow.company_id == company_id)
    return session.scalar(statement.with_for_update() if lock else statement)


def require(session: Session, company: CompanyRow, register: str | None, now: datetime) -> None:
    """Forbidden, saying why, where this municipality demands its qualification and the supplier has none for `register` today."""
    form = session.get(QualificationFormRow, (session.info["tenant"], 1))
    if form is None or not form.demanded:
        return
    row = of(session, company.id)
    if row is None or row.state != "accepted" or row.valid_until < local_date(now):
        raise Forbidden(
            say("この市町村の入札参加資格がありません。「自社の入札」から参加資格を申請してください。"),
            code="not-qualified",
        )
    if register is not None and register not in row.categories:
        raise Forbidden(
            say("この市町村の参加資格に、この区分が入っていません。もう一度申請してください。"), code="not-qualified"
        )


# ---- the officials


def listed(session: Session) -> list[tuple[QualificationRow, CompanyRow]]:
    """Applications to this municipality, those that wait first, by their arrival."""
    found = select(QualificationRow, CompanyRow).join(CompanyRow, CompanyRow.id == QualificationRow.company_id)
    ordered = found.order_by(
        QualificationRow.state != "applied", QualificationRow.applied_at, QualificationRow.company_id
    )
    return [(row, company) for row, company in session.execute(ordered.limit(2000))]


def decide(
    session: Session, actor: Actor, company_id: str, seen: str, accepted: bool, reason: str, now: datetime
) -> QualificationRow:
    """資格の認定, or 無 with the reason. `seen`: when what was looked at had arrived (ISO 8601): nothing else is decided by it."""
    row = of(session, company_id, lock=True)
    if row is None:
        raise NotFound(say("この申請は見つかりません。"))
    if row.applied_at.isoformat() != seen or row.state != "applied":
        raise Conflict(say("申請が変わったか、審査が済んでいます。画面を開き直してください。"), code="changed")
    if not accepted and not reason.strip():
        sentence = say("資格がないと認めた理由を入力してください。申請した方に伝わります。")
        raise Invalid(sentence, fields={"reason": sentence}, code="reason-needed")
    row.state, row.reason, row.decided_at = "accepted" if accepted else "refused", reason.strip(), now
    audit.record(session, actor, f"ebid.qualification.{row.state}", company_id, reason or None, now=now)
    _tell(session, row, now)
    return row


def _tell(session: Session, row: QualificationRow, now: datetime) -> None:
    place, company = session.get(room.RoomRow, session.info["tenant"]), session.get(CompanyRow, row.company_id)
    name, code = (place and place.name) or "", (place and place.code) or session.info["tenant"]
    context = {"place": name, "company": company.name if company else "", "accepted": row.state == "accepted",
               "reason": row.reason, "path": f"/t/{code}/ebid/qualification"}  # fmt: skip
    for person in session.scalars(select(CompanyPersonRow.person).where(CompanyPersonRow.company_id == row.company_id)):
        notices.send(session, to_person=person, template=MAIL, context=context, now=now)
