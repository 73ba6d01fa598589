"""The migrations make exactly the tables that the code knows, on both stores."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Integer, MetaData, Table

from libs.common.db import Database, make_engine
from libs.common.migrate import metadatas


def differences(database: Database, known: list[MetaData]) -> list[str]:
    engine = make_engine(database.engine.url.render_as_string(hide_password=False))  # unguarded: it reads the catalogue
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False, "target_metadata": known})
        found = [str(one) for one in compare_metadata(context, known)]  # type: ignore[arg-type]
    engine.dispose()
    return [one for one in found if "alembic_version" not in one]


def test_nothing_is_missing_and_nothing_is_left_over(database: Database) -> None:
    known = metadatas("libs.common.tests.shop")
    planted = MetaData()
    Table("planted", planted, Column("id", Integer, primary_key=True))
    assert any("planted" in one for one in differences(database, [*known, planted])), "a difference is seen"
    assert differences(database, known) == []
