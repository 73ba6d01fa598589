"""The short-lived signed token by which the gateway, and services for their own calls, say who is asking.

EdDSA JWT (RFC 7519, RFC 8037) of 60 s: iss, aud = the service, sub, kind, name, tenant, code, roles, acr, sid, iat, exp;
`was`, the guest's sid before a sign-in of just now; `corp`, the 法人番号 that this sign-in's provider vouches for.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from libs.common.actor import KINDS, Actor
from libs.common.errors import NotFound, NotSignedIn, say

LIFETIME = 60
"""Seconds."""
GATEWAY = "gateway"
_LEEWAY = 5
_REMEMBERED = 10_000
_TYPE = "inner+jwt"


class TokenSigner:
    """Signs as `issuer`. `clock` gives seconds since 1970."""

    def __init__(self, issuer: str, key: Ed25519PrivateKey, clock: Callable[[], float] = time.time) -> None:
        self.issuer = issuer
        self._key = key
        self._clock = clock

    def sign(self, actor: Actor, audience: str) -> str:
        now = int(self._clock())
        claims = {
            "iss": self.issuer,
            "aud": audience,
            "sub": actor.subject,
            "kind": actor.kind,
            "name": actor.name,
            "tenant": actor.tenant,
            "code": actor.code,
            "roles": sorted(actor.roles),
            "acr": actor.acr,
            "sid": actor.sid,
            "iat": now,
            "exp": now + LIFETIME,
        }
        if actor.earlier_guest is not None:
            claims["was"] = actor.earlier_guest
        if actor.corporate_number is not None:
            claims["corp"] = actor.corporate_number
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": self.issuer, "typ": _TYPE})

    def sign_as_service(self, audience: str, *, tenant: str | None = None, code: str | None = None) -> str:
        """A call of this process in its own name."""
        return self.sign(Actor(kind="service", subject=self.issuer, tenant=tenant, code=code), audience)

    def sign_link(self, purpose: str, **said: str) -> str:
        """What a link in a mail says for one purpose, to be read by this very service (`TokenVerifier.read_link`). It lasts as long
        as the key. Of another type than the token of a request, it signs nobody in."""
        return jwt.encode(dict(said), self._key, algorithm="EdDSA", headers={"typ": f"{purpose}+jwt"})


class TokenVerifier:
    """Believes only known issuers: the gateway for anybody, every other issuer only for itself."""

    def __init__(self, keys: Mapping[str, Sequence[Ed25519PublicKey]], audience: str) -> None:
        self._keys = keys
        self.audience = audience
        self._known: dict[str, tuple[float, Actor]] = {}
        self._forget_at = 0.0

    def verify(self, token: str) -> Actor:
        """The actor a token speaks of. Raises NotSignedIn for anything that is not exactly right.

        The same bytes are looked at once: the gateway says the same token for some seconds, and a signature costs more than
        the whole answer to a small read. What was remembered ends with the token, and is let go once in its lifetime: nobody
        sends it again, and each would stay for hours.
        """
        known = self.remembered(token)
        if known is not None:
            return known
        actor, end = self._verified(token)
        now = time.time()
        if len(self._known) >= _REMEMBERED or now >= self._forget_at:
            self._known.clear()
            self._forget_at = now + LIFETIME
        self._known[token] = end, actor
        return actor

    def remembered(self, token: str) -> Actor | None:
        """The actor of a token that was looked at before and has not ended."""
        known = self._known.get(token)
        return known[1] if known is not None and time.time() < known[0] else None

    def read_link(self, purpose: str, token: str) -> dict[str, str]:
        """What `TokenSigner.sign_link` of this service said. Raises NotFound for anything that is not exactly that."""
        for key in self._keys.get(self.audience, ()):
            with suppress(jwt.PyJWTError):
                read = jwt.decode_complete(token, key, algorithms=["EdDSA"])
                if read["header"].get("typ") == f"{purpose}+jwt":
                    return read["payload"]
        raise NotFound(say("このページは見つかりません。アドレスをお確かめください。"))

    def _verified(self, token: str) -> tuple[Actor, float]:
        """Who it is, and until when (seconds since 1970)."""
        try:
            header = jwt.get_unverified_header(token)
            issuer = str(header.get("kid"))
            if header.get("typ") != _TYPE or issuer not in self._keys:
                raise jwt.InvalidTokenError("unknown issuer or type")
            claims = self._claims(token, issuer)
            return _actor(claims), float(claims["exp"]) + _LEEWAY
        except (jwt.PyJWTError, KeyError, TypeError, ValueError) as error:
            raise NotSignedIn(say("もう一度サインインしてください。"), code="bad-token") from error

    def _claims(self, token: str, issuer: str) -> dict[str, Any]:
        *others, last = self._keys[issuer]
        for key in others:  # an issuer has two keys while one is being replaced
            with suppress(jwt.InvalidSignatureError):
                return self._decoded(token, issuer, key)
        return self._decoded(token, issuer, last)

    def _decoded(self, token: str, issuer: str, key: Ed25519PublicKey) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=["EdDSA"],
            audience=self.audience,
            issuer=issuer,
            leeway=_LEEWAY,
            options={"require": ["iss", "aud", "sub", "kind", "iat", "exp"]},
        )


def _actor(claims: Mapping[str, object]) -> Actor:
    kind = claims["kind"]
    if kind not in KINDS:
        raise ValueError("unknown kind")
    if claims["iss"] != GATEWAY and (kind != "service" or claims["sub"] != claims["iss"]):
        raise ValueError("only the gateway speaks for others")
    if claims["iss"] == GATEWAY and kind == "service" and claims["sub"] != GATEWAY:
        raise ValueError("the gateway cannot be another service")
    return Actor(
        kind=kind,  # type: ignore[arg-type]
        subject=str(claims["sub"]),
        name=str(claims.get("name") or ""),
        tenant=claims.get("tenant"),  # type: ignore[arg-type]
        code=claims.get("code"),  # type: ignore[arg-type]
        roles=frozenset(claims.get("roles") or ()),  # type: ignore[arg-type]
        acr=str(claims.get("acr") or "none"),
        sid=claims.get("sid"),  # type: ignore[arg-type]
        earlier_guest=claims.get("was"),  # type: ignore[arg-type]
        corporate_number=claims.get("corp"),  # type: ignore[arg-type]
    )
