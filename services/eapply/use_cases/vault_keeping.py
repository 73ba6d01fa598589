"""What an operator does to the vault of マイナンバー from a terminal: change its key, carry a copy of it away, bring one back.

    python -m services.eapply vault new-key        while the cloud runs; stopped anywhere, run it again
    python -m services.eapply vault forget-old     afterwards: the key before goes, once nothing opens with it alone
    python -m services.eapply vault keep FILE      the sealed numbers as they are: useless without the vault's key
    python -m services.eapply vault restore FILE   those that are not there, for applications and drafts that are

The cloud's own copies (`keep`, `own-backup`) leave the vault out, so that its numbers and its key lie where the operator says.
"""

import base64
import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit, vaults
from libs.common.actor import Actor
from libs.common.db import Database
from libs.common.room import RoomRow
from services.eapply.db import ApplicationRow, DraftRow, VaultEntryRow, VaultKeyRow
from services.eapply.vault import Vault

OPERATOR = Actor(kind="service", subject="eapply")
_AT_ONCE = 500


def new_key(database: Database, vault: Vault, now: datetime) -> int:
    """Change the vault's key and wrap every municipality's key anew; how many. Numbers are given and looked at meanwhile. Raises
    NotDone where a municipality's key opens with neither key."""
    return vaults.new_key(database, vault.key, _again(vault, now))


def forget_old(database: Database, vault: Vault, now: datetime) -> int:
    """Take the key before away, when everything has been wrapped anew; what was wrapped only now. Raises NotDone."""
    return vaults.forget_old(database, vault.key, _again(vault, now))


def _again(vault: Vault, now: datetime) -> vaults.Again:
    return lambda session, tenant: _wrap_anew(session, vault, tenant, now)


def _tenants(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(RoomRow.tenant).order_by(RoomRow.tenant)))


def _wrap_anew(session: Session, vault: Vault, tenant: str, now: datetime) -> int:
    done = 0
    for row in session.scalars(select(VaultKeyRow).order_by(VaultKeyRow.id).with_for_update()).all():
        wrapped = vault.wrapped_anew(row.wrapped, tenant, row.id)
        if wrapped is not None:
            row.wrapped, done = wrapped, done + 1
            audit.record(session, OPERATOR, "eapply.vault.wrap_anew", row.id, now=now)
    return done


# ---- a copy


def keep(database: Database, path: Path) -> int:
    """Write the vault's rows of every municipality, sealed, into the new file `path` (JSON, one row a line); how many numbers."""
    count = 0
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        for tenant in _tenants(database):
            with database.reading(tenant=tenant) as session:
                for line in _lines(session, tenant):
                    count += line["table"] == "entries"
                    file.write(json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return count


def _lines(session: Session, tenant: str) -> Iterator[dict[str, Any]]:
    for key in session.scalars(select(VaultKeyRow)):
        yield {
            "table": "keys",
            "tenant": tenant,
            "id": key.id,
            "at": key.made_at.isoformat(),
            "bytes": _text(key.wrapped),
        }
    for entry in session.scalars(select(VaultEntryRow).execution_options(yield_per=_AT_ONCE)):
        yield {
            "table": "entries", "tenant": tenant, "id": entry.id, "at": entry.kept_at.isoformat(), "key": entry.key_id,
            "draft": entry.draft_id, "application": entry.application_id, "bytes": _text(entry.sealed),
        }  # fmt: skip


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def restore(database: Database, path: Path) -> tuple[int, int]:
    """(numbers brought back, left out because their application is gone or has a number). Run again, it does nothing twice."""
    by_tenant: dict[str, list[dict[str, Any]]] = {}
    with path.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            by_tenant.setdefault(row["tenant"], []).append(row)
    back = left = 0
    for tenant, rows in by_tenant.items():
        with database.transaction(tenant=tenant) as session:
            some, others = _bring_back(session, tenant, rows)
            back, left = back + some, left + others
    return back, left


def _bring_back(session: Session, tenant: str, rows: Sequence[dict[str, Any]]) -> tuple[int, int]:
    back = left = 0
    for row in rows:
        at, content = datetime.fromisoformat(row["at"]), base64.b64decode(row["bytes"])
        if row["table"] == "keys":
            if session.get(VaultKeyRow, (tenant, row["id"])) is None:
                session.add(VaultKeyRow(id=row["id"], wrapped=content, made_at=at))
            continue
        draft, application = _owner(session, tenant, row)
        if not (draft or application) or _has_one(session, draft, application):
            left += 1
            continue
        session.add(
            VaultEntryRow(id=row["id"], draft_id=draft, application_id=application, key_id=row["key"], sealed=content,
                          kept_at=at)
        )  # fmt: skip
        back += 1
    return back, left


def _owner(session: Session, tenant: str, row: dict[str, Any]) -> tuple[str | None, str | None]:
    """(draft, application), one of them, whose number it is today: a draft may have been sent since."""
    draft = session.get(DraftRow, (tenant, row["draft"])) if row["draft"] else None
    if draft is not None and draft.application_id is None:
        return draft.id, None
    application_id = draft.application_id if draft else row["application"]
    found = session.get(ApplicationRow, (tenant, application_id)) if application_id else None
    return None, found.id if found else None


def _has_one(session: Session, draft: str | None, application: str | None) -> bool:
    of = VaultEntryRow.draft_id == draft if draft else VaultEntryRow.application_id == application
    return session.scalar(select(VaultEntryRow.id).where(of)) is not None
