"""Who holds the keys of openings. Each makes a pair alone; the public half is registered here, the private half never comes."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, say
from libs.common.ids import new_id
from services.ebid.db import TenderRow, TrusteeRow
from services.ebid.sealing.trustee import check_public
from services.ebid.use_cases import journal, log
from services.ebid.use_cases.office import Office

LEAST = 3
"""Two of three open: one may be away, none can open alone."""


def threshold(count: int) -> int:
    """How many of `count` must act together: a majority."""
    return count // 2 + 1


def require_apart(held: Iterable[Mapping[str, Any]], needed: int) -> None:
    """Conflict where the holders (`institution` of each) belong to fewer than `needed` institutions, or one institution holds as many
    keys as open: it would open alone, whenever it likes. The same name in other widths or spaces is the same institution."""
    keys = Counter("".join(unicodedata.normalize("NFKC", each["institution"]).casefold().split()) for each in held)
    if len(keys) < needed or max(keys.values()) >= needed:
        sentence = say(
            "開封のかぎを持つ人は、%(needed)s以上のちがう所属から選んでください。1つの所属だけで%(needed)s人がそろうと、"
            "その所属だけで開けてしまいます。",
            needed=needed,
        )
        raise Conflict(sentence, code="same-institution")


def register(
    session: Session, actor: Actor, institution: str, public_key: str, office: Office, now: datetime
) -> TrusteeRow:
    """Register one's own public key (X25519, hex). An earlier one of the same person is retired for later tenders. The log has both.
    Waits for others that write alone, before looking: of two at once the later one retires the earlier one."""
    key = public_key.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", key):
        sentence = say("公開鍵は、かぎを作る道具が表示する64文字です。そのまま貼りつけてください。")
        raise Invalid(sentence, fields={"public_key": sentence}, code="bad-key")
    check_public(key)
    if not institution.strip():
        sentence = say("所属を入力してください。")
        raise Invalid(sentence, fields={"institution": sentence})
    log.lock(session)
    before = select(TrusteeRow).where(TrusteeRow.person == actor.subject, TrusteeRow.retired_at.is_(None))
    retired = list(session.scalars(before.order_by(TrusteeRow.id)))
    for old in retired:
        old.retired_at = now
    row = TrusteeRow(
        id=new_id(), person=actor.subject, name=actor.name or say("かぎの管理者"), institution=institution.strip()[:200],
        public_key=key, registered_at=now,
    )  # fmt: skip
    session.add(row)
    _log(session, office, row.id, row.institution, key, [old.id for old in retired], now)
    audit.record(session, actor, "ebid.trustee.register", row.id, detail={"key": key}, now=now)
    return row


def log_keys(session: Session, office: Office, row: TenderRow, now: datetime) -> None:
    """Put into the log the keys that were registered before the log had them."""
    logged = {(each.content or {})["document"]["public_key"] for each in journal.keys_of(session, office, row)}
    for each in row.trustees:
        if each["public_key"] not in logged:
            _log(session, office, each["id"], each["institution"], each["public_key"], [], now)


def _log(
    session: Session, office: Office, trustee: str, institution: str, key: str, retires: list[str], now: datetime
) -> None:
    document = {"trustee": trustee, "institution": institution, "public_key": key, "retires": retires}
    journal.write(session, office, journal.MUNICIPALITY, "trustee", document, now)


def active(session: Session) -> list[TrusteeRow]:
    return list(session.scalars(select(TrusteeRow).where(TrusteeRow.retired_at.is_(None)).order_by(TrusteeRow.id)))


def chosen(session: Session, ids: tuple[str, ...]) -> list[dict[str, Any]]:
    """The trustees of a tender as its terms name them, in the order of their registration."""
    known = {row.id: row for row in active(session)}
    if set(ids) - set(known):
        raise NotFound(say("選んだかぎの管理者が見つかりません。画面を開き直してください。"))
    return [
        {
            "id": row.id,
            "person": row.person,
            "name": row.name,
            "institution": row.institution,
            "public_key": row.public_key,
        }
        for row in known.values()
        if row.id in ids
    ]
