"""Staff make a repository and keys for its machines, and promise how often a recovery point comes."""

import re
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from libs.common import audit, outbox, room
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, say
from libs.common.ids import new_id
from services.backup.db import AccessKeyRow, RepositoryRow
from services.backup.db import repositories as db
from services.backup.domain.modes import LABELS, Mode
from services.backup.domain.protocol import is_repository_name
from services.backup.domain.retention import check_days
from services.backup.events import RepositoryCreated
from services.backup.tokens import Token

GIB = 1024**3
LONGEST_PROMISE = 24 * 31
LONGEST_KEY = 366
_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a repository shall be. Quota in bytes."""

    name: str
    title: str
    quota: int
    retention_days: int
    promised_hours: int
    alert_address: str | None = None


def create(session: Session, actor: Actor, wish: Wish, now: datetime) -> RepositoryRow:
    """A new repository. Invalid with a sentence for each field; Conflict if the name is taken."""
    room.check_open(session)
    _check(session, wish)
    known = db.by_name(session, wish.name)
    if known is not None:
        raise Conflict(_taken(known), code="name-taken")
    row = RepositoryRow(
        id=new_id(),
        name=wish.name,
        title=wish.title.strip(),
        created_at=now,
        created_by=actor.subject,
        alert_address=wish.alert_address,
        quota=wish.quota,
        live=0,
        held=0,
        retention_days=wish.retention_days,
        promised_hours=wish.promised_hours,
        added_since_point=0,
    )
    session.add(row)
    session.flush()
    event = RepositoryCreated(repository_id=row.id, promised_hours=row.promised_hours, created_at=now)
    outbox.add(session, event, subject=row.id, now=now)
    audit.record(session, actor, "backup.repository.created", row.id, detail={"name": row.name}, now=now)
    return row


def _taken(known: RepositoryRow) -> str:
    if known.disposed_at is None:
        return say("「%(name)s」という名前の保管庫が、もうあります。別の名前にしてください。", name=known.name)
    return say("「%(name)s」は、前に廃棄した保管庫の名前です。別の名前にしてください。", name=known.name)


def change(session: Session, actor: Actor, repository_id: str, wish: Wish, now: datetime) -> None:
    """Another title, quota, promise or address for alerts; the name stays, and so does the time of keeping (`raise_retention`).

    Invalid as for `create`.
    """
    row = db.by_id(session, repository_id)
    _check(session, replace(wish, name=row.name, retention_days=row.retention_days))
    row = db.by_id(session, repository_id, lock=True)
    wanted = {
        "title": wish.title.strip(),
        "quota": wish.quota,
        "promised_hours": wish.promised_hours,
        "alert_address": wish.alert_address,
    }
    changed = [name for name, value in wanted.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, wanted[name])
    if changed:
        audit.record(session, actor, "backup.repository.changed", row.id, detail={"changed": changed}, now=now)


def _check(session: Session, wish: Wish) -> None:
    """The allowance is held: no other repository of this name is made meanwhile."""
    allowance = db.lock_allowance(session)
    errors: dict[str, str] = {}
    if not is_repository_name(wish.name):
        errors["name"] = say("名前は、半角の小文字・数字・ハイフンで、62文字までにしてください。例：juki-system")
    if not 1 <= len(wish.title.strip()) <= 100:
        errors["title"] = say("何のデータかを、100文字までで入力してください。例：住民記録システム")
    if wish.quota < GIB:
        errors["quota"] = say("上限は、1GB以上にしてください。")
    if wish.quota > allowance.quota:
        errors["quota"] = say("上限は、自治体全体の上限（%(most)sGB）までにしてください。", most=allowance.quota // GIB)
    if not 1 <= wish.promised_hours <= LONGEST_PROMISE:
        errors["promised_hours"] = say(
            "知らせるまでの時間を、1時間から%(most)s時間の間で入力してください。", most=LONGEST_PROMISE
        )
    if wish.alert_address is not None and not (
        len(wish.alert_address) <= 254 and _ADDRESS.fullmatch(wish.alert_address)
    ):
        errors["alert_address"] = say(
            "メールアドレスの形を確かめてください。「名前@example.jp」のように、半角で入力してください。"
        )
    try:
        check_days(wish.retention_days)
    except Invalid as refusal:
        errors |= refusal.fields
    if errors:
        raise Invalid(say("%(count)sか所、直してください。", count=len(errors)), fields=errors)


def raise_retention(session: Session, actor: Actor, repository_id: str, days: int, now: datetime) -> None:
    """Keep deleted bytes longer, those deleted already too (`sites.kept_until`). Shorter is refused, whoever asks."""
    row = db.by_id(session, repository_id, lock=True)
    check_days(days, row.retention_days)
    before, row.retention_days = row.retention_days, days
    audit.record(session, actor, "backup.retention.raised", row.id, detail={"before": before, "after": days}, now=now)


def add_key(
    session: Session, actor: Actor, repository_id: str, token: Token, mode: Mode, name: str, now: datetime
) -> AccessKeyRow:
    """From now on the machine with `token` may use the repository in `mode`."""
    room.check_open(session)
    repository = db.by_id(session, repository_id)
    row = AccessKeyRow(
        token_id=token.id,
        repository_id=repository.id,
        mode=mode,
        name=name,
        created_by=actor.subject,
        created_at=now,
        expires_at=token.expires_at,
    )
    session.add(row)
    audit.record(session, actor, "backup.key.made", repository.id, detail={"key": token.id, "mode": mode}, now=now)
    return row


def check_in_use(row: RepositoryRow) -> None:
    """Conflict for a repository that was disposed of: a key would open nothing."""
    if row.disposed_at is not None:
        raise Conflict(say("この保管庫は廃棄したため、キーを作れません。"), code="disposed")


def check_key_wish(mode: str, name: str, days: int, more: dict[str, str]) -> None:
    """Invalid for a mode, a name or a time no key can have, and for what `more` says: asked before a token is made."""
    errors = dict(more)
    if not 1 <= days <= LONGEST_KEY:
        errors["days"] = say("有効な日数を、1日から%(most)s日の間で入力してください。", most=LONGEST_KEY)
    if mode not in LABELS:
        errors["mode"] = say("キーでできることを、1つ選んでください。")
    if not 1 <= len(name.strip()) <= 100:
        errors["key_name"] = say("どの機械のキーかを、100文字までで入力してください。例：住基サーバー1号")
    if errors:
        raise Invalid(say("%(count)sか所、直してください。", count=len(errors)), fields=errors)


def revoke_key(session: Session, actor: Actor, repository_id: str, token_id: str, now: datetime) -> None:
    """The key opens nothing any more, at once. Twice is once."""
    row = session.get(AccessKeyRow, (session.info["tenant"], token_id))
    if row is None or row.repository_id != repository_id:
        raise NotFound(say("このキーは見つかりません。"))
    if row.revoked_at is None:
        row.revoked_at = now
        audit.record(session, actor, "backup.key.revoked", repository_id, detail={"key": token_id}, now=now)
