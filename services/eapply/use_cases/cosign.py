"""連署: a procedure may ask further persons to confirm what the applicant has sent, each by a link of their own.

The application arrives when it is sent (デジタル手続法6条3項) and has its number at once. Until all have confirmed it is not
complete: the time runs as during 補正 (行政手続法6条, 7条), and it cannot be granted. Whoever confirms sees the procedure, the
applicant's name and the sentence to confirm, nothing of the answers.

A signature covers what had been sent when it was given. A 補正 that changes it afterwards lets it lapse, and the same persons
are asked again - unless the desk has said, when it asked for the 補正, that it touches nothing they confirmed.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from libs.common import audit, outbox
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, Forbidden, Invalid, NotFound, say
from libs.common.ids import new_id
from services.eapply import events
from services.eapply.db import ApplicationRow, CosignerRow
from services.eapply.domain import receipt
from services.eapply.domain.history import What
from services.eapply.domain.states import OPEN
from services.eapply.forms.text import cleaned
from services.eapply.use_cases import cases, mails, who

GOOD = timedelta(days=30)
"""How long a link is good."""
REMIND = timedelta(days=5)
REMINDERS = 3
MAX_REASON = 500
TRIES = 20
"""Persons one application can have asked in all: links are no means of sending mail to many."""
_ADDRESS = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")
STATES = {
    "waiting": say("返事を待っています"), "confirmed": say("確認しました"), "refused": say("確認しませんでした"),
    "replaced": say("ほかの方に替えました"), "lapsed": say("内容が直されたため、改めてお願いしました"),
}  # fmt: skip


def asked(session: Session, application_id: str) -> list[CosignerRow]:
    """All who were asked, oldest first; those replaced, too."""
    found = select(CosignerRow).where(CosignerRow.application_id == application_id)
    return list(session.scalars(found.order_by(CosignerRow.id)))


def is_incomplete(row: ApplicationRow) -> bool:
    return row.cosigners_needed is not None and (row.cosigned_on is None or row.cosign_again)


def refuse_incomplete(row: ApplicationRow) -> None:
    """Raises Conflict while somebody has still to confirm: it can be refused then, but not granted."""
    if is_incomplete(row):
        raise Conflict(
            say("連署する方の確認がそろっていません。そろうまで、認める結果には決められません。"), code="not-cosigned"
        )


# ---- the applicant


def ask(
    session: Session,
    actor: Actor,
    application_id: str,
    name: str,
    address: str,
    now: datetime,
    *,
    site: str,
    language: str | None = None,
    once: str = "",
) -> tuple[CosignerRow, str]:
    """Ask one more person; the secret of their link, which is mailed, in `language`, where there is an address. The same form
    (`once`) sent again asks nobody anew and gives the same link. Raises Invalid, or Conflict when enough have been asked."""
    row = _own_open(session, actor, application_id, now)
    name, address = cleaned(name), cleaned(address)
    secret = receipt.derived_link(once, row.id, name, address)
    pressed = session.scalar(select(CosignerRow).where(CosignerRow.secret_hash == _hashed(secret)))
    if pressed is not None:
        return pressed, secret
    errors = {}
    if not name or len(name) > 200:
        errors["name"] = say("確認する方の氏名を、200文字までで入力してください。")
    if address and not _ADDRESS.fullmatch(address):
        errors["address"] = say("メールアドレスの形を確かめてください。")
    if errors:
        raise Invalid(say("直していただくところがあります。"), fields=errors)
    before = asked(session, row.id)
    if sum(each.state in ("waiting", "confirmed") for each in before) >= (row.cosigners_needed or 0):
        raise Conflict(say("お願いする方は、もうそろっています。"), code="enough-asked")
    if sum(each.state != "lapsed" for each in before) >= TRIES:
        raise Conflict(say("お願いできる回数を超えました。担当へお問い合わせください。"), code="too-many")
    return _ask(session, actor, row, name, address or None, language, site, now, secret), secret


def _ask(
    session: Session,
    actor: Actor,
    row: ApplicationRow,
    name: str,
    address: str | None,
    language: str | None,
    site: str,
    now: datetime,
    secret: str,
) -> CosignerRow:
    each = CosignerRow(
        id=new_id(), application_id=row.id, name=name, address=address, state="waiting",
        secret_hash=_hashed(secret), asked_at=now, good_until=now + GOOD, reminders=0, language=language,
    )  # fmt: skip
    session.add(each)
    audit.record(session, actor, "eapply.cosigner.ask", row.id, detail={"cosigner": each.id}, now=now)
    _mail(session, row, each, secret, site, now)
    return each


def ask_again(session: Session, actor: Actor, row: ApplicationRow, now: datetime, *, site: str) -> bool:
    """A correction has changed what was confirmed: those who have are asked again, by mail where we have an address, else by a
    new link of the applicant's. False where nobody has confirmed yet."""
    confirmed = [each for each in asked(session, row.id) if each.state == "confirmed"]
    for each in confirmed:
        each.state = "lapsed"
        _ask(session, actor, row, each.name, each.address, each.language, site, now, secrets.token_urlsafe(24))
    if confirmed:
        row.cosign_again = row.cosigned_on is not None
        cases.note(session, row, What.COSIGN_AGAIN, actor, now)
    return row.cosign_again


