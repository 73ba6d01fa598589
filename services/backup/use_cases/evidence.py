"""Evidence of a drill: the exact bytes that are signed, the signature, and how anybody checks it without this service."""

import base64
import hashlib
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from libs.common import keys
from libs.common.service import Service

SIGNED = "Ed25519 over `evidence` as JSON in UTF-8 with sorted keys and no spaces; base64"


def canonical(evidence: dict[str, Any]) -> bytes:
    """The bytes that are signed: JSON with sorted keys and no spaces."""
    return json.dumps(evidence, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def fingerprint(evidence: dict[str, Any]) -> str:
    """SHA-256 of those bytes, in hex: what the audit record and the next evidence hold."""
    return hashlib.sha256(canonical(evidence)).hexdigest()


def sign(service: Service, evidence: dict[str, Any]) -> str:
    """Ed25519 by the service's own key, base64. Its public half is KEYS_DIR/backup.pub."""
    key = keys.private_key(service.settings.keys_dir, service.name)
    return base64.b64encode(key.sign(canonical(evidence))).decode()


def public_key(service: Service) -> bytes:
    """PEM, for whoever checks a signature."""
    key = keys.private_key(service.settings.keys_dir, service.name).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def document(evidence: dict[str, Any], signature: str) -> dict[str, Any]:
    """What is handed out."""
    return {"evidence": evidence, "signature": signature, "signed": SIGNED}


def is_genuine(handed_out: bytes, public_pem: bytes) -> bool:
    """Whether a document that was handed out is word for word what the owner of the key signed."""
    key = load_pem_public_key(public_pem)
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 key")
    try:
        told = json.loads(handed_out)
        key.verify(base64.b64decode(told["signature"]), canonical(told["evidence"]))
    except (InvalidSignature, ValueError, KeyError, TypeError):
        return False
    return True
