"""A person's own keys: a program of theirs reads their applications here and, with a key that was made for it, applies in
their name. It can do nothing else."""

import hashlib
import secrets
from datetime import datetime, time, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.clock import JST, local_date
from libs.common.errors import Conflict, Forbidden, Invalid, NotSignedIn, TooMany, say
from libs.common.ids import new_id
from services.eapply.db import OwnKeyRow
from services.eapply.domain import mynumber
from services.eapply.forms.text import cleaned
from services.eapply.use_cases import who

GOOD = timedelta(days=366)
MOST = 5
"""Keys of one person at one time."""
NOTED = timedelta(hours=1)
"""How exactly it is known when a key was used: not every reading has to write."""
MOST_A_DAY = 50
"""Applications that one key may send on one day (JST): a program gone wrong fills no desk."""


def make(session: Session, actor: Actor, label: str, now: datetime, *, applies: bool = False) -> tuple[OwnKeyRow, str]:
    """A key and its secret, which is shown once. `applies`: it may apply, not only read.

    Raises Invalid without a name, Conflict when there are enough."""
    label = cleaned(label)[:100]
    mynumber.refuse_in(label)
    if not label:
        sentence = say("何に使うキーかを入力してください。")
        raise Invalid(sentence, fields={"label": sentence})
    if len(kept(session, actor, now)) >= MOST:
        raise Conflict(say("キーは%(most)s個までです。使わないものを終わらせてください。", most=MOST), code="too-many")
    secret = secrets.token_urlsafe(24)
    row = OwnKeyRow(
        id=new_id(), person=who.person(actor) or "", label=label, secret_hash=_hashed(secret), made_at=now,
        good_until=now + GOOD, applies=applies,
    )  # fmt: skip
    session.add(row)
    audit.record(session, actor, "eapply.own_key.make", row.id, detail={"applies": applies}, now=now)
    return row, secret


def kept(session: Session, actor: Actor, now: datetime) -> list[OwnKeyRow]:
    """The person's keys that are good, oldest first; those that have run out are forgotten."""
    session.execute(delete(OwnKeyRow).where(OwnKeyRow.person == who.person(actor), OwnKeyRow.good_until <= now))
    found = select(OwnKeyRow).where(OwnKeyRow.person == who.person(actor))
    return list(session.scalars(found.order_by(OwnKeyRow.made_at, OwnKeyRow.id)))


def end(session: Session, actor: Actor, key_id: str, now: datetime) -> None:
    """It opens nothing from now on. A key that is ended already, or is anybody else's, is none of this person's: nothing happens."""
    found = select(OwnKeyRow).where(OwnKeyRow.id == key_id, OwnKeyRow.person == who.person(actor))
    row = session.scalar(found.with_for_update())
    if row is not None:
        session.delete(row)
        audit.record(session, actor, "eapply.own_key.end", row.id, now=now)


def holder(session: Session, actor: Actor, secret: str, now: datetime) -> Actor:
    """Whose program it is: the key's person, or without a key whoever is signed in. Raises NotSignedIn."""
    if not secret:
        if who.person(actor) is None:
            raise NotSignedIn(say("サインインするか、自分のキーを付けてください。"))
        return actor
    row = _good(session, secret, now)
    if row.used_at is None or row.used_at < now - NOTED:
        row.used_at = now
    return Actor("person", row.person, tenant=actor.tenant, code=actor.code, acr="key")


def count_sent(session: Session, secret: str, now: datetime) -> None:
    """One more application is sent with this key. Raises Forbidden where it may only read, TooMany when it has sent enough today."""
    row = _good(session, secret, now, lock=True)
    if not row.applies:
        raise Forbidden(
            say("このキーでは、読むことしかできません。申請も送れるキーを作ってください。"), code="key-reads-only"
        )
    today = local_date(now)
    row.sent = row.sent + 1 if row.sent_on == today else 1
    row.sent_on = today
    if row.sent > MOST_A_DAY:
        tomorrow = datetime.combine(today + timedelta(days=1), time(), JST)
        raise TooMany(
            say("1つのキーで1日に送れる申請は%(most)s件までです。明日また送ってください。", most=MOST_A_DAY),
            retry_after=int((tomorrow - now).total_seconds()) + 1,
        )


def _good(session: Session, secret: str, now: datetime, *, lock: bool = False) -> OwnKeyRow:
    found = select(OwnKeyRow).where(OwnKeyRow.secret_hash == _hashed(secret), OwnKeyRow.good_until > now)
    row = session.scalar(found.with_for_update().execution_options(populate_existing=True) if lock else found)
    if row is None:
        raise NotSignedIn(say("このキーは使えません。終わらせたか、期限が過ぎています。"))
    return row


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
