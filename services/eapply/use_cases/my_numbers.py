"""マイナンバー where a law allows it: taken on a page of its own, kept in the vault, looked at with a reason, and that
looked at by a second person.

番号法: collected only for the tasks of its list (19条, 20条), after saying what for; 個人番号 go when they are not needed any
more. A number never leaves the vault by an event, a search, an export, a log or an archive of the room.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import Conflict, Forbidden, Invalid, NotFound, say
from libs.common.ids import new_id
from services.eapply.db import ApplicationRow, VaultEntryRow, VaultKeyRow, VaultReadRow
from services.eapply.domain import mynumber
from services.eapply.domain.history import What
from services.eapply.forms.definition import Procedure
from services.eapply.forms.text import cleaned
from services.eapply.use_cases import cases
from services.eapply.use_cases.drafts import Draft
from services.eapply.vault import Vault

NOT_ONE = say("マイナンバーは12桁の数字です。カードや通知書を見て、もう一度入力してください。")
MISTYPED = say("番号のどこかが違っています。カードや通知書を見て、12桁をもう一度入力してください。")
MAX_REASON = 500
SHOWN = 200
"""The newest readings on the page of the second look."""


def keep(session: Session, vault: Vault, draft: Draft, typed: str, now: datetime) -> None:
    """Put the number of a draft into the vault, in place of one given before. Raises Invalid where it is none.

    What was typed is in no message: it must not come into a log.
    """
    if draft.procedure.handling.my_number is None:
        raise Conflict(say("この手続きでは、マイナンバーをお預かりしません。"), code="no-my-number")
    digits = re.sub(r"[\s\-‐‑–—―−ー]", "", unicodedata.normalize("NFKC", typed))
    if not mynumber.is_valid(digits):
        whole = len(digits) == mynumber.LENGTH and digits.isdigit()
        sentence = MISTYPED if whole else NOT_ONE
        raise Invalid(sentence, fields={"number": sentence}, code="not-my-number")
    forget_of_drafts(session, [draft.row.id])
    tenant = session.info["tenant"]
    key, entry_id = _key(session, vault, tenant, now), new_id()
    sealed = vault.seal(key.wrapped, tenant, key.id, entry_id, digits)
    session.add(VaultEntryRow(id=entry_id, draft_id=draft.row.id, key_id=key.id, sealed=sealed, kept_at=now))
    session.flush()


def _key(session: Session, vault: Vault, tenant: str, now: datetime) -> VaultKeyRow:
    """The municipality's newest key, made with its first number."""
    row = session.scalar(select(VaultKeyRow).order_by(VaultKeyRow.made_at.desc(), VaultKeyRow.id.desc()).limit(1))
    if row is None:
        key_id = new_id()
        row = VaultKeyRow(id=key_id, wrapped=vault.new_key(tenant, key_id), made_at=now)
        session.add(row)
        session.flush()
    return row


def given(session: Session, draft_id: str) -> bool:
    return session.scalar(select(VaultEntryRow.id).where(VaultEntryRow.draft_id == draft_id)) is not None


def kept(session: Session, application_id: str) -> bool:
    return session.scalar(select(VaultEntryRow.id).where(VaultEntryRow.application_id == application_id)) is not None


def is_missing(session: Session, draft: Draft) -> bool:
    """Whether the draft cannot be sent before its number is given."""
    rule = draft.procedure.handling.my_number
    return rule is not None and rule.need and not given(session, draft.row.id)


def refuse_missing(session: Session, draft: Draft) -> None:
    if is_missing(session, draft):
        raise Invalid(say("マイナンバーを入力してから送ってください。"), code="not-complete")


def refuse_without_page(procedure: Procedure) -> None:
    """A program has no page on which a person reads what the number is for. Raises Invalid where one is needed."""
    rule = procedure.handling.my_number
    if rule is not None and rule.need:
        raise Invalid(
            say("この手続きはマイナンバーの入力が要るため、画面から申し込んでください。"), code="my-number-needed"
        )


