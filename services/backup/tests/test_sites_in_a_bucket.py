"""Either site may be a bucket: in a real S3-compatible server, with real restic, lost and back again."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from infra.local.processes import wait_until
from libs.common.files.bucket import Bucket
from libs.common.testing.bucket import BUCKET, Server, bucket_server
from services.backup import vault
from services.backup.db import RepositoryRow
from services.backup.db import repositories as db
from services.backup.settings import Held, renew_site
from services.backup.sites import BucketSite, Key, Site, SiteBroken, SiteDown, WrongContent
from services.backup.sites.lock import ObjectLock
from services.backup.tests.test_two_sites import copy_all, planted, rows
from services.backup.tests.town import HOME, MIB, Cloud, fill, named, restored
from services.backup.use_cases import drill, sites

PACK = bytes(range(256)) * (40 * 1024)
KEY = Key(HOME, "r", "data", named(PACK))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with bucket_server(tmp_path_factory.mktemp("weed")) as made:
        yield made


def bucket(server: Server, prefix: str) -> Bucket:
    return Bucket.at(f"s3://{BUCKET}/{prefix}", **server.options())


@pytest.fixture
def site(server: Server, request: pytest.FixtureRequest, tmp_path: Path) -> BucketSite:
    made = BucketSite("second", bucket(server, request.node.name), tmp_path / "spool")
    made.prepare()
    return made


def bring(site: Site, key: Key, content: bytes) -> None:
    with site.begin() as upload:
        upload.write([content[: len(content) // 2], content[len(content) // 2 :]])
        upload.seal(key)
        upload.keep()


def with_site(cloud: Cloud, name: str, site: Site) -> None:
    """Let the running service use `site` from now on."""
    places = cloud.places
    first, second = (site, places.second) if name == "first" else (places.first, site)
    renew_site(cloud.service, site)
    cloud.service.extras["backup"] = Held(first, second, places.tokens, places.vault_key)


def test_what_was_kept_is_read_whole_and_in_parts_and_removed(site: BucketSite) -> None:
    bring(site, KEY, PACK)
    with site.open(KEY) as reader:
        assert reader.size == len(PACK) == 10 * MIB
        assert b"".join(reader.blocks(0, reader.size)) == PACK
        assert b"".join(reader.blocks(5_000_000, 5_000_010)) == PACK[5_000_000:5_000_010]
    assert list(site.files(HOME, "r")) == [KEY]
    site.remove(KEY)
    site.remove(KEY)
    assert site.size(KEY) is None
    with pytest.raises(FileNotFoundError):
        site.open(KEY)


def test_wrong_content_never_reaches_the_bucket(site: BucketSite) -> None:
    with pytest.raises(WrongContent), site.begin() as upload:
        upload.write([b"something else"])
        upload.seal(KEY)
    assert list(site.files(HOME, "r")) == []
    assert list((site.workspace("uploads")).iterdir()) == []


def test_what_somebody_removed_between_sending_and_naming_is_sent_again(site: BucketSite) -> None:
    with site.begin() as upload:
        upload.write([PACK])
        upload.seal(KEY)
        site.remove(KEY)
        upload.keep()
    assert site.size(KEY) == len(PACK)


def test_a_bucket_without_the_mark_or_without_a_server_is_down(
    server: Server, site: BucketSite, tmp_path: Path
) -> None:
    assert site.up
    stranger = BucketSite("second", bucket(server, "another"), tmp_path, mark=site.mark)
    assert not stranger.up
    with pytest.raises(SiteDown):
        stranger.begin()
    nowhere = BucketSite(
        "second", Bucket.at(f"s3://{BUCKET}/x", **server.options() | {"endpoint": "http://127.0.0.1:9"}), tmp_path, "m"
    )
    assert not nowhere.up
    with pytest.raises(SiteDown):
        nowhere.open(KEY)


def test_a_town_restores_from_the_bucket_while_the_first_site_is_away_and_is_drilled_there(
    small_cloud: Cloud, site: BucketSite, tmp_path: Path
) -> None:
    with_site(small_cloud, "second", site)
    machine = small_cloud.machine(small_cloud.repository(), "append")
    source, target = tmp_path / "src", tmp_path / "back"
    original = fill(source, files=20)
    machine.restic("init")
    machine.restic("backup", str(source))
    assert copy_all(small_cloud) > 3
    with small_cloud.database.transaction(tenant=HOME) as session:
        row = session.get_one(RepositoryRow, (HOME, machine.repository.id))
        row.sealed_password = vault.seal(small_cloud.places.vault_key, row, "only the town knows this")
        asked = drill.ask(session, small_cloud.staff(), row.id, small_cloud.clock.now())
    drill.carry_out(small_cloud.service, HOME, asked.id)
    with small_cloud.database.reading(tenant=HOME) as session:
        done = db.drill(session, asked.id)
        assert (done.state, (done.evidence or {})["site"]) == ("passed", "second"), done.evidence
    shutil.rmtree(small_cloud.places.first.root)  # type: ignore[attr-defined]
    machine.restic("restore", "latest", "--target", str(target), "--no-cache")
    assert restored(target, source) == original


def test_the_first_site_is_a_bucket_and_rot_in_it_is_mended_from_the_folder(
    small_cloud: Cloud, server: Server, tmp_path: Path
) -> None:
    first = BucketSite("first", bucket(server, "rot"), tmp_path / "spool")
    with_site(small_cloud, "first", first)
    machine = small_cloud.machine(small_cloud.repository(), "full")
    machine.restic("init")
    fill(tmp_path / "src", files=10)
    machine.restic("backup", str(tmp_path / "src"))
    assert copy_all(small_cloud) > 3
    victims = [row for row in rows(small_cloud) if row.type in ("data", "index")]
    bucket(server, "rot").write(first.path(sites.key_of(victims[0])), iter([b"rotten" * 10]))
    first.remove(sites.key_of(victims[1]))
    small_cloud.clock.advance(days=8)
    found = sites.check_some(small_cloud.service, HOME, small_cloud.clock.now(), 10**9)
    assert (found.damaged, found.repaired) == (2, 2)
    machine.restic("forget", "--keep-last", "1", "--prune")
    machine.restic("check", "--read-data", "--no-cache")
    stray = Key(HOME, machine.repository.id, "data", named(b"stray"))
    bring(first, stray, b"stray")
    assert sites.set_aside_unknown(small_cloud.service, HOME) == 1
    for _ in range(31 * 12):
        small_cloud.clock.advance(hours=2)
        sites.advance_trusted_time(small_cloud.service)
    before = len(rows(small_cloud))
    removed = sites.purge_some(small_cloud.service, HOME)
    assert len(list(first.files(HOME, machine.repository.id))) == before - removed
    assert timedelta(days=30) < small_cloud.clock.now() - machine.repository.created_at


@pytest.fixture
def locked(server: Server, tmp_path: Path) -> BucketSite:
    """A bucket made with Object Lock, and the service's own way to it."""
    url, options = "s3://locked/p", server.options()
    lock = ObjectLock(url, options)
    with suppress(lock._client.exceptions.BucketAlreadyOwnedByYou, lock._client.exceptions.BucketAlreadyExists):
        lock._client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    made = BucketSite("second", Bucket.at(url, **options), tmp_path / "spool", lock=lock)
    made.prepare()
    return made


