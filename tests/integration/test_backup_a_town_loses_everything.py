"""By hand, as a town would: a key from the portal, restic on another machine, both lost, back from the second site."""

import hashlib
import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local import processes
from services.backup.tests.town import fill, restic_program, restored
from tests.visitors import signed_in

TOWN = "402036"


@pytest.fixture
def staff(cloud: Any) -> Any:
    """A browser in which the town's manager of backups has signed in."""
    with signed_in(cloud.url, "staff@using.example") as client:
        desk = f"/t/{TOWN}/backup/desk/"
        assert processes.wait_until(lambda: client.get(desk).status_code == 200, seconds=120), client.get(desk).text
        yield client


def rename_site(cloud: Any, name: str, new: str) -> None:
    """Take a site's folder away from the service, or give it back."""
    if cloud.local is None:
        cloud.compose(f"exec -T backup-api mv /data/backup/{name} /data/backup/{new}")
    else:
        folder = cloud.local.plan.data / "backup"
        (folder / name).rename(folder / new)


def run(address: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "RESTIC_REPOSITORY": address,
        "RESTIC_PASSWORD": "only the town knows this",
        "RESTIC_CACHE_DIR": str(folder / "cache"),
        "NO_PROXY": "127.0.0.1",
    }
    command = [restic_program(), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)


def test_a_town_loses_its_data_and_the_first_site_and_gets_every_byte_back(
    cloud: Any, staff: httpx.Client, tmp_path: Path
) -> None:
    desk = f"/t/{TOWN}/backup/desk/"
    form = {"name": "juki", "title": "住民記録システム", "quota": "10", "retention_days": "30", "promised_hours": "26"}
    made = staff.post(f"{desk}repositories", data=form)
    assert made.status_code == 303, made.text
    page = staff.post(f"{made.headers['location']}/keys", data={"mode": "append", "key_name": "住基1号", "days": "30"})
    assert page.status_code == 201, page.text
    found = re.search(r"RESTIC_REPOSITORY=(rest:\S+)", html.unescape(page.text))
    assert found
    address, source, target = found[1], tmp_path / "src", tmp_path / "back"
    original = fill(source, files=60)
    for arguments in (("init",), ("backup", str(source)), ("check", "--read-data")):
        done = run(address, tmp_path, *arguments)
        assert done.returncode == 0, done.stderr
    assert run(address, tmp_path, "forget", "--keep-last", "1", "--prune").returncode == 0, "nothing to forget yet"
    copied = lambda: "2か所にあります" in staff.get(made.headers["location"]).text  # noqa: E731
    assert processes.wait_until(copied, seconds=120), staff.get(made.headers["location"]).text

    shutil.rmtree(source)
    shutil.rmtree(tmp_path / "cache")
    rename_site(cloud, "first", "lost")
    try:
        done = run(address, tmp_path, "--no-lock", "restore", "latest", "--target", str(target))
        assert done.returncode == 0, done.stderr
        assert restored(target, source) == original
        refused = httpx.post(_http(address) + "data/" + hashlib.sha256(b"x").hexdigest(), content=b"x", trust_env=False)
        assert refused.status_code == 503, "nothing new is promised while the first site is away"
    finally:
        rename_site(cloud, "lost", "first")

    assert staff.post(f"{made.headers['location']}/drills").status_code == 303
    proven = lambda: "戻せました" in staff.get(made.headers["location"]).text  # noqa: E731
    assert processes.wait_until(proven, seconds=120), staff.get(made.headers["location"]).text
    evidence = re.search(r'href="([^"]+/drills/[0-9a-f-]+)"', staff.get(made.headers["location"]).text)
    assert evidence
    assert json.loads(staff.get(evidence[1]).text)["evidence"]["passed"] is True
    printed = staff.get(f"{evidence[1]}.pdf")
    assert printed.content.startswith(b"%PDF-"), printed.text

    number = re.search(r"/keys/([0-9a-f]{16})/revoke", staff.get(made.headers["location"]).text)
    assert number
    assert staff.post(f"{made.headers['location']}/keys/{number[1]}/revoke").status_code == 303
    assert httpx.get(_http(address) + "config", trust_env=False).status_code in (401, 404), "ended at once"


def _http(address: str) -> str:
    return address.removeprefix("rest:")
