"""Searches of the queue kept under a name."""

from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, say
from libs.common.ids import new_id
from services.eapply.db import SavedSearchRow
from services.eapply.forms.text import cleaned

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


def forget(session: Session, actor: Actor, search_id: str) -> None:
    """Delete one's own search. Raises NotFound for anybody else's."""
    own = (SavedSearchRow.id == search_id) & (SavedSearchRow.owner == actor.subject)
    row = session.scalar(select(SavedSearchRow).where(own))
    if row is None:
        raise NotFound(say("その検索は見つかりません。"))
    session.delete(row)
