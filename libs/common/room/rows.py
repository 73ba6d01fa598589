"""Rows of a room's tables as JSON lines and back; each line is one row, without the tenant."""

import base64
import json
from collections.abc import Collection, Iterable, Iterator
from datetime import date, datetime
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Date, LargeBinary, Select, select
from sqlalchemy.inspection import inspect
from sqlalchemy.orm import Session

from libs.common.db import CommonBase, Database, UtcDateTime

BATCH = 500
RowT = TypeVar("RowT", bound=CommonBase)


def dumped(
    session: Session, model: type[CommonBase], *, without: Collection[str] = (), chosen: Select[Any] | None = None
) -> Iterator[bytes]:
    """Rows of the session's tenant (`chosen`: only those), in the order of the key; columns `without` stay behind."""
    statement = select(model) if chosen is None else chosen
    left_out = {"tenant_id", *without}
    names = [attribute.key for attribute in inspect(model).column_attrs if attribute.key not in left_out]
    ordered = statement.order_by(*inspect(model).primary_key).execution_options(yield_per=BATCH)
    for row in session.scalars(ordered):
        document = {name: _plain(getattr(row, name)) for name in names}
        yield json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if isinstance(value, datetime | date) else value


def loaded(model: type[RowT], lines: Iterable[bytes], tenant: str | None) -> Iterator[RowT]:
    """Rows of `tenant` (None: of a table that is nobody's) from JSON lines. Fields that this version does not know are left
    out."""
    columns = {attribute.key: attribute.columns[0].type for attribute in inspect(model).column_attrs}
    own = {"tenant_id": tenant} if tenant else {}
    for line in lines:
        known = {key: _typed(columns[key], value) for key, value in json.loads(line).items() if key in columns}
        yield model(**known | own)


def _typed(column_type: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(column_type, LargeBinary):
        return base64.b64decode(value)
    if isinstance(column_type, UtcDateTime):
        return datetime.fromisoformat(value)
    return date.fromisoformat(value) if isinstance(column_type, Date) else value


def take_in(database: Database, model: type[CommonBase], lines: Iterable[bytes], tenant: str) -> None:
    """Keep the rows, a batch per transaction. What is there already is replaced: taken in twice is taken in once."""
    found = loaded(model, lines, tenant)
    while batch := list(islice(found, BATCH)):
        with database.transaction(tenant=tenant) as session:
            for row in batch:
                session.merge(row)
