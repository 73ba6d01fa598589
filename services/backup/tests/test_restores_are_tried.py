"""A drill with real restic, its evidence, and a drill that must fail."""

import base64
import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fastapi.testclient import TestClient
from sqlalchemy import select

from libs.common import keys, room
from libs.common.errors import Forbidden
from libs.common.jobs import JobRow, Later
from services.backup import vault, worker
from services.backup.db import DrillRow, RepositoryRow
from services.backup.db import repositories as db
from services.backup.domain import problems
from services.backup.settings import settings_of
from services.backup.tests.test_two_sites import copy_all, flip_a_bit, rows
from services.backup.tests.town import HOME, Cloud, Machine, fill
from services.backup.use_cases import deposit, drill, evidence


def backed_up(cloud: Cloud, folder: Path, *, deposit: bool) -> tuple[Machine, dict[str, str]]:
    machine = cloud.machine(cloud.repository(), "append")
    original = fill(folder)
    machine.restic("init")
    machine.restic("backup", str(folder))
    if deposit:
        with cloud.database.transaction(tenant=HOME) as session:
            row = session.get_one(RepositoryRow, (HOME, machine.repository.id))
            row.sealed_password = vault.seal(cloud.places.vault_key, row, "only the town knows this")
    return machine, original


def drilled(cloud: Cloud, machine: Machine) -> DrillRow:
    with cloud.database.transaction(tenant=HOME) as session:
        asked = drill.ask(session, cloud.staff(), machine.repository.id, cloud.clock.now())
    drill.carry_out(cloud.service, HOME, asked.id)
    with cloud.database.reading(tenant=HOME) as session:
        return db.drill(session, asked.id)


def public_key(cloud: Cloud) -> Ed25519PublicKey:
    [key] = keys.public_keys(cloud.service.settings.keys_dir)["backup"]
    return key


def test_a_deposited_key_lets_every_file_be_restored_from_the_second_site(small_cloud: Cloud, tmp_path: Path) -> None:
    machine, original = backed_up(small_cloud, tmp_path / "src", deposit=True)
    copy_all(small_cloud)
    row = drilled(small_cloud, machine)
    assert row.state == "passed", row.evidence
    assert row.evidence and row.signature
    assert (row.evidence["kind"], row.evidence["site"], row.evidence["files"]) == ("restore", "second", len(original))
    assert row.evidence["bytes"] == sum((tmp_path / "src" / name).stat().st_size for name in original)
    public_key(small_cloud).verify(base64.b64decode(row.signature), evidence.canonical(row.evidence))
    assert small_cloud.fresh(machine.repository).last_proven_at == small_cloud.clock.now()
    assert "台帳" not in str(row.evidence), "names of files stay with the town"
    left = [p.name for site in small_cloud.places.sites for p in site.root.iterdir() if "drill" in p.name]
    assert left == [], "nothing of the restored data stays behind"


def test_damage_makes_the_drill_fail_and_raises_the_alarm(small_cloud: Cloud, tmp_path: Path) -> None:
    machine, _ = backed_up(small_cloud, tmp_path / "src", deposit=True)
    for row in rows(small_cloud):
        if row.type == "data":
            flip_a_bit(small_cloud.places.first, row)
    failed = drilled(small_cloud, machine)
    assert failed.state == "failed"
    assert failed.evidence and failed.evidence["problems"]
    assert small_cloud.fresh(machine.repository).last_proven_at is None
    with small_cloud.database.reading(tenant=HOME) as session:
        assert [a.kind for a in db.open_alerts(session)] == ["drill"]
    drill.carry_out(small_cloud.service, HOME, failed.id)
    with small_cloud.database.reading(tenant=HOME) as session:
        assert db.drill(session, failed.id).state == "failed", "carried out once more it stays failed"


def test_without_the_key_every_byte_is_read_again_and_the_evidence_says_so(small_cloud: Cloud, tmp_path: Path) -> None:
    machine, _ = backed_up(small_cloud, tmp_path / "src", deposit=False)
    row = drilled(small_cloud, machine)
    assert row.evidence
    assert (row.state, row.evidence["kind"]) == ("passed", "structure")
    assert row.evidence["bytes"] == sum(o.size for o in rows(small_cloud))
    flip_a_bit(small_cloud.places.first, next(o for o in rows(small_cloud) if o.type == "data"))
    failed = drilled(small_cloud, machine)
    assert failed.state == "failed"
    assert (
        failed.evidence
        and failed.evidence["previous_sha256"] == hashlib.sha256(evidence.canonical(row.evidence)).hexdigest()
    ), "each evidence holds the hash of the one before"
    assert row.evidence["previous_sha256"] is None


def test_a_deposited_password_opens_only_for_its_own_repository(small_cloud: Cloud) -> None:
    one, two = small_cloud.repository("one"), small_cloud.repository("two")
    key = small_cloud.places.vault_key
    one.sealed_password = two.sealed_password = vault.seal(key, one, "秘密")
    assert vault.open_sealed(key, one) == "秘密"
    assert "秘密".encode() not in one.sealed_password
    with pytest.raises(vault.SealedOtherwise):
        vault.open_sealed(key, two)


def test_every_repository_with_data_is_drilled_once_a_month(small_cloud: Cloud, tmp_path: Path) -> None:
    machine, _ = backed_up(small_cloud, tmp_path / "src", deposit=False)
    small_cloud.repository("empty")
    planned = []
    for _ in range(3):
        with small_cloud.database.transaction(tenant=HOME) as session:
            planned.append(drill.plan(session, small_cloud.clock.now()))
            session.flush()
            for row in db.drills(session, machine.repository.id, 5):
                row.state = "passed"
        small_cloud.clock.advance(days=16)
    assert planned == [1, 0, 1]


