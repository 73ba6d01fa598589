"""`migrate` of a release that is put back meets the tables of the later one: Kubernetes runs it whenever an overlay is applied."""

from pathlib import Path

import pytest
from alembic.util import CommandError
from sqlalchemy import create_engine, text

from libs.common import migrated
from libs.common.migrate import migrate
from libs.common.settings import Settings

PACKAGE = "libs.common.tests.shop"


def store(folder: Path, *versions: str) -> Settings:
    """A migrated store that says it has been brought to these versions since; a later release took one of its guards away."""
    settings = Settings(data_dir=folder, keys_dir=folder / "keys")
    assert migrate(settings, "shop", PACKAGE) == []
    engine = create_engine(settings.database_url_of("shop"))
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
        for version in versions:
            connection.execute(text("INSERT INTO alembic_version VALUES (:version)"), {"version": version})
        trigger = connection.scalar(text("SELECT max(name) FROM sqlite_master WHERE type = 'trigger'"))
        connection.exec_driver_sql(f'DROP TRIGGER "{trigger}"')
    engine.dispose()
    return settings


def guards(settings: Settings) -> int:
    engine = create_engine(settings.database_url_of("shop"))
    with engine.connect() as connection:
        return connection.scalar(text("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'")) or 0


@pytest.mark.parametrize("line", [0, 1])
def test_it_says_so_and_touches_nothing(tmp_path: Path, line: int) -> None:
    versions = migrated.newest(PACKAGE)
    versions[line] = versions[line].split("_")[0] + "_9999"
    settings = store(tmp_path, *versions)
    before = guards(settings)
    assert migrate(settings, "shop", PACKAGE) == [versions[line]]
    assert guards(settings) == before, "guards are the later release's too"


def test_a_store_of_another_line_is_still_refused(tmp_path: Path) -> None:
    """Something of ours is missing there: that is no later release."""
    settings = store(tmp_path, "market_0001")
    with pytest.raises(CommandError):
        migrate(settings, "shop", PACKAGE)


def test_the_same_release_puts_its_guards_back(tmp_path: Path) -> None:
    settings = store(tmp_path, *migrated.newest(PACKAGE))
    before = guards(settings)
    assert migrate(settings, "shop", PACKAGE) == []
    assert guards(settings) == before + 1
