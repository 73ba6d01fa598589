"""Layer 3 of the wall between tenants: the database's own. Made again after every migration.

PostgreSQL: FORCE ROW LEVEL SECURITY for a role that owns nothing and cannot bypass it; no tenant set means no rows.
SQLite: triggers that refuse every write outside `current_tenant()`, and fail where that function is missing.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, Engine, MetaData, Table

from libs.common.tenancy import TenantTable

_TENANT_NOW = "nullif(current_setting('app.tenant', true), '')"


def install(engine: Engine, metadatas: Iterable[MetaData], app_role: str | None = None) -> None:
    """Put the guards on every tenant table. `app_role` (PostgreSQL) gets the rights of a service and no more."""
    tables = [table for metadata in metadatas for table in metadata.sorted_tables]
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            if app_role:
                _grant(connection, app_role)
            for table in tenant_tables(tables):
                _force_row_security(connection, table)
        else:
            for table in tenant_tables(tables):
                _create_triggers(connection, table)


def tenant_tables(tables: Iterable[Table]) -> list[Table]:
    return [table for table in tables if table.info.get("kind") == TenantTable.kind]


def _grant(connection: Connection, role: str) -> None:
    connection.exec_driver_sql(f'GRANT USAGE ON SCHEMA public TO "{role}"')
    connection.exec_driver_sql(f'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "{role}"')
    connection.exec_driver_sql(f'GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO "{role}"')


def _force_row_security(connection: Connection, table: Table) -> None:
    name = table.name
    connection.exec_driver_sql(f'ALTER TABLE "{name}" ENABLE ROW LEVEL SECURITY')
    connection.exec_driver_sql(f'ALTER TABLE "{name}" FORCE ROW LEVEL SECURITY')
    exists = connection.exec_driver_sql(
        "SELECT 1 FROM pg_policies WHERE schemaname = 'public' AND tablename = %s AND policyname = 'tenant'", (name,)
    ).scalar()
    if not exists:
        connection.exec_driver_sql(
            f'CREATE POLICY tenant ON "{name}" USING (tenant_id = {_TENANT_NOW}) WITH CHECK (tenant_id = {_TENANT_NOW})'
        )


def _create_triggers(connection: Connection, table: Table) -> None:
    for verb, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("UPDATE", "OLD"), ("DELETE", "OLD")):
        trigger = f"tenant_{table.name}_{verb}_{row}".lower()
        connection.exec_driver_sql(f'DROP TRIGGER IF EXISTS "{trigger}"')
        connection.exec_driver_sql(
            f'CREATE TRIGGER "{trigger}" BEFORE {verb} ON "{table.name}" '
            f"WHEN {row}.tenant_id IS NOT current_tenant() "
            f"BEGIN SELECT RAISE(ABORT, 'row of another tenant'); END"
        )
