"""The code of the release before runs on the tables of this one: migrations only add, and what they add it need not know.

Each migration is run against a recorder in place of alembic's `op`; what it asks for is judged. The same holds the other way: one
version back works without touching the database.
"""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

ROOT = Path(__file__).parents[2]
FOLDERS = ("libs/common/migrations", "gateway/migrations", "services/*/migrations")
ADDING = {"create_table", "create_index", "create_foreign_key", "f", "get_bind", "get_context", "bulk_insert"}
"""A foreign key of a new table is part of it; on an old table it is judged like a column."""


def migrations() -> list[Path]:
    return sorted(path for folder in FOLDERS for path in ROOT.glob(f"{folder}/*_[0-9]*.py"))


class Recorder:
    """Takes every call that alembic's `op` would get, with the tables that this very migration makes."""

    dialect = sqlite.dialect()

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.made: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        def called(*given: Any, **named: Any) -> Any:
            self.calls.append((name, given, named))
            if name == "create_table":
                self.made.add(given[0])
            return self if name in ("batch_alter_table", "get_bind", "get_context") else given[0] if given else None

        return called

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: object) -> None:
        return None


def recorded(path: Path) -> Recorder:
    spec = importlib.util.spec_from_file_location(f"migration_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.op = recorder = Recorder()  # type: ignore[attr-defined]
    module.upgrade()
    return recorder


def breaking(recorder: Recorder) -> list[str]:
    """What the code of the release before could stumble over."""
    return [said for name, given, named in recorder.calls if (said := _said(recorder, name, given, named))]


def _said(recorder: Recorder, name: str, given: tuple[Any, ...], named: dict[str, Any]) -> str:
    table = given[0] if given and isinstance(given[0], str) else ""
    if name == "create_unique_constraint" or (name == "create_index" and named.get("unique")):
        where = given[1] if len(given) > 1 else table
        return "" if where in recorder.made else f"{name} on {where}: the release before may write doubles"
    if name == "add_column":
        column = next(each for each in given if isinstance(each, sa.Column))
        if column.nullable or column.server_default is not None:
            return ""
        return f"{table}.{column.name} must be given, and the release before does not know it"
    if name in ("execute", "exec_driver_sql"):
        said = str(given[0]).strip().upper()
        return "" if said.startswith(("UPDATE", "INSERT", "CREATE", "DROP TRIGGER")) else f"execute {said.split()[0]}"
    if name in ADDING or name == "batch_alter_table":
        return ""
    return f"{name} {table}".strip()


def test_there_are_migrations_of_every_part() -> None:
    assert len(migrations()) > 15
    assert {path.name.split("_")[0] for path in migrations()} >= {
        "common",
        "gateway",
        "tenants",
        "eapply",
        "ebid",
        "backup",
    }


@pytest.mark.parametrize("path", migrations(), ids=lambda path: path.stem)
def test_a_migration_only_adds_what_the_release_before_need_not_know(path: Path) -> None:
    assert breaking(recorded(path)) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('op.drop_column("a", "b")', "drop_column a"),
        ('op.drop_table("a")', "drop_table a"),
        ('op.alter_column("a", "b", nullable=False)', "alter_column a"),
        ('op.rename_table("a", "b")', "rename_table a"),
        ('op.add_column("a", sa.Column("b", sa.Integer, nullable=False))', "a.b must be given"),
        ('op.create_index("i", "a", ["b"], unique=True)', "create_index on a"),
        ('op.execute("DELETE FROM a")', "execute DELETE"),
    ],
)
def test_one_that_breaks_the_release_before_is_found(tmp_path: Path, line: str, found: str) -> None:
    planted = tmp_path / "shop_0001_planted.py"
    planted.write_text(f"import sqlalchemy as sa\nfrom alembic import op\n\n\ndef upgrade():\n    {line}\n")
    [said] = breaking(recorded(planted))
    assert found in said
