"""A file on its way to being published: kept, read, looked at, thrown away."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, BinaryIO

from sqlalchemy.orm import Session

from libs.common import jobs, room
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, Refusal, say
from libs.common.files import StoredFile
from libs.common.ids import new_id
from libs.common.service import Service
from services.opendata.db import DatasetRow, DraftRow, datasets
from services.opendata.domain import standards
from services.opendata.domain.publisher import Publisher
from services.opendata.settings import files_of, settings_of, tables_of
from services.opendata.use_cases.examine import STEPS, Source, Tell, examine

AT_ONCE = 3 * 1024 * 1024
"""Bytes up to which a file is read while the clerk waits; larger ones are read by a job, with progress shown."""
READ = "opendata.read-draft"
PLACE = re.compile(r"[A-Z]{1,3}[1-9][0-9]{0,6}", re.ASCII)
"""A cell as Excel names it."""
CORRECTED, LONGEST = 500, 4_000
"""Cells that may be written anew in the cloud, and characters of one."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What came with a file. `dataset` and `resource`: what it is a new version of."""

    filename: str
    dataset: str | None = None
    resource: str | None = None


def keep(service: Service, actor: Actor, stream: BinaryIO) -> StoredFile:
    """The bytes, durable, before anything is said of them."""
    assert actor.tenant is not None
    return files_of(service).put(actor.tenant, stream, limit=settings_of(service).opendata_file_limit)


def begin(session: Session, actor: Actor, sent: Sent, stored: StoredFile, now: datetime) -> DraftRow:
    """A draft of the stored file. Large files are put on the list of jobs. NotFound where it is no version of anything."""
    if sent.dataset:
        datasets.by_id(session, sent.dataset)
    if sent.resource and datasets.resource(session, sent.resource).dataset_id != sent.dataset:
        datasets.resource(session, "")
    row = DraftRow(
        id=new_id(), dataset_id=sent.dataset, resource_id=sent.resource, file_id=stored.id, filename=sent.filename[-255:],
        media_type=stored.media_type, size=stored.size, sha256=stored.sha256, state="reading", report={},
        created_at=now, created_by=actor.subject,
    )  # fmt: skip
    session.add(row)
    session.flush()
    _order(session, row, now)
    return row


def _order(session: Session, row: DraftRow, now: datetime) -> None:
    """A large file is read by a job, whose id stands in the report until it has."""
    if row.size > AT_ONCE:
        job = jobs.add(session, READ, {"draft": row.id}, tenant=row.tenant_id, key=new_id(), now=now)
        row.report = row.report | {"job": job}


def progress(session: Session, row: DraftRow) -> jobs.JobState:
    """How far the reading of a draft is; its `status` is "dead" where it was given up, or its job was left behind in a move."""
    waiting = jobs.JobState("", READ, "pending", None, None, None)
    try:
        found = jobs.find(session, row.report["job"]) if "job" in row.report else waiting
    except NotFound:
        found = replace(waiting, status="dead")
    return replace(found, done=found.done or 0, total=found.total or STEPS)


def read_once_more(session: Session, draft_id: str, now: datetime) -> DraftRow:
    """Where reading was given up (a disk that was full, say), it begins anew. What is read or goes on is left."""
    row = datasets.draft(session, draft_id, lock=True)
    if row.state == "reading" and progress(session, row).status == "dead":
        _order(session, row, now)
    return row


def read_now(service: Service, tenant: str, draft_id: str, tell: Tell = lambda *_: None) -> None:
    """Read a draft's file and keep what was understood. Repeating is safe: what is read is left as it is."""
    with service.database.reading(tenant=tenant) as session:
        row = datasets.draft(session, draft_id)
        place = session.get(room.RoomRow, tenant)
    if row.state != "reading":
        return
    stored = StoredFile(row.file_id, row.size, row.sha256, row.media_type)
    publisher = Publisher(place.code or tenant, place.name or "") if place else Publisher()
    source = Source(tenant, stored, row.filename, publisher, row.report.get("asked"),
                    row.report.get("sheet_asked"), row.report.get("corrected", {}))  # fmt: skip
    try:
        found = examine(files_of(service), tables_of(service), source, tell)
    except Refusal as refusal:
        _finish(service, tenant, draft_id, {"state": "unreadable", "report": {"reason": str(refusal.message)}})
        return
    told: dict[str, Any] = {
        "state": "read", "report": found.report | _asked(row), "original_table": found.original_table,
        "repaired_table": found.repaired_table, "repaired_file": found.repaired_file,
    }  # fmt: skip
    _finish(service, tenant, draft_id, told)


