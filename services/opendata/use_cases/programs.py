"""What programs with a machine token write: data sets and files, as CKAN's clients send them.

The token's municipality is the only one they write for. Personal data stops a program as it stops a clerk; a program
cannot confirm, a person has to publish that file.
"""

import mimetypes
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import Any, BinaryIO

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit, outbox
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound
from libs.common.ids import new_id
from libs.common.service import Service
from services.opendata.db import (
    DatasetRow,
    DraftRow,
    PublishedResourceRow,
    PublishedRow,
    ResourceRow,
    VersionRow,
    datasets,
    gathering,
    published,
)
from services.opendata.domain.describe import DRAFT, is_private, name_problem, tags_of
from services.opendata.domain.vocabulary import FREQUENCIES, proposed_theme
from services.opendata.events import DatasetWithdrawn
from services.opendata.reading.package import acts
from services.opendata.use_cases import drafts, views
from services.opendata.use_cases.project import document, project
from services.opendata.use_cases.publish import kept_report, tell

STAYING = ("hash", "size", "url_type", "cache_url", "cache_last_updated", "last_modified", views.KEY)
"""What stays of a file though an update does not name it (CKAN's columns that are not `remove_if_not_provided`)."""
DELETED = "deleted_by_program"
"""In `about` of a data set that a program took away: a program may bring it back, or use its name again."""


@dataclass(frozen=True)
class Wish:
    """A data set as a program describes it. None: not said, leave it as it is."""

    name: str | None = None
    title: str | None = None
    notes: str | None = None
    license: str | None = None
    theme: str | None = None
    tags: tuple[str, ...] | None = None
    extras: tuple[tuple[str, str], ...] | None = None
    private: bool | None = None
    state: str | None = None
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FileWish:
    """A file as a program describes it. None: leave it. `about`: whatever else it says; `partly`: added to what was said."""

    name: str | None = None
    description: str | None = None
    format: str | None = None
    url: str | None = None
    about: dict[str, Any] | None = None
    partly: bool = False


# ---- what one's own municipality has


def own(service: Service, actor: Actor, name_or_id: str) -> PublishedRow | None:
    """One's own data set, private and withdrawn ones too, in the shape of published ones; None if there is none."""
    with service.database.reading(tenant=actor.tenant) as session:
        row = find(session, name_or_id)
        return as_published(session, row) if row else None


def own_hidden(service: Service, actor: Actor) -> list[PublishedRow]:
    """One's own private data sets and drafts, in the shape of published ones; not those that were withdrawn."""
    with service.database.reading(tenant=actor.tenant) as session:
        rows = session.scalars(select(DatasetRow).where(DatasetRow.state == "draft"))
        return [as_published(session, row) for row in rows]


def own_resource(service: Service, actor: Actor, resource_id: str) -> PublishedRow | None:
    with service.database.reading(tenant=actor.tenant) as session:
        resource = session.scalar(select(ResourceRow).where(ResourceRow.id == resource_id))
        return as_published(session, datasets.by_id(session, resource.dataset_id)) if resource else None


def as_published(session: Session, row: DatasetRow) -> PublishedRow:
    """Not added to any session: for showing only."""
    told = document(session, row)
    return PublishedRow(
        id=row.id,
        tenant=row.tenant_id,
        name=row.name,
        state=row.state,
        change=0,
        document=told,
        modified_at=row.modified_at,
    )


def find(session: Session, name_or_id: str) -> DatasetRow | None:
    query = select(DatasetRow).where((DatasetRow.id == name_or_id) | (DatasetRow.name == name_or_id))
    return session.scalar(query)


def get(session: Session, name_or_id: str) -> DatasetRow:
    """Of the session's municipality, for changing. NotFound for another's, too."""
    found = find(session, name_or_id)
    if found is None:
        raise NotFound("Not found", code="unknown-dataset")
    return datasets.by_id(session, found.id, lock=True)


# ---- data sets


def _check_name(session: Session, name: str, now: datetime) -> None:
    """A program may use a name again whose data set a program has deleted: that one goes by its id from now on."""
    problem = name_problem(name)
    if problem:
        raise Invalid("name", fields={"name": problem})
    old = find(session, name)
    if old is not None and old.state == "withdrawn" and old.about.get(DELETED):
        old.name = old.id
        session.flush()
        project(session, old, now)
    elif old is not None or published.find(session, name):
        raise Conflict("That URL is already in use.", code="name-taken")


def create(session: Session, wish: Wish, now: datetime, ident: str | None = None) -> DatasetRow:
    """Not public before `settle`. Conflict (`name-taken`) if anybody's data set has the name."""
    name = wish.name or ""
    _check_name(session, name, now)
    if ident and (find(session, ident) or published.find(session, ident)):
        raise Invalid("id", fields={"id": "Dataset id already exists"})
    title = wish.title or name
    row = DatasetRow(
        id=ident or new_id(), name=name, title=title[:200], notes="", theme=proposed_theme(title, ""), 
        license="", frequency="", kind="", tags=[],
        about={}, state="draft", version=0, reason="", created_at=now, modified_at=now,
    )  # fmt: skip
    session.add(row)
    change(row, wish)
    session.flush()
    return row


