"""Every way to forge the token that services believe (ASVS 5.0, 9.1 and 9.2): one of them believed, and anybody is an operator."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from libs.common.errors import NotSignedIn
from libs.common.inner_token import TokenVerifier

AUDIENCE = "eapply"
GATEWAY, TENANTS, THIEF = (Ed25519PrivateKey.generate() for _ in range(3))
"""A running process has its own: its tests put them here, and its name."""
VERIFIER = TokenVerifier({"gateway": (GATEWAY.public_key(),), "tenants": (TENANTS.public_key(),)}, AUDIENCE)
JWK = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(THIEF.public_key()))


def now() -> int:
    return int(time.time())


def claims(**changed: Any) -> dict[str, Any]:
    made = {"iss": "gateway", "aud": AUDIENCE, "sub": "p", "kind": "operator", "name": "", "tenant": None, "code": None,
            "roles": ["operator"], "acr": "two-factor", "sid": None, "iat": now(), "exp": now() + 60}  # fmt: skip
    return {name: value for name, value in {**made, **changed}.items() if value != "(without)"}


def token(key: Ed25519PrivateKey | None = None, header: dict[str, Any] | None = None, **changed: Any) -> str:
    return jwt.encode(
        claims(**changed),
        key or GATEWAY,
        algorithm="EdDSA",
        headers={"kid": "gateway", "typ": "inner+jwt", **(header or {})},
    )


def public_pem() -> bytes:
    return GATEWAY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


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


FORGED: dict[str, Callable[[], str]] = {
    "no signature": lambda: by_hand({"alg": "none", "kid": "gateway", "typ": "inner+jwt"}),
    "no signature, in other letters": lambda: by_hand({"alg": "nOnE", "kid": "gateway", "typ": "inner+jwt"}),
    "no algorithm": lambda: by_hand({"kid": "gateway", "typ": "inner+jwt"}, b"x" * 64),
    "the public key as a shared secret": lambda: with_a_shared_secret(public_pem()),
    "its raw bytes as a shared secret": lambda: with_a_shared_secret(GATEWAY.public_key().public_bytes_raw()),
    "another key": lambda: token(THIEF),
    "another key in the header (jwk)": lambda: token(THIEF, {"jwk": JWK}),
    "another key by address (jku)": lambda: token(THIEF, {"jku": "https://evil.example/keys.json"}),
    "another key by certificate (x5u)": lambda: token(THIEF, {"x5u": "https://evil.example/cert.pem"}),
    "a kid that is a path": lambda: token(THIEF, {"kid": "../../../dev/null"}),
    "a kid that is a question to a database": lambda: token(THIEF, {"kid": "x' UNION SELECT 'gateway"}),
    "a kid that nobody has": lambda: token(THIEF, {"kid": "portal"}),
    "a kid that is empty": lambda: token(GATEWAY, {"kid": ""}),
    "no kid": lambda: by_hand({"alg": "EdDSA", "typ": "inner+jwt"}, b"x" * 64),
    "a kid that is a list": lambda: by_hand({"alg": "EdDSA", "kid": ["gateway"], "typ": "inner+jwt"}, b"x" * 64),
    "an extension that must be understood (crit)": lambda: by_hand(
        {"alg": "EdDSA", "kid": "gateway", "typ": "inner+jwt", "crit": ["b64"], "b64": False}, b"x" * 64
    ),
    "of another kind (an ID token)": lambda: token(GATEWAY, {"typ": "JWT"}),
    "for another service": lambda: token(aud="ebid"),
    "for nobody": lambda: token(aud="(without)"),
    "of another issuer than its key": lambda: token(iss="tenants"),
    "of a service for a person": lambda: token(TENANTS, {"kid": "tenants"}, iss="tenants"),
    "of a service for another service": lambda: token(
        TENANTS, {"kid": "tenants"}, iss="tenants", kind="service", sub="gateway"
    ),
    "over": lambda: token(iat=now() - 120, exp=now() - 60),
    "without an end": lambda: token(exp="(without)"),
    "not yet begun": lambda: token(nbf=now() + 600),
    "made in the future": lambda: token(iat=now() + 600, exp=now() + 660),
    "without a subject": lambda: token(sub="(without)"),
    "of a kind that there is not": lambda: token(kind="god"),
    "changed after signing": lambda: changed_after_signing(),
    "cut off": lambda: token()[:-10],
    "two parts": lambda: ".".join(token().split(".")[:2]),
    "nothing": lambda: "",
    "no token at all": lambda: "a.b.c",
}
"""Made when they are tried: one that lies about would be refused for its age, whatever else were believed."""


@pytest.mark.parametrize("name", FORGED)
def test_nobody_believes_it(name: str) -> None:
    forged = FORGED[name]()
    with pytest.raises(NotSignedIn):
        VERIFIER.verify(forged)


def test_the_same_made_rightly_is_believed() -> None:
    """The table above would also be green if nothing were believed."""
    assert VERIFIER.verify(token()).kind == "operator"
    own = VERIFIER.verify(token(TENANTS, {"kid": "tenants"}, iss="tenants", kind="service", sub="tenants", roles=[]))
    assert (own.kind, own.subject) == ("service", "tenants")
