"""Deposited repository passwords: sealed with the vault's key, bound to the repository they are of, opened for drills only."""

from pathlib import Path

from libs.common.errors import Unavailable, say
from libs.common.vaults import Closed, KeyFile
from services.backup.db import RepositoryRow


class SealedOtherwise(Exception):
    """Nobody can open it here."""


def at(folder: Path) -> KeyFile:
    return KeyFile(folder / "backup-vault.secret")


def seal(key: KeyFile, repository: RepositoryRow, password: str) -> bytes:
    """Raises Unavailable where there is no key."""
    try:
        return key.seal(password.encode(), _place(repository))
    except Closed as error:
        sentence = say("いま合言葉をお預かりできません。運用担当に、預かった合言葉の鍵を確かめるようお伝えください。")
        raise Unavailable(sentence, code="vault-closed") from error


def open_sealed(key: KeyFile, repository: RepositoryRow) -> str:
    """Raises SealedOtherwise when it was sealed for another repository or with another key."""
    try:
        return key.unseal(repository.sealed_password or b"", _place(repository)).decode()
    except Closed as error:
        raise SealedOtherwise(repository.id) from error


def seal_anew(key: KeyFile, repository: RepositoryRow) -> bool:
    """Whether the password that is kept was under another key than the present one, and is under that now. Raises Closed."""
    anew = key.sealed_anew(repository.sealed_password, _place(repository)) if repository.sealed_password else None
    if anew is not None:
        repository.sealed_password = anew
    return anew is not None


def _place(repository: RepositoryRow) -> str:
    return f"{repository.tenant_id}/{repository.id}"
