"""Which rows belong to whom, and the two layers of the wall that Python builds.

Every table declares its kind. A statement on a tenant table carries the session's tenant, or it is refused:
forgetting is an error, never a leak. The other two layers are the database's (`guards.py`) and the keys'.
"""

from collections.abc import Iterator
from contextlib import closing
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

from sqlalchemy import Column, Connection, Engine, FromClause, Select, SelectBase, String, Table, TextClause, event
from sqlalchemy.orm import (
    Mapped,
    ORMExecuteState,
    Session,
    mapped_column,
    with_loader_criteria,
)
from sqlalchemy.sql import visitors
from sqlalchemy.sql.cache_key import HasCacheKey
from sqlalchemy.sql.dml import Delete, Insert, Update
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import Exists, ScalarSelect
from sqlalchemy.util import LRUCache


class TenantLeak(RuntimeError):
    """A programming error: a statement would have left the tenant of its session. No row is returned or changed."""


def _session_tenant(context: Any) -> str:
    tenant = context.connection.info.get("tenant")
    if tenant is None:
        raise TenantLeak("a row of a tenant table was added in a session without a tenant")
    return tenant


class TenantTable:
    """Rows of one municipality. The tenant is the first column of the primary key and of every unique and foreign key."""

    kind: ClassVar[str] = "tenant"
    tenant_id: Mapped[str] = mapped_column(String(6), primary_key=True, sort_order=-100, default=_session_tenant)


class PersonTable:
    """Rows about a person across municipalities: who signs in, what was sent to them."""

    kind: ClassVar[str] = "person"


class SharedTable:
    """Rows that belong to nobody in particular. `__shared_because__` says why that is right."""

    kind: ClassVar[str] = "shared"
    __shared_because__: ClassVar[str]


def check_kind(table_class: type) -> None:
    """Refuse a mapped class that does not say whose rows it holds."""
    kinds = [k for k in (TenantTable, PersonTable, SharedTable) if issubclass(table_class, k)]
    if len(kinds) != 1:
        raise TypeError(f"{table_class.__name__} must be exactly one of TenantTable, PersonTable, SharedTable")
    if kinds == [SharedTable] and not getattr(table_class, "__shared_because__", "").strip():
        raise TypeError(f"{table_class.__name__} is shared between tenants: __shared_because__ must say why")


def enter(session: Session, tenant: str) -> None:
    """Put a session that has no tenant yet into `tenant`. A session never changes from one to another."""
    current = session.info.get("tenant")
    if current not in (None, tenant):
        raise TenantLeak(f"this session is already in tenant {current}")
    session.info["tenant"] = tenant
    if session.in_transaction():
        apply_to_connection(session.connection(), tenant)


def apply_to_connection(connection: Connection, tenant: str | None) -> None:
    """Tell the database who is asking, for this transaction only."""
    connection.info["tenant"] = tenant
    if connection.dialect.name == "postgresql":
        # A raw cursor: the engine guard is about statements of services, this is the guard's own.
        with closing(connection.connection.cursor()) as cursor:
            cursor.execute("select set_config('app.tenant', %s, true)", (tenant or "",))


# ---- layer 1: the session -------------------------------------------------------------------------------------------


def guard_session(session_class: type[Session]) -> None:
    """Filter, stamp and check everything that goes through the ORM."""
    event.listen(session_class, "do_orm_execute", _filter_by_tenant)
    event.listen(session_class, "before_flush", _check_and_mark_flush)
    event.listen(session_class, "after_flush", _unmark_flush)
    event.listen(session_class, "after_begin", lambda session, _, connection: _begin(session, connection))


def _begin(session: Session, connection: Connection) -> None:
    apply_to_connection(connection, session.info.get("tenant"))


def _filter_by_tenant(state: ORMExecuteState) -> None:
    if isinstance(state.statement, TextClause) or not state.is_orm_statement:
        return  # the engine guard refuses these where a tenant table is involved
    tenant = state.session.info.get("tenant")
    if tenant is None:
        if next(_tenant_tables(state.statement), None) is not None:
            raise TenantLeak("a tenant table was asked in a session without a tenant")
    elif state.is_select or state.is_update or state.is_delete:
        state.statement = state.statement.options(_rows_of(tenant))
    loading = state.is_relationship_load or state.is_column_load  # statements the ORM itself wrote
    state.update_execution_options(tenant_checked=True, tenant_loading=loading)


@lru_cache(maxsize=4096)
def _rows_of(tenant: str) -> Any:
    """The filter of one municipality, made once: it is the same for all its statements."""
    return with_loader_criteria(
        TenantTable,
        lambda cls: cls.tenant_id == tenant,
        include_aliases=True,
        track_closure_variables=True,
    )


def check_loaded(instance: Any, context: Any) -> None:
    """The last check of layer 1: no object of another tenant comes to life, whatever statement brought it."""
    if context is None:
        return  # made by `merge`, not read: the flush checks it
    if isinstance(instance, TenantTable) and instance.tenant_id != context.session.info.get("tenant"):
        raise TenantLeak(f"a {type(instance).__name__} of another tenant was loaded")


