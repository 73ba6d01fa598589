"""発注見通し: what will be announced in which quarter (入契法7条 and its 施行令, read in municipal rules that quote them). No price."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.clock import fiscal_year, local_date
from libs.common.errors import Conflict, Invalid, NotFound, say
from libs.common.ids import new_id
from services.ebid.db import PlanRow
from services.ebid.domain import numbers, procedure
from services.ebid.use_cases import publishing, tenders
from services.ebid.use_cases.office import Office

PLANNED, USED, WITHDRAWN = "planned", "used", "withdrawn"
_TEXTS = {"title": say("件名"), "summary": say("概要"), "place": say("場所"), "period": say("工期・履行期間")}


@dataclass(frozen=True, slots=True)
class Plan:
    """`quarter` 1 (April to June) to 4; `period` in words (約3か月)."""

    title: str
    summary: str
    place: str
    period: str
    category: str
    method: str
    fiscal_year: int
    quarter: int


def publish(session: Session, actor: Actor, wanted: Plan, office: Office, now: datetime) -> PlanRow:
    _check(wanted, now)
    year = fiscal_year(local_date(now))
    ocid = numbers.ocid(office.prefix, session.info["tenant"], year, tenders.next_serial(session, year))
    row = PlanRow(id=new_id(), ocid=ocid, state=PLANNED, tender_id=None, published_at=now)
    session.add(_written(row, wanted, now))
    session.flush()
    audit.record(session, actor, "ebid.plan.publish", row.id, now=now)
    publishing.release_plan(session, row, now)
    return row


def change(session: Session, actor: Actor, plan_id: str, wanted: Plan, now: datetime) -> PlanRow:
    row = _open(session, plan_id)
    _check(wanted, now)
    _written(row, wanted, now)
    audit.record(session, actor, "ebid.plan.change", row.id, now=now)
    publishing.release_plan(session, row, now)
    return row


def withdraw(session: Session, actor: Actor, plan_id: str, now: datetime) -> PlanRow:
    row = _open(session, plan_id)
    row.state, row.updated_at = WITHDRAWN, now
    audit.record(session, actor, "ebid.plan.withdraw", row.id, now=now)
    publishing.release_plan(session, row, now)
    return row


def use(session: Session, plan_id: str, tender_id: str, now: datetime) -> str:
    """The plan becomes a tender; its OCID, which the tender takes over."""
    row = _open(session, plan_id)
    row.state, row.tender_id, row.updated_at = USED, tender_id, now
    return row.ocid


def _check(wanted: Plan, now: datetime) -> None:
    errors: dict[str, str] = {
        name: say("%(label)sを入力してください。", label=label)
        for name, label in _TEXTS.items()
        if not getattr(wanted, name).strip()
    }
    if wanted.category not in procedure.KINDS or wanted.method not in procedure.METHODS:
        errors["category"] = say("区分と方法を選んでください。")
    this = fiscal_year(local_date(now))
    if wanted.fiscal_year not in (this, this + 1) or wanted.quarter not in range(1, 5):
        errors["quarter"] = say("今年度か来年度の四半期を選んでください。")
    if errors:
        raise Invalid(say("入力を確かめてください。"), fields=errors, code="incomplete")


def _written(row: PlanRow, wanted: Plan, now: datetime) -> PlanRow:
    for name in Plan.__slots__:
        setattr(row, name, getattr(wanted, name))
    row.updated_at = now
    return row


def _open(session: Session, plan_id: str) -> PlanRow:
    row = load(session, plan_id, lock=True)
    if row.state != PLANNED:
        raise Conflict(say("この発注見通しは、使われたか取り下げられています。"), code="wrong-state")
    return row


def load(session: Session, plan_id: str, *, lock: bool = False) -> PlanRow:
    statement = select(PlanRow).where(PlanRow.id == plan_id)
    row = session.scalar(statement.with_for_update() if lock else statement)
    if row is None:
        raise NotFound(say("この発注見通しは見つかりません。"))
    return row


def listed(session: Session, year: int) -> list[PlanRow]:
    """What is planned from this fiscal year on, in the order in which it will come."""
    found = select(PlanRow).where(PlanRow.fiscal_year >= year, PlanRow.state != WITHDRAWN)
    return list(session.scalars(found.order_by(PlanRow.fiscal_year, PlanRow.quarter, PlanRow.id)))
