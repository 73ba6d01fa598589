"""An operator changes the vault's key while people give and look at numbers; stopped anywhere, it goes on; and the vault,
which no copy of the cloud holds, is carried away and brought back by itself."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from libs.common import keys, vaults
from services.eapply import vault
from services.eapply.db import VaultEntryRow, VaultKeyRow
from services.eapply.tests.people import Town, visible
from services.eapply.tests.test_my_numbers_vault import NUMBER, REASON, SPACED, careful, filled, flag, given
from services.eapply.use_cases import vault_keeping as keeping


def opens(town: Town, application_id: str) -> bool:
    answer = careful(town).post(f"desk/cases/{application_id}/my-number", {"reason": REASON})
    return SPACED in visible(answer.text)


def wrapped(town: Town) -> list[bytes]:
    with town.service.database.reading(tenant=town.code) as session:
        return list(session.scalars(select(VaultKeyRow.wrapped)))


def change(town: Town) -> int:
    return keeping.new_key(town.service.database, vault.of(town.service), town.service.clock.now())


def forget(town: Town) -> int:
    return keeping.forget_old(town.service.database, vault.of(town.service), town.service.clock.now())


def test_the_key_is_changed_while_numbers_are_given_and_looked_at(town: Town, neighbour: Town):
    for each in (town, neighbour):
        flag(each)
    before, there = given(town, town.guest()), given(neighbour, neighbour.guest())
    key, under_old = vault.of(town.service).key, wrapped(town)
    first = key.path.read_bytes()
    assert change(town) == 2
    assert key.path.read_bytes() != first and key.old.read_bytes() == first, "kept until it is done"
    assert wrapped(town) != under_old and key.path.stat().st_mode & 0o77 == 0
    after = given(town, town.guest())
    assert opens(town, before) and opens(town, after) and opens(neighbour, there)
    assert change(town) == 0, "not begun again before it has been ended"
    assert forget(town) == 0 and not key.old.exists()
    assert opens(town, before) and opens(town, after) and opens(neighbour, there)
    town.service.clock.advance(days=1)
    assert change(town) == 2, "and another time"
    assert opens(town, before)


def test_what_another_process_wrapped_by_the_old_key_is_found_at_the_end(town: Town):
    flag(town)
    id_ = given(town, town.guest())
    late = wrapped(town)[0]
    change(town)
    with town.service.database.transaction(tenant=town.code) as session:
        session.scalars(select(VaultKeyRow)).one().wrapped = late
    assert opens(town, id_)
    assert forget(town) == 1 and opens(town, id_)


def test_stopped_between_two_municipalities_everything_opens_and_it_goes_on(town: Town, neighbour: Town, monkeypatch):
    for each in (town, neighbour):
        flag(each)
    ids = {each: given(each, each.guest()) for each in (town, neighbour)}
    real, seen = keeping._wrap_anew, []

    def falls(session, opened, tenant, now):
        if seen:
            raise KeyboardInterrupt
        seen.append(tenant)
        return real(session, opened, tenant, now)

    monkeypatch.setattr(keeping, "_wrap_anew", falls)
    with pytest.raises(KeyboardInterrupt):
        change(town)
    monkeypatch.setattr(keeping, "_wrap_anew", real)
    assert all(opens(each, id_) for each, id_ in ids.items()), "one under the new key, one under the old"
    assert change(town) == 1
    forget(town)
    assert all(opens(each, id_) for each, id_ in ids.items())


def test_a_key_that_nobody_has_keeps_the_old_one_in_place(town: Town, neighbour: Town):
    for each in (town, neighbour):
        flag(each)
    id_ = given(neighbour, neighbour.guest())
    with neighbour.service.database.reading(tenant=neighbour.code) as session:
        made = session.scalars(select(VaultKeyRow)).one()
    with town.service.database.transaction(tenant=town.code) as session:
        session.add(VaultKeyRow(id=made.id, wrapped=os.urandom(60), made_at=made.made_at))
    with pytest.raises(vaults.NotDone, match=town.code):
        change(town)
    with pytest.raises(vaults.NotDone, match=town.code):
        forget(town)
    assert vault.of(town.service).key.old.exists() and opens(neighbour, id_)


def test_without_a_key_or_a_place_for_one_it_says_what_to_do(town: Town, tmp_path: Path):
    nothing = vault.at(tmp_path / "none")
    with pytest.raises(vaults.NotDone, match="no key"):
        keeping.new_key(town.service.database, nothing, town.service.clock.now())
    with pytest.raises(vaults.NotDone, match="there is no"):
        forget(town)


def test_killed_in_the_middle_the_command_is_run_again(town: Town, tmp_path: Path):
    """`kill -9` after the new key is in place and before anything is wrapped by it: a writer holds the store meanwhile."""
    url = town.service.database.engine.url
    if url.get_backend_name() != "sqlite":
        pytest.skip("the whole store is held by one writer on SQLite only")
    flag(town)
    id_, key, under_old = given(town, town.guest()), vault.of(town.service).key, wrapped(town)
    first = key.path.read_bytes()
    keys.ensure(key.path.parent, ["eapply"])
    settings = {"DATA_DIR": str(tmp_path / "empty"), "KEYS_DIR": str(key.path.parent), "EAPPLY_DATABASE_URL": str(url)}
    command = [sys.executable, "-m", "services.eapply", "vault"]
    with closing(sqlite3.connect(url.database or "", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        process = subprocess.Popen([*command, "new-key"], env={**os.environ, **settings})
        while process.poll() is None and key.path.read_bytes() == first:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        other.execute("ROLLBACK")
    assert key.old.read_bytes() == first and wrapped(town) == under_old and opens(town, id_)
    for what in ("new-key", "forget-old"):
        subprocess.run([*command, what], env={**os.environ, **settings}, check=True)
    assert wrapped(town) != under_old and not key.old.exists() and opens(town, id_)


def test_killed_between_the_two_names_of_the_key_it_is_changed_by_the_next_run(town: Town):
    flag(town)
    id_, key = given(town, town.guest()), vault.of(town.service).key
    os.link(key.path, key.old)
    assert change(town) == 1 and key.old.read_bytes() != key.path.read_bytes()
    assert opens(town, id_)


def test_the_vault_is_carried_away_and_brought_back_by_itself(town: Town, tmp_path: Path):
    flag(town)
    guest, database = town.guest(), town.service.database
    draft = filled(town, guest)
    guest.post(f"{draft}/my-number", {"number": NUMBER})
    applied, gone = given(town, town.guest()), given(town, town.guest())
    file = tmp_path / "vault.jsonl"
    assert keeping.keep(database, file) == 3
    assert NUMBER not in file.read_text() and file.stat().st_mode & 0o77 == 0
    with pytest.raises(FileExistsError):
        keeping.keep(database, file)
    sent = guest.post(f"{draft}/submit", {"key": guest.confirmed_key(draft)}).text.partition("applications/")[2][:36]
    with database.transaction(tenant=town.code) as session:
        session.execute(delete(VaultEntryRow))
        session.execute(delete(VaultKeyRow))
        from services.eapply.use_cases.erase import erase

        erase(session, [gone])
    assert not opens(town, applied)
    assert keeping.restore(database, file) == (2, 1)
    assert opens(town, applied) and opens(town, sent), (
        "a draft that was sent meanwhile gives its number to the application"
    )
    assert keeping.restore(database, file) == (0, 3), "nothing twice"
