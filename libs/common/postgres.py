"""Databases and roles of the services on one PostgreSQL server: one database each, an owner and an app role.

The owner migrates and is no superuser; the app role owns nothing and cannot bypass row security.
"""

from collections.abc import Callable
from contextlib import suppress

import psycopg
from psycopg import sql
from psycopg.errors import InsufficientPrivilege
from sqlalchemy.engine import make_url

from libs.common.settings import Settings

QUIET = {
    "log_error_verbosity": "terse",  # DETAIL and CONTEXT quote the row that was refused
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
"""How the server writes of errors and slow statements in our databases: what people typed must not stand in its log."""


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
        _keep_quiet(connection, database)


def _keep_quiet(connection: psycopg.Connection, database: str) -> None:
    """Only a superuser may; an administrator who is none leaves the server as it is, and `make doctor` says so."""
    with suppress(InsufficientPrivilege):
        for name, value in QUIET.items():
            connection.execute(
                sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                    sql.Identifier(database), sql.Identifier(name), sql.Literal(value)
                )
            )


def loud(value_of: Callable[[str], str]) -> list[str]:
    """Settings by which the server's log may hold what people typed, `name=value` each. `value_of` is `current_setting`."""
    values = {name: value_of(name) for name in QUIET}
    if values["log_min_error_statement"] == "fatal":  # no statement is one
        values.pop("log_min_error_statement")
    found = [f"{name}={value}" for name, value in values.items() if value != QUIET[name]]
    statements = value_of("log_statement")
    return found + ([f"log_statement={statements}"] if statements in ("mod", "all") else [])


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
