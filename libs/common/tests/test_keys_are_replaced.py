"""The steps of docs/operators.md by which the key of an issuer is replaced: after each of them every process believes every other."""

import shutil
from pathlib import Path

import pytest

from libs.common import keys, unsafe
from libs.common.actor import Actor
from libs.common.errors import NotSignedIn
from libs.common.inner_token import TokenSigner, TokenVerifier
from libs.common.settings import Settings

ISSUERS = ["gateway", "eapply", "tenants"]


class Process:
    """One that started with the keys as they were then: it has read its files once."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.signer = TokenSigner(name, keys.private_key(folder, name))
        self.verifier = TokenVerifier(keys.public_keys(folder), audience=name)

    def believes(self, other: "Process") -> bool:
        try:
            return self.verifier.verify(other.signer.sign_as_service(self.name)).subject == other.name
        except NotSignedIn:
            return False


def everybody_believes_everybody(processes: list[Process]) -> bool:
    return all(one.believes(other) for one in processes for other in processes if one.name != other.name)


@pytest.mark.parametrize("issuer", ["eapply", "gateway"])
def test_no_call_is_refused_while_a_key_is_replaced(tmp_path: Path, issuer: str) -> None:
    keys.ensure(tmp_path, ISSUERS)
    start = {name: Process(tmp_path, name) for name in ISSUERS}
    made, old = tmp_path / "operator", tmp_path / "old"
    shutil.copytree(tmp_path, old)
    shutil.copytree(old, made)

    keys.make_next(made, issuer)  # 1: everybody gets the public key that will follow, one after another
    shutil.copy(made / f"{issuer}.next.pub", old)
    told = {name: Process(old, name) for name in ISSUERS}
    assert everybody_believes_everybody([*start.values(), *told.values()])

    keys.promote(made, issuer)  # 2: the issuer gets its new private key
    moved = shutil.copytree(old, tmp_path / "moved")
    shutil.copy(made / f"{issuer}.key", moved)
    new = Process(moved, issuer)
    assert new.signer.sign_as_service("tenants") != told[issuer].signer.sign_as_service("tenants")
    assert everybody_believes_everybody([*told.values(), new])

    last = {name: Process(made, name) for name in ISSUERS}  # 3: the old public key goes
    assert everybody_believes_everybody([*(told[name] for name in ISSUERS if name != issuer), new, *last.values()])
    assert not last["tenants"].believes(start[issuer]), "the old key is worth nothing any more"
    unsafe.refuse("tenants", Settings(keys_dir=made, data_dir=tmp_path))


def test_a_key_replaced_at_once_is_refused_by_those_that_were_not_told(tmp_path: Path) -> None:
    keys.ensure(tmp_path, ISSUERS)
    tenants = Process(tmp_path, "tenants")
    keys.make_next(tmp_path, "eapply")
    keys.promote(tmp_path, "eapply")
    assert not tenants.believes(Process(tmp_path, "eapply"))


def test_the_key_that_will_follow_is_no_issuer_of_its_own(tmp_path: Path) -> None:
    keys.ensure(tmp_path, ISSUERS)
    keys.make_next(tmp_path, "gateway")
    tenants = Process(tmp_path, "tenants")
    forged = TokenSigner("gateway.next", keys.private_key(tmp_path, "gateway.next"))
    with pytest.raises(NotSignedIn):
        tenants.verifier.verify(forged.sign(Actor(kind="service", subject="gateway.next"), "tenants"))


def test_steps_in_another_order_are_refused_with_what_to_do(tmp_path: Path) -> None:
    keys.ensure(tmp_path, ISSUERS)
    with pytest.raises(SystemExit, match="make it first"):
        keys.promote(tmp_path, "eapply")
    keys.make_next(tmp_path, "eapply")
    with pytest.raises(SystemExit, match="is there already"):
        keys.make_next(tmp_path, "eapply")
