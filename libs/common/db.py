"""One engine per service, `transaction()` and `reading()`. The only module of the project that commits."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Connection, DateTime, Engine, MetaData, Row, Select, create_engine, event
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from libs.common import tenancy

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

Json = JSON().with_variant(JSONB(), "postgresql")
"""A document: `Mapped[dict[str, Any]] = mapped_column(Json)`."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment, stored in UTC to the microsecond. Naive values are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs its time zone")
        value = value.astimezone(UTC)
        # SQLite keeps text: one uniform form, so that text order is time order.
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def service_metadata() -> MetaData:
    """The tables of one service, with names that migrations can rely on."""
    return MetaData(naming_convention=NAMING)


class CommonBase(DeclarativeBase):
    """Parent of every table. Directly under it: the tables every service's database has (outbox, inbox, …)."""

    metadata = service_metadata()
    type_annotation_map = {datetime: UtcDateTime}  # noqa: RUF012 (SQLAlchemy's own form)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "__tablename__" in cls.__dict__:
            tenancy.check_kind(cls)
        super().__init_subclass__(**kwargs)
        table = cls.__dict__.get("__table__")
        if table is not None:
            table.info["kind"] = cls.kind  # type: ignore[attr-defined]


event.listen(CommonBase, "load", tenancy.check_loaded, propagate=True)


class TenantSession(Session):
    """A session that knows whose rows it may touch (`session.info["tenant"]`)."""


tenancy.guard_session(TenantSession)


_LIVE_LINE = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""libpq: a server that vanished without a word is noticed within a minute, not after the two hours of the kernel."""

KEPT = 10
"""Connections that one process keeps open to its database, at most; while more ask at once it opens up to thirty beside them."""


def make_engine(url: str, **options: Any) -> Engine:
    """An engine with the settings each store needs: WAL and full sync on SQLite, live connections on PostgreSQL."""
    sqlite = make_url(url).get_backend_name() == "sqlite"
    if sqlite:
        path = make_url(url).database
        if path and path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        options.setdefault("connect_args", {"timeout": 30, "check_same_thread": False})
    else:
        options.setdefault("connect_args", _LIVE_LINE)
    engine = create_engine(
        url,
        pool_pre_ping=not sqlite,
        pool_size=KEPT,
        max_overflow=30,
        json_serializer=lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str),
        **options,
    )
    if sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    info = record.info  # the same dict is `Connection.info`
    connection.create_function("current_tenant", 0, lambda: info.get("tenant"))


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE for writers: two of them wait for each other at the start instead of failing in the middle.
    reading = connection.get_execution_options().get("reading", False)
    raw = connection.connection.driver_connection
    raw.execute(f"PRAGMA query_only={int(reading)}")  # type: ignore[union-attr]
    raw.execute("BEGIN" if reading else "BEGIN IMMEDIATE")  # type: ignore[union-attr]


class Database:
    """The store of one service. `url` is SQLAlchemy's; `service` names the owner in logs and locks."""

    def __init__(self, url: str, service: str) -> None:
        self.service = service
        self.closed = False
        self.engine = make_engine(url)
        tenancy.guard_engine(self.engine)
        self._reader = self.engine.execution_options(reading=True, postgresql_readonly=True)
        if self.dialect == "postgresql":
            # Its default shows each statement a state of its own: half of a page would be newer than the other.
            self._reader = self._reader.execution_options(isolation_level="REPEATABLE READ")
        self._looking = self._reader.execution_options(raw_sql="the same look at a shared table, again and again")
        if self.dialect == "postgresql":
            self._looking = self._looking.execution_options(isolation_level="AUTOCOMMIT")  # one question, one answer

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    @contextmanager
    def transaction(self, tenant: str | None = None) -> Iterator[TenantSession]:
        """Read and write as `tenant`; commit at the end, roll back on any error."""
        with self._session(self.engine, tenant) as session, session.begin():
            yield session

    @contextmanager
    def reading(self, tenant: str | None = None) -> Iterator[TenantSession]:
        """Read as `tenant` from one consistent state; a write is an error."""
        with self._session(self._reader, tenant) as session, session.begin():
            yield session

    def finds(self, statement: Select[Any], **values: Any) -> bool:
        """Whether `statement`, of a shared table, gives a row. What idle loops ask many times a second."""
        return self.first(statement, **values) is not None

    def first(self, statement: Select[Any], **values: Any) -> Row[Any] | None:
        """The first row of columns that `statement` gives of a shared table: without a session, and without the tenant guard's look
        at a statement that is always the same (a tenant table has no rows here: no tenant)."""
        with self._looking.connect() as connection:
            return connection.execute(statement, values).first()

    def changes(self) -> "Changes":
        """For a loop that would otherwise look many times a second whether there is anything."""
        return Changes(self.engine)

    def _session(self, engine: Engine, tenant: str | None) -> TenantSession:
        return TenantSession(engine, expire_on_commit=False, info={"tenant": tenant})

    def close(self) -> None:
        """Nobody will ask it any more: what still waits to be written has missed its time, and need not say so."""
        self.closed = True
        self.engine.dispose()


class Changes:
    """Whether anybody, in whatever process, has written to the store. Made and used in one thread.

    On SQLite the question costs microseconds, a look into a table a hundred times that; another store is not asked: there, there
    may always be something.
    """

    def __init__(self, engine: Engine) -> None:
        self._path = engine.url.database if engine.dialect.name == "sqlite" else None
        self._line: sqlite3.Connection | None = None

    def mark(self) -> int | None:
        """The state of the store now, for `since`; None where it is not known."""
        if self._path is None:
            return None
        try:
            self._line = self._line or sqlite3.connect(self._path, isolation_level=None)
            [version] = self._line.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            return None
        return int(version)

    def since(self, mark: int | None) -> bool:
        """Whether there may have been a write since `mark`."""
        return mark is None or self.mark() != mark

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
