"""A municipality deposits a repository's password so that drills can restore; or takes it back."""

from datetime import datetime

from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import Invalid, say
from libs.common.vaults import KeyFile
from services.backup import vault
from services.backup.db import repositories as db


def deposit(
    session: Session, actor: Actor, vault_key: KeyFile, repository_id: str, password: str, now: datetime
) -> None:
    """Keep `password` sealed. It is shown to nobody again, and used by drills only."""
    if not 1 <= len(password) <= 1000:
        sentence = say("訓練に使う合言葉（resticのパスワード）を入力してください。")
        raise Invalid(sentence, fields={"password": sentence})
    row = db.by_id(session, repository_id, lock=True)
    row.sealed_password = vault.seal(vault_key, row, password)
    audit.record(session, actor, "backup.password.deposited", row.id, now=now)


def withdraw(session: Session, actor: Actor, repository_id: str, now: datetime) -> None:
    """Forget the password. Twice is once."""
    row = db.by_id(session, repository_id, lock=True)
    if row.sealed_password is not None:
        row.sealed_password = None
        audit.record(session, actor, "backup.password.withdrawn", row.id, now=now)