def hand_over(session: Session, draft_id: str, row: ApplicationRow) -> None:
    """The draft was sent: its number is the application's from now on."""
    session.execute(
        update(VaultEntryRow).where(VaultEntryRow.draft_id == draft_id).values(application_id=row.id, draft_id=None)
    )


def forget_of_drafts(session: Session, draft_ids: Sequence[str]) -> None:
    session.execute(delete(VaultEntryRow).where(VaultEntryRow.draft_id.in_(draft_ids)))


# ---- staff


def read(session: Session, vault: Vault, actor: Actor, application_id: str, reason: str, now: datetime) -> str:
    """The number, for a reason that is kept. The applicant sees that it was looked at; a manager looks at the reason.
    Raises Invalid without a reason, NotFound where none is kept."""
    row = cases.load(session, application_id)
    reason = cleaned(reason, lines=True)[:MAX_REASON]
    if len(reason) < 5:
        sentence = say("見る理由を、5文字以上で具体的に入力してください。")
        raise Invalid(sentence, fields={"reason": sentence}, code="reason-needed")
    entry = session.scalar(select(VaultEntryRow).where(VaultEntryRow.application_id == row.id))
    key = session.scalar(select(VaultKeyRow).where(VaultKeyRow.id == entry.key_id)) if entry else None
    if entry is None or key is None:
        raise NotFound(say("この申請では、マイナンバーをお預かりしていません。"))
    number = vault.open(key.wrapped, session.info["tenant"], key.id, entry.id, entry.sealed)
    seen = VaultReadRow(
        id=new_id(), application_id=row.id, receipt_number=row.receipt_number, reader=actor.subject,
        reader_name=actor.name, reason=reason, read_at=now,
    )  # fmt: skip
    session.add(seen)
    cases.note(session, row, What.NUMBER_READ, actor, now)
    audit.record(session, actor, "eapply.my_number.read", row.id, reason, {"reading": seen.id}, now=now)
    return number


def readings(session: Session) -> list[VaultReadRow]:
    """Who looked at numbers: those that nobody has looked at a second time first, then the newest."""
    order = (VaultReadRow.looked_at.is_not(None), VaultReadRow.read_at.desc(), VaultReadRow.id)
    return list(session.scalars(select(VaultReadRow).order_by(*order).limit(SHOWN)))


def readings_of(session: Session, application_id: str) -> list[VaultReadRow]:
    found = select(VaultReadRow).where(VaultReadRow.application_id == application_id)
    return list(session.scalars(found.order_by(VaultReadRow.read_at.desc(), VaultReadRow.id)))


def look_again(
    session: Session, actor: Actor, reading_id: str, proper: bool, finding: str, now: datetime
) -> VaultReadRow:
    """The second look: whether the number was looked at properly. Raises Forbidden for the reader's own, Conflict when it
    has been done."""
    row = session.scalar(select(VaultReadRow).where(VaultReadRow.id == reading_id).with_for_update())
    if row is None:
        raise NotFound(say("この記録は見つかりません。"))
    if row.reader == actor.subject:
        raise Forbidden(say("自分が見た記録は、ほかの管理者が確かめます。"), code="own-reading")
    if row.looked_at is not None:
        raise Conflict(say("この記録は、すでに確かめられています。"), code="looked-at")
    finding = cleaned(finding, lines=True)[:MAX_REASON]
    if not proper and not finding:
        sentence = say("問題があるときは、何が問題かを入力してください。")
        raise Invalid(sentence, fields={f"finding-{row.id}": sentence})
    row.looked_at, row.looked_by, row.looked_by_name = now, actor.subject, actor.name
    row.proper, row.finding = proper, finding or None
    detail = {"reading": row.id, "proper": "yes" if proper else "no"}
    audit.record(session, actor, "eapply.my_number.look_again", row.application_id, finding or None, detail, now=now)
    return row
