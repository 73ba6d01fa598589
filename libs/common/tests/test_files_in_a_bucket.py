"""Stored files in a real S3-compatible server."""

import tracemalloc
from collections.abc import Iterator
from contextlib import suppress

import pytest

from infra.local import processes
from libs.common import files
from libs.common.errors import NotFound, TooLarge, Unavailable
from libs.common.testing.bucket import BUCKET, KEY, Server, bucket_server

pytestmark = pytest.mark.slow
A, B = "402036", "401307"
MB = 1_000_000
PDF = b"%PDF-1.7\n" + b"x" * 3000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with bucket_server(tmp_path_factory.mktemp("weed")) as made:
        yield made


def store_of(server: Server, prefix: str, secret: str = KEY["secretKey"]) -> files.Store:
    """As FILES_URL and the AWS_* variables would make it."""
    return files.s3(f"s3://{BUCKET}/{prefix}", **server.options(secret))


@pytest.fixture
def store(server: Server, request: pytest.FixtureRequest) -> files.Store:
    return store_of(server, request.node.name)


def test_a_file_comes_back_as_it_went_in_whole_and_in_parts(store: files.Store) -> None:
    stored = store.put(A, [PDF], limit=MB, allowed=files.PDF)
    assert store.read(A, stored.id) == PDF
    with store.open(A, stored.id, (5, 8)) as opened:
        assert b"".join(opened.chunks) == b"1.7"
    assert [(file_id, size) for file_id, size, _ in store.list(A)] == [(stored.id, len(PDF))]


def test_another_municipality_s_file_looks_as_if_it_were_not_there(store: files.Store) -> None:
    stored = store.put(A, [PDF], limit=MB)
    with pytest.raises(NotFound), store.open(B, stored.id):
        pass
    assert list(store.list(B)) == []
    store.delete(B, stored.id)
    assert store.read(A, stored.id) == PDF


def test_fifty_megabytes_go_in_parts_through_flat_memory(store: files.Store) -> None:
    def pieces() -> Iterator[bytes]:
        yield PDF
        for number in range(50):
            yield bytes([number]) * MB

    tracemalloc.start()
    stored = store.put(A, pieces(), limit=60 * MB)
    with store.open(A, stored.id) as opened:
        read = sum(len(chunk) for chunk in opened.chunks)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read == stored.size == 50 * MB + len(PDF)
    assert peak < 40 * MB
    with store.open(A, stored.id, (len(PDF) + 7 * MB - 1, len(PDF) + 7 * MB + 1)) as opened:
        assert b"".join(opened.chunks) == bytes([6, 7])


def test_an_upload_that_breaks_off_or_grows_too_long_leaves_nothing(store: files.Store) -> None:
    def broken() -> Iterator[bytes]:
        for _ in range(20):
            yield PDF[:9] + b"x" * MB
        raise RuntimeError("the browser went away")

    with pytest.raises(Exception, match="went away"):
        store.put(A, broken(), limit=60 * MB)
    with pytest.raises(TooLarge):
        store.put(A, (b"x" * MB for _ in range(20)), limit=18 * MB)
    assert list(store.list(A)) == []


def test_deleting_one_and_all(store: files.Store) -> None:
    first, second, other = (store.put(tenant, [PDF], limit=MB) for tenant in (A, A, B))
    store.delete(A, first.id)
    store.delete(A, first.id)
    assert [file_id for file_id, _, _ in store.list(A)] == [second.id]
    assert store.delete_all(A) == 1
    assert store.read(B, other.id) == PDF


def test_with_a_wrong_key_nothing_is_kept_and_it_is_said(server: Server, store: files.Store) -> None:
    stranger = store_of(server, "wrong", secret="another")
    with pytest.raises(Unavailable):
        stranger.put(A, [PDF], limit=MB)
    assert list(store_of(server, "wrong").list(A)) == []


def test_while_the_server_is_away_it_is_said_and_what_was_kept_is_there_again(server: Server) -> None:
    store = store_of(server, "away")
    stored = store.put(A, [PDF], limit=MB)
    server.stop()
    with pytest.raises(Unavailable):
        store.put(A, [PDF], limit=MB)
    with pytest.raises(Unavailable):
        store.read(A, stored.id)
    server.start()

    def is_there() -> bool:  # the server says it is well before its volumes have come back
        with suppress(Unavailable):
            return store.read(A, stored.id) == PDF
        return False

    assert processes.wait_until(is_there, seconds=60)


def test_the_store_is_reached_with_the_variables_that_an_operator_puts_into_a_secret(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """infra/k8s/README.md: Secret `<service>-files-account`."""
    options = server.options()
    account = {"AWS_ENDPOINT_URL": "endpoint", "AWS_REGION": "region", "AWS_ACCESS_KEY_ID": "access_key_id"}
    account |= {"AWS_SECRET_ACCESS_KEY": "secret_access_key"}
    for variable, option in account.items():
        monkeypatch.setenv(variable, options[option])
    rest = {name: options[name] for name in ("client_options", "retry_config")}
    store = files.s3(f"s3://{BUCKET}/by-variables", **rest)
    assert store.read(A, store.put(A, [PDF], limit=MB).id) == PDF
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of somebody else")
    with pytest.raises(Unavailable):
        files.s3(f"s3://{BUCKET}/by-variables", **rest).put(A, [PDF], limit=MB)
