"""The six promises of a room (libs.common.room), kept for e-application."""

import tempfile
from collections.abc import Iterator
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from libs.common import audit, csvout, webhooks
from libs.common.clock import JST
from libs.common.errors import Conflict, NotFound
from libs.common.files import Store
from libs.common.room import Progress, RoomRequest, Step, rows
from libs.common.room.archive import Format, Reader, Writer, fetched
from libs.common.service import Service
from services.eapply.db import (
    ApplicationRow,
    AttachmentRow,
    DraftRow,
    NoticeDocumentRow,
    ProcedureRow,
    SharedProcedureRow,
)
from services.eapply.domain.states import WORDS, State
from services.eapply.forms.show import lines
from services.eapply.rooms import tables
from services.eapply.use_cases import procedures, templates
from services.eapply.use_cases.erase import erase

FORMAT = Format("kyodo-eapply-room", 1, "電子申請", max_ratio=1100)
"""A scanned empty page may be all zeros, which DEFLATE packs 1032 : 1 at most; what a file unpacks to is bounded by `MAX_ARCHIVE`."""
FIRST = frozenset({"jido-teate-nintei", "kodomo-iryo", "risai-shomei", "event-moushikomi"})
"""Published when the room is made; the other common procedures are offered as templates."""
MAX_ARCHIVE = 200 * 1024**3
"""Bytes."""


