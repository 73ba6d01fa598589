"""All rows in an order are sorted on the disk: of tables up to a size, a few at once; where there is no room, nothing half is sent."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from services.opendata.datastore import query
from services.opendata.tests.people import Town

ROWS = 60_000
FILES = (
    "data/{}.csv?sort=値",
    "data/{}.parquet?sort=値",
    "datastore/dump/{}?sort=値",
    "datastore/dump/{}?sort=値&format=json",
)


@pytest.fixture
def file(town: Town) -> str:
    lines = (f"{n * 7919 % ROWS},{'場所の説明' * 2}{n}" for n in range(ROWS))
    dataset = town.publish(("値,説明\r\n" + "\r\n".join(lines)).encode(), "many.csv")
    return town.visitor().result("package_show", id=dataset)["resources"][0]["id"]


def ask(town: Town, path: str, file: str):
    return town.visitor().get("/opendata/" + path.format(file), page=False)


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """What a full disk is to SQLite: files it writes end at `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_where_the_disk_is_full_a_sorted_export_is_refused_before_its_first_byte(town: Town, file: str):
    for path in FILES:
        with no_file_longer_than(200_000):
            answer = ask(town, path, file)
        assert answer.status_code == 503 and "no-room-to-sort" in answer.text, path
        assert answer.headers["retry-after"]
    assert ask(town, FILES[0], file).text.splitlines()[1].startswith("0,"), "with room again, it is sorted again"


def test_a_table_too_large_to_be_sorted_is_exported_as_it_stands(
    town: Town, file: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(query, "MOST_SORTED", 100_000)
    for path in FILES:
        answer = ask(town, path, file)
        assert answer.status_code == 413 and "並べ替え" in answer.text, path
    assert ask(town, "data/{}.csv", file).text.count("\n") == ROWS + 1
    page = ask(town, "data/{}.json?sort=値&limit=2", file).json()
    assert [row["値"] for row in page["rows"]] == [0, 1], "a page in an order is no export"


def test_more_sorted_exports_at_once_than_there_is_room_for_wait(
    town: Town, file: str, monkeypatch: pytest.MonkeyPatch
):
    places = query._SORTING  # pyright: ignore[reportPrivateUsage]
    for _ in range(query.SORTED_AT_ONCE):
        assert places.acquire(blocking=False)
    try:
        assert "sorting-busy" in ask(town, FILES[0], file).text
        assert ask(town, "data/{}.csv", file).status_code == 200
    finally:
        for _ in range(query.SORTED_AT_ONCE):
            places.release()
    for _ in range(query.SORTED_AT_ONCE + 1):
        assert ask(town, FILES[0], file).status_code == 200, "each export gives its place back"
