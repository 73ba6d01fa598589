"""A migrated database per test, on SQLite always and on PostgreSQL where TEST_DATABASE_URL names a server.

In a service's `tests/conftest.py`:

    from libs.common.testing.database import database_fixture
    database = database_fixture("eapply", "services.eapply")
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.util import LRUCache

from libs.common import keys
from libs.common.db import Database
from libs.common.ids import new_id
from libs.common.migrate import migrate
from libs.common.settings import Settings

STORES = ["sqlite", "postgresql"]
_templates: dict[tuple[str, str], Any] = {}
_compiled: dict[str, tuple[Dialect, LRUCache[Any, Any]]] = {}


def database_fixture(service: str, package: str) -> Callable[..., Iterator[Database]]:
    """A fixture `database`, run once for each store."""

    @pytest.fixture(params=STORES)
    def database(
        request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Database]:
        yield from open_database(request.param, service, package, tmp_path, tmp_path_factory)

    return database


def open_database(
    store: str, service: str, package: str, folder: Path, factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """A fresh migrated database of `service`, gone after the test."""
    if store == "sqlite":
        path = folder / f"{service}.sqlite"
        shutil.copy(_sqlite_template(service, package, factory), path)
        database = _sharing_statements(Database(f"sqlite:///{path}", service))
        yield database
        database.close()
        return
    server = os.environ.get("TEST_DATABASE_URL")
    if not server:
        pytest.skip("TEST_DATABASE_URL is not set: run `make test`, which starts a private PostgreSQL")
    settings = _postgres_template(service, package, server, factory)
    name = f"test_{new_id().replace('-', '')[-20:]}"
    template = f"{settings.database_prefix}_{service}"
    with _administrator(server) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                sql.Identifier(name),
                sql.Identifier(template),
                sql.Identifier(settings.role_of(service, owner=True)),
            )
        )
    url = make_url(settings.database_url_of(service)).set(database=name)
    database = _sharing_statements(Database(url.render_as_string(hide_password=False), service))
    yield database
    database.close()
    with _administrator(server) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _sharing_statements(database: Database) -> Database:
    """Its statements are compiled once in a run, as a process of the service compiles them once for all its tenants.

    SQLAlchemy keeps them for one engine's dialect: with an engine per test, each test would compile every statement anew.
    """
    if database.dialect not in _compiled:
        with database.engine.connect():
            pass  # its dialect now knows the server, for all that share it
        _compiled[database.dialect] = (database.engine.dialect, LRUCache(10_000))
    for engine in (database.engine, database._reader, database._looking):
        engine.dialect, engine._compiled_cache = _compiled[database.dialect]
    return database


def _sqlite_template(service: str, package: str, factory: pytest.TempPathFactory) -> Path:
    key = ("sqlite", package)
    if key not in _templates:
        folder = factory.mktemp(f"template-{service}")
        migrate(Settings(data_dir=folder, keys_dir=folder / "keys", database_url=None), service, package)
        with_wal_folded_in = folder / f"{service}.sqlite"
        _fold_wal(with_wal_folded_in)
        _templates[key] = with_wal_folded_in
    return _templates[key]


def _fold_wal(path: Path) -> None:
    import sqlite3

    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _postgres_template(service: str, package: str, server: str, factory: pytest.TempPathFactory) -> Settings:
    key = ("postgresql", package)
    if key not in _templates:
        folder = factory.mktemp(f"template-pg-{service}")
        keys.ensure(folder / "keys", [service])
        settings = Settings(
            data_dir=folder,
            keys_dir=folder / "keys",
            database_url=server,
            database_prefix=f"t{new_id().replace('-', '')[-12:]}",
        )
        migrate(settings, service, package)
        _templates[key] = settings
    return _templates[key]


def drop_postgres_templates() -> None:
    """Called at the end of a test run (root conftest): leaves no database and no role behind."""
    server = os.environ.get("TEST_DATABASE_URL")
    for (store, package), settings in _templates.items():
        if store != "postgresql" or not server:
            continue
        service = package.rsplit(".", 1)[-1]
        with _administrator(server) as connection:
            database = f"{settings.database_prefix}_{service}"
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))
            for owner in (True, False):
                role = sql.Identifier(settings.role_of(service, owner=owner))
                connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))


def _administrator(server: str) -> psycopg.Connection:
    url = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(url, autocommit=True)
