"""委任: a person lets another one apply in their place, for chosen procedures, until a day, and takes it back at once.

The delegate accepts with an account of their own. What they file is the giver's application: it says who filed it, the
giver is told, and the delegate sees it as long as the 委任 is in force. Taking back an application, choosing how the notice
comes and a new 照会キー stay with the giver.
"""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, Invalid, NotFound, say
from libs.common.ids import new_id
from services.eapply.db import ApplicationRow, DelegationRow, DraftRow
from services.eapply.forms.text import cleaned
from services.eapply.use_cases import procedures, who

INVITE = timedelta(days=14)
"""How long the link for the delegate is good."""
LONGEST = timedelta(days=3 * 366)
MOST = 20
"""Delegations of one giver at one time."""
KEPT = timedelta(days=365)
"""How long one that is over can still be looked up."""


def make(
    session: Session,
    actor: Actor,
    label: str,
    keys: Iterable[str],
    last_day: date,
    now: datetime,
    language: str | None = None,
) -> tuple[DelegationRow, str]:
    """A 委任 and the secret of its link, of which only the hash is kept. `language`: of the page, in which the giver is written to.
    Raises Invalid naming what is not right."""
    label, chosen = cleaned(label)[:200], sorted(set(keys))
    offered = {row.key for row in procedures.offered(session)}
    errors = {}
    if not label:
        errors["label"] = say("任せる方の名前を入力してください。")
    if not chosen or set(chosen) - offered:
        errors["procedures"] = say("任せる手続きを、1つ以上選んでください。")
    if not local_date(now) <= last_day <= local_date(now) + LONGEST:
        errors["last"] = say("最後の日は、今日から3年までの間で選んでください。")
    if errors:
        raise Invalid(say("直していただくところがあります。"), fields=errors)
    if sum(not is_over(row, now) for row in given(session, actor)) >= MOST:
        raise Conflict(say("委任は%(most)s件までです。使わないものを取り消してください。", most=MOST), code="too-many")
    secret = secrets.token_urlsafe(24)
    row = DelegationRow(
        id=new_id(), giver=who.person(actor) or "", giver_name=actor.name, label=label, procedures=chosen, last_day=last_day,
        secret_hash=_hashed(secret), invite_until=now + INVITE, made_at=now, language=language,
    )  # fmt: skip
    session.add(row)
    audit.record(session, actor, "eapply.delegation.make", row.id, detail={"procedures": chosen}, now=now)
    return row, secret


def invited(session: Session, secret: str, now: datetime, *, lock: bool = False) -> DelegationRow:
    """The 委任 of a link that has not been used yet. Raises NotFound."""
    found = select(DelegationRow).where(
        DelegationRow.secret_hash == _hashed(secret), DelegationRow.invite_until > now,
        DelegationRow.revoked_at.is_(None), DelegationRow.accepted_at.is_(None),
        DelegationRow.last_day >= local_date(now),
    )  # fmt: skip
    row = session.scalar(found.with_for_update() if lock else found)
    if row is None:
        raise NotFound(say("この委任のリンクは、もう使えません。任せる方に、作り直してもらってください。"))
    return row


def accept(session: Session, actor: Actor, secret: str, now: datetime) -> DelegationRow:
    """Take it on, by one's own account; pressed twice, it is taken on once. Raises Conflict for the giver themselves."""
    taken = select(DelegationRow).where(DelegationRow.secret_hash == _hashed(secret)).with_for_update()
    row = session.scalar(taken)
    if row is not None and row.accepted_at is not None and row.delegate == who.person(actor):
        return row
    row = invited(session, secret, now, lock=True)
    if row.giver == who.person(actor):
        raise Conflict(say("自分への委任は引き受けられません。任せる方に、このリンクを渡してください。"), code="own")
    row.delegate, row.delegate_name, row.accepted_at = who.person(actor), actor.name, now
    audit.record(session, actor, "eapply.delegation.accept", row.id, now=now)
    return row


def revoke(session: Session, actor: Actor, delegation_id: str, now: datetime) -> DelegationRow:
    """End it at once; either of the two may. A second time changes nothing. Raises NotFound for everybody else."""
    row = session.scalar(select(DelegationRow).where(DelegationRow.id == delegation_id).with_for_update())
    if row is None or who.person(actor) not in (row.giver, row.delegate) or who.person(actor) is None:
        raise NotFound(say("この委任は見つかりません。"))
    if row.revoked_at is None:
        row.revoked_at, row.revoked_by, row.secret_hash = now, who.person(actor), None
        audit.record(session, actor, "eapply.delegation.revoke", row.id, now=now)
    return row


def is_over(row: DelegationRow, now: datetime) -> bool:
    """Revoked, past its last day, or never accepted in time."""
    late = row.last_day < local_date(now) or (row.accepted_at is None and row.invite_until <= now)
    return row.revoked_at is not None or late


def in_force(row: DelegationRow, now: datetime) -> bool:
    return row.accepted_at is not None and not is_over(row, now)


