"""Databases and roles of the services on one PostgreSQL server: one database each, an owner and an app role.

The owner migrates and is no superuser; the app role owns nothing and cannot bypass row security.
"""

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from libs.common.settings import Settings


def provision(settings: Settings, service: str) -> None:
    """Make roles and database of `service` where they are missing. Needs the administrator's DATABASE_URL."""
    database = f"{settings.database_prefix}_{service}"
    owner, app = settings.role_of(service, owner=True), settings.role_of(service)
    with psycopg.connect(_administrator(settings), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext('provision'))")
        for role in (owner, app):
            _ensure_role(connection, role, settings.role_password(role))
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(owner)))
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone():
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0").format(
                    sql.Identifier(database), sql.Identifier(owner)
                )
            )
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))
        connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database), sql.Identifier(app))
        )


def _administrator(settings: Settings) -> str:
    assert settings.database_url
    return make_url(settings.database_url).set(drivername="postgresql").render_as_string(hide_password=False)


def _ensure_role(connection: psycopg.Connection, role: str, password: str) -> None:
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    verb = "ALTER" if exists else "CREATE"
    connection.execute(
        sql.SQL(
            verb + " ROLE {} LOGIN PASSWORD {} NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION"
        ).format(sql.Identifier(role), sql.Literal(password))
    )
