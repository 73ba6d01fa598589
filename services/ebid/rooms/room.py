"""The six promises of a room (libs.common.room), kept for e-bidding."""

import tempfile
from collections.abc import Iterator

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.errors import Conflict
from libs.common.files import Store
from libs.common.room import Progress, RoomRequest, Step
from libs.common.room import rows as room_rows
from libs.common.room.archive import Format, Reader, Writer, fetched
from libs.common.service import Service
from services.ebid.db import CompanyRow, SuspensionChangeRow, SuspensionRow, TenderRow
from services.ebid.domain.states import SEALED
from services.ebid.rooms import rows

FORMAT = Format("kyodo-ebid-room", 1, "電子入札", max_ratio=1100)
"""A scanned empty page may be all zeros, which DEFLATE packs 1032 : 1 at most; what a file unpacks to is bounded by `MAX_ARCHIVE`."""
MAX_ARCHIVE = 200 * 1024**3
"""Bytes."""


class EbidRoom:
    """Made with the process's service. Every step is a transaction of its own and looks first at what is there."""

    def __init__(self, service: Service) -> None:
        self._database = service.database
        self._clock = service.clock
        self._store: Store = service.extras["files"]

    def provision(self, request: RoomRequest) -> Progress:
        """Nothing has to be there before the first tender: the procedure is a table of the program."""
        yield Step(1, 1, "入札の案件を作れるようにしました")
        return {}

    def suspend(self, request: RoomRequest) -> Progress:
        """Rounds that run are still closed and logged at their deadline."""
        yield Step(1, 1, "入札の受け付けを止めました。データは残っています")
        return {}

    def resume(self, request: RoomRequest) -> Progress:
        yield Step(1, 1, "入札の受け付けを再開しました")
        return {}

    # ---- out

    def export(self, request: RoomRequest) -> Progress:
        """One ZIP: JSON lines of every table, the documents, the audit record, the manifest.

        Conflict while bids lie unopened: an archive would tell how many there are.
        """
        total = len(rows.CARRIED) + 3
        with tempfile.TemporaryFile() as target:
            writer = Writer(target, FORMAT, request.tenant, self._clock.now())
            with self._database.reading(tenant=request.tenant) as session:
                _refuse_sealed(session)
                for number, (name, model) in enumerate(rows.CARRIED.items(), start=1):
                    writer.add(f"{name}.jsonl", room_rows.dumped(session, model))
                    yield Step(number, total, "データの表を書き出しました")
                writer.add(f"{rows.COMPANIES}.jsonl", rows.companies(session))
                writer.add(
                    "audit.jsonl", (each if isinstance(each, bytes) else each.encode() for each in _audit(session))
                )
                yield Step(total - 2, total, "会社の一覧と記録を書き出しました")
                for file_id in sorted(rows.file_ids(session)):
                    with self._store.open(request.tenant, file_id) as opened:
                        writer.add(f"files/{file_id}", opened.chunks)
                yield Step(total - 1, total, "書類を書き出しました")
            writer.close()
            target.seek(0)
            stored = self._store.put(request.tenant, target, limit=MAX_ARCHIVE)
        yield Step(total, total, "書き出しを1つのファイルにまとめました")
        return {"file": stored.id, "size": stored.size, "sha256": stored.sha256}

    # ---- in

    def import_(self, request: RoomRequest) -> Progress:
        """Fill a room from such an archive. A room with tenders that the archive does not hold is refused."""
        total = len(rows.CARRIED) + 3
        with fetched(self._store, request) as source:
            reader = Reader(source, FORMAT, request.tenant)
            self._refuse_other_content(request, reader)
            yield Step(1, total, "書き出しファイルを確かめました")
            self._take_in_files(request, reader)
            yield Step(2, total, "書類を取り込みました")
            self._take_in_companies(reader)
            yield Step(3, total, "会社の一覧を取り込みました")
            for number, (name, model) in enumerate(rows.CARRIED.items(), start=4):
                room_rows.take_in(self._database, model, reader.lines(f"{name}.jsonl"), request.tenant)
                yield Step(number, total, "データの表を取り込みました")
        return {}

    def _refuse_other_content(self, request: RoomRequest, reader: Reader) -> None:
        carried = {row.id for row in room_rows.loaded(TenderRow, reader.lines("tenders.jsonl"), request.tenant)}
        with self._database.reading(tenant=request.tenant) as session:
            if set(session.scalars(select(TenderRow.id))) - carried:
                raise Conflict(
                    "この部屋には、書き出しファイルにない案件があります。空の部屋に取り込んでください。",
                    code="room-not-empty",
                )

    def _take_in_files(self, request: RoomRequest, reader: Reader) -> None:
        present = {file_id for file_id, _, _ in self._store.list(request.tenant)}
        for name in reader.names:
            folder, _, file_id = name.partition("/")
            if folder == "files" and file_id not in present:
                self._store.put(request.tenant, reader.pieces(name), limit=MAX_ARCHIVE, file_id=file_id)

    def _take_in_companies(self, reader: Reader) -> None:
        """Companies that the register here does not have; those it has stay as they are."""
        with self._database.transaction() as session:
            for row in room_rows.loaded(CompanyRow, reader.lines(f"{rows.COMPANIES}.jsonl"), None):
                if session.get(CompanyRow, row.id) is None:
                    session.add(row)

    # ---- away

    def delete(self, request: RoomRequest) -> Progress:
        """Tables from the last to the first, then the bytes. The audit record stays: it tells of the deletion. So does the log:
        hashes that mean nothing without what was deleted."""
        with self._database.transaction(tenant=request.tenant) as session:
            for model in reversed(rows.CARRIED.values()):
                session.execute(delete(model))
            for model in (SuspensionChangeRow, SuspensionRow):
                session.execute(delete(model).where(model.by_tenant == request.tenant))
        yield Step(1, 2, "案件と入札を消しました")
        self._store.delete_all(request.tenant)
        yield Step(2, 2, "書類を消しました")
        return {}


def _refuse_sealed(session: Session) -> None:
    waiting = session.scalar(select(TenderRow.id).where(TenderRow.state.in_(SEALED)).limit(1))
    if waiting is not None:
        raise Conflict(
            "まだ開いていない案件があるため、書き出せません。開いたあとか取止めのあとに、もう一度お試しください。",
            code="sealed-bids",
        )


def _audit(session: Session) -> Iterator[str | bytes]:
    yield from audit.export_lines(session)
