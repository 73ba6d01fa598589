"""The archive of everything: each service's own archive as it wrote it, what the registry keeps, the record, and the sums of all.

It is put together once, piece by piece (memory stays flat however large it is), and kept as long as the services keep their parts:
a download that breaks off is taken up where it was, in the same bytes. A service's part is the archive of its room
(`libs/common/room/archive.py`), which an `import` request takes in elsewhere.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from libs.common import audit
from libs.common.errors import Conflict, Unavailable, say
from libs.common.jobs import Job, Later
from libs.common.room import archive
from libs.common.service import Service
from services.tenants.db import own_pages as own_pages_db
from services.tenants.db import takeouts as db
from services.tenants.neighbours import Neighbours
from services.tenants.settings import files_of
from services.tenants.use_cases import takeouts

FORMAT = archive.Format("kyodo-takeout", 1, "共同クラウド", compressed=False)


MAX_ARCHIVE = 64 * 1024**4
"""Bytes."""


def gather(service: Service, job: Job, neighbours: Neighbours) -> None:
    """Put the parts together in the store. Killed on the way it begins anew under the same id; a service that is away is waited for."""
    tenant, takeout_id, now = job.tenant or "", job.payload["takeout"], service.clock.now()
    with service.database.reading() as session:
        row = db.find(session, takeout_id, tenant)
        parts = db.parts(session, row.id)
    if row.file is not None or not takeouts.can_be_taken(row, now):
        return
    content = _counted(job, _written(service, neighbours, tenant, parts, now), sum(part.size or 0 for part in parts))
    try:
        stored = files_of(service).put(tenant, content, limit=MAX_ARCHIVE, file_id=takeout_id)
    except Unavailable as away:
        raise Later(30) from away
    with service.database.transaction(tenant=tenant) as session:
        takeouts.gathered(session, takeout_id, stored, now)
        job.done(session)


def _counted(job: Job, pieces: Iterator[bytes], total: int) -> Iterator[bytes]:
    """Say in hundredths how far it is: what the registry itself keeps is little."""
    done = 0
    for piece in pieces:
        done += len(piece)
        job.progress(min(99, 100 * done // max(1, total)), 100)
        yield piece


def gathered(service: Service, tenant: str, takeout_id: str, now: datetime) -> db.TakeoutRow:
    """The take-out whose archive can be sent. Raises Conflict where it is not there yet, or no more."""
    with service.database.reading() as session:
        row = db.find(session, takeout_id, tenant)
    if not takeouts.can_be_taken(row, now):
        raise Conflict(say("受け取れる期間が過ぎました。もう一度書き出してください。"), code="too-late")
    if row.file is None:
        raise Conflict(say("まだ受け取れません。すべてのサービスの書き出しが終わるまでお待ちください。"))
    return row


def _written(
    service: Service, neighbours: Neighbours, tenant: str, found: list[db.TakeoutPartRow], now: datetime
) -> Iterator[bytes]:
    target = archive.Sent()
    writer = archive.Writer(target, FORMAT, tenant, now)
    for part in found:
        yield from _sent(target, writer, f"services/{part.service}.zip", _fetched(neighbours, part))
    for name, lines in _own(service, tenant):
        yield from _sent(target, writer, f"registry/{name}.jsonl", lines)
    for ident in _files(service, tenant):
        yield from _sent(target, writer, f"registry/files/{ident}", _content(service, tenant, ident))
    writer.close()
    yield target.taken()


def _sent(target: archive.Sent, writer: archive.Writer, name: str, content: Iterable[bytes]) -> Iterator[bytes]:
    for _ in writer.adding(name, content):
        yield target.taken()


def _fetched(neighbours: Neighbours, part: db.TakeoutPartRow) -> Iterator[bytes]:
    """The service's archive. Cut short is Unavailable: half of it must not look whole."""
    with neighbours.archive(part.service, part.tenant, part.file or "") as answer:
        size = 0
        for piece in answer.iter_bytes(archive.CHUNK):
            size += len(piece)
            yield piece
    if part.size is not None and size != part.size:
        raise Unavailable(say("途中で切れました。もう一度受け取ってください。"))


def _own(service: Service, tenant: str) -> Iterator[tuple[str, Iterator[bytes]]]:
    with service.database.reading(tenant=tenant) as session:
        for name in takeouts.OWN:
            yield name, takeouts.own_rows(session, tenant, name)
        yield "record", (_bytes(line) for line in audit.export_lines(session))


def _files(service: Service, tenant: str) -> list[str]:
    """Logos and papers of the support thread: registry/files.jsonl says what each is."""
    with service.database.reading(tenant=tenant) as session:
        return sorted(own_pages_db.file_ids(session))


def _content(service: Service, tenant: str, ident: str) -> Iterator[bytes]:
    with files_of(service).open(tenant, ident) as opened:
        yield from opened.chunks


def _bytes(line: str | bytes) -> bytes:
    return line.encode() if isinstance(line, str) else line