def _asked(row: DraftRow) -> dict[str, Any]:
    """What a person said of the file, which holds however often it is read again."""
    return {
        name: row.report[name] for name in ("asked", "sheet_asked", "corrected") if row.report.get(name) is not None
    }


def read_as(session: Session, draft_id: str, kind: str, now: datetime) -> DraftRow:
    """The clerk says which recommended data set a file follows ("" for none): it is read again, as that."""
    return _read_again(session, draft_id, {"asked": kind if standards.kind(kind) else ""}, now)


def correct(session: Session, draft_id: str, cells: Mapping[str, str], now: datetime) -> DraftRow:
    """The clerk writes some cells anew ({"J6": "2019-02-28"}, an empty text for a cell that is left as it is): the file is read again with
    these. The file as sent stays as it was. Invalid `too-many` beyond `CORRECTED` cells."""
    row = datasets.draft(session, draft_id)
    written = {place: value[:LONGEST] for place, value in cells.items() if value.strip() and PLACE.fullmatch(place)}
    corrected = row.report.get("corrected", {}) | written
    if len(corrected) > CORRECTED:
        sentence = say("画面で直せるのは%(most)sか所までです。ファイルを直して送ってください。", most=CORRECTED)
        raise Invalid(sentence, code="too-many")
    return _read_again(session, draft_id, {"corrected": corrected}, now)


def _read_again(session: Session, draft_id: str, said: dict[str, Any], now: datetime) -> DraftRow:
    row = datasets.draft(session, draft_id, lock=True)
    if row.state in ("read", "unreadable"):
        row.state, row.report = "reading", _asked(row) | said
        _order(session, row, now)
    return row


def take_sheets(session: Session, actor: Actor, draft_id: str, now: datetime) -> list[DraftRow]:
    """A draft for each other sheet of the workbook; those that have one already are left."""
    row = datasets.draft(session, draft_id, lock=True)
    sheets = row.report.get("other_sheets", [])
    there = {each.report.get("sheet_asked") for each in datasets.drafts(session) if each.file_id == row.file_id}
    stored = StoredFile(row.file_id, row.size, row.sha256, row.media_type)
    made = []
    for sheet in sheets:
        if sheet not in there:
            draft = begin(session, actor, Sent(row.filename), stored, now)
            draft.report = draft.report | {"sheet_asked": sheet}
            made.append(draft)
    return made


def _finish(service: Service, tenant: str, draft_id: str, values: dict[str, Any]) -> None:
    with service.database.transaction(tenant=tenant) as session:
        row = datasets.draft(session, draft_id, lock=True)
        for name, value in values.items():
            setattr(row, name, value)


def discard(session: Session, draft_id: str) -> None:
    """Forget a draft; its files are swept. What was published stays."""
    row = datasets.draft(session, draft_id, lock=True)
    if row.state != "published":
        session.delete(row)


def proposed(row: DraftRow, dataset: DatasetRow | None) -> dict[str, str]:
    """What the form to publish begins with: what the data set says already, or what the file let us guess."""
    if dataset is not None:
        return {"title": dataset.title, "notes": dataset.notes, "theme": dataset.theme, "license": dataset.license,
                "frequency": dataset.frequency, "tags": "、".join(dataset.tags)}  # fmt: skip
    told = row.report.get("proposed", {})
    return {"title": told.get("title", ""), "notes": told.get("notes", ""), "theme": told.get("theme", "GOVE"),
            "license": "cc-by", "frequency": told.get("frequency", "IRREG"), "tags": "、".join(told.get("tags", []))}  # fmt: skip