def given(session: Session, actor: Actor) -> list[DelegationRow]:
    """Those this person has made, newest first."""
    return _list(session, actor, DelegationRow.giver)


def received(session: Session, actor: Actor) -> list[DelegationRow]:
    return _list(session, actor, DelegationRow.delegate)


def _list(session: Session, actor: Actor, side) -> list[DelegationRow]:  # type: ignore[no-untyped-def]
    if who.person(actor) is None:
        return []
    found = select(DelegationRow).where(side == who.person(actor))
    return list(session.scalars(found.order_by(DelegationRow.made_at.desc(), DelegationRow.id).limit(100)))


def usable(session: Session, actor: Actor, key: str, now: datetime) -> list[DelegationRow]:
    """For whom this person may apply for the procedure `key` now."""
    return [row for row in received(session, actor) if in_force(row, now) and key in row.procedures]


def may_file(session: Session, actor: Actor, delegation_id: str, key: str, now: datetime) -> DelegationRow:
    """The 委任, in force for this person and procedure at this moment. Raises NotFound for everybody
    else, Conflict when it is over: what was typed is kept."""
    row = session.scalar(select(DelegationRow).where(DelegationRow.id == delegation_id).with_for_update())
    if row is None or row.delegate is None or row.delegate != who.person(actor):
        raise NotFound(say("この委任は見つかりません。"))
    if not in_force(row, now) or key not in row.procedures:
        raise Conflict(
            say(
                "この委任は取り消されたか、期限が過ぎたため、代わりに送ることはできません。任せる方に確かめてください。"
            ),
            code="not-delegated",
        )
    return row


def of_draft(session: Session, draft: DraftRow) -> DelegationRow | None:
    return _one(session, draft.delegation_id)


def of_application(session: Session, row: ApplicationRow) -> DelegationRow | None:
    return _one(session, row.delegation_id)


def _one(session: Session, delegation_id: str | None) -> DelegationRow | None:
    if delegation_id is None:
        return None
    return session.scalar(select(DelegationRow).where(DelegationRow.id == delegation_id))


def givers(session: Session, rows: Iterable[DraftRow | ApplicationRow]) -> dict[str, str]:
    """Delegation → the giver's name, for drafts and applications that have one."""
    ids = {row.delegation_id for row in rows if row.delegation_id}
    found = select(DelegationRow.id, DelegationRow.giver_name).where(DelegationRow.id.in_(ids))
    return dict(session.execute(found).tuples().all()) if ids else {}


def over_among(session: Session, rows: Iterable[DraftRow], now: datetime) -> set[str]:
    """The ids of the 委任 by which these drafts were begun that are in force no more."""
    ids = {row.delegation_id for row in rows if row.delegation_id}
    found = session.scalars(select(DelegationRow).where(DelegationRow.id.in_(ids))) if ids else []
    return {row.id for row in found if not in_force(row, now)}


def left_behind(session: Session, actor: Actor, now: datetime) -> list[tuple[DraftRow, DelegationRow]]:
    """What delegates were writing for this person when their 委任 ended, newest first. While it is in force, it is theirs to write."""
    joined = select(DraftRow, DelegationRow).join(DelegationRow, DelegationRow.id == DraftRow.delegation_id)
    waiting = (DelegationRow.giver == who.person(actor), DraftRow.application_id.is_(None), DraftRow.expires_at > now)
    found = session.execute(joined.where(*waiting).order_by(DraftRow.saved_at.desc()).limit(50)).tuples()
    return [(draft, row) for draft, row in found if not in_force(row, now)]


def take_back(session: Session, actor: Actor, draft_id: str, now: datetime) -> DraftRow:
    """What a delegate left behind is the giver's own draft from now on, and the delegate's no more, nor anybody's who has its
    link. Raises NotFound for everybody else."""
    session.execute(select(DraftRow.id).where(DraftRow.id == draft_id).with_for_update())
    draft = next((draft for draft, _ in left_behind(session, actor, now) if draft.id == draft_id), None)
    if draft is None:
        raise NotFound(say("この書きかけは見つかりません。「申請の状況」から開いてください。"))
    draft.owner_person, draft.owner_session, draft.delegation_id = who.person(actor), None, None
    draft.resume_hash = draft.resume_until = draft.bundle_id = None
    audit.record(session, actor, "eapply.delegation.take_back", draft.id, now=now)
    return draft


def forget_over(session: Session, now: datetime) -> None:
    """Those that have been over for a year, and that no application here names any more."""
    limit = now - KEPT
    named = select(ApplicationRow.id).where(ApplicationRow.delegation_id == DelegationRow.id)
    over = or_(
        DelegationRow.revoked_at < limit,
        DelegationRow.last_day < local_date(limit),
        DelegationRow.accepted_at.is_(None) & (DelegationRow.invite_until < limit),
    )
    old = list(session.scalars(select(DelegationRow.id).where(over, ~named.exists()).limit(500)))
    session.execute(delete(DelegationRow).where(DelegationRow.id.in_(old)))


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
