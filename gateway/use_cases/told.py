"""Whoever's ways to sign in have changed is told by mail: a change that they did not make must not stay unseen (ASVS 5.0, 6.3.7)."""

from datetime import datetime

from sqlalchemy.orm import Session

from libs.common import jobs

TOLD = "gateway.told"

WORDS = {
    "password": "パスワードが変わりました",
    "passkey-added": "パスキーが登録されました",
    "passkey-removed": "パスキーが外されました",
    "code-used": "回復コードで、もう一段の本人確認が行われました",
    "linked": "「{label}」でもサインインできるようになりました",
    "unlinked": "「{label}」ではサインインできなくなりました",
    "address": "メールアドレスが変わりました",
    "closed": "アカウントを閉じました",
    "stopped": "アカウントが止められました",
    "opened": "アカウントが、また使えるようになりました",
}


def tell(session: Session, person_id: str, what: str, now: datetime, *, provider: str = "", address: str = "") -> None:
    """Mail this person, after the change is kept, that `what` (of WORDS) happened. `provider` is the key of the one it is about;
    `address` is where the mail goes, if not where the person is found from now on."""
    if what not in WORDS:
        raise ValueError(what)
    payload = {"person": person_id, "what": what, "provider": provider, "at": now.isoformat(), "address": address}
    jobs.add(session, TOLD, payload, now=now)