def _check_and_mark_flush(session: Session, *_: Any) -> None:
    tenant = session.info.get("tenant")
    for instance in (*session.new, *session.dirty, *session.deleted):
        if not isinstance(instance, TenantTable):
            continue
        if tenant is None:
            raise TenantLeak(f"{type(instance).__name__} changed in a session without a tenant")
        if instance.tenant_id is None:
            instance.tenant_id = tenant
        elif instance.tenant_id != tenant:
            raise TenantLeak(f"{type(instance).__name__} of another tenant changed")
    session.connection().info["flushing"] = True


def _unmark_flush(session: Session, *_: Any) -> None:
    session.connection().info["flushing"] = False


# ---- layer 2: the engine --------------------------------------------------------------------------------------------


def guard_engine(engine: Engine) -> None:
    """Refuse what did not come through the guarded session: text, raw driver SQL, Core statements on tenant tables."""
    event.listen(engine, "before_execute", _refuse_unchecked, retval=False)
    event.listen(engine, "before_cursor_execute", _refuse_raw_driver_sql)
    event.listen(engine, "checkin", lambda _, record: record.info.clear())
    event.listen(engine, "rollback", _unmark_rolled_back)


def _unmark_rolled_back(connection: Connection) -> None:
    """A connection that broke has nothing to unmark; to ask it for its info would hide, with another error, that it broke."""
    if not connection.invalidated:
        connection.info.pop("flushing", None)


class _Look(NamedTuple):
    """What the engine guard saw in a statement; the same in every statement of the same shape, whatever its values."""

    has_text: bool
    table: Table | None
    names_bare_table: bool


_looks: LRUCache[Any, _Look] = LRUCache(2000)
"""By SQLAlchemy's own cache key, which tells apart whatever becomes different SQL (text by its words, a table from its class)."""


def _refuse_unchecked(connection: Connection, element: Any, _multi: Any, _params: Any, options: Any) -> None:
    options = {**options, **getattr(element, "_execution_options", {})}
    if options.get("raw_sql"):
        return
    look = _look_again(element)
    if look.has_text:
        raise TenantLeak("text SQL is refused: write it with the ORM, or give execution option raw_sql='<reason>'")
    if look.table is None or (_is_dml(element) and connection.info.get("flushing")):
        return  # what a flush writes was checked before it, row by row
    written_by_orm = options.get("tenant_loading")
    if not options.get("tenant_checked") or (not written_by_orm and look.names_bare_table):
        raise TenantLeak(f"a statement on {look.table.name} did not pass the tenant filter")


def _look_again(element: Any) -> _Look:
    """Every statement of every request comes by here: a walk through it costs as much as half of its execution."""
    key = (
        element._generate_cache_key() if isinstance(element, HasCacheKey) else None
    )  # the compiler asks it for the same one
    if key is None:
        return _look(element)
    look = _looks.get(key.key)
    if look is None:
        look = _looks[key.key] = _look(element)
    return look


def _look(element: Any) -> _Look:
    has_text, table, names_bare_table = False, None, False
    for part in _parts(element):
        if isinstance(part, TextClause):
            has_text = True
        elif isinstance(part, Select):
            names_bare_table = names_bare_table or _names_bare_table(part)
        elif table is None and _is_tenant(part):
            table = part
    return _Look(has_text, table if table is not None else _target(element), names_bare_table)


def _refuse_raw_driver_sql(
    _connection: Connection, _cursor: Any, statement: str, _params: Any, context: Any, _many: bool
) -> None:
    if context is not None and context.compiled is None and context.isinsert is False:
        if context.execution_options.get("raw_sql") or statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK TO")):
            return
        raise TenantLeak("driver-level SQL is refused in a service")


def _parts(element: Any) -> Iterator[Any]:
    return visitors.iterate(element) if hasattr(element, "get_children") else iter(())


def _tenant_tables(element: Any) -> Iterator[Table]:
    yield from (part for part in _parts(element) if _is_tenant(part))
    target = _target(element)
    if target is not None:
        yield target


def _target(element: Any) -> Table | None:
    """The tenant table that an INSERT, UPDATE or DELETE is about."""
    table = getattr(element, "table", None)
    return table if _is_tenant(table) else None


def _is_tenant(table: Any) -> bool:
    return isinstance(table, Table) and table.info.get("kind") == TenantTable.kind


def _is_dml(element: Any) -> bool:
    return isinstance(element, Insert | Update | Delete)


def _names_bare_table(select: Select[Any]) -> bool:
    """Whether an ORM statement also selects from `Model.__table__`, which the ORM's filter does not see."""
    return any(_is_bare(chosen) for chosen in select._raw_columns)


def _is_bare(part: Any) -> bool:
    """Looks at one selected thing, not into subqueries: those are selects of their own."""
    if isinstance(part, Column | Table):
        table = part.table if isinstance(part, Column) else part
        return _is_tenant(table) and "parententity" not in part._annotations
    if isinstance(part, FromClause | SelectBase | ScalarSelect | Exists) and not isinstance(part, FunctionElement):
        return False
    return any(_is_bare(child) for child in part.get_children())
