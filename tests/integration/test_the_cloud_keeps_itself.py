"""Our own medicine: the cloud's databases and rooms go into a repository of this cloud, and the drill counts what came back."""

import json
import os
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from libs.common import keeping, keys
from libs.common.db import Database
from libs.common.room import RoomRow
from libs.common.settings import Settings
from libs.common.testing.database import open_database
from libs.common.testing.service import NOW, make_service
from services import own_backup
from services.backup import vault
from services.backup.contents import LIST, count, rows_of
from services.backup.db import DrillRow, RepositoryRow
from services.backup.db import repositories as db
from services.backup.tests.town import HOME, Cloud, Machine, open_cloud
from services.backup.use_cases import drill
from services.eapply.db import VaultEntryRow, VaultKeyRow
from services.eapply.settings import Settings as EapplySettings
from services.eapply.settings import furnish as furnish_eapply


@pytest.fixture
def cloud(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    for database in open_database("sqlite", "backup", "services.backup", tmp_path, tmp_path_factory):
        with open_cloud(database, tmp_path) as made:
            yield made


@pytest.fixture
def folder(cloud: Cloud, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a night gathers: two services' databases, one room."""
    keys.ensure(tmp_path / "keys", ["eapply"])
    for database in open_database("sqlite", "eapply", "services.eapply", tmp_path, tmp_path_factory):
        settings = EapplySettings(data_dir=tmp_path, keys_dir=tmp_path / "keys")
        eapply = make_service("eapply", database, tmp_path, settings=settings)
        furnish_eapply(eapply)
        with database.transaction(tenant=HOME) as session:
            session.add(RoomRow(tenant=HOME, code=HOME, name="見本市", state="provisioned", changed_at=NOW))
        common = Settings(data_dir=tmp_path, keys_dir=tmp_path / "keys")
        own_backup.gather(tmp_path / "own", common, {"eapply": eapply, "backup": cloud.service})
        assert list(eapply.extras["files"].list(HOME)) == [], "the export is not left behind"
    return tmp_path / "own"


def repository(cloud: Cloud) -> Machine:
    machine = cloud.machine(cloud.repository("kyodo-cloud"), "append")
    machine.restic("init")
    with cloud.database.transaction(tenant=HOME) as session:
        row = session.get_one(RepositoryRow, (HOME, machine.repository.id))
        row.sealed_password = vault.seal(cloud.places.vault_key, row, "only the town knows this")
    return machine


def drilled(cloud: Cloud, machine: Machine, folder: Path) -> DrillRow:
    machine.restic("backup", str(folder))
    with cloud.database.transaction(tenant=HOME) as session:
        asked = drill.ask(session, cloud.staff(), machine.repository.id, cloud.clock.now())
    drill.carry_out(cloud.service, HOME, asked.id)
    cloud.clock.advance(hours=1)
    with cloud.database.reading(tenant=HOME) as session:
        return db.drill(session, asked.id)


def test_a_night_s_backup_comes_back_row_for_row_and_a_broken_one_is_noticed(cloud: Cloud, folder: Path) -> None:
    told = json.loads((folder / LIST).read_text())["databases"]
    assert set(told) == {"databases/backup.sqlite", "databases/eapply.sqlite"}
    assert (folder / "rooms" / HOME / "eapply.zip").exists() and (folder / "keys" / "backup.key").exists()
    machine = repository(cloud)
    good = drilled(cloud, machine, folder)
    assert good.state == "passed" and good.evidence, good.evidence
    found = good.evidence["contents"]
    assert (found["databases"], found["archives"]) == (2, 1)
    assert found["rows"] == sum(each["rows"] for each in told.values()) > 10
    with closing(sqlite3.connect(folder / "databases" / "backup.sqlite")) as database:
        database.create_function("current_tenant", 0, lambda: HOME)
        database.execute("DELETE FROM allowances WHERE tenant_id = ?", (HOME,))
        database.commit()
    missing = drilled(cloud, machine, folder)
    assert missing.state == "failed" and missing.evidence
    assert missing.evidence["problems"] == ["データベースが1つ、行の数が合いません"]
    path = folder / "databases" / "eapply.sqlite"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    broken = drilled(cloud, machine, folder)
    assert broken.evidence and "データベースが1つ、壊れています" in broken.evidence["problems"]


def test_an_archive_that_was_changed_is_noticed_and_foreign_ones_are_let_be(folder: Path, tmp_path: Path) -> None:
    whole = folder / "rooms" / HOME / "eapply.zip"
    assert count(whole.parent).archives == 1
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as other:
        other.writestr("a.txt", "of a citizen")
    shutil.copy(tmp_path / "photos.zip", whole.parent / "photos.zip")
    assert (count(whole.parent).archives, count(whole.parent).broken) == (1, [])
    whole.write_bytes(whole.read_bytes()[:-100])
    assert count(whole.parent).broken == ["書き出しが1つ、壊れています"]


def test_a_dump_of_postgresql_is_counted_without_a_server(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for database in open_database("postgresql", "eapply", "services.eapply", tmp_path, tmp_path_factory):
        with database.transaction(tenant=HOME) as session:
            session.add(RoomRow(tenant=HOME, code=HOME, name="見本市", state="provisioned", changed_at=NOW))
        url = make_url(os.environ["TEST_DATABASE_URL"]).set(database=database.engine.url.database)
        own_backup._pg_dump(url, tmp_path / "eapply.sql", ())
        tables, rows = rows_of(tmp_path / "eapply.sql")
        assert tables > 10 and rows > 0, "row security left nothing out"
        text = (tmp_path / "eapply.sql").read_text()
        assert "見本市" in text
        (tmp_path / "cut.sql").write_text(text[: len(text) // 2])
        with pytest.raises(ValueError, match="cut short"):
            rows_of(tmp_path / "cut.sql")


def planted(database: Database) -> list[bytes]:
    """A sealed number in the vault, and one that was deleted again; the sealed bytes of both."""
    seals = [os.urandom(40), os.urandom(40)]
    with database.transaction(tenant=HOME) as session:
        session.add(RoomRow(tenant=HOME, code=HOME, name="見本市", state="provisioned", changed_at=NOW))
        for place, sealed in enumerate(seals):
            session.add(VaultEntryRow(id=f"e{place}", key_id="k", sealed=sealed, kept_at=NOW))
        session.add(VaultKeyRow(id="k", wrapped=os.urandom(60), made_at=NOW))
    with database.transaction(tenant=HOME) as session:
        session.delete(session.get_one(VaultEntryRow, (HOME, "e1")))
    return seals


def test_no_copy_of_the_cloud_holds_the_vault_or_its_key(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sealed numbers, one of today and one that was deleted, are looked for in every byte of the copies."""
    keys.ensure(tmp_path / "keys", ["eapply"])
    for name in ("eapply-vault.secret", "eapply-vault.old.secret", "backup-vault.secret"):
        (tmp_path / "keys" / name).write_bytes(name.encode())
    for database in open_database("sqlite", "eapply", "services.eapply", tmp_path, tmp_path_factory):
        sealed = planted(database)
        settings = EapplySettings(data_dir=tmp_path, keys_dir=tmp_path / "keys")
        eapply = make_service("eapply", database, tmp_path, settings=settings)
        furnish_eapply(eapply)
        own_backup.gather(tmp_path / "own", settings, {"eapply": eapply})
        keeping.keep(tmp_path, tmp_path / "keys", tmp_path / "box", NOW, own_backup.LEFT_OUT)
        for folder in (tmp_path / "own", tmp_path / "box"):
            copied = bytes_below(folder)
            assert "見本市".encode() in copied and b"backup-vault.secret" in copied, "the search finds what is there"
            assert not any(each in copied for each in sealed) and b"eapply-vault" not in copied
        monkeypatch.setattr(own_backup, "LEFT_OUT", keeping.NOTHING)
        own_backup.dump(settings, "eapply", tmp_path / "all")
        assert sealed[0] in bytes_below(tmp_path / "all"), "and would find the number"


def test_no_dump_of_postgresql_holds_the_vault(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for database in open_database("postgresql", "eapply", "services.eapply", tmp_path, tmp_path_factory):
        sealed = planted(database)[0].hex().encode()
        monkeypatch.setenv("EAPPLY_DATABASE_URL", database.engine.url.render_as_string(hide_password=False))
        settings = Settings(data_dir=tmp_path, keys_dir=tmp_path / "keys", database_url=os.environ["TEST_DATABASE_URL"])
        own_backup.dump(settings, "eapply", tmp_path / "own")
        dumped = bytes_below(tmp_path / "own")
        assert "見本市".encode() in dumped and b"CREATE TABLE public.vault_entries" in dumped
        assert sealed not in dumped
        monkeypatch.setattr(own_backup, "LEFT_OUT", keeping.NOTHING)
        own_backup.dump(settings, "eapply", tmp_path / "all")
        assert sealed in bytes_below(tmp_path / "all"), "the search would find it"


def test_a_role_that_only_reads_dumps_every_row(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As infra/k8s/README.md has it made: row security hides nothing from it, and it changes nothing."""
    for database in open_database("postgresql", "eapply", "services.eapply", tmp_path, tmp_path_factory):
        with database.transaction(tenant=HOME) as session:
            session.add(RoomRow(tenant=HOME, code=HOME, name="見本市", state="provisioned", changed_at=NOW))
            session.add(VaultKeyRow(id="k", wrapped=b"w", made_at=NOW))
        url = make_url(os.environ["TEST_DATABASE_URL"]).set(database=database.engine.url.database)
        with closing(
            psycopg.connect(url.set(drivername="postgresql").render_as_string(False), autocommit=True)
        ) as admin:
            role = f"reader_{os.getpid()}"
            admin.execute(
                f"CREATE ROLE {role} LOGIN PASSWORD 'password' NOSUPERUSER BYPASSRLS IN ROLE pg_read_all_data"
            )
            admin.execute(f"GRANT CONNECT ON DATABASE {url.database} TO {role}")
            reader = url.set(username=role, password="password")
            try:
                own_backup._pg_dump(reader, tmp_path / "eapply.sql", ())
                as_reader = psycopg.connect(reader.set(drivername="postgresql").render_as_string(False))
                with closing(as_reader), pytest.raises(psycopg.errors.InsufficientPrivilege):
                    as_reader.execute("DELETE FROM rooms")
            finally:
                admin.execute(f"REVOKE ALL ON DATABASE {url.database} FROM {role}")
                admin.execute(f"DROP ROLE {role}")
        text = (tmp_path / "eapply.sql").read_text()
        assert f"{HOME}\tk\t" in text, "a row that row security binds to its municipality"


def test_what_each_service_gives_with_its_own_secrets_is_sent_only_when_all_is_there(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the CronJob does: one after another into one folder, then sent by one who has none of their secrets."""
    common = Settings(data_dir=tmp_path, keys_dir=tmp_path / "keys")
    (tmp_path / "keys" / "..data").mkdir()
    (tmp_path / "keys" / "..data" / "backup.key").write_text("laid a second time by Kubernetes")
    with closing(sqlite3.connect(tmp_path / "gateway.sqlite")) as database:
        database.executescript("CREATE TABLE persons (id); INSERT INTO persons VALUES (1)")
    own_backup.gather(tmp_path / "own", common, {"backup": cloud.service}, ["backup"])
    machine = cloud.machine(cloud.repository("kyodo-cloud"), "append")
    for name, value in machine.environment().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match="gateway is not what was to be kept"):
        own_backup.send(tmp_path / "own", {"backup", "gateway"})
    own_backup.gather(tmp_path / "own", common, {}, ["gateway"])
    for _ in range(2):
        own_backup.send(tmp_path / "own", {"backup", "gateway"})
    assert len(json.loads(machine.restic("snapshots", "--json").stdout)) == 2
    machine.restic("restore", "latest", "--target", str(tmp_path / "back"))
    found = count(tmp_path / "back")
    assert (found.databases, found.broken) == (2, [])
    assert not list((tmp_path / "back").rglob("..data"))
    with pytest.raises(SystemExit, match="nothing of tonight may be relied on"):
        monkeypatch.setenv("RESTIC_PASSWORD", "another")
        own_backup.send(tmp_path / "own", {"backup", "gateway"})


def bytes_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_what_was_gathered_is_sent_the_same_night_when_the_first_site_comes_back(
    cloud: Cloud, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the first site is away nothing new is taken. Where nobody begins the night again, sending goes on."""
    machine = repository(cloud)
    names, root = {"backup", "eapply"}, cloud.places.first.root
    for name, value in machine.environment().items():
        monkeypatch.setenv(name, value)
    asked, pauses = own_backup._restic, []

    def without_patience(folder: Path, *arguments: str) -> int:
        """As restic ends after a quarter of an hour of 503."""
        if arguments[0] == "backup" and not cloud.places.first.up:
            return 1
        return asked(folder, *arguments)

    def wait(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            root.with_name("away").rename(root)

    monkeypatch.setattr(own_backup, "_restic", without_patience)
    root.rename(root.with_name("away"))
    own_backup.send_until_kept(folder, names, wait)
    assert pauses == [own_backup.PAUSE] * 2
    snapshots = json.loads(machine.restic("snapshots", "--json", "--no-lock").stdout)
    assert [each["hostname"] for each in snapshots] == ["kyodo-cloud"]


def test_sending_ends_when_the_site_stays_away_and_at_once_when_something_is_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(own_backup, "_restic", lambda *_: 1)
    with pytest.raises(SystemExit, match="nothing of tonight"):
        own_backup.send_until_kept(folder, {"backup", "eapply"}, pauses.append)
    assert len(pauses) == own_backup.TRIES - 1
    with pytest.raises(SystemExit, match="ebid is not what was to be kept"):
        own_backup.send_until_kept(folder, {"backup", "eapply", "ebid"}, pauses.append)
    assert len(pauses) == own_backup.TRIES - 1
