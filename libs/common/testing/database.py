"""A migrated database per test, on SQLite always and on PostgreSQL where TEST_DATABASE_URL names a server.

In a service's `tests/conftest.py`:

    from libs.common.testing.database import database_fixture
    database = database_fixture("eapply", "services.eapply")
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
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
Prepare = Callable[[Database, Path], None]
"""Fills a migrated database with what many tests begin with. The folder is for its files, which no test gets."""
_templates: dict[tuple[str, str, Prepare | None], Any] = {}
_compiled: dict[str, tuple[Dialect, LRUCache[Any, Any]]] = {}


def database_fixture(
    service: str, package: str, prepared: Mapping[str, Prepare] | None = None, stores: Sequence[str] = STORES
) -> Callable[..., Iterator[Database]]:
    """A fixture `database`, run once for each of `stores`.

    `prepared`: name of a fixture → what the database of a test that asks for it holds already, made once in a run and copied.
    """
    prepared = prepared or {}

    @pytest.fixture(params=stores)
    def database(
        request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Database]:
        prepare = next((made for name, made in prepared.items() if name in request.fixturenames), None)
        yield from open_database(request.param, service, package, tmp_path, tmp_path_factory, prepare)

    return database


def open_database(
    store: str,
    service: str,
    package: str,
    folder: Path,
    factory: pytest.TempPathFactory,
    prepare: Prepare | None = None,
) -> Iterator[Database]:
    """A fresh migrated database of `service`, gone after the test."""
    if store == "sqlite":
        path = folder / f"{service}.sqlite"
        shutil.copy(_sqlite_template(service, package, factory, prepare), path)
        database = _sharing_statements(Database(f"sqlite:///{path}", service))
        yield database
        database.close()
        return
    server = os.environ.get("TEST_DATABASE_URL")
    if not server:
        pytest.skip("TEST_DATABASE_URL is not set: run `make test`, which starts a private PostgreSQL")
    settings = _postgres_template(service, package, server, factory)
    name = f"test_{new_id().replace('-', '')[-20:]}"
    _copy_on_postgres(settings, service, _prepared_on_postgres(service, package, server, factory, prepare), name)
    database = _sharing_statements(_opened_on_postgres(settings, service, name))
    yield database
    database.close()
    _drop_on_postgres(server, name)


def _copy_on_postgres(settings: Settings, service: str, template: str, name: str) -> None:
    owner = settings.role_of(service, owner=True)
    with _administrator(str(settings.database_url)) as connection:
        names = map(sql.Identifier, (name, template, owner))
        # Copying files takes half the time of writing pages to the log, which is the way from PostgreSQL 15 on.
        way = "STRATEGY FILE_COPY" if connection.info.server_version >= 150000 else ""
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} " + way).format(*names))


def _opened_on_postgres(settings: Settings, service: str, name: str) -> Database:
    url = make_url(settings.database_url_of(service)).set(database=name)
    return Database(url.render_as_string(hide_password=False), service)


def _drop_on_postgres(server: str, name: str) -> None:
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


def _sqlite_template(
    service: str, package: str, factory: pytest.TempPathFactory, prepare: Prepare | None = None
) -> Path:
    key = ("sqlite", package, prepare)
    if key not in _templates:
        folder = factory.mktemp(f"template-{service}")
        path = folder / f"{service}.sqlite"
        if prepare:
            shutil.copy(_sqlite_template(service, package, factory), path)
            _fill(Database(f"sqlite:///{path}", service), prepare, folder)
        else:
            migrate(Settings(data_dir=folder, keys_dir=folder / "keys", database_url=None), service, package)
        _fold_wal(path)
        _templates[key] = path
    return _templates[key]


def _fill(database: Database, prepare: Prepare, folder: Path) -> None:
    prepare(database, folder)
    database.close()


def _fold_wal(path: Path) -> None:
    import sqlite3

    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _postgres_template(service: str, package: str, server: str, factory: pytest.TempPathFactory) -> Settings:
    key = ("postgresql", package, None)
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


def _prepared_on_postgres(
    service: str, package: str, server: str, factory: pytest.TempPathFactory, prepare: Prepare | None
) -> str:
    """The name of the database to copy."""
    settings = _postgres_template(service, package, server, factory)
    migrated = f"{settings.database_prefix}_{service}"
    if prepare is None:
        return migrated
    key = ("postgresql", package, prepare)
    if key not in _templates:
        name = f"{migrated}_{len(_templates)}"
        _copy_on_postgres(settings, service, migrated, name)
        _fill(_opened_on_postgres(settings, service, name), prepare, factory.mktemp(f"prepared-pg-{service}"))
        _templates[key] = name
    return _templates[key]


def drop_postgres_templates() -> None:
    """Called at the end of a test run (root conftest): leaves no database and no role behind."""
    server = os.environ.get("TEST_DATABASE_URL")
    if not server:
        return
    for (store, _, prepare), name in _templates.items():
        if store == "postgresql" and prepare:
            _drop_on_postgres(server, name)
    for (store, package, prepare), settings in _templates.items():
        if store == "postgresql" and not prepare:
            _drop_migrated(server, settings, package.rsplit(".", 1)[-1])


def _drop_migrated(server: str, settings: Settings, service: str) -> None:
    _drop_on_postgres(server, f"{settings.database_prefix}_{service}")
    with _administrator(server) as connection:
        for owner in (True, False):
            role = sql.Identifier(settings.role_of(service, owner=owner))
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))


def _administrator(server: str) -> psycopg.Connection:
    url = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(url, autocommit=True)
