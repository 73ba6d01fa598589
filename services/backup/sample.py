"""Example repositories for the sample prefecture, by the use cases that clerks and operators use.

    sample.load(service, place=sample.Place("402036", "402036", "久留米市"), staff="<person's id>", say=print)

Where restic is installed one of them has a first backup, taken in as if it had come on a disk, and a restore drill that brought
it back. The other one waits for its machine. Does nothing where there are repositories already.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from libs.common import room as rooms
from libs.common.actor import Actor
from libs.common.room import RoomRequest
from libs.common.room.table import OPEN, set_state
from libs.common.service import Service
from services.backup.db import repositories as db
from services.backup.rooms import BackupRoom
from services.backup.settings import held, settings_of
from services.backup.use_cases import deposit, drill, repositories
from services.backup.use_cases.repositories import Wish
from services.backup.use_cases.seed import seed

Say = Callable[[str], None]
GIB = 1024**3
_PASSWORD = "見本の合言葉"  # noqa: S105 (of made-up data)
OWN = Wish("kyodo-cloud", "共同クラウド自身", 100 * GIB, 90, 30)
"""Thirty hours: a night that was missed is told of in the morning."""
FIRST = Wish("bunsho", "文書管理システム", 200 * GIB, 90, 26)
SECOND = Wish("gakko", "学校の名簿と成績", 100 * GIB, 365, 26)


@dataclass(frozen=True, slots=True)
class Place:
    """A municipality: the registry's id, its present code, its name."""

    tenant: str
    code: str
    name: str


def load(service: Service, *, place: Place, staff: str, say: Say = print) -> None:
    """The room, two repositories, and a first backup where restic is installed."""
    _open_room(service, place)
    actor = Actor("staff", staff, tenant=place.tenant, code=place.code, roles=frozenset({"backup.manager"}))
    with service.database.transaction(tenant=place.tenant) as session:
        if db.everything(session):
            return
        first, _ = (repositories.create(session, actor, wish, service.clock.now()) for wish in (FIRST, SECOND))
    program = shutil.which(settings_of(service).backup_restic)
    if program is None:
        say("データバックアップ（見本）：保管庫2個（resticがないため、中身はありません）")
        return
    _first_backup(service, place, program)
    _drill(service, actor, first.id)
    say("データバックアップ（見本）：保管庫2個、復元訓練1回")


def load_own(service: Service, *, place: Place, operator: str) -> None:
    """The prefecture's room and the repository in which the cloud keeps itself, as its operator makes them."""
    _open_room(service, place)
    actor = Actor("staff", operator, tenant=place.tenant, code=place.code, roles=frozenset({"backup.manager"}))
    with service.database.transaction(tenant=place.tenant) as session:
        if not db.everything(session):
            repositories.create(session, actor, OWN, service.clock.now())


def _open_room(service: Service, place: Place) -> None:
    """As on a request of the registry, which will come as well and change nothing more."""
    request = RoomRequest("sample", place.tenant, "provision", code=place.code, name=place.name)
    rooms.drain(BackupRoom(service).provision(request))
    with service.database.transaction(tenant=place.tenant) as session:
        if rooms.state_of(session, place.tenant) is None:
            set_state(session, request, OPEN, service.clock.now())


def _first_backup(service: Service, place: Place, program: str) -> None:
    """As a town would bring it: restic fills a disk, the disk is taken in."""
    with tempfile.TemporaryDirectory() as name:
        source, disk = Path(name) / "文書", Path(name) / "disk"
        source.mkdir()
        for number in range(1, 41):
            (source / f"起案{number:03d}.txt").write_text(f"見本の起案 {number}\n" * 200 * (number % 7 + 1), "utf-8")
        environment = {**os.environ, "RESTIC_REPOSITORY": str(disk), "RESTIC_PASSWORD": _PASSWORD}
        for arguments in (["init"], ["backup", "--host", "bunsho-1", str(source)]):
            command = [program, "--no-cache", *arguments]
            subprocess.run(command, env=environment, check=True, capture_output=True)  # noqa: S603 (our own arguments)
        seed(service, place.tenant, FIRST.name, disk)


def _drill(service: Service, actor: Actor, repository_id: str) -> None:
    now = service.clock.now()
    with service.database.transaction(tenant=actor.tenant) as session:
        deposit.deposit(session, actor, held(service).vault_key, repository_id, _PASSWORD, now)
        asked = drill.ask(session, actor, repository_id, now)
    drill.carry_out(service, str(actor.tenant), asked.id)
