"""The quota holds in the middle of a stream and against many at once; the reserve keeps the door of tidying open."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.backup.db import AllowanceRow
from services.backup.domain.quota import FOR_LOCKS, LEAST_RESERVE, Allowance, left
from services.backup.sites.spool import Spooled
from services.backup.tests.town import HOME, MIB, Cloud, fill, named, open_uploads

QUOTA = 4 * MIB


def test_what_each_kind_of_object_may_still_use() -> None:
    at_quota = Allowance(QUOTA, QUOTA, QUOTA)
    assert left(at_quota, "data", "append") == 0
    assert left(at_quota, "data", "full") == LEAST_RESERVE // 2
    assert left(at_quota, "index", "append") == LEAST_RESERVE
    reserve_filled = Allowance(QUOTA, QUOTA + LEAST_RESERVE, QUOTA + LEAST_RESERVE)
    assert left(reserve_filled, "index", "full") == 0
    assert left(reserve_filled, "locks", "append") == FOR_LOCKS, "an intruder's rubbish does not lock the owner out"
    written_and_deleted = Allowance(QUOTA, 0, 3 * QUOTA + LEAST_RESERVE)
    assert left(written_and_deleted, "data", "full") == 0, "the disk cannot be filled by writing and deleting in turn"
    assert left(written_and_deleted, "index", "full") == LEAST_RESERVE, "prune still writes its index"
    as_indexes = Allowance(QUOTA, 0, 3 * QUOTA + 2 * LEAST_RESERVE)
    assert left(as_indexes, "index", "full") == 0, "nor by calling it an index"
    assert left(as_indexes, "locks", "append") > 0


def test_the_quota_is_crossed_in_the_middle_of_a_stream(small_cloud: Cloud) -> None:
    machine = small_cloud.machine(small_cloud.repository(quota=QUOTA), "append")
    content = bytes(QUOTA + 1)
    with machine.client as client:
        assert client.post(f"data/{named(content)}", content=content).status_code == 507, "said beforehand"
        chunks = (content[i : i + 100_000] for i in range(0, len(content), 100_000))
        assert client.post(f"data/{named(content)}", content=chunks).status_code == 507, "found on the way"
        fits = content[:QUOTA]
        assert client.post(f"data/{named(fits)}", content=fits).status_code == 200
        assert client.post(f"data/{named(b'1')}", content=b"1").status_code == 507
        assert client.post(f"locks/{named(b'1')}", content=b"1").status_code == 200
    assert small_cloud.fresh(machine.repository).live == QUOTA + 1
    assert list((small_cloud.places.first.root / "uploads").iterdir()) == []
    assert open_uploads() == [], "rest-server leaves a file and a descriptor of each upload that it refused"


def test_what_does_not_fit_is_not_written_first(small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal at the commit would come too late for the disk."""
    machine = small_cloud.machine(small_cloud.repository(quota=QUOTA), "append")
    content, written = bytes(3 * QUOTA), []
    write = Spooled.write

    def counted(upload: Spooled, chunks: Iterable[bytes]) -> None:
        before = upload.size
        write(upload, chunks)
        written.append(upload.size - before)

    monkeypatch.setattr(Spooled, "write", counted)
    with machine.client as client:
        assert client.post(f"data/{named(content)}", content=content).status_code == 507
        assert sum(written) == 0, "said beforehand"
        chunks = (content[i : i + 100_000] for i in range(0, len(content), 100_000))
        assert client.post(f"data/{named(content)}", content=chunks).status_code == 507
        assert 0 < sum(written) <= QUOTA, "found on the way"


def test_many_uploads_at_once_never_go_over_the_quota(cloud: Cloud) -> None:
    machine = cloud.machine(cloud.repository(quota=QUOTA), "append")

    def send(number: int) -> int:
        content = bytes([number]) * MIB
        with machine.client as client:
            return client.post(f"data/{named(content)}", content=content).status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(send, range(10)))
    assert statuses == [200] * 4 + [507] * 6
    assert cloud.fresh(machine.repository).live == QUOTA


def test_the_municipality_s_own_limit_holds_over_all_its_repositories(small_cloud: Cloud) -> None:
    one, two = (small_cloud.machine(small_cloud.repository(name), "append") for name in ("one", "two"))
    with small_cloud.database.transaction(tenant=HOME) as session:
        session.get_one(AllowanceRow, HOME).quota = QUOTA
    first, second = bytes(3 * MIB), bytes(2 * MIB)
    with one.client as client:
        assert client.post(f"data/{named(first)}", content=first).status_code == 200
    with two.client as client:
        assert client.post(f"data/{named(second)}", content=second).status_code == 507


def test_a_full_repository_is_listed_cleared_and_used_again_by_restic(small_cloud: Cloud, tmp_path: Path) -> None:
    """rest-server locks such a tenant out: it cannot even make the lock it needs to free space."""
    repository = small_cloud.repository()
    writer, tidier = small_cloud.machine(repository, "append"), small_cloud.machine(repository, "full")
    writer.restic("init")
    fill(tmp_path / "src", files=30)
    writer.restic("backup", str(tmp_path / "src"))
    with small_cloud.database.transaction(tenant=HOME) as session:
        row = session.merge(small_cloud.fresh(repository))
        row.quota = row.live
    fill(tmp_path / "src", files=30, seed=2)
    refused = writer.restic("backup", str(tmp_path / "src"), "--no-cache", check=False) if _stops_at_507() else None
    assert refused is None or refused.returncode != 0
    assert "snapshots" in writer.restic("snapshots").stdout
    tidier.restic("unlock", "--remove-all")
    latest = tidier.restic("snapshots", "--json").stdout
    tidier.restic("forget", _first_id(latest), "--prune")
    assert small_cloud.fresh(repository).live < row.live
    writer.restic("backup", str(tmp_path / "src" / "課1"))


def _first_id(snapshots: str) -> str:
    import json

    return json.loads(snapshots)[0]["short_id"]


def _stops_at_507() -> bool:
    """restic before 0.18.1 tries a refused upload again for 15 minutes (restic #5429): not waited for here."""
    import re
    import subprocess

    from services.backup.tests.town import restic_program

    text = subprocess.run([restic_program(), "version"], capture_output=True, text=True, check=True).stdout
    version = tuple(int(part) for part in re.findall(r"\d+", text)[:3])
    return version >= (0, 18, 1)
