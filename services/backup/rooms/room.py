"""The six promises of a room (libs.common.room), kept for the backup service."""

import tempfile
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from libs.common import audit
from libs.common.errors import Conflict
from libs.common.files import Store
from libs.common.jobs import Later
from libs.common.room import Progress, RoomRequest, Step, rows
from libs.common.room.archive import Format, Reader, Writer, fetched
from libs.common.service import Service
from services.backup.db import AllowanceRow, ObjectRow, RepositoryRow
from services.backup.db import objects as objects_db
from services.backup.db import repositories as db
from services.backup.domain.layout import place_of
from services.backup.rooms import tables
from services.backup.settings import held, settings_of
from services.backup.use_cases.read import Found, open_object
from services.backup.use_cases.sites import key_of

FORMAT = Format("kyodo-backup-room", 1, "データバックアップ", compressed=False)
"""Each folder under `repositories/` is restic's own: `restic -r repositories/<name> snapshots`. It is encrypted already."""
MAX_ARCHIVE = 64 * 1024**4
"""Bytes."""
SITE_AWAY = 300.0
"""Seconds until a deletion looks again whether both sites are there."""


class BackupRoom:
    """Made with the process's service. Every step is a transaction of its own and looks first at what is there."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._database = service.database
        self._clock = service.clock
        self._store: Store = service.extras["files"]
        self._places = held(service)

    def provision(self, request: RoomRequest) -> Progress:
        """Give the municipality its allowance; an existing one stays as it is."""
        with self._database.transaction(tenant=request.tenant) as session:
            if session.scalar(select(AllowanceRow)) is None:
                session.add(AllowanceRow(quota=settings_of(self._service).backup_tenant_quota, live=0, held=0))
        yield Step(1, 1, "保管庫を作れるようにしました")
        return {}

    def suspend(self, request: RoomRequest) -> Progress:
        """The door is closed by the room's state; copying and checking go on, for what is kept must stay whole."""
        yield Step(1, 1, "新しいバックアップの受け取りを止めました。データは残っています")
        return {}

    def resume(self, request: RoomRequest) -> Progress:
        yield Step(1, 1, "バックアップの受け取りを再開しました")
        return {}

    # ---- out

    def export(self, request: RoomRequest) -> Progress:
        """One ZIP: JSON lines of every table, the audit record, and every repository as restic's own folder."""
        with tempfile.TemporaryFile() as target:
            writer = Writer(target, FORMAT, request.tenant, self._clock.now())
            with self._database.reading(tenant=request.tenant) as session:
                repositories = db.everything(session)
                total = len(repositories) + 2
                for name, model in tables.CARRIED.items():
                    writer.add(f"{name}.jsonl", tables.dumped(session, model))
                writer.add("audit.jsonl", (line.encode() for line in audit.export_lines(session)))
                yield Step(1, total, "保管庫と記録の一覧を書き出しました")
                for number, repository in enumerate(repositories, start=2):
                    for row in objects_db.live_and_kept(session, repository.id):
                        writer.add(member_of(repository, row), self._bytes(row))
                    yield Step(number, total, f"「{repository.title}」を書き出しました")
            writer.close()
            target.seek(0)
            stored = self._store.put(request.tenant, target, limit=MAX_ARCHIVE)
        yield Step(total, total, "書き出しを1つのファイルにまとめました")
        return {"file": stored.id, "size": stored.size, "sha256": stored.sha256}

    def _bytes(self, row: ObjectRow) -> Iterator[bytes]:
        with open_object(Found(key_of(row), row.size, self._places.sites)) as reader:
            yield from reader.blocks(0, reader.size, once=True)

    # ---- in

    def import_(self, request: RoomRequest) -> Progress:
        """Fill a room from such an archive. Bytes first, rows after them: a row never speaks of a file that is not there."""
        with fetched(self._store, request) as source:
            reader = Reader(source, FORMAT, request.tenant)
            found = rows.loaded(RepositoryRow, reader.lines("repositories.jsonl"), request.tenant)
            repositories = {row.id: row for row in found}
            self._refuse_other_content(request, set(repositories))
            total = 2 + len(tables.CARRIED)
            yield Step(1, total, "書き出しファイルを確かめました")
            self._take_in_bytes(request, reader, repositories)
            yield Step(2, total, "保管庫の中身を取り込みました")
            for number, (name, model) in enumerate(tables.CARRIED.items(), start=3):
                rows.take_in(self._database, model, reader.lines(f"{name}.jsonl"), request.tenant)
                yield Step(number, total, "データの表を取り込みました")
        return {}

    def _refuse_other_content(self, request: RoomRequest, carried: set[str]) -> None:
        with self._database.reading(tenant=request.tenant) as session:
            if {row.id for row in db.everything(session)} - carried:
                raise Conflict(
                    "この部屋には、書き出しファイルにない保管庫があります。空の部屋に取り込んでください。",
                    code="room-not-empty",
                )

    def _take_in_bytes(self, request: RoomRequest, reader: Reader, repositories: dict[str, Any]) -> None:
        """Each object is checked against its own name, not only against the manifest."""
        for row in rows.loaded(ObjectRow, reader.lines("objects.jsonl"), request.tenant):
            if self._places.first.size(key_of(row)) == row.size:
                continue
            with self._places.first.begin() as upload:
                for piece in reader.pieces(member_of(repositories[row.repository_id], row)):
                    upload.write([piece])
                upload.seal(key_of(row))
                upload.keep()

    # ---- away

    def delete(self, request: RoomRequest) -> Progress:
        """Rows first, then bytes on both sites. The audit record stays: it tells of the deletion.

        While a site is away it waits: else that site would come back with everything, and nobody would know of it.
        """
        if not all(site.up for site in self._places.sites):
            raise Later(SITE_AWAY)
        with self._database.reading(tenant=request.tenant) as session:
            ids = [row.id for row in db.everything(session)]
        with self._database.transaction(tenant=request.tenant) as session:
            for model in tables.REMOVED:
                tables.remove(session, model)
        yield Step(1, 3, "保管庫の記録を消しました")
        for site in self._places.sites:
            site.remove_tenant(request.tenant)
        yield Step(2, 3, f"{len(ids)}個の保管庫の中身を、両方の保管場所から消しました")
        self._store.delete_all(request.tenant)
        yield Step(3, 3, "書き出したファイルを消しました")
        return {}


def member_of(repository: RepositoryRow, row: ObjectRow) -> str:
    """Where restic's own folder has this file. Deleted ones that are still kept stand beside, in a folder of their own."""
    if row.deleted_at is not None:
        return f"deleted/{repository.name}/{row.type}/{row.name}"
    return f"repositories/{repository.name}/{place_of(row.type, row.name)}"
