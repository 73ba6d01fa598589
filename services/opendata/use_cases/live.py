"""Data sets that make themselves of what other services tell: heard, noted, and a moment later published anew.

What is heard is noted in the transaction of the event; the job that makes the table comes two seconds later and serves all that
was heard until then. A data set a person has withdrawn is left alone until a person publishes it again.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from libs.common import csvout, jobs, room
from libs.common.actor import Actor
from libs.common.clock import JST
from libs.common.files import StoredFile
from libs.common.ids import new_id
from libs.common.room import RoomRow
from libs.common.room.table import OPEN, state_of
from libs.common.service import Service
from services.opendata.datastore import Built
from services.opendata.db import DatasetRow, ResourceRow, VersionRow, datasets, facts
from services.opendata.domain import live
from services.opendata.domain.describe import Description
from services.opendata.domain.live import Row, Source
from services.opendata.settings import catalogue_of, files_of, settings_of, tables_of
from services.opendata.use_cases.publish import new_dataset, tell

MAKE = "opendata.make-live"
SOON = timedelta(seconds=2)
MAX_CSV = 1024**3
US = Actor("service", "opendata", "自動更新")
Told = dict[str, Any]


# ---- heard


def note_tender(session: Session, part: str, told: Told, now: datetime) -> None:
    """`part`: published or result; they may come in any order, and twice."""
    setattr(facts.tender(session, told["tender_id"]), part, told)
    _soon(session, live.TENDERS, now)


def note_procedure(session: Session, told: Told, now: datetime) -> None:
    session.merge(
        facts.ProcedureFactRow(
            tenant_id=session.info["tenant"],
            procedure_id=told["procedure_id"],
            title=(told.get("title") or told["key"])[:200],
        )
    )
    _soon(session, live.APPLICATIONS, now)


def note_application(session: Session, told: Told, now: datetime) -> None:
    row = facts.application(session, told["application_id"])
    moment = datetime.fromisoformat(told["submitted_at"]).astimezone(JST)
    row.procedure_id, row.channel, row.month = told["procedure_id"], told["channel"], f"{moment:%Y-%m}"
    _soon(session, live.APPLICATIONS, now)


def note_outcome(session: Session, application_id: str, outcome: str, now: datetime) -> None:
    """approved, partly, refused or withdrawn."""
    facts.application(session, application_id).outcome = outcome
    _soon(session, live.APPLICATIONS, now)


def note_participation(
    session: Session, tenant: str, service: str, first: date | None, end: date | None, now: datetime
) -> None:
    """`first`: the first day of use; `end`: the first day without."""
    if first:
        session.merge(facts.ParticipationFactRow(tenant=tenant, service=service, from_date=first))
    else:
        running = [row for row in facts.participations(session) if (row.tenant, row.service) == (tenant, service)]
        for row in running:
            if end and row.until_date is None and row.from_date >= end:
                session.delete(row)  # called off, or moved, before it began: it never was
            else:
                row.until_date = row.until_date or end
    session.flush()
    _soon(session, live.PARTICIPATION, now)


def _soon(session: Session, source: Source, now: datetime) -> None:
    at = now + SOON
    jobs.add(session, MAKE, {"source": source.key}, key=f"{source.key}:{int(at.timestamp()) // 2}", now=now, at=at)


# ---- made


def make(service: Service, tenant: str, key: str, now: datetime) -> bool:
    """Publish what was heard so far; False where the municipality does not use open data, withdrew it, or has nothing to tell."""
    source = live.SOURCES[key]
    if source is live.PARTICIPATION:
        tenant = live.code_of_prefecture(
            settings_of(service).prefecture
        )  # it tells of all municipalities: the prefecture's own
    with service.database.reading(tenant=tenant) as session:
        if state_of(session, tenant) != OPEN:
            return False
        known, place = facts.live_dataset(session, key), session.get(RoomRow, tenant)
        if known is not None and known.state != "published":
            return False
        rows = list(READ[key](session))
        if known is None and not rows:
            return False  # a procedure without an application is no data yet
    table_id, built = tables_of(service).make(tenant, source.columns, lambda: rows)
    file = files_of(service).put(
        tenant, csvout.rows(([cell or "" for cell in row] for row in rows), header=source.columns), limit=MAX_CSV
    )
    with service.database.transaction(tenant=tenant) as session:
        room.check_open(session)
        actor = replace(US, tenant=tenant, code=(place.code if place else None) or tenant)
        _publish(session, actor, source, _links(service, actor, source), (table_id, built, file), now)
    catalogue_of(service).look_again()
    return True


def _tender_rows(session: Session) -> Iterable[Row]:
    return (live.tender_row(row.published, row.result) for row in facts.tenders(session))


def _application_rows(session: Session) -> Iterable[Row]:
    return live.application_rows(facts.application_counts(session), facts.procedure_titles(session))


def _participation_rows(session: Session) -> Iterable[Row]:
    places = {row.tenant: row for row in session.query(RoomRow)}
    for row in facts.participations(session):
        place = places.get(row.tenant)
        code, name = (place.code, place.name) if place else (None, None)
        until = row.until_date.isoformat() if row.until_date else None
        yield (code or row.tenant, name, live.service_name(row.service), row.from_date.isoformat(), until)


READ: dict[str, Callable[[Session], Iterable[Row]]] = {
    "tenders": _tender_rows, "applications": _application_rows, "participation": _participation_rows,
}  # fmt: skip


def _links(service: Service, actor: Actor, source: Source) -> list[tuple[str, str, str]]:
    """(name, format, address) of what the other service itself offers."""
    if source is not live.TENDERS:
        return []
    site = settings_of(service).public_url.rstrip("/")
    return [("入札の公告と結果（OCDS 1.1.5）", "JSON", f"{site}/t/{actor.code}/ebid/ocds/releases")]


def _publish(
    session: Session, actor: Actor, source: Source, links: list[tuple[str, str, str]], made: tuple[str, Built, StoredFile],
    now: datetime,
) -> None:  # fmt: skip
    dataset = facts.live_dataset(session, source.key) or _begin(session, actor, source, links, now)
    [resource] = [row for row in datasets.resources(session, dataset.id) if row.format == "CSV"]
    _replace(session, resource, source, made, now)
    tell(session, actor, dataset, "dataset.made", now)


def _begin(
    session: Session, actor: Actor, source: Source, links: list[tuple[str, str, str]], now: datetime
) -> DatasetRow:
    wish = Description(
        source.title,
        source.notes,
        source.theme,
        frequency=source.frequency,
        tags=source.tags,
        name=f"{actor.code}_{source.word}",
    )
    dataset = new_dataset(session, actor, wish, now)
    dataset.about = {"live": source.key}
    session.flush()
    for position, (name, format_, url) in enumerate([(source.title, "CSV", ""), *links]):
        session.add(
            ResourceRow(id=new_id(), dataset_id=dataset.id, position=position, name=name, description="", format=format_, url=url,
                        version=0, about={}, created_at=now, modified_at=now)
        )  # fmt: skip
    session.flush()
    return dataset


def _replace(
    session: Session, row: ResourceRow, source: Source, made: tuple[str, Built, StoredFile], now: datetime
) -> None:
    """The table and file in the place of the ones before; those are swept."""
    table_id, built, file = made
    if not row.version:
        row.version = 1
        session.add(
            VersionRow(resource_id=row.id, number=1, source_id="", file_id="", filename=f"{source.word}.csv", media_type="text/csv",
                       size=0, sha256="", rows=0, columns=[], report={}, repaired=False, published_at=now, published_by=US.subject)
        )  # fmt: skip
        session.flush()
    version = datasets.version(session, row.id, row.version)
    version.table_id, version.file_id, version.size, version.sha256 = table_id, file.id, file.size, file.sha256
    version.rows, version.columns = built.rows, [column.as_document() for column in built.columns]
    version.report = {}
    version.published_at = row.modified_at = now