def corrected_since(session: Session, row: ApplicationRow) -> list[str]:
    """Names of the questions that were corrected since the application arrived: whoever is asked reads that, not the answers."""
    answered = [each for each in cases.corrections(session, [row.id])[row.id] if each.answered_at]
    return list(dict.fromkeys(field["label"] for each in answered for field in each.fields))


def renew(
    session: Session, actor: Actor, application_id: str, cosigner_id: str, now: datetime, *, site: str
) -> tuple[CosignerRow, str]:
    """A new link for somebody who has not answered; the one before stops working."""
    row = _own_open(session, actor, application_id, now)
    each = _waiting(session, row, cosigner_id)
    return each, _new_link(session, row, each, site, now)


def replace(session: Session, actor: Actor, application_id: str, cosigner_id: str, now: datetime) -> None:
    """Ask this person no more, so that another one can be asked. What was confirmed stays."""
    row = _own_open(session, actor, application_id, now)
    each = _waiting(session, row, cosigner_id)
    each.state, each.secret_hash = "replaced", None
    audit.record(session, actor, "eapply.cosigner.replace", row.id, detail={"cosigner": each.id}, now=now)


def _own_open(session: Session, actor: Actor, application_id: str, now: datetime) -> ApplicationRow:
    row = who.own_application(session, actor, application_id, now, lock=True, delegate=True)
    if not is_incomplete(row) or row.state not in OPEN:
        raise Conflict(say("この申請で、連署をお願いすることはありません。"), code="no-cosigners")
    return row


def _waiting(session: Session, row: ApplicationRow, cosigner_id: str) -> CosignerRow:
    found = select(CosignerRow).where(CosignerRow.id == cosigner_id, CosignerRow.application_id == row.id)
    each = session.scalar(found.with_for_update())
    if each is None:
        raise NotFound(say("この方へのお願いは見つかりません。"))
    if each.state != "waiting":
        raise Conflict(say("この方は、もう返事をしています。"), code="answered")
    return each


def _new_link(session: Session, row: ApplicationRow, each: CosignerRow, site: str, now: datetime) -> str:
    secret = secrets.token_urlsafe(24)
    each.secret_hash, each.asked_at, each.good_until = _hashed(secret), now, now + GOOD
    _mail(session, row, each, secret, site, now)
    return secret


def _mail(session: Session, row: ApplicationRow, each: CosignerRow, secret: str, site: str, now: datetime) -> None:
    if each.address:
        again = any(one.state == "lapsed" and one.name == each.name for one in asked(session, row.id))
        link = f"{site}/sign/{secret}" + (f"?lang={each.language}" if each.language not in (None, "ja") else "")
        mails.ask_cosigner(session, each, row, cases.definition_of(session, row), link, again, now)


# ---- those who are asked


def find(session: Session, secret: str, now: datetime, *, lock: bool = False) -> tuple[CosignerRow, ApplicationRow]:
    """Who is asked by this link, and about what. Raises NotFound when it was used, renewed, has run out or is over."""
    found = select(CosignerRow).where(CosignerRow.secret_hash == _hashed(secret), CosignerRow.good_until > now)
    each = session.scalar(found)
    row = cases.load(session, each.application_id, lock=lock) if each else None
    if each and lock:
        session.refresh(each)  # whoever held the application may have answered by this link meanwhile
    if each is None or row is None or row.state not in OPEN or each.state != "waiting":
        raise NotFound(
            say("このリンクは、もう使えません。申請した方に、新しいリンクを送ってもらうよう、お伝えください。")
        )
    return each, row


def answered(session: Session, actor: Actor, secret: str) -> CosignerRow | None:
    """What this very person (account or session) has answered by this link: a second press, or going back to the page, finds the
    result of the first."""
    each = session.scalar(select(CosignerRow).where(CosignerRow.secret_hash == _hashed(secret)))
    if each is None or each.state not in ("confirmed", "refused"):
        return None
    return each if who.is_same(actor, each.account, each.session_hash) else None