def update(session: Session, actor: Actor, name_or_id: str, wish: Wish, now: datetime) -> DatasetRow:
    """What the wish says is changed."""
    row = get(session, name_or_id)
    if wish.name is not None and wish.name != row.name:
        _check_name(session, wish.name, now)
    change(row, wish)
    if row.state != "withdrawn" or wish.state == "active":
        place(session, actor, row, wish, now)
    return row


def place(session: Session, actor: Actor, row: DatasetRow, wish: Wish, now: datetime) -> None:
    """Where the wish wants it: public, private, a draft that its program is not done with, or deleted."""
    if wish.state == "deleted":
        remove(session, actor, row.id, now)
        return
    private = is_private(row.state, row.about) if wish.private is None else wish.private
    draft = DRAFT in row.about if wish.state is None else wish.state == "draft"
    about = {name: value for name, value in row.about.items() if name != DRAFT}
    row.about = about | ({DRAFT: "private" if private else "public"} if draft else {})
    settle(session, actor, row, private=private or draft, now=now)


def change(row: DatasetRow, wish: Wish) -> None:
    """Write what the wish says into the row."""
    for column, most in (("name", 100), ("title", 200), ("notes", 100_000), ("license", 40), ("theme", 20)):
        value = getattr(wish, column)
        if value is not None:
            setattr(row, column, value[:most])
    if wish.tags is not None:
        row.tags = list(tags_of(wish.tags))
    about = {name: value for name, value in (row.about | wish.about).items() if value is not None}
    if wish.extras is not None:
        told = dict(wish.extras)
        frequency = told.pop("frequency", row.frequency)
        row.frequency = frequency if frequency in FREQUENCIES else row.frequency
        told.pop("standard_dataset", None)
        about |= {"extras": [{"key": key, "value": value} for key, value in told.items()]}
    row.about = {name: value for name, value in about.items() if value != []}


def drop_tag(session: Session, actor: Actor, tag: str, now: datetime) -> bool:
    """A word out of all data sets of the session's municipality; whether any had it."""
    holding = [row.id for row in datasets.listed(session) if tag in row.tags]
    for ident in holding:
        row = datasets.by_id(session, ident, lock=True)
        row.tags = [each for each in row.tags if each != tag]
        if row.state != "withdrawn":
            settle(session, actor, row, private=row.state == "draft", now=now)
    return bool(holding)


def settle(session: Session, actor: Actor, row: DatasetRow, *, private: bool, now: datetime) -> None:
    """Public with what has changed, or private from now on. What was withdrawn stays withdrawn until a person says else.
    A program that sends every night what is there already changes nothing, and nobody is told of it."""
    if row.state == "withdrawn" and not row.about.get(DELETED):
        return
    row.about = {name: value for name, value in row.about.items() if name != DELETED}
    if not private and _as_everybody_reads_it(session, row):
        return
    if not private:
        tell(session, actor, row, "dataset.published", now)
        return
    if row.state == "published":
        _hide(session, actor, row, "非公開に変更しました。", now)
    row.state, row.modified_at = "draft", now


def _as_everybody_reads_it(session: Session, row: DatasetRow) -> bool:
    session.flush()
    shown = session.get(PublishedRow, row.id)
    return shown is not None and shown.state == row.state == "published" and shown.document == document(session, row)


def remove(session: Session, actor: Actor, name_or_id: str, now: datetime) -> DatasetRow:
    """CKAN's deletion: nobody finds it any more; it is withdrawn here, with all its versions kept."""
    row = get(session, name_or_id)
    if row.state == "published":
        row.about = row.about | {DELETED: True}
        _hide(session, actor, row, "公開者が取りやめました。", now)
    elif row.state == "draft":
        row.about, row.state = row.about | {DELETED: True}, "withdrawn"
    return row


def purge(session: Session, actor: Actor, name_or_id: str, now: datetime) -> None:
    """Taken away, and its name is free. What was once published is kept with its record."""
    row = remove(session, actor, name_or_id, now)
    row.name = row.id
    session.flush()
    if published.find(session, row.id):
        project(session, row, now)


def _hide(session: Session, actor: Actor, row: DatasetRow, reason: str, now: datetime) -> None:
    row.state, row.reason, row.modified_at = "withdrawn", reason, now
    session.flush()
    at = project(session, row, now).modified_at
    event = DatasetWithdrawn(dataset_id=row.id, datasets=datasets.published_count(session), withdrawn_at=at)
    outbox.add(session, event, subject=row.id, now=now)
    audit.record(session, actor, "dataset.withdrawn", row.id, reason=reason, now=now)


# ---- files


