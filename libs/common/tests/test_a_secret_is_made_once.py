"""A secret that a process makes when it first needs it: whole, on the disk, nobody else's, and the same for all who come at once."""

import os
import stat
from pathlib import Path

import pytest

from libs.common import keys


def test_it_is_made_the_first_time_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "some.secret"
    made = keys.secret_once(path)
    assert len(made) == 32 and keys.secret_once(path) == made == path.read_bytes()
    assert len(keys.secret_once(tmp_path / "longer.secret", 48)) == 48


def test_nobody_else_may_read_it_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keys.secret_once(tmp_path / "some.secret")
    finally:
        os.umask(before)
    (only,) = tmp_path.iterdir()
    assert stat.S_IMODE(only.stat().st_mode) == 0o600


def test_whoever_comes_second_takes_what_the_first_has_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, link = tmp_path / "some.secret", os.link

    def overtaken(made: Path, name: Path) -> None:
        path.write_bytes(b"of the other process, a moment sooner")
        link(made, name)

    monkeypatch.setattr(os, "link", overtaken)
    assert keys.secret_once(path) == b"of the other process, a moment sooner" == path.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


def test_it_has_its_name_only_when_it_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process killed before leaves no half secret; after a power cut there is the whole one or none."""
    happened: list[str] = []
    fsync, link = os.fsync, os.link

    def synced(fd: int) -> None:
        happened.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else f"{os.fstat(fd).st_size} bytes")
        fsync(fd)

    def linked(made: Path, name: Path) -> None:
        assert not name.exists()
        happened.append("name")
        link(made, name)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "link", linked)
    keys.secret_once(tmp_path / "some.secret")
    assert happened == ["32 bytes", "name", "folder"]


def test_a_pair_made_by_two_processes_at_once_belongs_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The public key that is written is that of the private key that stayed, not of one's own that came too late."""
    keys.ensure(tmp_path / "other", ["ebid"])
    theirs, link = (tmp_path / "other" / "ebid.key").read_bytes(), os.link

    def overtaken(made: Path, name: Path) -> None:
        if name.name == "ebid.key":
            name.write_bytes(theirs)
        link(made, name)

    monkeypatch.setattr(os, "link", overtaken)
    keys.ensure(tmp_path / "mine", ["ebid"])
    assert keys.public_keys(tmp_path / "mine") == keys.public_keys(tmp_path / "other")
