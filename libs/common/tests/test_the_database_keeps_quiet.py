"""What PostgreSQL writes into its own log of our databases: nothing that a person typed."""

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from libs.common import keys, postgres
from libs.common.ids import new_id
from libs.common.settings import Settings


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Settings]:
    """Settings of the administrator, for a database of this test alone."""
    server = os.environ.get("TEST_DATABASE_URL")
    if not server:
        pytest.skip("TEST_DATABASE_URL is not set: run `make test`, which starts a private PostgreSQL")
    keys.ensure(tmp_path, ["shop"])
    prefix = f"quiet{new_id()[-12:]}"
    yield Settings(keys_dir=tmp_path, data_dir=tmp_path, database_url=server, database_prefix=prefix)
    names = [f"{prefix}_shop", f"{prefix}_shop_owner", f"{prefix}_shop_app"]
    with psycopg.connect(server, autocommit=True) as connection:
        for kind, name in zip(("DATABASE", "ROLE", "ROLE"), names, strict=True):
            connection.execute(sql.SQL(f"DROP {kind} IF EXISTS {{}}").format(sql.Identifier(name)))


def loud(url: str) -> list[str]:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return postgres.loud(lambda name: connection.execute("SELECT current_setting(%s)", (name,)).fetchone()[0])  # type: ignore[index]


def test_sessions_of_a_database_that_migrate_makes_are_quiet(given: Settings) -> None:
    assert given.database_url
    assert "log_error_verbosity=default" in loud(given.database_url), "a server of its own accord is not"
    for _ in range(2):
        postgres.provision(given, "shop")
    assert loud(given.database_url_of("shop")) == []
    assert loud(given.database_url_of("shop", owner=True)) == []


def test_an_administrator_who_is_no_superuser_makes_the_database_all_the_same(given: Settings) -> None:
    server, lesser = given.database_url or "", f"{given.database_prefix}_admin"
    with psycopg.connect(server, autocommit=True) as connection:
        make = "CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD 'lesser'"
        connection.execute(sql.SQL(make).format(sql.Identifier(lesser)))
    try:
        host = server.split("@", 1)[1]
        as_lesser = given.model_copy(update={"database_url": f"postgresql://{lesser}:lesser@{host}"})
        postgres.provision(as_lesser, "shop")
        assert "log_error_verbosity=default" in loud(given.database_url_of("shop"))
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            for statement in ("DROP DATABASE IF EXISTS {}", "DROP OWNED BY {}", "DROP ROLE {}"):
                name = f"{given.database_prefix}_shop" if "DATABASE" in statement else lesser
                connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("log_error_verbosity", "verbose", True),
        ("log_min_error_statement", "error", True),
        ("log_min_error_statement", "fatal", False),
        ("log_parameter_max_length_on_error", "-1", True),
        ("log_statement", "mod", True),
        ("log_statement", "ddl", False),
    ],
)
def test_each_setting_that_would_tell_is_found(name: str, value: str, found: bool) -> None:
    told = postgres.QUIET | {"log_statement": "none", name: value}
    assert postgres.loud(told.__getitem__) == ([f"{name}={value}"] if found else [])
