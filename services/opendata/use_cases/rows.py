"""Programs write rows (CKAN's DataStore): each change makes a new unchanging table, which becomes public in one transaction.

The new table is made before the transaction begins: nobody waits for it. Who finds, when naming it, that somebody else was
faster makes it again from theirs, so that no row is lost.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from libs.common import room
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid
from libs.common.files import StoredFile
from libs.common.service import Service
from services.opendata.datastore import Column
from services.opendata.datastore.write import Copy
from services.opendata.db import DatasetRow, ResourceRow, VersionRow, datasets
from services.opendata.domain import personal
from services.opendata.domain.table import Row, Table
from services.opendata.settings import catalogue_of, tables_of
from services.opendata.use_cases import whereabouts
from services.opendata.use_cases.programs import settle

ATTEMPTS = 20
OF_WHOLE_TABLES = {"k-anonymity", "small-cell"}
"""Risks that some rows of a table cannot show."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Changed:
    """A table after a change."""

    columns: list[Column]
    answer: Any


def change(service: Service, actor: Actor, resource_id: str, work: Callable[[Copy], Any], now: datetime) -> Changed:
    """Let `work` change the file's table (an empty one where it has none). NotFound, Invalid from `work`."""
    assert actor.tenant
    for _ in range(ATTEMPTS):
        with service.database.reading(tenant=actor.tenant) as session:
            room.check_open(session)
            before = _table(session, datasets.resource(session, resource_id))
        stored, columns, answer = tables_of(service).change(actor.tenant, before, work)
        with tables_of(service).open(actor.tenant, stored.id) as table:
            rows = table.rows
        with service.database.transaction(tenant=actor.tenant) as session:
            named = _named(session, actor, resource_id, before, stored, columns, rows, now)
        if named:
            catalogue_of(service).look_again()
            return Changed(columns, answer)
        tables_of(service).forget(actor.tenant, stored.id)
    raise Conflict(
        "同時に書き込まれているため、書き込めませんでした。少し待ってから、もう一度送ってください。", code="busy"
    )


def forget(session: Session, actor: Actor, resource_id: str, now: datetime) -> None:
    """The file has no table any more; what the file is stays."""
    row = datasets.resource(session, resource_id)
    dataset = datasets.by_id(session, row.dataset_id, lock=True)
    if row.version:
        version = datasets.version(session, row.id, row.version)
        version.table_id, version.rows, version.columns = None, 0, []
    _touched(session, actor, dataset, row, now)


def _table(session: Session, row: ResourceRow) -> str | None:
    return datasets.version(session, row.id, row.version).table_id if row.version else None


def _named(
    session: Session, actor: Actor, resource_id: str, before: str | None, stored: StoredFile, columns: list[Column],
    rows: int, now: datetime,
) -> bool:  # fmt: skip
    """Whether the table became the file's; not if another one has meanwhile."""
    dataset = datasets.by_id(session, datasets.resource(session, resource_id).dataset_id, lock=True)
    row = datasets.resource(session, resource_id)
    session.refresh(row)
    if _table(session, row) != before:
        return False
    told = [column.as_document() for column in columns]
    if row.version:
        version = datasets.version(session, row.id, row.version)
        version.table_id, version.rows, version.columns = stored.id, rows, told
        version.report = {name: each for name, each in version.report.items() if name not in whereabouts.NAMES}
    else:
        row.version = 1
        session.add(_first(row, stored, told, rows, actor, now))
    row.format = row.format or "CSV"
    _touched(session, actor, dataset, row, now)
    return True


def _first(
    row: ResourceRow, stored: StoredFile, columns: list[dict[str, Any]], rows: int, actor: Actor, now: datetime
) -> VersionRow:
    """A version that has rows and no file of its own."""
    return VersionRow(
        resource_id=row.id, number=1, source_id="", file_id="", table_id=stored.id, filename=f"{row.id}.csv",
        media_type="text/csv", size=stored.size, sha256=stored.sha256, rows=rows, columns=columns, report={}, repaired=False,
        published_at=now, published_by=actor.subject,
    )  # fmt: skip


def _touched(session: Session, actor: Actor, dataset: DatasetRow, row: ResourceRow, now: datetime) -> None:
    row.modified_at = now
    session.flush()
    settle(session, actor, dataset, private=dataset.state == "draft", now=now)


def check_personal(copy: Copy, records: list[Any]) -> None:
    """Invalid where rows a program sends look like personal data: a person has to publish those, with a reason."""
    names = tuple(column.name for column in copy.columns)
    told = [each for each in records if isinstance(each, dict)]
    table = Table(names, lambda: (Row(n, _texts(names, each)) for n, each in enumerate(told, start=1)))
    risks = [risk for risk in personal.inspect(table) if risk.code not in OF_WHOLE_TABLES]
    if risks:
        sentence = f"{risks[0].message} 画面から、理由を付けて公開してください。"
        raise Invalid(sentence, fields={"records": sentence}, code="personal-data")


def _texts(names: tuple[str, ...], record: dict[str, Any]) -> tuple[str, ...]:
    return tuple("" if record.get(name) is None else str(record[name]) for name in names)
