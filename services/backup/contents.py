"""What restored files hold: rows of databases and members of archives are counted, and what is broken is found.

A file that came back byte for byte may still be useless: a database copied while it was written, an archive cut short.
"""

import hashlib
import json
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from services.backup.domain import problems

LIST = "own-backup.json"
"""Beside the files of the cloud's own backup: path → what was counted when it was made."""
_SQLITE, _DUMP, _ZIP = b"SQLite format 3\x00", b"--\n-- PostgreSQL database dump", b"PK\x03\x04"
_DUMP_END = b"-- PostgreSQL database dump complete"
_CHUNK = 1024 * 1024


@dataclass
class Counted:
    """`rows` of all `tables`, `members` of all `archives`; `broken` says what is wrong without naming any file."""

    databases: int = 0
    tables: int = 0
    rows: int = 0
    archives: int = 0
    members: int = 0
    broken: list[str] = field(default_factory=list)


def count(root: Path) -> Counted:
    """Look into every database, database dump and archive of a room below `root`."""
    total = Counted()
    for path in sorted(p for p in root.rglob("*") if p.is_file() and not p.is_symlink()):
        _count_file(path, total)
    for listed in root.rglob(LIST):
        _compare(listed, total)
    return total


def rows_of(path: Path) -> tuple[int, int]:
    """(tables, rows) of one database file or dump. ValueError if it is broken."""
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(_SQLITE):
        return _sqlite(path)
    if head.startswith(_DUMP):
        return _dump(path)
    raise ValueError("neither a SQLite file nor a dump of PostgreSQL")


def _count_file(path: Path, total: Counted) -> None:
    with path.open("rb") as file:
        head = file.read(64)
    try:
        if head.startswith((_SQLITE, _DUMP)):
            total.databases += 1
            tables, rows = rows_of(path)
            total.tables, total.rows = total.tables + tables, total.rows + rows
        elif head.startswith(_ZIP) and (members := _archive(path)) is not None:
            total.archives, total.members = total.archives + 1, total.members + members
    except (sqlite3.DatabaseError, zipfile.BadZipFile, ValueError, KeyError, EOFError):
        total.broken.append(problems.BROKEN_ARCHIVE if head.startswith(_ZIP) else problems.BROKEN_DATABASE)


def _sqlite(path: Path) -> tuple[int, int]:
    with closing(sqlite3.connect(f"file:{path.as_posix()}?mode=ro&immutable=1", uri=True)) as database:
        if database.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise ValueError("integrity_check")
        found = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        names = [name.replace('"', '""') for (name,) in found]
        rows = (database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names)  # noqa: S608 (quoted)
        return len(names), sum(rows)


def _dump(path: Path) -> tuple[int, int]:
    """Rows between `COPY … FROM stdin;` and `\\.`, in a dump that was written to its end."""
    tables = rows = 0
    inside = complete = False
    with path.open("rb") as file:
        for line in file:
            if inside:
                inside = line != b"\\.\n"
                rows += inside
            elif line.startswith(b"COPY ") and line.endswith(b"FROM stdin;\n"):
                tables, inside = tables + 1, True
            complete = complete or line.startswith(_DUMP_END)
    if inside or not complete:
        raise ValueError("cut short")
    return tables, rows


def _archive(path: Path) -> int | None:
    """Members of a room's archive, each compared with its manifest; None for any other ZIP."""
    with zipfile.ZipFile(path) as archive:
        if "manifest.json" not in archive.namelist():
            return None
        members = json.loads(archive.read("manifest.json")).get("members")
        if not isinstance(members, dict):
            return None
        for name, told in members.items():
            digest = hashlib.sha256()
            for piece in _pieces(archive, name):
                digest.update(piece)
            if digest.hexdigest() != told["sha256"]:
                raise ValueError(name)
        return len(members)


def _pieces(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    with archive.open(name) as member:
        while piece := member.read(_CHUNK):
            yield piece


def _compare(listed: Path, total: Counted) -> None:
    """What was counted when the cloud kept itself has come back, file for file and row for row."""
    for place, told in json.loads(listed.read_text("utf-8"))["databases"].items():
        try:
            if rows_of(listed.parent / place) != (told["tables"], told["rows"]):
                total.broken.append(problems.OTHER_ROWS)
        except (OSError, ValueError, sqlite3.DatabaseError):
            total.broken.append(problems.NO_DATABASE)
