"""An operator changes the key that seals deposited passwords, from a terminal, while drills run.

python -m services.backup vault new-key       stopped anywhere, run it again
python -m services.backup vault forget-old    afterwards: the key before goes, once nothing opens with it alone
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit, vaults
from libs.common.actor import Actor
from libs.common.service import Service
from services.backup import vault
from services.backup.db import RepositoryRow
from services.backup.settings import held

OPERATOR = Actor(kind="service", subject="backup")


def new_key(service: Service) -> int:
    """How many passwords were sealed anew. Raises vaults.NotDone."""
    return vaults.new_key(service.database, held(service).vault_key, _again(service))


def forget_old(service: Service) -> int:
    """How many were sealed anew only now. Raises vaults.NotDone."""
    return vaults.forget_old(service.database, held(service).vault_key, _again(service))


def _again(service: Service) -> vaults.Again:
    return lambda session, _: _seal_anew(session, held(service).vault_key, service.clock.now())


def _seal_anew(session: Session, key: vaults.KeyFile, now: datetime) -> int:
    kept = select(RepositoryRow).where(RepositoryRow.sealed_password.is_not(None)).order_by(RepositoryRow.id)
    done = [row for row in session.scalars(kept.with_for_update()).all() if vault.seal_anew(key, row)]
    for row in done:
        audit.record(session, OPERATOR, "backup.vault.seal_anew", row.id, now=now)
    return len(done)