def test_where_the_bucket_locks_not_even_its_key_removes_a_copy_and_it_is_brought_back(
    small_cloud: Cloud, locked: BucketSite
) -> None:
    ahead = datetime.now(UTC) - small_cloud.clock.now()  # the server judges by its own clock
    small_cloud.clock.advance(seconds=ahead.total_seconds())
    with_site(small_cloud, "second", locked)
    planted(small_cloud, 2)
    assert copy_all(small_cloud) == 2
    deleted, overwritten = rows(small_cloud)
    lock, client = ObjectLock("s3://locked/p", {}), locked._lock._client  # type: ignore[union-attr]
    path = lock._key(BucketSite.path(sites.key_of(deleted)))
    until = client.get_object_retention(Bucket="locked", Key=path)["Retention"]
    assert until["Mode"] == "COMPLIANCE"
    assert until["RetainUntilDate"] - small_cloud.clock.now() > timedelta(days=36), "30 days, and until the next check"
    version = client.list_object_versions(Bucket="locked", Prefix=path)["Versions"][0]["VersionId"]
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(Bucket="locked", Key=path, VersionId=version)
    # An intruder with the bucket's key does what can be done, at both sites.
    locked.remove(sites.key_of(deleted))
    locked._bucket.write(BucketSite.path(sites.key_of(overwritten)), iter([b"encrypted"]))
    for row in (deleted, overwritten):
        small_cloud.places.first.remove(sites.key_of(row))
    found = sites.check_some(small_cloud.service, HOME, small_cloud.clock.now() + timedelta(days=8), 10**9)
    assert found.damaged == 4
    sites.repair_some(small_cloud.service, HOME)
    for site in small_cloud.places.sites:
        assert [sites.state_of(site, row)[0] for row in rows(small_cloud)] == ["ok", "ok"], site.name


def test_a_bucket_without_locks_is_used_without(server: Server) -> None:
    lock = ObjectLock(f"s3://{BUCKET}/p", server.options())
    assert not lock.offered
    lock.hold("x", datetime.now(UTC))
    assert list(lock.versions("x")) == []


