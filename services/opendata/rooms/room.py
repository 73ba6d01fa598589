"""The six promises of a room (libs.common.room), kept for open data."""

import tempfile

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from libs.common import audit, webhooks
from libs.common.errors import Conflict
from libs.common.files import Store
from libs.common.room import Progress, RoomRequest, Step
from libs.common.room.archive import Format, Reader, Writer, fetched
from libs.common.room.rows import dumped, loaded, take_in
from libs.common.service import Service
from services.opendata.db import DatasetRow, DraftRow, FollowRow, PublishedGroupRow, VersionRow, datasets, published
from services.opendata.db.sensors import PublishedStreamRow
from services.opendata.db.voices import AppRow, PublishedVoiceRow
from services.opendata.rooms import rows
from services.opendata.use_cases import directory, project, sensors, voices

FORMAT = Format("kyodo-opendata-room", 1, "オープンデータ", max_ratio=1100)
"""Tables may be all zeros, which DEFLATE packs 1032 : 1 at most; what an archive unpacks to is bounded by `MAX_ARCHIVE`."""
MAX_ARCHIVE = 500 * 1024**3
"""Bytes."""


class OpendataRoom:
    """Made with the process's service. Every step is a transaction of its own and looks first at what is there."""

    def __init__(self, service: Service) -> None:
        self._database = service.database
        self._clock = service.clock
        self._store: Store = service.extras["files"]

    def provision(self, request: RoomRequest) -> Progress:
        """An empty room needs nothing: the first file makes the first row."""
        yield Step(1, 1, "データを公開できるようにしました")
        return {}

    def suspend(self, request: RoomRequest) -> Progress:
        """What is published is no longer shown; it stays."""
        with self._database.transaction(tenant=request.tenant) as session:
            count = project.close(session, "closed")
            sensors.close(session)
            voices.close(session)
        yield Step(1, 1, f"{count}件のデータセットの公開を止めました。データは残っています")
        return {}

    def resume(self, request: RoomRequest) -> Progress:
        with self._database.transaction(tenant=request.tenant) as session:
            count = project.close(session, "published")
            sensors.publish_streams(session)
            voices.publish_voices(session)
        yield Step(1, 1, f"{count}件のデータセットをふたたび公開しました")
        return {}

    # ---- out

    def export(self, request: RoomRequest) -> Progress:
        """One ZIP: JSON lines of every table, every file as it was sent and published, tables as SQLite, the record."""
        total = len(rows.CARRIED) + 3
        with tempfile.TemporaryFile() as target:
            writer = Writer(target, FORMAT, request.tenant, self._clock.now())
            with self._database.reading(tenant=request.tenant) as session:
                for number, (name, model) in enumerate(rows.CARRIED.items(), start=1):
                    writer.add(f"{name}.jsonl", dumped(session, model))
                    yield Step(number, total, "データの表を書き出しました")
                writer.add("audit.jsonl", (_bytes(line) for line in audit.export_lines(session)))
                yield Step(total - 2, total, "記録を書き出しました")
                for file_id in sorted(files_of(session)):
                    with self._store.open(request.tenant, file_id) as opened:
                        writer.add(f"files/{file_id}", opened.chunks)
                yield Step(total - 1, total, "データファイルを書き出しました")
            writer.close()
            target.seek(0)
            stored = self._store.put(request.tenant, target, limit=MAX_ARCHIVE)
        yield Step(total, total, "書き出しを1つのファイルにまとめました")
        return {"file": stored.id, "size": stored.size, "sha256": stored.sha256}

    # ---- in

    def import_(self, request: RoomRequest) -> Progress:
        """Fill a room from such an archive; what was public there is public here."""
        total = len(rows.CARRIED) + 3
        with fetched(self._store, request) as source:
            reader = Reader(source, FORMAT, request.tenant)
            self._refuse_other_content(request, reader)
            yield Step(1, total, "書き出しファイルを確かめました")
            self._take_in_files(request, reader)
            yield Step(2, total, "データファイルを取り込みました")
            for number, (name, model) in enumerate(rows.CARRIED.items(), start=3):
                take_in(self._database, model, reader.lines(f"{name}.jsonl"), request.tenant)
                yield Step(number, total, "データの表を取り込みました")
        with self._database.transaction(tenant=request.tenant) as session:
            directory.publish_groups(session)
            sensors.publish_streams(session)
            for dataset in datasets.listed(session):
                if dataset.state != "draft":
                    project.project(session, dataset, self._clock.now())
            voices.publish_voices(session)
        yield Step(total, total, "取り込んだデータを公開しました")
        return {}

    def _refuse_other_content(self, request: RoomRequest, reader: Reader) -> None:
        with self._database.reading(tenant=request.tenant) as session:
            for name, model in (("datasets", DatasetRow), ("drafts", DraftRow)):
                carried = {row.id for row in loaded(model, reader.lines(f"{name}.jsonl"), request.tenant)}
                if set(session.scalars(select(model.id))) - carried:
                    raise Conflict(
                        "この部屋には、書き出しファイルにないデータがあります。空の部屋に取り込んでください。",
                        code="room-not-empty",
                    )

    def _take_in_files(self, request: RoomRequest, reader: Reader) -> None:
        present = {file_id for file_id, _, _ in self._store.list(request.tenant)}
        for name in reader.names:
            folder, _, file_id = name.partition("/")
            if folder == "files" and file_id not in present:
                self._store.put(request.tenant, reader.pieces(name), limit=MAX_ARCHIVE, file_id=file_id)

    # ---- away

    def delete(self, request: RoomRequest) -> Progress:
        """First from the public, then rows, then bytes. The audit record stays: it tells of the deletion."""
        with self._database.transaction(tenant=request.tenant) as session:
            project.forget(session, published.of_tenant(session, request.tenant))
            for shared in (PublishedGroupRow, FollowRow, PublishedStreamRow, PublishedVoiceRow):
                session.execute(delete(shared).where(shared.tenant == request.tenant))
        yield Step(1, 3, "公開を取りやめました")
        with self._database.transaction(tenant=request.tenant) as session:
            for model in reversed(rows.CARRIED.values()):
                session.execute(delete(model))
            webhooks.forget_all(session)
        yield Step(2, 3, "データセットの記録を消しました")
        self._store.delete_all(request.tenant)
        yield Step(3, 3, "データファイルを消しました")
        return {}


def files_of(session: Session) -> set[str]:
    """Every stored file that a row of the municipality knows."""
    known: set[str | None] = set()
    for row in session.execute(select(VersionRow.source_id, VersionRow.file_id, VersionRow.table_id)):
        known.update(row)
    columns = (DraftRow.file_id, DraftRow.repaired_file, DraftRow.repaired_table, DraftRow.original_table)
    for row in session.execute(select(*columns)):
        known.update(row)
    known.update(session.scalars(select(AppRow.picture_id)))
    return {file_id for file_id in known if file_id}


def _bytes(line: str | bytes) -> bytes:
    return line if isinstance(line, bytes) else line.encode()
