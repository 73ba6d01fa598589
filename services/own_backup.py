"""Our own medicine: every room's export and the cloud's own databases go into a repository of this cloud, every night.

    python -m services own-backup                     needs RESTIC_REPOSITORY, RESTIC_PASSWORD_FILE …, as a key's page shows them
    python -m services own-backup gather NAME FOLDER  what one service (or `gateway`) gives, where each has its own secrets
    python -m services own-backup send FOLDER         … and all of it together, sent, until it is kept

The repository is the prefecture's, its password is deposited: so the monthly drill brings everything back, counts the rows
and compares them with what was counted here. The data plane's objects are not in it: they are at two sites already.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from sqlalchemy.engine import URL, make_url

from libs.common import keeping, room
from libs.common.errors import Conflict
from libs.common.ids import new_id
from libs.common.roles import Deployable
from libs.common.room import RoomRequest, drain
from libs.common.service import Service
from libs.common.settings import Settings
from services.backup.contents import LIST, rows_of
from services.eapply.db.vault import OFF_COPIES
from services.eapply.rooms import EapplyRoom
from services.ebid.rooms import EbidRoom
from services.opendata.rooms import OpendataRoom

SEALED = "sealed-bids"
"""The code with which a room says that an archive now would tell how many have bid."""
ROOMS: dict[str, Any] = {"eapply": EapplyRoom, "ebid": EbidRoom, "opendata": OpendataRoom}

TRIES, PAUSE = 12, 1800.0
"""How often, and after how many seconds, what was gathered is sent again, beside restic's own quarter of an hour: while the first
site is away nothing new is taken (503), and gathering everything anew would not bring it back."""

LEFT_OUT = keeping.LeftOut({"eapply": OFF_COPIES}, ("eapply-vault*",))
"""A 個人番号, sealed or not, goes into no copy of the cloud (docs/decisions/0080); its operator keeps the vault apart."""


def run(deployables: list[Deployable]) -> None:
    """Gather and send. Whatever cannot be gathered ends it: a backup that lacks something must not look like one."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        folder = Path(name) / "kyodo-cloud"
        gather(folder, Settings(), {each.name: each.build() for each in deployables})
        send(folder, {"gateway", *(each.name for each in deployables)})


def gather_one(deployables: list[Deployable], name: str, folder: Path) -> None:
    """What `name` gives; beside what others have given, each with its own secrets."""
    services = {each.name: each.build() for each in deployables if each.name == name and name in ROOMS}
    gather(folder, Settings(), services, [name])


def gather(folder: Path, settings: Settings, services: dict[str, Service], names: list[str] | None = None) -> None:
    """Write `rooms/<tenant>/<service>.zip`, `databases/<service>.sqlite | .sql`, `keys/` and the list of what was counted.

    `names`: whose databases; default: those of `services` and the gateway's.
    """
    told = Told.of(folder)
    for name in names or [*services, "gateway"]:
        path = dump(settings, name, folder / "databases")
        if path is not None:
            tables, rows = rows_of(path)
            told.databases[path.relative_to(folder).as_posix()] = {"tables": tables, "rows": rows}
    for name, make_room in ROOMS.items():
        if name in services:
            told.held_back += export_rooms(services[name], make_room, folder / "rooms")
    # `..data` and the like: how Kubernetes lays files that may change.
    kept_apart = shutil.ignore_patterns(*LEFT_OUT.keys, "..*")
    shutil.copytree(settings.keys_dir, folder / "keys", dirs_exist_ok=True, ignore=kept_apart)
    told.write(folder)


@dataclass
class Told:
    """The list beside the files: path of a database → what was counted in it; rooms that may not be handed out now."""

    databases: dict[str, dict[str, int]]
    held_back: list[str]

    @classmethod
    def of(cls, folder: Path) -> Self:
        path = folder / LIST
        return cls(**json.loads(path.read_text("utf-8"))) if path.exists() else cls({}, [])

    def write(self, folder: Path) -> None:
        (folder / LIST).write_text(json.dumps(asdict(self), indent=1, sort_keys=True), "utf-8")


def send_until_kept(folder: Path, names: set[str], wait: Callable[[float], None] = time.sleep) -> None:
    """`send` where nobody begins it again the same night: up to `TRIES` times. Missing files are not waited for."""
    for _ in range(TRIES - 1):
        try:
            return send(folder, names)
        except NotKept as error:
            print(f"{error}; tried again in {PAUSE / 60:.0f} minutes", file=sys.stderr)
            wait(PAUSE)
    send(folder, names)