def test_a_room_that_is_removed_leaves_nothing_in_the_bucket(site: BucketSite) -> None:
    other = Key("401307", "r", "data", named(b"x"))
    bring(site, KEY, PACK)
    bring(site, other, b"x")
    site.remove_tenant(HOME)
    assert site.size(KEY) is None
    assert site.size(other) == 1


def test_a_bucket_that_does_not_know_our_key_is_down_and_keeps_nothing(
    server: Server, site: BucketSite, tmp_path: Path
) -> None:
    options = server.options(secret="another-secret")
    url = f"s3://{BUCKET}/{site._bucket._store.prefix}"  # type: ignore[attr-defined]
    stranger = BucketSite("second", Bucket.at(url, **options), tmp_path / "other", site.mark, ObjectLock(url, options))
    assert not stranger.up
    with pytest.raises(SiteDown):
        stranger.begin()
    for ask in (lambda: stranger.open(KEY), lambda: stranger.remove(KEY), lambda: list(stranger.files(HOME, "r"))):
        with pytest.raises(SiteDown):
            ask()
    assert site.up, "who knows the key is served all the while"


def test_bytes_that_change_on_the_local_disk_while_they_are_sent_are_no_object(site: BucketSite) -> None:
    """Large enough to go in parts: the parts that went before are given up with the rest."""
    with site.begin() as upload:
        upload.write([PACK])
        with upload.path.open("r+b") as file:  # type: ignore[attr-defined]
            file.seek(len(PACK) - 1)
            file.write(b"?")
        with pytest.raises(SiteBroken):
            upload.seal(KEY)
    assert list(site.files(HOME, "r")) == []


@pytest.mark.fault
@pytest.mark.slow
def test_a_bucket_that_goes_away_in_the_middle_loses_nothing_and_takes_it_when_it_is_back(
    small_cloud: Cloud, tmp_path: Path
) -> None:
    with bucket_server(tmp_path) as own:
        second = BucketSite("second", bucket(own, "away"), tmp_path / "spool")
        with_site(small_cloud, "second", second)
        machine = planted(small_cloud, 3)
        assert second.up
        own.kill()
        with pytest.raises(SiteDown), second.begin() as upload:
            upload.write([PACK])
            upload.seal(KEY)
        assert list(second.workspace("uploads").iterdir()) == []
        assert copy_all(small_cloud) == 0, "it was there when it was looked at"
        assert sites.set_aside_unknown(small_cloud.service, HOME) == 0, "nor does it end the nightly look"
        with machine.client as client:
            assert client.post(f"data/{named(b'meanwhile')}", content=b"meanwhile").status_code == 200
        own.start()
        assert wait_until(lambda: second.up, seconds=60)
        assert copy_all(small_cloud) == 4
        assert [sites.state_of(second, row)[0] for row in rows(small_cloud)] == ["ok"] * 4


def test_what_a_site_cannot_read_just_now_is_not_taken_for_rubbish(
    small_cloud: Cloud, site: BucketSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files without a row may be what was acknowledged since the copy of a database that was brought back."""
    with_site(small_cloud, "second", site)
    machine = small_cloud.machine(small_cloud.repository())
    stray = Key(HOME, machine.repository.id, "data", named(b"acknowledged"))
    bring(site, stray, b"acknowledged")

    def away(*_: object) -> None:
        raise SiteDown("the line was cut while it was read")

    with monkeypatch.context() as broken:
        broken.setattr(site, "open", away)
        assert sites.set_aside_unknown(small_cloud.service, HOME) == 0
    assert site.size(stray) == len(b"acknowledged")
    assert sites.set_aside_unknown(small_cloud.service, HOME) == 1
    assert site.size(stray) == len(b"acknowledged"), "set aside for the time of keeping"


def test_a_lock_of_the_bucket_is_extended_and_never_shortened(locked: BucketSite) -> None:
    key = Key(HOME, "r", "data", named(b"locked"))
    bring(locked, key, b"locked")
    now = datetime.now(UTC)
    lock, client = locked._lock, locked._lock._client  # type: ignore[union-attr]
    for days, expected in ((10, 10), (40, 40), (2, 40)):
        locked.hold(key, now + timedelta(days=days))
        told = client.get_object_retention(Bucket="locked", Key=lock._key(BucketSite.path(key)))["Retention"]  # type: ignore[union-attr]
        assert abs(told["RetainUntilDate"] - now - timedelta(days=expected)) < timedelta(minutes=1)


def test_versions_of_a_bucket_that_is_away_are_asked_for_another_time(server: Server) -> None:
    lock = ObjectLock("s3://locked/p", server.options() | {"endpoint": "http://127.0.0.1:9"})
    lock._offered = True  # it was asked while the bucket was there
    with pytest.raises(SiteDown):
        list(lock.versions("x"))
