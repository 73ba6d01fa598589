"""The record of a deletion: signed once with the registry's key (Ed25519), stored, and the same bytes whenever it is asked for.

Anybody can verify it: the signature is over `document` as JSON with sorted keys and no blanks (UTF-8), by `public_key`;
`python -m services.tenants verify-deletion FILE` also says whether that key is one of this installation.
"""

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy.exc import IntegrityError

from libs.common import keys
from libs.common.actor import Actor
from libs.common.errors import Conflict, say
from libs.common.ids import new_id
from libs.common.service import Service
from services.tenants.db import deletions as db
from services.tenants.db import requests as requests_db
from services.tenants.db.deletions import REGISTRY, DeletionRow
from services.tenants.use_cases import forgetting

ALGORITHM = "Ed25519 over JSON with sorted keys and no blanks (UTF-8)"


def of_request(service: Service, tenant: str, request_id: str) -> str:
    """The record of a leaving that is done. Raises Conflict before; NotFound for another municipality's."""
    with service.database.reading() as session:
        row = requests_db.find_request(session, request_id, tenant=tenant)
        kept = db.find(session, row.id)
        steps = [{"step": step.kind, "at": step.at.isoformat()} for step in requests_db.steps_of(session, row.id)]
    if kept is not None:
        return kept.content
    if row.action != "leave" or row.state != "done":
        raise Conflict(say("削除の記録は、データを消したあとに受け取れます。"))
    document = {
        "municipality": row.tenant,
        "service": row.service,
        "request": row.id,
        "archive": row.archive,
        "steps": steps,
    }
    return _kept(service, _made(service, row.id, row.tenant, row.service, document, service.clock.now()))


def forget(service: Service, actor: Actor, tenant: str, now: datetime) -> str:
    """What the registry itself kept for a municipality that left every service goes; the signed record of it.

    Raises Conflict where something is still in use, open or unpaid. The record is kept in the transaction of the deletion; the bytes of
    files follow it (`forget_loose_files` takes what a process that dies here leaves behind).
    """
    with service.database.transaction(tenant=tenant) as session:
        gone = forgetting.forget(session, actor, tenant, now)
        ident = new_id()
        document = {"municipality": tenant, "service": REGISTRY, "request": ident, "rows": gone, "at": now.isoformat()}
        row = _made(service, ident, tenant, REGISTRY, document, now)
        content = row.content
        session.add(row)
    service.extras["files"].delete_all(tenant)
    return content


def _made(
    service: Service, ident: str, tenant: str, subject: str, document: dict[str, Any], now: datetime
) -> DeletionRow:
    private = keys.private_key(service.settings.keys_dir, service.name)
    content = json.dumps(signed(private, document), ensure_ascii=False, indent=1) + "\n"
    return DeletionRow(id=ident, tenant=tenant, subject=subject, content=content, signed_at=now)


def _kept(service: Service, row: DeletionRow) -> str:
    """Two at once: the first stands for both."""
    ident, content = row.id, row.content
    try:
        with service.database.transaction() as session:
            session.add(row)
    except IntegrityError:
        with service.database.reading() as session:
            first = db.find(session, ident)
            assert first is not None
            return first.content
    return content


def signed(private: Ed25519PrivateKey, document: dict[str, Any]) -> dict[str, Any]:
    public = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {
        "document": document,
        "signature": base64.b64encode(private.sign(_told(document))).decode(),
        "public_key": base64.b64encode(public).decode(),
        "algorithm": ALGORITHM,
    }


def _told(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def verified(content: bytes, keys_dir: Path, issuer: str) -> str:
    """What a terminal says about a record. Raises ValueError for one that is not as it was signed."""
    try:
        record = json.loads(content)
        public = base64.b64decode(record["public_key"], validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(
            base64.b64decode(record["signature"], validate=True), _told(record["document"])
        )
    except (InvalidSignature, ValueError, KeyError, TypeError) as error:
        raise ValueError("this record is not as it was signed") from error
    known = {
        key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        for key in keys.public_keys(keys_dir).get(issuer, ())
    }
    whose = "by the key of this installation" if public in known else "by a key this installation does not know"
    return f"signed as it is, {whose}"
