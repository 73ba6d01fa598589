"""The numbered migrations make exactly the tables that the code knows."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from libs.common.db import Database
from services.eapply.db import Base


def test_migrated_database_has_the_tables_of_the_code(database: Database):
    own = set(Base.metadata.tables)
    with database.engine.connect().execution_options(raw_sql="the catalogue of tables") as connection:
        context = MigrationContext.configure(
            connection, opts={"include_name": lambda name, kind, parents: kind != "table" or name in own}
        )
        assert compare_metadata(context, Base.metadata) == []
