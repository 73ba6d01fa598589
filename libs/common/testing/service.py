"""A service in one process for tests: real app, real tokens, a clock that the test moves."""

from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from libs.common.actor import Actor
from libs.common.clock import FixedClock
from libs.common.db import Database
from libs.common.inner_token import TokenSigner, TokenVerifier
from libs.common.service import Service
from libs.common.settings import Settings

NOW = datetime(2026, 11, 20, 1, 52, 7, tzinfo=UTC)
"""令和8年11月20日（金）10時52分07秒."""


class Issuers:
    """Keys made for one test: sign as anybody who is known to the services under test."""

    def __init__(self, *names: str) -> None:
        self._keys = {name: Ed25519PrivateKey.generate() for name in ("gateway", *names)}

    def signer(self, issuer: str) -> TokenSigner:
        return TokenSigner(issuer, self._keys[issuer])

    def verifier(self, audience: str) -> TokenVerifier:
        return TokenVerifier({name: (key.public_key(),) for name, key in self._keys.items()}, audience)

    def headers(self, actor: Actor, audience: str, *, html: bool = False) -> dict[str, str]:
        """The headers with which the gateway would forward a request of `actor`."""
        issuer = actor.subject if actor.kind == "service" else "gateway"
        token = self.signer(issuer).sign(actor, audience)
        return {"Authorization": f"Bearer {token}", "Accept": "text/html" if html else "application/json"}


def make_service(
    name: str,
    database: Database,
    folder: Path,
    *,
    settings: Settings | None = None,
    issuers: Issuers | None = None,
    clock: FixedClock | None = None,
) -> Service:
    issuers = issuers or Issuers(name)
    return Service(
        name=name,
        settings=settings or Settings(data_dir=folder, keys_dir=folder / "keys", sample=False),
        database=database,
        verifier=issuers.verifier(name),
        signer=issuers.signer(name),
        clock=clock or FixedClock(NOW),
    )