def confirm(session: Session, actor: Actor, secret: str, name: str, now: datetime, *, site: str) -> ApplicationRow:
    """Confirm. With the last one the application is complete. Raises Forbidden for the applicant and for whoever has
    confirmed already."""
    each, row = find(session, secret, now, lock=True)
    name = cleaned(name)
    if not name or len(name) > 200:
        sentence = say("あなたの氏名を、200文字までで入力してください。")
        raise Invalid(sentence, fields={"name": sentence})
    _refuse_same_person(session, actor, row)
    _answer(each, actor, "confirmed", now)
    each.signed_name = name
    cases.note(session, row, What.COSIGNED, actor, now, each.name)
    audit.record(session, actor, "eapply.cosigner.confirm", row.id, detail={"cosigner": each.id}, now=now)
    session.flush()
    confirmed = sum(one.state == "confirmed" for one in asked(session, row.id))
    if confirmed >= (row.cosigners_needed or 0):
        _complete(session, row, now, site)
    cases.touch(row, now)
    return row


def _complete(session: Session, row: ApplicationRow, now: datetime, site: str) -> None:
    today = local_date(now)
    row.cosigned_on, row.cosign_again, row.unread = row.cosigned_on or today, False, True
    for each in cases.corrections(session, [row.id])[row.id]:
        if each.cosign_again and each.answered_at is not None and each.cosigned_on is None:
            each.cosigned_on = today
    cases.forecast_again(session, row, now)
    outbox.add(session, events.ApplicationCosigned(application_id=row.id, cosigned_at=now), subject=row.id, now=now)
    mails.cosigned(session, row, cases.definition_of(session, row), site, mails.ALL_SIGNED, now)
    mails.tell(session, row.assignee, "連署がそろいました", row, site, now)


def refuse(session: Session, actor: Actor, secret: str, reason: str, now: datetime, *, site: str) -> ApplicationRow:
    """Not confirm. The applicant is told, and may ask somebody else."""
    each, row = find(session, secret, now, lock=True)
    _answer(each, actor, "refused", now)
    each.reason = cleaned(reason, lines=True)[:MAX_REASON] or None
    cases.note(session, row, What.COSIGN_REFUSED, actor, now, each.name)
    audit.record(session, actor, "eapply.cosigner.refuse", row.id, detail={"cosigner": each.id}, now=now)
    mails.cosigned(session, row, cases.definition_of(session, row), site, mails.NOT_SIGNED, now)
    cases.touch(row, now)
    return row


def _answer(each: CosignerRow, actor: Actor, state: str, now: datetime) -> None:
    each.state, each.answered_at = state, now
    each.account, each.session_hash = who.person(actor), who.session_hash(actor)


def _refuse_same_person(session: Session, actor: Actor, row: ApplicationRow) -> None:
    if who.is_applicant(session, actor, row) or (row.filed_by is not None and row.filed_by == who.person(actor)):
        raise Forbidden(
            say("申請した方は、自分の申請を連署で確認できません。お願いした方に、このリンクを渡してください。"),
            code="own",
        )
    hashed = who.session_hash(actor)
    same = [CosignerRow.account == who.person(actor)] if who.person(actor) else []
    same += [CosignerRow.session_hash == hashed] if hashed else []
    confirmed = (CosignerRow.application_id == row.id, CosignerRow.state == "confirmed")
    if same and session.scalar(select(CosignerRow.id).where(*confirmed, or_(*same)).limit(1)) is not None:
        raise Forbidden(say("この申請は、もう確認しています。ほかの方の分は、その方が確認します。"), code="twice")


# ---- reminders


def remind(session: Session, site: str, now: datetime, limit: int = 100) -> int:
    """Write again to those who have not answered for some days, with a fresh link, up to three times; how many."""
    due = (
        select(CosignerRow)
        .where(
            CosignerRow.state == "waiting", CosignerRow.address.is_not(None), CosignerRow.reminders < REMINDERS,
            CosignerRow.asked_at <= now - REMIND,
        )
        .order_by(CosignerRow.asked_at, CosignerRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )  # fmt: skip
    rows: Sequence[CosignerRow] = session.scalars(due).all()
    for each in rows:
        row = cases.load(session, each.application_id)
        each.reminders += 1
        if row.state in OPEN:
            _new_link(session, row, each, site, now)
        else:
            each.state, each.secret_hash = "replaced", None
    return len(rows)


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
