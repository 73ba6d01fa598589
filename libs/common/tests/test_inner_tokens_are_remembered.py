"""A signature is looked at once, and what was remembered of it ends with the token."""

import gc
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


def test_memory_does_not_grow_by_every_token_that_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person who works for an hour comes with a new token every two seconds; an hour's tokens stayed until ten thousand were there."""
    key, now, minutes, each_minute = Ed25519PrivateKey.generate(), time.time(), 6, 30
    verifier, signer = TokenVerifier({"gateway": (key.public_key(),)}, "backup"), TokenSigner("gateway", key)
    for minute in range(minutes):
        monkeypatch.setattr(inner_token, "time", SimpleNamespace(time=lambda at=minute: now + at * (LIFETIME + 10)))
        for number in range(each_minute):
            verifier.verify(signer.sign(Actor("machine", f"working-{minute}-{number}"), "backup"))
    held = [one for one in gc.get_objects() if isinstance(one, Actor) and one.subject.startswith("working-")]
    assert len(held) <= 2 * each_minute, f"{len(held)} of {minutes * each_minute} are still held"
