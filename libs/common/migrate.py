"""The role `migrate`: bring one service's database to the tables its code knows, then put the guards back."""

import importlib
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, MetaData
from sqlalchemy.engine import make_url

from libs.common import guards, migrated, postgres
from libs.common.db import CommonBase, make_engine
from libs.common.settings import Settings

_HERE = Path(__file__).parent


def migrate(settings: Settings, service: str, package: str) -> list[str]:
    """Create the database where we may, run every migration that is missing, install guards. Safe to run again.

    `package` is the folder of the service as an import path: `services.eapply`. Gives the migrations of a later release that the
    store has already: then an earlier release was put back, and nothing is touched (tables and guards stay the later one's).
    """
    url = settings.database_url_of(service, owner=True)
    if settings.database_url and make_url(url).get_backend_name() == "postgresql":
        postgres.provision(settings, service)
    engine = make_engine(url)
    try:
        later = migrated.later(engine, package)
        if not later:
            upgrade(engine, package)
            app_role = make_url(settings.database_url_of(service)).username
            guards.install(engine, metadatas(package), app_role)
        return later
    finally:
        engine.dispose()


def metadatas(package: str) -> list[MetaData]:
    """The tables every service has, and those of this one."""
    own = importlib.import_module(f"{package}.db").Base.metadata
    for module in (
        "outbox",
        "inbox",
        "audit",
        "jobs",
        "leases",
        "files",
        "notices",
        "idempotency",
        "room",
        "webhooks",
        "instances",
    ):
        try:
            importlib.import_module(f"libs.common.{module}")
        except ModuleNotFoundError as error:
            if error.name != f"libs.common.{module}":
                raise
    return [CommonBase.metadata, own]


def upgrade(engine: Engine, package: str) -> None:
    with engine.connect() as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            # One migration at a time, however many pods start at once.
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('migrate'))")
        config = configuration(package)
        config.attributes["connection"] = connection
        config.attributes["metadatas"] = metadatas(package)
        command.upgrade(config, "heads")


def configuration(package: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE / "alembic"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(map(str, migrated.folders(package))))
    return config
