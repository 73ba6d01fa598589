"""Where on the map a table's rows lie and which years they run through: found when a file is read, and afterwards for what
was published without (before it was looked for; rows that programs write; tables made of other services' events)."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import log, room
from libs.common.errors import Refusal, Unavailable
from libs.common.service import Service
from services.opendata.datastore import Table, Tables
from services.opendata.datastore.build import Column
from services.opendata.db import DatasetRow, ResourceRow, VersionRow, datasets
from services.opendata.domain import meshes, periods
from services.opendata.domain.places import is_latitude_name, is_longitude_name
from services.opendata.settings import catalogue_of, tables_of
from services.opendata.use_cases.project import project

NAMES = ("points", "where", "when")
"""What a version's report tells of it: columns of latitude and longitude, squares of the map, years."""
AT_ONCE = 200
"""Data sets filled in by one run: a catalogue of 11,000 has all of its squares within an hour, and no run is long."""
SECONDS = 60.0
"""How long one table may be looked through."""

_log = log.get(__name__)


def look(tables: Tables, tenant: str, table_id: str) -> dict[str, Any]:
    """`of` a kept table. One that cannot be looked through in time, or at all, lies nowhere: it must not be asked again and again. Nothing
    is known of it where only its store is away: the next run looks again."""
    try:
        with tables.open(tenant, table_id, SECONDS) as opened:
            return of(opened)
    except Refusal as refusal:
        _log.warning("table_not_looked_through", tenant=tenant, table=table_id, code=refusal.code)
        if isinstance(refusal, Unavailable) and refusal.code != "query-too-long":
            return {}
        return {"points": None, "where": [], "when": []}


def of(opened: Table) -> dict[str, Any]:
    """`NAMES` of a table."""
    points = _points(opened.columns)
    return {"points": points, "where": _meshes(opened, points), "when": _years(opened)}


def _points(columns: Sequence[Column]) -> dict[str, str] | None:
    """The columns that say where on the map a row is."""
    numbers = [column.name for column in columns if column.type in ("int", "numeric")]
    lat = next(filter(is_latitude_name, numbers), None)
    lng = next(filter(is_longitude_name, numbers), None)
    return {"lat": lat, "lng": lng} if lat and lng else None


def _meshes(opened: Table, points: dict[str, str] | None) -> list[str]:
    """The squares of the map that hold rows; none where they are spread so wide that a map says nothing."""
    found = opened.squares(points["lat"], points["lng"]) if points else []
    kept = [meshes.code(row, column) for row, column in found if meshes.in_japan(row, column)]
    return sorted(kept) if len(kept) <= meshes.MOST else []


def _years(opened: Table) -> list[int]:
    """What a table of days, months or years runs through: its first or second column. Later ones (設置日) say something of each row."""
    for column in opened.columns[:2]:
        if column.type in ("date", "timestamp") or (column.type == "int" and re.search("年度?$", column.name)):
            told = opened.statistics(column.name, top=1)
            return periods.run_through(told["least"], told["most"])
    return []


# ---- afterwards


def fill_in(service: Service, told: Callable[[int, int], object] = lambda done, total: None) -> int:
    """Look through up to `AT_ONCE` published data sets that lack it; how many. Each is done in a transaction of its own: killed in
    the middle, the next run goes on with the rest. Nothing is published anew: no event, the time of change stays."""
    done = 0
    with service.database.reading() as session:
        tenants = room.rooms(session)
    for tenant in tenants:
        with service.database.reading(tenant=tenant) as session:
            waiting = _waiting(session, AT_ONCE - done)
        for dataset_id in waiting:
            _fill(service, tenant, dataset_id, service.clock.now())
            done += 1
            told(done, AT_ONCE)
        if done >= AT_ONCE:
            break
    if done:
        catalogue_of(service).look_again()
    return done


def _lacking() -> Any:
    """Published versions with a table that nobody has looked through."""
    query = select(VersionRow).join(
        ResourceRow, (ResourceRow.id == VersionRow.resource_id) & (ResourceRow.version == VersionRow.number)
    )
    return query.where(VersionRow.table_id.is_not(None), VersionRow.report["where"].as_string().is_(None))


def _waiting(session: Session, most: int) -> list[str]:
    query = _lacking().join(DatasetRow, DatasetRow.id == ResourceRow.dataset_id).where(DatasetRow.state == "published")
    found = session.scalars(query.with_only_columns(ResourceRow.dataset_id).distinct().limit(most))
    return list(found)


def _fill(service: Service, tenant: str, dataset_id: str, now: datetime) -> None:
    with service.database.reading(tenant=tenant) as session:
        query = _lacking().where(ResourceRow.dataset_id == dataset_id)
        tables = {row.table_id: None for row in session.scalars(query) if row.table_id}
    found = {table_id: look(tables_of(service), tenant, table_id) for table_id in tables}
    if not any(found.values()):
        return
    with service.database.transaction(tenant=tenant) as session:
        dataset = datasets.by_id(session, dataset_id, lock=True)
        for row in session.scalars(_lacking().where(ResourceRow.dataset_id == dataset_id)):
            row.report = row.report | found.get(row.table_id or "", {})
        session.flush()
        if dataset.state == "published":
            project(session, dataset, now)