def read_upload(service: Service, actor: Actor, stream: BinaryIO, filename: str, now: datetime) -> str:
    """Keep and read a file that was sent along; the draft's id. A file that is no table is kept as it is; Invalid for one that
    does something when it is opened: nobody looked at it, and everybody may open it."""
    if acts(stream):
        sentence = (
            "マクロやほかのファイルへのつながりがあるファイルは公開できません。値だけのファイルを送ってください。"
        )
        raise Invalid(sentence, code="acting-workbook", fields={"upload": sentence})
    stored = drafts.keep(service, actor, stream)
    with service.database.transaction(tenant=actor.tenant) as session:
        draft = drafts.begin(session, actor, drafts.Sent(filename), stored, now)
        draft_id, tenant = draft.id, draft.tenant_id
    drafts.read_now(service, tenant, draft_id)
    return draft_id


def add_file(
    session: Session, actor: Actor, dataset: DatasetRow, wish: FileWish, draft_id: str | None, now: datetime,
    ident: str | None = None,
) -> ResourceRow:  # fmt: skip
    """A further file or address of a data set; `ident`: an id of the program's own choice. Conflict if a file has it."""
    if ident and (session.get(PublishedResourceRow, ident) or _known(session, ident)):
        raise Invalid("id", fields={"id": "Resource id already exists."})
    position = len(datasets.resources(session, dataset.id))
    row = ResourceRow(
        id=ident or new_id(), dataset_id=dataset.id, position=position, name="", description="", format="", url="", version=0, about={},
        created_at=now, modified_at=now,
    )  # fmt: skip
    session.add(row)
    change_file(session, actor, row, wish, draft_id, now)
    return row


def _known(session: Session, ident: str) -> bool:
    return session.scalar(select(ResourceRow.id).where(ResourceRow.id == ident)) is not None


def change_file(
    session: Session, actor: Actor, row: ResourceRow, wish: FileWish, draft_id: str | None, now: datetime
) -> None:
    before = _said_of(row)
    for column in ("name", "description", "format", "url"):
        value = getattr(wish, column)
        if value is not None:
            setattr(row, column, value[:200] if column == "name" else value[:40] if column == "format" else value)
    if wish.about is not None:
        before_it = row.about if wish.partly else {name: row.about[name] for name in STAYING if name in row.about}
        row.about = {name: value for name, value in (before_it | wish.about).items() if value not in (None, "")}
    if draft_id or _said_of(row) != before:
        row.modified_at = now
    session.flush()
    if draft_id:
        _take_in(session, actor, row, datasets.draft(session, draft_id, lock=True), now)


def _said_of(row: ResourceRow) -> tuple[Any, ...]:
    return row.name, row.description, row.format, row.url, row.about


def _take_in(session: Session, actor: Actor, row: ResourceRow, draft: DraftRow, now: datetime) -> None:
    """The read file becomes the resource's next version, as it was sent."""
    if "sheet-hidden" in draft.report.get("counts", {}):
        sentence = "非表示のシートがあるファイルは公開できません。非表示のシートを削除して送ってください。"
        raise Invalid("upload", fields={"upload": sentence}, code="hidden-sheets")
    if risks := [*draft.report.get("personal", []), *draft.report.get("personal_elsewhere", [])]:
        message = risks[0]["message"]
        raise Invalid(
            "upload", fields={"upload": f"{message} 画面から、理由を付けて公開してください。"}, code="personal-data"
        )
    told: dict[str, Any] = draft.report.get("original") or {
        "filename": draft.filename, "media_type": mimetypes.guess_type(draft.filename)[0] or draft.media_type,
        "size": draft.size, "sha256": draft.sha256, "rows": 0, "columns": [],
    }  # fmt: skip
    row.version += 1
    row.url = ""
    row.name = row.name or draft.filename
    row.format = row.format or (draft.report.get("format") or PurePath(draft.filename).suffix.removeprefix(".")).upper()
    version = VersionRow(
        resource_id=row.id, number=row.version, source_id=draft.file_id, file_id=draft.file_id, table_id=draft.original_table,
        filename=told["filename"], media_type=told["media_type"], size=told["size"], sha256=told["sha256"], rows=told["rows"],
        columns=told["columns"], report=kept_report(draft.report, repaired=False),
        repaired=False, published_at=now, published_by=actor.subject,
    )  # fmt: skip
    session.add(version)
    session.delete(draft)
    session.flush()


def remove_file(session: Session, row: ResourceRow) -> None:
    """With its versions; their bytes are swept."""
    for version in datasets.versions(session, row.id):
        session.delete(version)
    if (renewed := gathering.schedule(session, row.id)) is not None:
        session.delete(renewed)
    session.flush()
    session.delete(row)
    session.flush()


def reorder(session: Session, actor: Actor, dataset: DatasetRow, ids: list[str], now: datetime) -> None:
    """The files in the order of `ids` (all of them)."""
    for row in datasets.resources(session, dataset.id):
        row.position = ids.index(row.id)
    session.flush()
    settle(session, actor, dataset, private=dataset.state == "draft", now=now)