class EapplyRoom:
    """Made with the process's service. Every step is a transaction of its own and looks first at what is there."""

    def __init__(self, service: Service) -> None:
        self._database = service.database
        self._clock = service.clock
        self._store: Store = service.extras["files"]

    def provision(self, request: RoomRequest) -> Progress:
        """Publish the common procedures that the municipality does not have yet."""
        first = [each for each in templates.common() if each.key in FIRST]
        for number, procedure in enumerate(first, start=1):
            with self._database.transaction(tenant=request.tenant) as session:
                if session.scalar(select(ProcedureRow.id).where(ProcedureRow.key == procedure.key)) is None:
                    procedures.publish(session, procedure, self._clock.now())
                    taken = templates.offer(session, templates.COMMON, procedure.key)
                    templates.remember(session, procedure.key, taken, self._clock.now())
            yield Step(number, len(first), f"「{procedure.title}」を使えるようにしました")
        return {}

    def suspend(self, request: RoomRequest) -> Progress:
        """Nothing runs by itself in a closed room: timers go through open rooms only."""
        yield Step(1, 1, "新しい申請の受け付けを止めました。データは残っています")
        return {}

    def resume(self, request: RoomRequest) -> Progress:
        yield Step(1, 1, "申請の受け付けを再開しました")
        return {}

    # ---- out

    def export(self, request: RoomRequest) -> Progress:
        """One ZIP: JSON lines of every table, CSV to read, the attachments, the audit record, the manifest."""
        total = len(tables.CARRIED) + 3
        with tempfile.TemporaryFile() as target:
            writer = Writer(target, FORMAT, request.tenant, self._clock.now())
            with self._database.reading(tenant=request.tenant) as session:
                for number, name in enumerate(tables.CARRIED, start=1):
                    writer.add(f"{name}.jsonl", tables.dumped(session, name))
                    yield Step(number, total, "データの表を書き出しました")
                writer.add("answers.csv", csvout.rows(_answer_rows(session), header=_ANSWER_HEADER))
                writer.add(
                    "audit.jsonl", (line if isinstance(line, bytes) else line.encode() for line in _audit(session))
                )
                yield Step(total - 2, total, "表計算で読める一覧と記録を書き出しました")
                for file_id in _files(session):
                    self._add_file(writer, request.tenant, file_id)
                yield Step(total - 1, total, "添付ファイルを書き出しました")
            writer.close()
            target.seek(0)
            stored = self._store.put(request.tenant, target, limit=MAX_ARCHIVE)
        yield Step(total, total, "書き出しを1つのファイルにまとめました")
        return {"file": stored.id, "size": stored.size, "sha256": stored.sha256}

    def _add_file(self, writer: Writer, tenant: str, file_id: str) -> None:
        """A file of an application that was deleted since the export began (its 保存期間 was over) is left out; the rows are of
        the moment of the beginning. One that is still named must be there."""
        try:
            with self._store.open(tenant, file_id) as opened:
                writer.add(f"files/{file_id}", opened.chunks)
        except NotFound:
            with self._database.reading(tenant=tenant) as session:
                if file_id in _files(session):
                    raise

    # ---- in

    def import_(self, request: RoomRequest) -> Progress:
        """Fill a room from such an archive. A room with applications or drafts that the archive does not hold is
        refused."""
        total = len(tables.CARRIED) + 2
        with fetched(self._store, request) as source:
            reader = Reader(source, FORMAT, request.tenant)
            self._refuse_other_content(request, reader)
            yield Step(1, total, "書き出しファイルを確かめました")
            self._take_in_files(request, reader)
            yield Step(2, total, "添付ファイルを取り込みました")
            for number, (name, model) in enumerate(tables.CARRIED.items(), start=3):
                rows.take_in(self._database, model, reader.lines(f"{name}.jsonl"), request.tenant)
                yield Step(number, total, "データの表を取り込みました")
        return {}

    def _refuse_other_content(self, request: RoomRequest, reader: Reader) -> None:
        """What was only prepared gives way; what people made stays, and the import is refused."""
        carried: dict[type, set[str]] = {}
        for name in ("applications", "drafts", "procedures"):
            model: Any = tables.CARRIED[name]
            carried[model] = {row.id for row in rows.loaded(model, reader.lines(f"{name}.jsonl"), request.tenant)}  # type: ignore[attr-defined]
        with self._database.transaction(tenant=request.tenant) as session:
            for model in (ApplicationRow, DraftRow):
                if set(session.scalars(select(model.id))) - carried[model]:
                    raise Conflict(
                        "この部屋には、書き出しファイルにない申請があります。空の部屋に取り込んでください。",
                        code="room-not-empty",
                    )
            for procedure_id in set(session.scalars(select(ProcedureRow.id))) - carried[ProcedureRow]:
                _remove_procedure(session, procedure_id)

    def _take_in_files(self, request: RoomRequest, reader: Reader) -> None:
        present = {file_id for file_id, _, _ in self._store.list(request.tenant)}
        for name in reader.names:
            folder, _, file_id = name.partition("/")
            if folder == "files" and file_id not in present:
                self._store.put(request.tenant, reader.pieces(name), limit=MAX_ARCHIVE, file_id=file_id)

    # ---- away

    def delete(self, request: RoomRequest) -> Progress:
        """Applications in batches, then the rest, then the bytes. The audit record stays: it tells of the deletion."""
        with self._database.reading(tenant=request.tenant) as session:
            count = session.scalar(select(func.count()).select_from(ApplicationRow)) or 0
        batches = -(-count // rows.BATCH)
        total = batches + 2
        for number in range(1, batches + 1):
            with self._database.transaction(tenant=request.tenant) as session:
                _remove_applications(session)
            yield Step(number, total, "申請を消しました")
        with self._database.transaction(tenant=request.tenant) as session:
            while _remove_applications(session):
                pass
            for model in tables.REMOVED_LAST:
                session.execute(delete(model))
            session.execute(delete(SharedProcedureRow).where(SharedProcedureRow.owner == request.tenant))
            webhooks.forget_all(session)
        yield Step(total - 1, total, "書きかけと手続きを消しました")
        self._store.delete_all(request.tenant)
        yield Step(total, total, "添付ファイルを消しました")
        return {}


def _remove_applications(session: Session) -> int:
    """Up to one batch, with all that belongs to them; how many."""
    ids = list(session.scalars(select(ApplicationRow.id).order_by(ApplicationRow.id).limit(rows.BATCH)))
    erase(session, ids)
    return len(ids)


def _remove_procedure(session: Session, procedure_id: str) -> None:
    versions: Any = tables.CARRIED["procedure_versions"]
    session.execute(delete(versions).where(versions.procedure_id == procedure_id))
    session.execute(delete(ProcedureRow).where(ProcedureRow.id == procedure_id))


def _files(session: Session) -> list[str]:
    """Attachments and signed notices."""
    notices = session.scalars(select(NoticeDocumentRow.file_id).where(NoticeDocumentRow.file_id.is_not(None)))
    return sorted({*session.scalars(select(AttachmentRow.id)), *(file_id for file_id in notices if file_id)})


_ANSWER_HEADER = ["受付番号", "手続き", "届いた日時", "状態", "項目", "内容"]


def _answer_rows(session: Session) -> Iterator[list[Any]]:
    """One line per answer, for people with a spreadsheet."""
    for row in session.scalars(select(ApplicationRow).order_by(ApplicationRow.id).execution_options(yield_per=200)):
        procedure = procedures.definition(session, row.procedure_id, row.procedure_version)
        arrived = row.arrived_at.astimezone(JST).strftime("%Y-%m-%d %H:%M:%S")
        for line in lines(procedure, row.answers):
            yield [row.receipt_number, procedure.title, arrived, WORDS[State(row.state)], line.label, line.text]


def _audit(session: Session) -> Iterator[str | bytes]:
    yield from audit.export_lines(session)
