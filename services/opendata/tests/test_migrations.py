"""The numbered migrations make exactly the tables that the code knows, and what older releases left says what it should."""

from importlib import import_module

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import delete

from libs.common.db import Database
from services.opendata.db import Base, PublishedResourceRow
from services.opendata.tests.people import Town


def test_migrated_database_has_the_tables_of_the_code(database: Database) -> None:
    own = set(Base.metadata.tables)
    with database.engine.connect().execution_options(raw_sql="the catalogue of tables") as connection:
        context = MigrationContext.configure(
            connection, opts={"include_name": lambda name, kind, parents: kind != "table" or name in own}
        )
        assert compare_metadata(context, Base.metadata) == []


def test_files_withdrawn_by_an_earlier_release_say_so_and_why(town: Town) -> None:
    """That release took the files' rows away: their addresses answered 404 and never told the reason."""
    dataset, other = town.publish(), town.publish("名称,町名\r\n公民館,大角\r\n".encode(), "hall.csv")
    [told] = town.visitor().result("package_show", id=dataset)["resources"]
    files = [
        told["url"].removeprefix("http://127.0.0.1:8080"), f"/opendata/data/{told['id']}.json", f"/opendata/embed/{told['id']}/table",
        f"/opendata/datastore/dump/{told['id']}",
    ]  # fmt: skip
    town.staff().post(f"desk/datasets/{dataset}/withdraw", {"reason": "設置場所に誤りがありました。"})
    with town.service.database.transaction() as session:
        session.execute(delete(PublishedResourceRow).where(PublishedResourceRow.dataset_id == dataset))
    assert {town.visitor().get(each, page=False).status_code for each in files} == {404}
    migration = import_module("services.opendata.migrations.opendata_0007_files_of_the_withdrawn")
    engine = town.service.database.engine.execution_options(raw_sql="a migration")
    for _ in range(2):  # of later withdrawals the rows are there
        with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
            migration.upgrade()
    for address in files:
        answer = town.visitor().get(address, page=False)
        assert answer.status_code == 410 and "設置場所に誤りがありました。" in answer.text, address
    [still] = town.visitor().result("package_show", id=other)["resources"]
    assert town.visitor().get(f"/opendata/data/{still['id']}.json", page=False).status_code == 200
