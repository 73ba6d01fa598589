"""A second proof beside password or provider: passkeys, recovery codes, and what happens when all of them are lost."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from gateway import db, domain, trail
from gateway.passkeys import Made, Used
from gateway.use_cases import tickets, told
from libs.common.actor import Actor
from libs.common.errors import Conflict, Forbidden, Invalid, NotFound, say
from libs.common.ids import new_id

MOST_PASSKEYS = 10


def add_passkey(session: Session, person_id: str, made: Made, name: str, now: datetime) -> None:
    """Raises Conflict for one that is registered already, whoever has it."""
    if len(db.passkeys_of(session, person_id)) >= MOST_PASSKEYS:
        raise Conflict(say("パスキーは%(most)s個までです。使っていないものを外してください。", most=MOST_PASSKEYS))
    if db.passkey_by_credential(session, made.credential_id) is not None:
        raise Conflict(say("このパスキーは、すでに登録されています。"))
    session.add(
        db.PasskeyRow(
            id=new_id(),
            person_id=person_id,
            credential_id=made.credential_id,
            public_key=made.public_key,
            sign_count=made.sign_count,
            name=" ".join(name.split())[:60] or "パスキー",
            created_at=now,
        )
    )
    session.flush()
    trail.note(session, trail.oneself(person_id), "passkey.added", person_id, now)
    told.tell(session, person_id, "passkey-added", now)


def remove_passkey(session: Session, person_id: str, ident: str, now: datetime) -> None:
    """With the last one the codes go, too: what is left is the first factor alone."""
    mine = db.passkeys_of(session, person_id)
    row = next((one for one in mine if one.id == ident), None)
    if row is None:
        raise NotFound(say("このパスキーは、もう登録されていません。"))
    session.delete(row)
    if len(mine) == 1:
        db.forget_codes(session, person_id)
    trail.note(session, trail.oneself(person_id), "passkey.removed", person_id, now)
    told.tell(session, person_id, "passkey-removed", now)


def use_passkey(session: Session, person_id: str, used: Used, now: datetime) -> None:
    """Note the use. A counter that goes back means that somebody has copied the key (WebAuthn 3, 7.2 step 22).

    No answer counts twice: one to a question from before the passkey's last use is an old one, or one that was overheard. (Most
    passkeys do not count, so that their counter says nothing.)
    """
    row = db.passkey_by_credential(session, used.credential_id, lock=True)
    if row is None or row.person_id != person_id:
        raise _wrong_passkey()
    if row.last_used_at is not None and used.asked_at < row.last_used_at:
        sentence = say("この画面を開いたあとに、別の画面でこのパスキーを使いました。もう一度お試しください。")
        raise Invalid(sentence, code="wrong-passkey", fields={"passkey": sentence})
    if (used.sign_count or row.sign_count) and used.sign_count <= row.sign_count:
        raise _wrong_passkey()
    row.sign_count, row.last_used_at = used.sign_count, now


def _wrong_passkey() -> Invalid:
    sentence = say("このパスキーでは確かめられませんでした。登録したものをお使いください。")
    return Invalid(sentence, code="wrong-passkey", fields={"passkey": sentence})


def new_codes(session: Session, key: bytes, person_id: str, now: datetime) -> Sequence[str]:
    """Ten codes in place of the old ones; shown this once."""
    db.forget_codes(session, person_id)
    codes = [domain.new_recovery_code() for _ in range(domain.RECOVERY_CODES)]
    for code in codes:
        hidden = domain.keyed_digest(key, f"{person_id} {code}")
        session.add(db.RecoveryCodeRow(hash=hidden, person_id=person_id, made_at=now))
    trail.note(session, trail.oneself(person_id), "recovery-codes.made", person_id, now)
    return codes


def use_code(session: Session, key: bytes, person_id: str, typed: str, now: datetime) -> bool:
    """Whether `typed` is an unused code of theirs. It is used up now."""
    hidden = domain.keyed_digest(key, f"{person_id} {domain.recovery_code_of(typed)}")
    row = session.get(db.RecoveryCodeRow, hidden, with_for_update=True)
    if row is None or row.person_id != person_id or row.used_at is not None:
        return False
    row.used_at = now
    trail.note(session, trail.oneself(person_id), "recovery-code.used", person_id, now)
    told.tell(session, person_id, "code-used", now)
    return True


def helped(session: Session, email: str, *, by: Actor, may: Callable[[str], bool]) -> db.PersonRow:
    """The person with that address whom `by` may help. Raises Forbidden, the same for nobody and for somebody else's people."""
    person = db.person_by_email(session, domain.email_of(email))
    if person is None or not may(person.id):
        raise Forbidden(
            say("この方を助ける権限がありません。ご自分の自治体だけの職員か、アドレスをお確かめください。"),
            code="missing-right",
        )
    if person.id == by.subject:
        raise Conflict(say("ご自分の分は、ほかの管理者にお願いしてください。"))
    return person


def reset(session: Session, email: str, *, by: Actor, may: Callable[[str], bool], now: datetime) -> None:
    """Everything is lost: passkeys, codes, password and sessions of this person end, and a mail lets them begin again.

    The password too: it is what a thief of the account has, who only lacks the passkey and therefore asks for this.
    `may` says whom the helper can help: an administrator their own people only, so that nobody's way to more rights leads here.
    """
    person = helped(session, email, by=by, may=may)
    db.forget_passkeys(session, person.id)
    db.forget_codes(session, person.id)
    db.forget_password(session, person.id)
    db.end_sessions(session, person.id, now)
    tickets.issue(session, purpose="reset", email=person.email, person_id=person.id, now=now, mail="reset-by-helper")
    trail.note(session, by, "second-factor.reset", person.id, now)
