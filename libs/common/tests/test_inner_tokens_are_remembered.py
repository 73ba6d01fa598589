"""A signature is looked at once, and what was remembered of it ends with the token."""

import time
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from libs.common import inner_token
from libs.common.actor import Actor
from libs.common.errors import NotSignedIn
from libs.common.inner_token import LIFETIME, TokenSigner, TokenVerifier


def test_a_known_token_is_not_verified_again_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    key = Ed25519PrivateKey.generate()
    keys = {"gateway": (key.public_key(),)}
    verifier = TokenVerifier(keys, "backup")
    actor = Actor("machine", "m", tenant="402036", code="402036", roles=frozenset({"backup.read"}))
    token = TokenSigner("gateway", key).sign(actor, "backup")
    assert verifier.verify(token) == actor
    keys.clear()
    assert verifier.verify(token) == actor, "remembered: nothing is left to verify it with"
    with pytest.raises(NotSignedIn):
        verifier.verify(token[:-4] + "AAAA")
    later = time.time() + LIFETIME + 10
    monkeypatch.setattr(inner_token, "time", SimpleNamespace(time=lambda: later))
    with pytest.raises(NotSignedIn):
        verifier.verify(token)


def test_what_was_refused_is_not_remembered() -> None:
    key = Ed25519PrivateKey.generate()
    verifier = TokenVerifier({"gateway": (key.public_key(),)}, "backup")
    token = TokenSigner("gateway", key).sign(Actor("machine", "m"), "another service")
    for _ in range(2):
        with pytest.raises(NotSignedIn):
            verifier.verify(token)
