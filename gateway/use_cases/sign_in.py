"""Signing in and out, and slowing down those who guess."""

import math
from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from gateway import db, domain, trail
from gateway.use_cases import guests
from libs.common.errors import Forbidden, TooMany, say
from libs.common.ids import new_id

ANY = "*"


def check_pace(session: Session, key: bytes, email: str, network: str, now: datetime) -> None:
    """Raises TooMany while this account from this network, or this network as a whole, has to wait.

    Another network may try the same account at the same time, and so may a browser that has signed in to it before, which counts as a
    network of its own (`pages/known.py`): nobody can lock a person out by guessing, not even a neighbour behind the same address.
    A try that has to wait is none: it makes nobody wait longer.
    """
    for account, wait in ((domain.keyed_digest(key, email), _wait), (ANY, _wait_of_network)):
        row = db.failures(session, account, domain.keyed_digest(key, network))
        if row is not None and row.open_at > now:
            raise wait(row.open_at, now)


def note_failure(session: Session, key: bytes, email: str, network: str, now: datetime) -> None:
    """Count one wrong try, for the account from this network and for the network."""
    hidden = domain.keyed_digest(key, network)
    _count(session, domain.keyed_digest(key, email), hidden, domain.FREE_TRIES, now)
    _count(session, ANY, hidden, domain.FREE_TRIES_OF_NETWORK, now)


def forget_failures(session: Session, key: bytes, email: str, network: str) -> None:
    """The right password was given: this account starts afresh on this network."""
    row = db.failures(session, domain.keyed_digest(key, email), domain.keyed_digest(key, network))
    if row is not None:
        session.delete(row)


def check_mail_pace(session: Session, key: bytes, purpose: str, email: str, network: str, now: datetime) -> None:
    """Raises TooMany when somebody keeps making us write to one address, or to many from one network.

    Each `purpose` by itself: whoever keeps others from asking has sent them the very mail, and no other is held up by it.
    """
    pairs = (
        (domain.keyed_digest(key, f"mail {purpose} {email}"), ANY, 3),
        (ANY, domain.keyed_digest(key, f"mail {network}"), 30),
    )
    for account, place, free in pairs:
        row = db.failures(session, account, place)
        if row is not None and row.open_at > now:
            raise _wait(row.open_at, now)
        _count(session, account, place, free, now)


def _count(session: Session, account: str, network: str, free: int, now: datetime) -> None:
    row = db.failures_to_change(session, account, network, now)
    if now - row.last_at > domain.FORGET_AFTER:
        row.count = 0
    row.count += 1
    row.last_at = now
    row.open_at = now + domain.pause_after(row.count, free, whole_network=account == ANY)


def _wait(open_at: datetime, now: datetime) -> TooMany:
    seconds = _seconds(open_at, now)
    if seconds < 60:
        words = say(
            "続けてお試しになったため、少しお待ちいただいています。%(n)s秒後にもう一度お試しください。", n=seconds
        )
    else:
        minutes = -(-seconds // 60)
        words = say(
            "続けてお試しになったため、少しお待ちいただいています。%(n)s分後にもう一度お試しください。", n=minutes
        )
    return TooMany(words, retry_after=seconds)


def _wait_of_network(open_at: datetime, now: datetime) -> TooMany:
    """Whoever reads this may have done nothing at all: it says so, and names the ways that do not wait. (Who guesses on may be quicker at
    the end of a pause than they are, again and again; those ways stay.)"""
    seconds = _seconds(open_at, now)
    return TooMany(
        say(
            "同じ場所のネットワーク（庁舎や学校など）で、サインインの失敗が続いています。%(n)s秒後に、もう一度お試しください。"
            "パスワードが違うという意味ではありません。"
            "お急ぎのときは、スマートフォンの回線か、「パスワードをお忘れの方」のメールからなら、待たずに入れます。",
            n=seconds,
        ),
        retry_after=seconds,
    )


def _seconds(open_at: datetime, now: datetime) -> int:
    return max(1, math.ceil((open_at - now).total_seconds()))


def open_session(
    session: Session,
    person_id: str,
    *,
    acr: str,
    device: str,
    now: datetime,
    life: domain.SessionLife,
    guest_sid: str | None = None,
    voucher: domain.Voucher = domain.OURS,
    shared: bool = False,
    proved_at: datetime | None = None,
    digest: Callable[[str], str] = domain.digest,
) -> str:
    """A new session; returns the cookie's value. Always a new one: what a browser brought along is never continued.

    `guest_sid`: the guest this browser was until now. `proved_at`: when the person proved who they are, if not now.
    `shared`: the machine is one that many people use; `life` is then a short one. `digest`: of this side of the door.
    Raises Forbidden for an account that was stopped: only whoever has proved to be its owner is told so.
    """
    person = db.person(session, person_id)
    if person is None or person.stopped_at is not None:
        raise Forbidden(
            say("このアカウントは、いま使えません。職員の方は管理者へ、そのほかの方は窓口へお問い合わせください。"),
            code="account-stopped",
        )
    earlier_guest = guests.take(session, guest_sid, person_id, now) if guest_sid else None
    secret, ident = domain.new_secret(), new_id()
    session.add(
        db.SessionRow(
            hash=digest(secret),
            id=ident,
            person_id=person_id,
            acr=acr,
            device=device,
            created_at=now,
            last_used_at=now,
            expires_at=now + life.absolute,
            earlier_guest=earlier_guest,
            provider=voucher.provider,
            shared=shared,
            provider_sid=voucher.sid,
            corporate_number=voucher.corporate_number,
            proved_at=proved_at,
        )
    )
    trail.note(session, trail.oneself(person_id), "session.begun", ident, now)
    return secret


def end_session(session: Session, cookie_hash: str, now: datetime) -> None:
    """Sign out: this cookie opens nothing any more."""
    row = session.get(db.SessionRow, cookie_hash)
    if row is not None and row.ended_at is None:
        row.ended_at = now
        trail.note(session, trail.oneself(row.person_id), "session.ended", row.id, now)


def end_session_of(session: Session, person_id: str, ident: str, now: datetime) -> None:
    """The owner ends one of their sessions by its public id; of others nothing happens."""
    for row in db.sessions_of(session, person_id, now):
        if row.id == ident:
            row.ended_at = now
            trail.note(session, trail.oneself(person_id), "session.ended", ident, now)


def end_other_sessions(session: Session, person_id: str, keep: str, now: datetime) -> None:
    """Every session of this person ends except the one with hash `keep`."""
    db.end_sessions(session, person_id, now, but=keep)
    trail.note(session, trail.oneself(person_id), "other-sessions.ended", person_id, now)
