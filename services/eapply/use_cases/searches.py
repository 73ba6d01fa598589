"""Searches of the queue kept under a name."""

from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, say
from libs.common.ids import new_id
from services.eapply.db import SavedSearchRow
from services.eapply.forms.text import cleaned
from services.eapply.use_cases.approve import MANAGER

MOST = 30
KEPT = ("tab", "q", "procedure", "state", "order", "assignee")
"""Inputs of the queue that make a search."""


def saved(session: Session, actor: Actor) -> list[SavedSearchRow]:
    """One's own and the shared ones, by name."""
    seen = or_(SavedSearchRow.owner == actor.subject, SavedSearchRow.shared)
    return list(session.scalars(select(SavedSearchRow).where(seen).order_by(SavedSearchRow.name, SavedSearchRow.id)))


def save(
    session: Session, actor: Actor, name: str, query: dict[str, str], shared: bool, now: datetime
) -> SavedSearchRow:
    """Keep the search. Raises Invalid without a name, and when there are enough."""
    name = cleaned(name)[:100]
    if not name:
        raise Invalid(say("検索の名前を入力してください。"), fields={"name": say("検索の名前を入力してください。")})
    own = select(func.count()).select_from(SavedSearchRow).where(SavedSearchRow.owner == actor.subject)
    if (session.scalar(own) or 0) >= MOST:
        raise Invalid(say("保存できる検索は%(most)s件までです。使わないものを消してください。", most=MOST))
    kept = {key: query[key][:200] for key in KEPT if query.get(key)}
    row = SavedSearchRow(id=new_id(), owner=actor.subject, name=name, query=kept, shared=shared, saved_at=now)
    session.add(row)
    return row


def may_forget(actor: Actor, row: SavedSearchRow) -> bool:
    """Its owner; a shared one also whoever manages the desk: its owner may have left."""
    return row.owner == actor.subject or (row.shared and MANAGER in actor.roles)


def forget(session: Session, actor: Actor, search_id: str, now: datetime) -> None:
    """Delete the search. Raises NotFound for whoever may not."""
    row = session.scalar(select(SavedSearchRow).where(SavedSearchRow.id == search_id))
    if row is None or not may_forget(actor, row):
        raise NotFound(say("その検索は見つかりません。"))
    if row.owner != actor.subject:
        audit.record(session, actor, "eapply.search.forget", row.id, detail={"owner": row.owner}, now=now)
    session.delete(row)
