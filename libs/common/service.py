"""What one process of a service holds. Built by `__main__` from settings, by tests by hand; routes find it at
`request.app.state.service`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from libs.common import keys
from libs.common.clock import Clock, SystemClock
from libs.common.db import Database
from libs.common.inner_token import TokenSigner, TokenVerifier
from libs.common.settings import Settings

SettingsT = TypeVar("SettingsT", bound=Settings)


@dataclass
class Service(Generic[SettingsT]):
    """`extras` is for what only one service needs (its pages, its file store); named there by that service."""

    name: str
    settings: SettingsT
    database: Database
    verifier: TokenVerifier
    signer: TokenSigner
    clock: Clock = field(default_factory=SystemClock)
    extras: dict[str, Any] = field(default_factory=dict)

    @property
    def data_dir(self) -> Path:
        return self.settings.data_dir


def build(name: str, settings: SettingsT) -> Service[SettingsT]:
    """A service as it runs: its store, its keys, the real clock."""
    return Service(
        name=name,
        settings=settings,
        database=Database(settings.database_url_of(name), name),
        verifier=TokenVerifier(keys.public_keys(settings.keys_dir), audience=name),
        signer=TokenSigner(name, keys.private_key(settings.keys_dir, name)),
    )
