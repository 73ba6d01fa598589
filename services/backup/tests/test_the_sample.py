"""Whoever runs the sample sees a repository with a first backup that was brought back, and one that waits."""

from pathlib import Path

import pytest

from services.backup import sample
from services.backup.db import repositories as db
from services.backup.tests.town import Cloud

YAME = sample.Place("402109", "402109", "八女市")


def test_the_sample_is_loaded_once_and_shows_a_proof(small_cloud: Cloud) -> None:
    said: list[str] = []
    for _ in range(2):
        sample.load(small_cloud.service, place=YAME, staff="clerk", say=said.append)
    assert said == ["データバックアップ（見本）：保管庫2個、復元訓練1回"]
    with small_cloud.database.reading(tenant=YAME.tenant) as session:
        first, second = db.repositories(session)
        (proof,) = db.drills(session, first.id, 5)
    assert (first.name, second.name) == ("bunsho", "gakko")
    assert first.last_proven_at and second.last_point_at is None
    assert proof.evidence and (proof.state, proof.kind, proof.evidence["files"]) == ("passed", "restore", 40)


def test_without_restic_there_are_repositories_all_the_same(
    small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(small_cloud.service.settings, "backup_restic", str(tmp_path / "none"))
    said: list[str] = []
    sample.load(small_cloud.service, place=YAME, staff="clerk", say=said.append)
    assert "resticがないため" in said[0]
    with small_cloud.database.reading(tenant=YAME.tenant) as session:
        assert len(db.repositories(session)) == 2
