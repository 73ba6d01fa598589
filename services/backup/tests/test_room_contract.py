"""The room of the backup service keeps the contract of rooms; what is carried out is restic's own folder."""

import errno
import io
import os
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from libs.common.files import Store
from libs.common.jobs import Later
from libs.common.room import Room, RoomRequest, drain
from libs.common.room.table import RoomRow
from libs.common.service import Service
from libs.common.testing.database import open_database
from libs.common.testing.room_contract import RoomContract
from libs.common.testing.service import NOW, Issuers, make_service
from services.backup.db import Base, ObjectRow
from services.backup.rooms import BackupRoom, tables
from services.backup.settings import Settings, furnish, held
from services.backup.sites import Key, SiteBroken
from services.backup.tests.test_two_sites import copy_all, planted, rows
from services.backup.tests.town import HOME, Cloud, fill, hashes, named, restic_program
from services.backup.use_cases import repositories, store
from services.backup.use_cases.admit import Door
from services.backup.use_cases.sites import key_of


def a_service(folder: Path, factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder.mkdir()
    for database in open_database("sqlite", "backup", "services.backup", folder, factory):
        settings = Settings(data_dir=folder / "data", keys_dir=folder / "keys")
        made = make_service("backup", database, folder, settings=settings, issuers=Issuers("backup"))
        furnish(made)
        yield made


@pytest.fixture
def service(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    yield from a_service(tmp_path / "here", tmp_path_factory)


@pytest.fixture
def elsewhere(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    yield from a_service(tmp_path / "there", tmp_path_factory)


class TestBackupRoom(RoomContract):
    metadata = Base.metadata

    def make_room(self, service: Service) -> Room:
        return BackupRoom(service)

    def store(self, service: Service) -> Store:
        return service.extras["files"]

    def furnish(self, service: Service, tenant: str) -> None:
        """A repository with objects of several types, one of them deleted."""
        from libs.common.actor import Actor

        actor = Actor("staff", "s", tenant=tenant, code=tenant)
        with service.database.transaction(tenant=tenant) as session:
            if session.get(RoomRow, tenant) is None:
                session.add(RoomRow(tenant=tenant, state="provisioned", changed_at=NOW))
                session.flush()
            row = repositories.create(session, actor, repositories.Wish("juki", "住民記録", 1024**3, 30, 26), NOW)
        door = Door(tenant, row.id, "full")
        first = held(service).first
        for type_, content in (("config", b"c"), ("data", b"d" * 5000), ("data", b"gone"), ("snapshots", b"s")):
            with first.begin() as upload, service.database.transaction(tenant=tenant) as session:
                upload.write([content])
                upload.seal(Key(tenant, row.id, type_, named(content)))
                store.keep(session, door, type_, upload, NOW)
        with service.database.transaction(tenant=tenant) as session:
            from services.backup.use_cases import remove

            remove.remove(session, held(service), actor, door, "data", named(b"gone"), NOW)

    def contents(self, service: Service, tenant: str) -> Any:
        """Every row that is carried, and the bytes of every object."""
        first = held(service).first
        with service.database.reading(tenant=tenant) as session:
            found: dict[str, Any] = {
                name: list(tables.dumped(session, model)) for name, model in tables.CARRIED.items()
            }
            objects = list(session.scalars(select(ObjectRow)))
        return {**found, "bytes": sorted(first.path(key_of(row)).read_bytes() for row in objects)}


def test_what_is_carried_out_is_a_folder_restic_can_use_at_once(small_cloud: Cloud, tmp_path: Path) -> None:
    machine = small_cloud.machine(small_cloud.repository(), "append")
    original = fill(tmp_path / "src", files=10)
    machine.restic("init")
    machine.restic("backup", str(tmp_path / "src"))
    facts = drain(BackupRoom(small_cloud.service).export(RoomRequest("r", HOME, "export")))
    content = small_cloud.service.extras["files"].read(HOME, facts["file"])
    zipfile.ZipFile(io.BytesIO(content)).extractall(tmp_path / "out")
    environment = {**os.environ, "RESTIC_PASSWORD": "only the town knows this"}
    folder, target = tmp_path / "out" / "repositories" / "juki", tmp_path / "back"
    command = [restic_program(), "-r", str(folder), "--no-cache", "restore", "latest", "--target", str(target)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert hashes(target / (tmp_path / "src").relative_to("/")) == original


def test_a_municipality_that_leaves_is_not_kept_by_a_site_that_was_away(small_cloud: Cloud) -> None:
    """Else what was to be deleted would lie there when the site is back, and no row would know of it."""
    machine = planted(small_cloud, 2)
    copy_all(small_cloud)
    second = small_cloud.places.second.root
    second.rename(second.with_name("away"))
    request = RoomRequest("r", HOME, "delete")
    with pytest.raises(Later):
        drain(BackupRoom(small_cloud.service).delete(request))
    with machine.client as client:
        assert client.get(f"data/{rows(small_cloud)[0].name}").status_code == 200, "and nothing is half gone meanwhile"
    second.with_name("away").rename(second)
    drain(BackupRoom(small_cloud.service).delete(request))
    assert rows(small_cloud) == []
    assert [p for site in small_cloud.places.sites for p in site.root.glob(f"{HOME}*")] == []


def test_files_that_cannot_be_deleted_are_not_said_to_be_deleted(
    small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(small_cloud, 1)

    def refused(*_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, "the disk")

    request = RoomRequest("r", HOME, "delete")
    with monkeypatch.context() as broken, pytest.raises(SiteBroken):
        broken.setattr("os.unlink", refused)
        drain(BackupRoom(small_cloud.service).delete(request))
    drain(BackupRoom(small_cloud.service).delete(request))
    assert not (small_cloud.places.first.root / HOME).exists()
