"""Every way to forge the token that services believe (ASVS 5.0, 9.1 and 9.2): one of them believed, and anybody is an operator."""

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from libs.common.errors import NotSignedIn
from libs.common.inner_token import TokenVerifier

GATEWAY, TENANTS, THIEF = (Ed25519PrivateKey.generate() for _ in range(3))
VERIFIER = TokenVerifier({"gateway": (GATEWAY.public_key(),), "tenants": (TENANTS.public_key(),)}, "eapply")
PUBLIC = GATEWAY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
RAW = GATEWAY.public_key().public_bytes_raw()
JWK = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(THIEF.public_key()))


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    made = {"iss": "gateway", "aud": "eapply", "sub": "p", "kind": "operator", "name": "", "tenant": None, "code": None,
            "roles": ["operator"], "acr": "two-factor", "sid": None, "iat": now, "exp": now + 60}  # fmt: skip
    return {name: value for name, value in {**made, **changed}.items() if value != "(without)"}


def token(key: Ed25519PrivateKey = GATEWAY, header: dict[str, Any] | None = None, **changed: Any) -> str:
    return jwt.encode(
        claims(**changed), key, algorithm="EdDSA", headers={"kid": "gateway", "typ": "inner+jwt", **(header or {})}
    )


def by_hand(header: dict[str, Any], signature: bytes = b"") -> str:
    """Of parts that no library would make."""
    parts = [json.dumps(header).encode(), json.dumps(claims()).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def with_a_shared_secret(secret: bytes) -> str:
    """HS256 under the public key, as if that were the secret: made by hand, because PyJWT refuses to."""
    import hashlib
    import hmac

    unsigned = by_hand({"alg": "HS256", "kid": "gateway", "typ": "inner+jwt"}).rsplit(".", 1)[0]
    mac = hmac.new(secret, unsigned.encode(), hashlib.sha256).digest()
    return f"{unsigned}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def changed_after_signing() -> str:
    head, _, mac = token(kind="person", roles=[]).split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims()).encode()).decode().rstrip("=")
    return f"{head}.{body}.{mac}"


NOW = int(time.time())
FORGED = {
    "no signature": by_hand({"alg": "none", "kid": "gateway", "typ": "inner+jwt"}),
    "no signature, in other letters": by_hand({"alg": "nOnE", "kid": "gateway", "typ": "inner+jwt"}),
    "no algorithm": by_hand({"kid": "gateway", "typ": "inner+jwt"}, b"x" * 64),
    "the public key as a shared secret": with_a_shared_secret(PUBLIC),
    "its raw bytes as a shared secret": with_a_shared_secret(RAW),
    "another key": token(THIEF),
    "another key in the header (jwk)": token(THIEF, {"jwk": JWK}),
    "another key by address (jku)": token(THIEF, {"jku": "https://evil.example/keys.json"}),
    "another key by certificate (x5u)": token(THIEF, {"x5u": "https://evil.example/cert.pem"}),
    "a kid that is a path": token(THIEF, {"kid": "../../../dev/null"}),
    "a kid that is a question to a database": token(THIEF, {"kid": "x' UNION SELECT 'gateway"}),
    "a kid that nobody has": token(THIEF, {"kid": "portal"}),
    "a kid that is empty": token(GATEWAY, {"kid": ""}),
    "no kid": by_hand({"alg": "EdDSA", "typ": "inner+jwt"}, b"x" * 64),
    "a kid that is a list": by_hand({"alg": "EdDSA", "kid": ["gateway"], "typ": "inner+jwt"}, b"x" * 64),
    "an extension that must be understood (crit)": by_hand(
        {"alg": "EdDSA", "kid": "gateway", "typ": "inner+jwt", "crit": ["b64"], "b64": False}, b"x" * 64
    ),
    "of another kind (an ID token)": token(GATEWAY, {"typ": "JWT"}),
    "for another service": token(aud="ebid"),
    "for nobody": token(aud="(without)"),
    "of another issuer than its key": token(iss="tenants"),
    "of a service for a person": token(TENANTS, {"kid": "tenants"}, iss="tenants"),
    "of a service for another service": token(
        TENANTS, {"kid": "tenants"}, iss="tenants", kind="service", sub="gateway"
    ),
    "over": token(iat=NOW - 120, exp=NOW - 60),
    "without an end": token(exp="(without)"),
    "not yet begun": token(nbf=NOW + 600),
    "made in the future": token(iat=NOW + 600, exp=NOW + 660),
    "without a subject": token(sub="(without)"),
    "of a kind that there is not": token(kind="god"),
    "changed after signing": changed_after_signing(),
    "cut off": token()[:-10],
    "two parts": ".".join(token().split(".")[:2]),
    "nothing": "",
    "no token at all": "a.b.c",
}


@pytest.mark.parametrize("name", FORGED)
def test_nobody_believes_it(name: str) -> None:
    with pytest.raises(NotSignedIn):
        VERIFIER.verify(FORGED[name])


def test_the_same_made_rightly_is_believed() -> None:
    """The table above would also be green if nothing were believed."""
    assert VERIFIER.verify(token()).kind == "operator"
    own = VERIFIER.verify(token(TENANTS, {"kid": "tenants"}, iss="tenants", kind="service", sub="tenants", roles=[]))
    assert (own.kind, own.subject) == ("service", "tenants")
