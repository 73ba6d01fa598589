"""Nobody has to think of the cloud's own backup: a key is made, a copy is sent every night, and that none came is told of."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from libs.common.errors import Unavailable
from libs.common.jobs import Later
from services.backup import vault, worker
from services.backup.db import AccessKeyRow, AlertRow, RepositoryRow
from services.backup.settings import settings_of
from services.backup.tests.town import HOME, Cloud, fill, restored
from services.backup.use_cases import own, watch

NAME = "kyodo-cloud"
MADE = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)


@pytest.fixture
def kept(small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, str]]]:
    """The repository that a person made, and what `own-backup` was told each time it was begun: here it sends a folder."""
    settings = settings_of(small_cloud.service)
    monkeypatch.setattr(settings, "backup_own", f"{HOME}/{NAME}")
    monkeypatch.setattr(settings, "backup_own_env", small_cloud.folder / "own.env")
    monkeypatch.setattr(settings, "public_url", small_cloud.url)
    begun: list[dict[str, str]] = []

    def run(command: list[str], *, env: dict[str, str], check: bool) -> subprocess.CompletedProcess[bytes]:
        assert command[-4:] == [sys.executable, "-m", "services", "own-backup"]
        begun.append(env)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(worker.subprocess, "run", run)
    yield begun


def arrived(cloud: Cloud, row: RepositoryRow) -> None:
    with cloud.database.transaction(tenant=HOME) as session:
        session.get_one(RepositoryRow, (HOME, row.id)).last_point_at = cloud.clock.now()


def night(cloud: Cloud) -> None:
    job: Any = None
    worker.keep_ourselves(cloud.service, job)


def test_once_a_night_and_made_up_for_when_the_cloud_was_off() -> None:
    one_at_night = datetime(2026, 11, 1, 16, 0, tzinfo=UTC)  # 1 o'clock in Japan
    noon = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)
    assert not own.is_due(None, MADE, MADE + timedelta(minutes=9)) and own.is_due(None, MADE, MADE + own.SETTLED)
    assert not own.is_due(one_at_night, MADE, one_at_night + timedelta(hours=2)), "one a night"
    assert not own.is_due(noon - timedelta(hours=24), MADE, noon), "not by day"
    assert own.is_due(one_at_night, MADE, one_at_night + timedelta(hours=24)), "the next night"
    assert own.is_due(noon - timedelta(hours=25), MADE, noon), "it was off at night"


def test_a_key_and_a_password_are_made_and_the_copy_comes_back_in_a_drill(
    small_cloud: Cloud, kept: list[dict[str, str]], tmp_path: Path
) -> None:
    night(small_cloud)
    assert kept == [] and not (small_cloud.folder / "own.env").exists(), "nobody has made the repository yet"
    row = small_cloud.repository(NAME)
    night(small_cloud)
    assert kept == [], "it settles first"
    small_cloud.clock.advance(minutes=10)
    night(small_cloud)
    [told] = kept
    path = small_cloud.folder / "own.env"
    assert path.stat().st_mode & 0o777 == 0o600
    fresh = small_cloud.fresh(row)
    assert vault.open_sealed(small_cloud.places.vault_key, fresh) == told["RESTIC_PASSWORD"], "drills can restore"
    original = fill(tmp_path / "src", files=5)
    for arguments in (
        ["init"],
        ["backup", str(tmp_path / "src")],
        ["restore", "latest", "--target", str(tmp_path / "b")],
    ):
        done = subprocess.Popen(["restic", *arguments], env=told, stderr=subprocess.PIPE)
        assert done.wait() == 0, done.stderr and done.stderr.read()
    assert restored(tmp_path / "b", tmp_path / "src") == original
    with small_cloud.database.reading(tenant=HOME) as session:
        [key] = session.query(AccessKeyRow).all()
        assert key.mode == "append", "whoever has it deletes nothing"


def test_its_key_is_renewed_before_it_ends_and_the_password_stays(
    small_cloud: Cloud, kept: list[dict[str, str]]
) -> None:
    row = small_cloud.repository(NAME)
    small_cloud.clock.advance(days=1)
    night(small_cloud)
    arrived(small_cloud, row)
    small_cloud.clock.advance(days=300)
    night(small_cloud)
    arrived(small_cloud, row)
    small_cloud.clock.advance(days=40)
    night(small_cloud)
    first, second, third = kept
    assert first["RESTIC_REPOSITORY"] == second["RESTIC_REPOSITORY"] != third["RESTIC_REPOSITORY"]
    assert len({each["RESTIC_PASSWORD"] for each in kept}) == 1, "with another one nothing of before could be opened"


def test_a_file_written_by_hand_is_left_as_it_is(small_cloud: Cloud, kept: list[dict[str, str]]) -> None:
    small_cloud.repository(NAME)
    path = small_cloud.folder / "own.env"
    path.write_text("# ours\nRESTIC_REPOSITORY=rest:http://x:y=z@h/\n\nRESTIC_CACHE_DIR=/c\n")
    before = path.read_bytes()
    small_cloud.clock.advance(days=2)
    night(small_cloud)
    assert kept[0]["RESTIC_REPOSITORY"] == "rest:http://x:y=z@h/" and path.read_bytes() == before


def test_what_fails_is_tried_again_and_that_nothing_arrives_is_told_of(
    small_cloud: Cloud, kept: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = subprocess.CompletedProcess([], 1)
    monkeypatch.setattr(worker.subprocess, "run", lambda *_, **__: failed)
    beginning = own.age(small_cloud.service)
    small_cloud.clock.advance(hours=5)
    assert own.age(small_cloud.service) - beginning == 5 * 3600, "counted although nobody made the repository"
    row = small_cloud.repository(NAME)
    small_cloud.clock.advance(hours=27)
    assert own.age(small_cloud.service) == 27 * 3600
    with pytest.raises(Later):
        night(small_cloud)
    with small_cloud.database.transaction(tenant=HOME) as session:
        watch.watch(session, small_cloud.clock.now())
        assert [a.kind for a in session.query(AlertRow).all()] == ["overdue"]
    arrived(small_cloud, row)
    assert own.age(small_cloud.service) == 0


def test_a_gateway_that_is_still_starting_is_asked_again_in_a_minute(
    small_cloud: Cloud, kept: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    small_cloud.repository(NAME)
    small_cloud.clock.advance(days=1)

    def away(*_: object, **__: object) -> None:
        raise Unavailable("いまキーの手続きができませんでした。", code="gateway-unreachable")

    with monkeypatch.context() as starting:
        starting.setattr(small_cloud.tokens, "make", away)
        with pytest.raises(Later) as later:
            night(small_cloud)
    assert later.value.seconds == worker.SOON and not (small_cloud.folder / "own.env").exists()
    night(small_cloud)
    assert len(kept) == 1


def test_metrics_tell_its_age(small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    from prometheus_client import REGISTRY

    from services.backup.settings import furnish

    settings = settings_of(small_cloud.service)
    monkeypatch.setattr(settings, "backup_own", f"{HOME}/{NAME}")
    furnish(small_cloud.service)
    small_cloud.repository(NAME)
    small_cloud.clock.advance(hours=31)
    named = {"service": "backup", "queue": "own-backup"}
    assert REGISTRY.get_sample_value("oldest_waiting_seconds", named) == 31 * 3600
