"""The key by which a process is known is replaced while everything goes on: no call is refused between the steps."""

from pathlib import Path

import pytest

from libs.common import keys
from libs.common.errors import NotSignedIn
from libs.common.inner_token import TokenSigner, TokenVerifier

ISSUER, READER = "ebid", "tenants"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keys.ensure(tmp_path, [ISSUER, READER])
    return tmp_path


def started_issuer(folder: Path) -> TokenSigner:
    """A process of the issuer that is started now: it reads its key once."""
    return TokenSigner(ISSUER, keys.private_key(folder, ISSUER))


def started_reader(folder: Path) -> TokenVerifier:
    return TokenVerifier(keys.public_keys(folder), READER)


def believed(issuer: TokenSigner, reader: TokenVerifier) -> bool:
    try:
        return reader.verify(issuer.sign_as_service(READER)).subject == ISSUER
    except NotSignedIn:
        return False


def test_while_processes_are_restarted_one_by_one_after_each_step_every_call_is_believed(folder: Path) -> None:
    first = started_issuer(folder)
    issuers, readers = [first], [started_reader(folder)]
    for step in (keys.announce, keys.switch, keys.retire):
        step(folder, ISSUER)
        issuers, readers = [issuers[-1], started_issuer(folder)], [readers[-1], started_reader(folder)]
        assert all(believed(issuer, reader) for issuer in issuers for reader in readers), step.__name__
    assert not believed(first, readers[-1]), "the key that was replaced is believed no more"


def test_a_step_that_is_left_out_would_refuse_calls(folder: Path) -> None:
    reader = started_reader(folder)
    keys.announce(folder, ISSUER)
    keys.switch(folder, ISSUER)
    assert not believed(started_issuer(folder), reader), "a reader not restarted after announce knows only the old key"


def test_retiring_before_switching_is_refused_and_changes_nothing(folder: Path) -> None:
    keys.announce(folder, ISSUER)
    before = (folder / f"{ISSUER}.pub").read_bytes()
    with pytest.raises(FileExistsError, match="switch"):
        keys.retire(folder, ISSUER)
    assert (folder / f"{ISSUER}.pub").read_bytes() == before


def test_announcing_twice_makes_one_key(folder: Path) -> None:
    keys.announce(folder, ISSUER)
    once = (folder / f"{ISSUER}.pub").read_bytes()
    keys.announce(folder, ISSUER)
    assert (folder / f"{ISSUER}.pub").read_bytes() == once


def test_switching_what_was_not_announced_is_refused(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        keys.switch(folder, ISSUER)
    assert believed(started_issuer(folder), started_reader(folder))
