"""The first, large backup comes on a disk: a folder that restic itself filled is taken in, every file checked by its name.

Taken in like uploads, one by one, so it may be stopped at any moment and started again; what is there already is skipped.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import NotFound
from libs.common.service import Service
from services.backup.db import objects as objects_db
from services.backup.db import repositories as db
from services.backup.domain.layout import target_of_place
from services.backup.domain.protocol import Target
from services.backup.settings import held
from services.backup.sites import BLOCK, Key, Upload, WrongContent
from services.backup.use_cases import store
from services.backup.use_cases.admit import Door

_ORDER = ("config", "keys", "data", "index", "snapshots")
"""A snapshot becomes a recovery point when it arrives: everything it needs comes before it."""

_PROMISING = ("index", "snapshots")
"""They speak of what came before them. If some of that is bad they wait for another run: else a machine would believe that it
need not send those bytes, and a recovery point would be shown that cannot come back."""


@dataclass
class Seeded:
    """What one run did. `refused`: files that are not what their name says, relative to the folder; `waiting`: indexes and
    snapshots left for another run because of them; `bytes` taken in."""

    taken: int = 0
    bytes: int = 0
    already: int = 0
    waiting: int = 0
    refused: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def seed(
    service: Service, tenant: str, name: str, folder: Path, tell: Callable[[int, int], None] = lambda done, total: None
) -> Seeded:
    """Take the restic repository in `folder` into the municipality's repository `name`; `tell` hears (files done, total).

    NotFound if there is no such repository or folder, or it shall be disposed of; Full (507) when the quota is reached, with
    everything before kept; Forbidden if the repository has another config, so is another one.
    """
    if not (folder / "config").is_file():
        raise NotFound(f"{folder} は、resticの保管庫ではありません（configがありません）。")
    with service.database.reading(tenant=tenant) as session:
        repository = db.by_name(session, name)
    if repository is None or repository.closing_at is not None:
        raise NotFound(db.UNKNOWN)
    door, result = Door(tenant, repository.id, "append"), Seeded()
    files = list(_files(folder, result))
    for number, (path, target) in enumerate(files, start=1):
        if result.refused and target.type in _PROMISING:
            result.waiting += 1
            continue
        _take_in(service, door, folder, path, target, result)
        tell(number, len(files))
    _record(service, door, result)
    return result


def _files(folder: Path, result: Seeded) -> Iterator[tuple[Path, Target]]:
    """Files of a repository in the order in which they are taken in; locks are of the moment and stay behind."""
    found: dict[str, list[tuple[Path, Target]]] = {type_: [] for type_ in _ORDER}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()):
        place = path.relative_to(folder).as_posix()
        target = target_of_place(place)
        if target is None:
            result.unknown.append(place)
        elif target.type in found:
            found[target.type].append((path, target))
    for type_ in _ORDER:
        yield from found[type_]


def _take_in(service: Service, door: Door, folder: Path, path: Path, target: Target, result: Seeded) -> None:
    if target.name and _is_there(service, door, target, path.stat().st_size):
        result.already += 1
        return
    with held(service).first.begin() as upload:
        _copy(path, upload)
        try:
            upload.seal(Key(door.tenant, door.repository_id, target.type, target.name or upload.name))
        except WrongContent:
            result.refused.append(path.relative_to(folder).as_posix())
            return
        with service.database.transaction(tenant=door.tenant) as session:
            store.keep(session, door, target.type, upload, service.clock.now())
        result.taken, result.bytes = result.taken + 1, result.bytes + upload.size


def _is_there(service: Service, door: Door, target: Target, size: int) -> bool:
    with service.database.reading(tenant=door.tenant) as session:
        row = objects_db.find(session, door.repository_id, target.type, target.name)
    return row is not None and row.deleted_at is None and row.size == size and row.first_state == "ok"


def _copy(path: Path, upload: Upload) -> None:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            upload.write([block])


def _record(service: Service, door: Door, result: Seeded) -> None:
    detail = {"taken": result.taken, "bytes": result.bytes, "already": result.already, "refused": len(result.refused)}
    actor = Actor(kind="service", subject=service.name, tenant=door.tenant)
    with service.database.transaction(tenant=door.tenant) as session:
        audit.record(session, actor, "backup.seeded", door.repository_id, detail=detail, now=service.clock.now())