class NotKept(SystemExit):
    """restic could not send: this time."""


def send(folder: Path, names: set[str]) -> None:
    """Into the repository that restic is told of. The files of all `names` must be there. Raises NotKept when restic fails."""
    kept = {Path(path).stem for path in Told.of(folder).databases}
    if kept != names:
        sys.exit(f"nothing is sent: {', '.join(sorted(kept ^ names))} is not what was to be kept")
    _restic(folder, "unlock" if _restic(folder, "cat", "config") == 0 else "init")
    if result := _restic(folder, "backup", "--host", "kyodo-cloud", "."):
        raise NotKept(f"restic ended with {result}: nothing of tonight may be relied on")


def _restic(folder: Path, *arguments: str) -> int:
    command = [os.environ.get("BACKUP_RESTIC", "restic"), *arguments]
    return subprocess.run(command, cwd=folder, check=False).returncode  # noqa: S603 (our own arguments)


def dump(settings: Settings, name: str, folder: Path) -> Path | None:
    """A consistent copy of the database of `name` while it is used; None where there is none (a SQLite file not made yet)."""
    folder.mkdir(parents=True, exist_ok=True)
    url, without = make_url(settings.database_url_of(name)), LEFT_OUT.tables.get(name, ())
    if url.get_backend_name() == "sqlite":
        return _copy_sqlite(Path(url.database or ""), folder / f"{name}.sqlite", without)
    administrator = make_url(settings.database_url or url).set(database=url.database)
    path = folder / f"{name}.sql"
    _pg_dump(administrator, path, without)
    return path


def _copy_sqlite(source: Path, target: Path, without: Sequence[str]) -> Path | None:
    if not source.exists():
        return None
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
    keeping.empty(target, without)
    return target


def _pg_dump(url: URL, path: Path, without: Sequence[str]) -> None:
    """Plain SQL, the rows of the tables `without` left out: it can be read and counted without a server, and changes little
    from night to night.

    By the administrator of DATABASE_URL: for the owner's role row security holds too, and pg_dump refuses to leave rows out.
    """
    known = {"PGHOST": url.host, "PGPORT": url.port, "PGUSER": url.username, "PGPASSWORD": url.password,
             "PGDATABASE": url.database}  # fmt: skip
    environment = {**os.environ, **{name: str(value) for name, value in known.items() if value}}
    left_out = [f"--exclude-table-data=public.{table}" for table in without]
    command = ["pg_dump", "--no-owner", *left_out, "--file", str(path)]
    subprocess.run(command, env=environment, check=True)  # noqa: S603 (our own arguments)


def export_rooms(service: Service, make_room: Any, folder: Path) -> list[str]:
    """The export of every room that has data, as a municipality would get it when it leaves.

    A room that may not be handed out now (bids lie sealed) is in the database's copy; its files are laid beside. Those are named.
    """
    with service.database.reading() as session:
        tenants = room.rooms(session, "provisioned", "suspended")
    held_back = []
    for tenant in tenants:
        try:
            _export(service, make_room(service), tenant, folder / tenant / f"{service.name}.zip")
        except Conflict as refusal:
            if refusal.code != SEALED:
                raise
            _copy_files(service, tenant, folder / tenant / f"{service.name}-files")
            held_back.append(f"{tenant}/{service.name}")
    return held_back


def _copy_files(service: Service, tenant: str, folder: Path) -> None:
    store = service.extras["files"]
    folder.mkdir(parents=True, exist_ok=True)
    for file_id, _, _ in store.list(tenant):
        with store.open(tenant, file_id) as opened, (folder / file_id).open("wb") as target:
            for chunk in opened.chunks:
                target.write(chunk)


def _export(service: Service, of: Any, tenant: str, path: Path) -> None:
    request = RoomRequest(request_id=new_id(), tenant=tenant, action="export")
    made = drain(of.export(request))
    path.parent.mkdir(parents=True, exist_ok=True)
    store = service.extras["files"]
    try:
        with store.open(tenant, made["file"]) as opened, path.open("wb") as target:
            for chunk in opened.chunks:
                target.write(chunk)
    finally:
        store.delete(tenant, made["file"])
