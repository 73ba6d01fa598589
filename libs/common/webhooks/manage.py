"""Making, changing and looking through webhooks. Every change is in the audit record; secrets never are."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from libs.common import audit, fetch
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, say
from libs.common.ids import new_id
from libs.common.webhooks import signing
from libs.common.webhooks.table import ACTIVE, FAILED, SENT, WAITING, AttemptRow, DeliveryRow, WebhookRow, get

MOST = 20
"""Webhooks of one municipality in one service."""
OLD_SECRET_FOR = timedelta(hours=24)
KEPT = timedelta(days=30)
PAGE = 50


@dataclass(frozen=True, slots=True)
class Wish:
    """What is typed into the form of a webhook: where it leads, what it is for, which types of events it is told."""

    url: str
    purpose: str
    types: Sequence[str]


def add(
    session: Session,
    actor: Actor,
    wish: Wish,
    *,
    known: Collection[str],
    allowed: Collection[tuple[str, int]],
    now: datetime,
) -> WebhookRow:
    """A new address. Raises Invalid with a sentence for each input, Conflict where there are `MOST` already."""
    _check(wish, known, allowed)
    if (session.scalar(select(func.count()).select_from(WebhookRow)) or 0) >= MOST:
        raise Conflict(say("送り先は%(most)s件までです。使わないものを消してください。", most=MOST))
    row = WebhookRow(id=new_id(), secret=signing.new_secret(), state=ACTIVE, made_by=actor.subject, made_at=now)
    _take_over(row, wish)
    session.add(row)
    session.flush()
    audit.record(session, actor, "webhook.added", row.id, detail={"host": host_of(row.url)}, now=now)
    return row


def change(
    session: Session,
    actor: Actor,
    webhook: WebhookRow,
    wish: Wish,
    *,
    known: Collection[str],
    allowed: Collection[tuple[str, int]],
    now: datetime,
) -> None:
    """Another address, purpose or choice of events for the same webhook: its secret and its log stay, and what still waits goes to
    the new address. Raises Invalid as `add` does."""
    _check(wish, known, allowed)
    before = host_of(webhook.url)
    _take_over(webhook, wish)
    detail = {"from": before, "host": host_of(webhook.url)}
    audit.record(session, actor, "webhook.changed", webhook.id, detail=detail, now=now)


def _take_over(webhook: WebhookRow, wish: Wish) -> None:
    webhook.url, webhook.purpose, webhook.types = wish.url.strip(), wish.purpose.strip(), sorted(wish.types)


def _check(wish: Wish, known: Collection[str], allowed: Collection[tuple[str, int]]) -> None:
    fields: dict[str, str] = {}
    try:
        _check_url(wish.url, allowed)
    except Invalid as refused:
        fields["url"] = refused.message
    if not wish.purpose.strip():
        fields["purpose"] = say("何に使う送り先かを入力してください。")
    elif len(wish.purpose.strip()) > 200:
        fields["purpose"] = say("200文字までで入力してください。")
    if not wish.types or set(wish.types) - set(known):
        fields["types"] = say("知らせる出来事を1つ以上選んでください。")
    if fields:
        raise Invalid(next(iter(fields.values())), fields=fields)


def _check_url(url: str, allowed: Collection[tuple[str, int]]) -> None:
    """Encrypted, but for hosts that the operator allows by name. Whether it is ours is looked at each time it is asked."""
    if len(url.strip()) > 2000:
        raise Invalid(say("アドレスが長すぎます。2,000文字までで入力してください。"))
    target = fetch.checked_url(url, fetch.Limits(), allowed)
    if target.scheme != "https" and (target.host.lower(), target.port or 80) not in allowed:
        raise Invalid(say("「https://」で始まるアドレスを入力してください。"))


def host_of(url: str) -> str:
    return url.split("/")[2] if url.count("/") >= 2 else url


def find(session: Session, webhook_id: str, *, lock: bool = False) -> WebhookRow:
    row = get(session, WebhookRow, webhook_id, lock=lock)
    if row is None:
        raise NotFound(say("この送り先は見つかりません。"))
    return row


def every(session: Session) -> list[WebhookRow]:
    return list(session.scalars(select(WebhookRow).order_by(WebhookRow.id)))


def rotate(session: Session, webhook: WebhookRow, now: datetime) -> None:
    """A new secret; the old one signs beside it for a day, so that the receiver can change over without a gap."""
    webhook.previous_secret, webhook.previous_until = webhook.secret, now + OLD_SECRET_FOR
    webhook.secret = signing.new_secret()


def secrets_of(webhook: WebhookRow, now: datetime) -> tuple[str, ...]:
    old = webhook.previous_secret
    if old and webhook.previous_until and now < webhook.previous_until:
        return (webhook.secret, old)
    return (webhook.secret,)


def remove(session: Session, webhook: WebhookRow) -> None:
    """The address and all that is known of what was sent there."""
    _forget(session, select(DeliveryRow.id).where(DeliveryRow.webhook_id == webhook.id))
    session.delete(webhook)


def give_up_waiting(session: Session, webhook: WebhookRow, now: datetime) -> None:
    waiting = (DeliveryRow.webhook_id == webhook.id, DeliveryRow.state == WAITING)
    session.execute(update(DeliveryRow).where(*waiting).values(state=FAILED, next_at=None, ended_at=now))


def deliveries(session: Session, webhook: WebhookRow, before: str = "") -> list[DeliveryRow]:
    """One page of what was sent there, the latest first; `before` is the id where the page before ended."""
    statement = select(DeliveryRow).where(DeliveryRow.webhook_id == webhook.id)
    if before:
        statement = statement.where(DeliveryRow.id < before)
    return list(session.scalars(statement.order_by(DeliveryRow.id.desc()).limit(PAGE + 1)))


def delivery(session: Session, webhook_id: str, delivery_id: str) -> DeliveryRow:
    row = get(session, DeliveryRow, delivery_id)
    if row is None or row.webhook_id != webhook_id:
        raise NotFound(say("この送信は見つかりません。"))
    return row


def attempts(session: Session, row: DeliveryRow) -> list[AttemptRow]:
    return list(session.scalars(select(AttemptRow).where(AttemptRow.delivery_id == row.id).order_by(AttemptRow.number)))


def counts(session: Session) -> dict[str, dict[str, int]]:
    """Webhook → state of deliveries → how many."""
    statement = select(DeliveryRow.webhook_id, DeliveryRow.state, func.count()).group_by(
        DeliveryRow.webhook_id, DeliveryRow.state
    )
    found: dict[str, dict[str, int]] = {}
    for webhook_id, state, count in session.execute(statement).tuples():
        found.setdefault(webhook_id, {})[state] = count
    return found


def forget_old(session: Session, now: datetime) -> None:
    """Deliveries that ended `KEPT` ago, with their attempts."""
    ended = DeliveryRow.state.in_((SENT, FAILED))
    _forget(session, select(DeliveryRow.id).where(ended, DeliveryRow.ended_at < now - KEPT).limit(1000))


def forget_all(session: Session) -> None:
    """For a room that is deleted. Webhooks are not carried to another installation: their secrets stay with this one."""
    for model in (AttemptRow, DeliveryRow, WebhookRow):
        session.execute(delete(model))


def _forget(session: Session, which: object) -> None:
    ids = list(session.scalars(which))  # type: ignore[call-overload]
    session.execute(delete(AttemptRow).where(AttemptRow.delivery_id.in_(ids)))
    session.execute(delete(DeliveryRow).where(DeliveryRow.id.in_(ids)))
