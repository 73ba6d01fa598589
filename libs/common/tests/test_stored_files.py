"""Uploads and exports: kept whole or not at all, under our own names, of the type they are, for their tenant only."""

import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from libs.common import files
from libs.common.errors import Invalid, NotFound, TooLarge, Unavailable
from libs.common.files.bucket import Bucket
from libs.common.files.folder import INCOMING

A, B = "402036", "401307"
PDF = b"%PDF-1.7\n" + b"x" * 3000
MB = 1_000_000


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> files.Store:
    return files.local(tmp_path / "files") if request.param == "folder" else files.Store(Bucket(MemoryStore()))


def put(store: files.Store, data: bytes, tenant: str = A, limit: int = 10 * MB) -> files.StoredFile:
    return store.put(tenant, [data], limit=limit)


def everything(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_file_comes_back_as_it_went_in(store: files.Store) -> None:
    stored = put(store, PDF)
    assert (stored.size, stored.media_type) == (len(PDF), "application/pdf")
    assert stored.sha256 == __import__("hashlib").sha256(PDF).hexdigest()
    assert store.read(A, stored.id) == PDF
    with store.open(A, stored.id, (5, 8)) as opened:
        assert b"".join(opened.chunks) == b"1.7"
    with store.open(A, stored.id, (len(PDF) - 2, len(PDF) + 50)) as opened:
        assert (opened.size, b"".join(opened.chunks)) == (len(PDF), b"xx")


def test_a_stream_is_open_before_the_answer_begins_and_missing_at_once(store: files.Store) -> None:
    stored = put(store, PDF)
    streamed = store.stream(A, stored.id)
    assert streamed.size == len(PDF)
    assert b"".join(streamed.chunks) == PDF
    with pytest.raises(NotFound):
        store.stream(B, stored.id)


def test_another_tenants_file_looks_as_if_it_were_not_there(store: files.Store) -> None:
    stored = put(store, PDF)
    assert store.read(A, stored.id) == PDF
    with pytest.raises(NotFound), store.open(B, stored.id):
        pass
    assert list(store.list(B)) == []
    store.delete(B, stored.id)
    assert store.read(A, stored.id) == PDF


@pytest.mark.parametrize("name", ["../../x", "..", "", "/etc/passwd", "a/b", "x" * 36, "%2e%2e", "\x00"])
def test_no_path_can_be_asked_for(store: files.Store, tmp_path: Path, name: str) -> None:
    (tmp_path / "x").write_text("outside")
    with pytest.raises(NotFound), store.open(A, name):
        pass
    with pytest.raises(NotFound):
        store.delete(A, name)
    assert (tmp_path / "x").read_text() == "outside"


@pytest.mark.parametrize("tenant", ["../..", "", "40203", "402036/..", "４０２０３６"])
def test_no_tenant_but_six_digits(store: files.Store, tenant: str) -> None:
    with pytest.raises(ValueError, match="six digits"):
        put(store, PDF, tenant)
    with pytest.raises(ValueError, match="six digits"):
        list(store.list(tenant))


def test_deleting_and_deleting_all(store: files.Store) -> None:
    first, second, other = put(store, PDF), put(store, PDF), put(store, PDF, B)
    store.delete(A, first.id)
    store.delete(A, first.id)
    assert [file_id for file_id, _, _ in store.list(A)] == [second.id]
    assert store.delete_all(A) == 1
    assert list(store.list(A)) == []
    assert store.read(B, other.id) == PDF


def test_bytes_of_a_rolled_back_upload_are_forgotten_after_a_day(store: files.Store) -> None:
    known, unknown = put(store, PDF), put(store, PDF)
    now = datetime.now(UTC)
    assert store.forget_unknown(A, {known.id}, now, timedelta(days=1)) == 0
    assert store.forget_unknown(A, {known.id}, now + timedelta(days=2), timedelta(days=1)) == 1
    assert [file_id for file_id, _, _ in store.list(A)] == [known.id]
    with pytest.raises(NotFound), store.open(A, unknown.id):
        pass


JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + b"\x00" * 50
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\x00" * 50
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + b"\x00" * 50


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PDF, "application/pdf"),
        (JPEG, "image/jpeg"),
        (PNG, "image/png"),
        (HEIC, "image/heic"),
        ("住所,氏名\r\n".encode(), "text/plain"),
        ("住所,髙橋\r\n".encode("cp932"), "text/plain"),
        ("あ".encode() * 2731, "text/plain"),  # the 8,192nd byte is in the middle of a character
        (b"PK\x03\x04" + b"\x00" * 60, "application/zip"),
    ],
)
def test_the_content_tells_the_type(store: files.Store, data: bytes, media_type: str) -> None:
    assert put(store, data).media_type == media_type


