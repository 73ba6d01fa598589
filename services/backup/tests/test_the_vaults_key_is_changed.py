"""An operator changes the key that seals deposited passwords: drills open them before, meanwhile and afterwards."""

import os
import subprocess
import sys

import pytest

from libs.common import vaults
from libs.common.audit.table import AuditEntryRow
from libs.common.errors import Unavailable
from services.backup import vault
from services.backup.db import RepositoryRow
from services.backup.tests.town import HOME, OTHER, Cloud
from services.backup.use_cases import deposit, vault_keeping


def deposited(cloud: Cloud, name: str, tenant: str = HOME, password: str = "only the town knows this") -> RepositoryRow:
    row, now = cloud.repository(name, tenant), cloud.clock.now()
    with cloud.database.transaction(tenant=tenant) as session:
        deposit.deposit(session, cloud.staff(tenant), cloud.places.vault_key, row.id, password, now)
    return cloud.fresh(row)


def opened(cloud: Cloud, row: RepositoryRow) -> str:
    return vault.open_sealed(cloud.places.vault_key, cloud.fresh(row))


def test_passwords_open_while_and_after_the_key_is_changed(small_cloud: Cloud) -> None:
    kept = [deposited(small_cloud, "one"), deposited(small_cloud, "two"), deposited(small_cloud, "there", OTHER)]
    small_cloud.repository("none")
    key = small_cloud.places.vault_key
    first = key.path.read_bytes()
    assert vault_keeping.new_key(small_cloud.service) == 3
    assert key.path.read_bytes() != first == key.old.read_bytes(), "kept until it is done"
    assert key.path.stat().st_mode & 0o77 == 0
    kept.append(deposited(small_cloud, "after"))
    assert {opened(small_cloud, row) for row in kept} == {"only the town knows this"}
    assert vault_keeping.new_key(small_cloud.service) == 0, "not begun again before it has been ended"
    assert vault_keeping.forget_old(small_cloud.service) == 0 and not key.old.exists()
    assert {opened(small_cloud, row) for row in kept} == {"only the town knows this"}
    with small_cloud.database.reading(tenant=OTHER) as session:
        assert [row.action for row in session.query(AuditEntryRow)].count("backup.vault.seal_anew") == 1


def test_the_old_key_alone_opens_nothing_any_more(small_cloud: Cloud) -> None:
    row = deposited(small_cloud, "one")
    key = small_cloud.places.vault_key
    vault_keeping.new_key(small_cloud.service)
    stolen = key.old.read_bytes()
    vault_keeping.forget_old(small_cloud.service)
    with pytest.raises(vaults.Closed):
        vaults.unseal(stolen, small_cloud.fresh(row).sealed_password or b"", f"{HOME}/{row.id}")


def test_what_another_process_sealed_by_the_old_key_is_found_at_the_end(small_cloud: Cloud) -> None:
    row = deposited(small_cloud, "one")
    late = row.sealed_password
    vault_keeping.new_key(small_cloud.service)
    with small_cloud.database.transaction(tenant=HOME) as session:
        session.get_one(RepositoryRow, (HOME, row.id)).sealed_password = late
    assert opened(small_cloud, row) == "only the town knows this"
    assert vault_keeping.forget_old(small_cloud.service) == 1
    assert opened(small_cloud, row) == "only the town knows this"


def test_a_password_that_no_key_opens_keeps_the_old_key_in_place_and_is_deposited_again(small_cloud: Cloud) -> None:
    row, there = deposited(small_cloud, "one"), deposited(small_cloud, "there", OTHER)
    with small_cloud.database.transaction(tenant=HOME) as session:
        session.get_one(RepositoryRow, (HOME, row.id)).sealed_password = os.urandom(60)
    with pytest.raises(vaults.NotDone, match=HOME):
        vault_keeping.new_key(small_cloud.service)
    with pytest.raises(vaults.NotDone, match=HOME):
        vault_keeping.forget_old(small_cloud.service)
    assert small_cloud.places.vault_key.old.exists() and opened(small_cloud, there) == "only the town knows this"
    with small_cloud.database.transaction(tenant=HOME) as session:
        deposit.withdraw(session, small_cloud.staff(), row.id, small_cloud.clock.now())
    assert vault_keeping.forget_old(small_cloud.service) == 0


def test_without_a_key_a_password_is_refused_and_said_why(small_cloud: Cloud) -> None:
    small_cloud.places.vault_key.path.unlink()
    with pytest.raises(Unavailable, match="鍵"):
        deposited(small_cloud, "one")


def test_the_command_changes_it_from_a_terminal(small_cloud: Cloud) -> None:
    row, key = deposited(small_cloud, "one"), small_cloud.places.vault_key
    under_old = row.sealed_password
    url = small_cloud.database.engine.url.render_as_string(hide_password=False)
    settings = {"DATA_DIR": str(small_cloud.service.settings.data_dir), "KEYS_DIR": str(key.path.parent),
                "BACKUP_DATABASE_URL": url, "SAMPLE": "0"}  # fmt: skip
    for what, told in (("new-key", "sealed anew: 1"), ("forget-old", "only now: 0")):
        command = [sys.executable, "-m", "services.backup", "vault", what]
        done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and told in done.stdout, done.stderr[-2000:]
    assert small_cloud.fresh(row).sealed_password != under_old and not key.old.exists()
    assert opened(small_cloud, row) == "only the town knows this"
    again = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=False)
    assert again.returncode == 1 and "there is no" in again.stderr
