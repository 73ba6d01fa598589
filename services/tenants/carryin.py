"""An archive of everything (`takeaway.py` writes it) comes in: looked at whole, brought to the rooms, then what the registry itself keeps.

Each step is begun again when its process is killed: what is looked at changes nothing, what is brought keeps its id, and
what the registry keeps comes in one transaction with the end.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO

from sqlalchemy.exc import IntegrityError

from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, Invalid, TooLarge, Unavailable
from libs.common.files import ZIP
from libs.common.jobs import Job, Later
from libs.common.room.archive import Reader
from libs.common.service import Service
from services.tenants import reference, takeaway
from services.tenants.db import takeins as db
from services.tenants.db.takeins import TakeInRow
from services.tenants.domain.catalogue import SERVICES
from services.tenants.neighbours import Neighbours
from services.tenants.settings import files_of
from services.tenants.use_cases import own_rows, takeins

NOBODY = "-"
"""Whose file the archive is until its manifest was believed."""
ROOMS = {service.key for service in SERVICES if service.delivery == "room" and service.opened}


def begin(service: Service, actor: Actor, content: IO[bytes], file_name: str) -> TakeInRow:
    """Keep the archive and let the worker go on. Raises Invalid for what is no ZIP."""
    stored = files_of(service).put(NOBODY, content, limit=takeaway.MAX_ARCHIVE, allowed=ZIP)
    with service.database.transaction(tenant=_prefecture(service)) as session:
        return takeins.begin(session, actor, stored, file_name, service.clock.now())


def _prefecture(service: Service) -> str:
    """In whose record a take-in stands while it is nobody's."""
    return reference.prefecture(service.settings.prefecture).code


def carry_on(service: Service, job: Job, neighbours: Neighbours) -> None:
    """The step that is due. What is over stays as it is."""
    with service.database.reading() as session:
        row = db.find(session, job.payload["takein"])
    if row.state == "checking":
        _to_the_rooms(service, job, neighbours, row)
    elif row.state == "running":
        _own(service, job, row)
    with service.database.reading() as session:
        over = db.find(session, row.id).state in db.ENDED
    if over:
        files_of(service).delete(NOBODY, row.file)


@contextmanager
def _opened(service: Service, row: TakeInRow) -> Iterator[IO[bytes]]:
    """The archive as a file to seek in."""
    with tempfile.TemporaryFile() as target, files_of(service).open(NOBODY, row.file) as opened:
        for chunk in opened.chunks:
            target.write(chunk)
        target.seek(0)
        yield target


# ---- looked at, and brought to the rooms ----------------------------------------------------------------------------


def _to_the_rooms(service: Service, job: Job, neighbours: Neighbours, row: TakeInRow) -> None:
    with _opened(service, row) as source:
        problems = _look(service, job, neighbours, row, source)
    now = service.clock.now()
    if problems:
        with service.database.transaction(tenant=_prefecture(service)) as session:
            takeins.refuse(session, row.id, problems, now)
        return
    with service.database.reading() as session:
        tenant = db.find(session, row.id).tenant
    with service.database.transaction(tenant=tenant) as session:
        takeins.ask_rooms(session, row.id, now)
        job.done(session)


def _look(service: Service, job: Job, neighbours: Neighbours, row: TakeInRow, source: IO[bytes]) -> list[str]:
    """Every wrong thing of the archive, ours and the services'; [] once each part lies where its room finds it."""
    try:
        reader = Reader(source, takeaway.FORMAT, None)
    except Invalid as refused:
        return [refused.message]
    job.progress(0, 1, "目録と照らし合わせています")
    wrong = [f"{name}：中身が、目録と合いません。" for name in reader.wrong()]
    return wrong or _own_problems(service, row, reader) or _bring(service, job, neighbours, row, reader)


def _own_problems(service: Service, row: TakeInRow, reader: Reader) -> list[str]:
    if not (reader.tenant.isdigit() and len(reader.tenant) == 6):
        return ["どの市町村の書き出しファイルか、読めません。"]
    parts = _parts(reader)
    problems = [f"services/{key}.zip：このクラウドにはないサービスです。" for key in parts if key not in ROOMS]
    lines = partial(_lines, reader)
    with service.database.reading(tenant=reader.tenant) as session:
        if set(db.under_way(session, reader.tenant)) - {row.id}:
            return [
                f"この市町村（{reader.tenant}）の取り込みが、ほかに進んでいます。終わってから、もう一度お試しください。"
            ]
        return problems + own_rows.problems(session, reader.tenant, lines, parts, local_date(service.clock.now()))


def _bring(service: Service, job: Job, neighbours: Neighbours, row: TakeInRow, reader: Reader) -> list[str]:
    parts = _parts(reader)
    with service.database.transaction() as session:
        ids = takeins.plan(session, row.id, reader.tenant, parts, service.clock.now())
    problems: list[str] = []
    for done, key in enumerate(parts):
        job.progress(done, len(parts), f"{key}に渡しています")
        try:
            neighbours.bring(key, reader.tenant, ids[key], reader.pieces(f"services/{key}.zip"))
        except (Invalid, Conflict, TooLarge) as refused:
            problems.append(f"services/{key}.zip：{refused.message}")
        except Unavailable as away:
            raise Later(10) from away
    return problems


def _parts(reader: Reader) -> list[str]:
    """Keys of the services whose data are in the archive."""
    return sorted(
        name.removeprefix("services/").removesuffix(".zip") for name in reader.names if name.startswith("services/")
    )


def _lines(reader: Reader, name: str) -> Iterator[bytes]:
    return reader.lines(f"registry/{name}.jsonl")


# ---- what the registry itself keeps ---------------------------------------------------------------------------------


def _own(service: Service, job: Job, row: TakeInRow) -> None:
    tenant, now = row.tenant or "", service.clock.now()
    try:
        with _opened(service, row) as source:
            reader = Reader(source, takeaway.FORMAT, tenant)
            _take_in_files(service, tenant, reader)
            with service.database.transaction(tenant=tenant) as session:
                own_rows.take_in(session, tenant, partial(_lines, reader), now)
                takeins.finish(session, row.id, now)
                job.done(session)
    except (IntegrityError, Conflict, Invalid) as refused:
        sentence = refused.message if isinstance(refused, Conflict | Invalid) else "台帳にある番号と重なりました。"
        with service.database.transaction(tenant=tenant) as session:
            takeins.undo(session, row.id, [sentence], now)


def _take_in_files(service: Service, tenant: str, reader: Reader) -> None:
    """Logos and papers, under the ids that their rows know them by; one that is there already is the same."""
    for name in reader.names:
        ident = name.removeprefix("registry/files/")
        if ident != name:
            files_of(service).put(tenant, reader.pieces(name), limit=takeaway.MAX_ARCHIVE, file_id=ident)