def test_where_operators_switched_drills_off_none_is_planned_and_none_is_asked_for(
    small_cloud: Cloud, tmp_path: Path
) -> None:
    machine, _ = backed_up(small_cloud, tmp_path / "src", deposit=False)
    with small_cloud.database.transaction() as session:
        room.switches.take(session, HOME, {"drills": False})
    with small_cloud.database.transaction(tenant=HOME) as session:
        assert drill.plan(session, small_cloud.clock.now()) == 0
        with pytest.raises(Forbidden, match="いま止めています"):
            drill.ask(session, small_cloud.staff(), machine.repository.id, small_cloud.clock.now())
    with small_cloud.database.transaction() as session:
        room.switches.take(session, HOME, {})
    with small_cloud.database.transaction(tenant=HOME) as session:
        assert drill.plan(session, small_cloud.clock.now()) == 1


def test_a_deposited_password_that_is_wrong_is_said_so(small_cloud: Cloud, tmp_path: Path) -> None:
    """Mistyped, or changed on the machine since, or sealed where another key of the vault was."""
    machine, _ = backed_up(small_cloud, tmp_path / "src", deposit=False)
    elsewhere = vault.at(tmp_path)
    elsewhere.make()
    for key in (small_cloud.places.vault_key, elsewhere):
        with small_cloud.database.transaction(tenant=HOME) as session:
            row = session.get_one(RepositoryRow, (HOME, machine.repository.id))
            row.sealed_password = vault.seal(key, row, "not what the town knows")
        failed = drilled(small_cloud, machine)
        assert failed.state == "failed" and failed.evidence
        assert failed.evidence["problems"] == [problems.WRONG_PASSWORD]
    desk = TestClient(small_cloud.app, headers=small_cloud.issuers.headers(small_cloud.staff(), "backup", html=True))
    assert problems.WRONG_PASSWORD in desk.get(f"/t/{HOME}/backup/desk/{machine.repository.id}").text
    with small_cloud.database.transaction(tenant=HOME) as session:
        deposit.deposit(session, small_cloud.staff(), small_cloud.places.vault_key, machine.repository.id,
                        "only the town knows this", small_cloud.clock.now())  # fmt: skip
    assert drilled(small_cloud, machine).state == "passed"


def test_a_drill_whose_process_always_dies_has_failed_and_another_can_begin(
    small_cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, _ = backed_up(small_cloud, tmp_path / "src", deposit=True)
    with small_cloud.database.transaction(tenant=HOME) as session:
        asked = drill.ask(session, small_cloud.staff(), machine.repository.id, small_cloud.clock.now())
    assert drill.end_broken_off(small_cloud.service, HOME) == 0, "it has not even begun"

    def dies(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(drill, "carry_out", dies)
    with small_cloud.database.reading() as session:
        job = session.scalars(select(JobRow).where(JobRow.job_kind == drill.KIND)).one()
    while job.status != "dead":
        worker.jobs.run_next(small_cloud.service)
        small_cloud.clock.advance(seconds=5)
        with small_cloud.database.reading() as session:
            job = session.get_one(JobRow, job.id)
    monkeypatch.undo()
    worker.plan_drills(small_cloud.service, _job(""))
    with small_cloud.database.reading(tenant=HOME) as session:
        row, alerts = db.drill(session, asked.id), db.open_alerts(session)
    assert (row.state, row.evidence and row.evidence["problems"]) == ("failed", [problems.BROKEN_OFF])
    assert [alert.kind for alert in alerts] == ["drill"]
    assert drilled(small_cloud, machine).state == "passed"


def test_a_site_that_is_away_makes_a_drill_wait_and_not_fail(small_cloud: Cloud, tmp_path: Path) -> None:
    machine, _ = backed_up(small_cloud, tmp_path / "src", deposit=False)
    root = small_cloud.places.first.root
    root.rename(root.with_name("away"))
    with small_cloud.database.transaction(tenant=HOME) as session:
        asked = drill.ask(session, small_cloud.staff(), machine.repository.id, small_cloud.clock.now())
    with pytest.raises(Later):
        worker.carry_out_drill(small_cloud.service, _job(asked.id))
    root.with_name("away").rename(root)
    worker.carry_out_drill(small_cloud.service, _job(asked.id))
    with small_cloud.database.reading(tenant=HOME) as session:
        assert db.drill(session, asked.id).state == "passed"


def _job(drill_id: str) -> Any:
    return SimpleNamespace(tenant=HOME, payload={"drill": drill_id}, progress=lambda *_: None)


def test_what_a_killed_drill_restored_does_not_stay_on_the_disk(
    small_cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the town's data in the clear."""
    machine, _ = backed_up(small_cloud, tmp_path / "src", deposit=True)
    with small_cloud.database.transaction(tenant=HOME) as session:
        asked = drill.ask(session, small_cloud.staff(), machine.repository.id, small_cloud.clock.now())
    with monkeypatch.context() as killed:
        killed.setattr(drill.shutil, "rmtree", lambda *_, **__: None)  # a killed process clears nothing away
        killed.setattr(drill, "_finish", lambda *_: None)
        drill.carry_out(small_cloud.service, HOME, asked.id)
    sandbox = settings_of(small_cloud.service).sandbox_dir()
    assert any(sandbox.rglob("台帳*"))
    drill.carry_out(small_cloud.service, HOME, asked.id)
    left = [sandbox, *(site.root for site in small_cloud.places.sites)]
    assert [p for folder in left for p in folder.glob("drill-*")] == []
    with small_cloud.database.reading(tenant=HOME) as session:
        assert db.drill(session, asked.id).state == "passed"