@pytest.mark.parametrize(
    "data",
    [
        b"MZ\x90\x00" + b"\x00" * 60,
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"\xef\xbb\xbf <!DOCTYPE html><script>1</script>",
        b"GIF89a" + b"\x00" * 60,
        b"junk before %PDF-1.7\x00",
        b"\x00" * 100,
        b"#!/bin/sh\nrm -rf /\n",
    ],
)
def test_a_wrong_type_is_refused_and_leaves_nothing(store: files.Store, data: bytes) -> None:
    allowed = files.PDF | files.IMAGES | files.TEXT
    assert store.put(A, [PDF], limit=MB, allowed=allowed)
    with pytest.raises(Invalid, match="PDF"):
        store.put(A, [data], limit=MB, allowed=allowed)
    assert len(list(store.list(A))) == 1


def test_an_empty_file_is_refused(store: files.Store) -> None:
    with pytest.raises(Invalid, match="空"):
        store.put(A, [], limit=MB)


def test_one_byte_too_many_is_refused_and_leaves_nothing(store: files.Store) -> None:
    assert put(store, PDF, limit=len(PDF)).size == len(PDF)
    with pytest.raises(TooLarge):
        put(store, PDF, limit=len(PDF) - 1)
    with pytest.raises(TooLarge, match="20MB"):
        store.put(A, (PDF[:9] + b"x" * MB for _ in range(21)), limit=20 * MB)
    assert len(list(store.list(A))) == 1


def test_a_hundred_megabytes_pass_through_flat_memory(store: files.Store, request: pytest.FixtureRequest) -> None:
    if "bucket" in request.node.name:
        pytest.skip("the bucket of this test is itself in memory")

    def hundred() -> Iterator[bytes]:
        yield PDF
        for _ in range(100):
            yield b"\x01" * MB

    tracemalloc.start()
    stored = store.put(A, hundred(), limit=200 * MB)
    with store.open(A, stored.id) as opened:
        read = sum(len(chunk) for chunk in opened.chunks)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read == stored.size == 100 * MB + len(PDF)
    assert peak < 8 * MB


FULL = """
import resource, signal, sys
from pathlib import Path
from libs.common import files
from libs.common.errors import Unavailable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))  # the disk has room for 3 MB
store = files.local(Path(sys.argv[1]))
store.put("402036", [b"%PDF-1.7" + b"x" * 1_000_000], limit=10_000_000)
try:
    store.put("402036", (b"%PDF-1.7" + b"x" * 1_000_000 for _ in range(5)), limit=10_000_000)
except Unavailable as error:
    print(error.code)
"""


def test_a_full_disk_is_said_and_nothing_half_stays(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.stdout == "disk-full\n", done.stderr
    assert [path.stat().st_size for path in everything(tmp_path)] == [1_000_008]


ENDLESS = """
import sys
from pathlib import Path
from libs.common import files
def pieces():
    yield b"%PDF-1.7"
    for n in range(10**9):
        yield b"x" * 1_000_000
        if n == 3: print("writing", flush=True)
        if n > 3: import time; time.sleep(600)
files.local(Path(sys.argv[1])).put("402036", pieces(), limit=10**18)
"""


@pytest.mark.fault
def test_a_process_killed_while_writing_leaves_no_file_and_its_rest_is_swept(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", ENDLESS, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "writing\n"
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    assert list(files.local(tmp_path).list(A)) == []
    assert len(everything(tmp_path / INCOMING)) == 1, "this is what must be swept"
    assert files.local(tmp_path).forget_half_written(datetime.now(UTC)) == 0
    assert files.local(tmp_path).forget_half_written(datetime.now(UTC) + timedelta(days=2)) == 1
    assert everything(tmp_path) == []


def test_an_upload_that_breaks_off_leaves_nothing(store: files.Store, tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield PDF * 10
        raise RuntimeError("the browser went away")

    with pytest.raises(Exception, match="went away"):
        store.put(A, broken(), limit=MB)
    assert list(store.list(A)) == []
    assert everything(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("a file is where the folder should be")
    with pytest.raises(Unavailable):
        put(files.local(tmp_path / "files"), PDF)


def test_a_folder_says_where_a_file_lies_and_a_bucket_does_not(tmp_path: Path) -> None:
    store = files.local(tmp_path / "files")
    stored = put(store, PDF)
    place = store.place(A, stored.id)
    assert place == f"/{A}/{stored.id[-2:]}/{stored.id}"
    assert (tmp_path / "files" / place.lstrip("/")).read_bytes() == PDF
    assert store.place(B, stored.id) is None, "another tenant's"
    assert files.Store(Bucket(MemoryStore())).place(A, stored.id) is None
