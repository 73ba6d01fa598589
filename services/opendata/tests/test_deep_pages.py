"""A page deep in a sorted table costs one sorting of it, the first time too; and what took too long once is quick the next time."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.common import files
from libs.common.errors import Unavailable
from services.opendata.datastore import Condition, Question, Table, Tables, indexes
from services.opendata.datastore.build import build
from services.opendata.datastore.query import open_table

ROWS = 200_000


def lines() -> Iterator[tuple[str, str]]:
    return ((str(n), f"大木町大字八町牟田{(n * 7919) % 99_991}番地") for n in range(ROWS))


@pytest.mark.parametrize("conditions", [(), (Condition("番号", "gte", 0),)], ids=["all rows", "chosen rows"])
@pytest.mark.parametrize("down", [False, True])
def test_a_page_in_the_middle_of_an_order_costs_a_sorting_not_ten(
    tmp_path: Path, conditions: tuple[Condition, ...], down: bool
):
    build(tmp_path / "t.sqlite", ["番号", "住所"], lines)
    order = f"ORDER BY c1{' DESC' if down else ''}, _id"
    with open_table(tmp_path / "t.sqlite", 120) as table:
        begun = time.process_time()
        kept = table.connection.execute(f"SELECT _id FROM data {order} LIMIT 50 OFFSET 100000").fetchall()
        before = time.process_time() - begun
        begun = time.process_time()
        found = list(table.select(Question(conditions, sort=(("住所", down),), limit=50, offset=100_000)))
        took = time.process_time() - begun
    assert [row[0] for row in found] == [row[0] for row in kept]
    assert took < before / 2, f"{took:.2f} s; as SQLite keeps the first rows in a tree: {before:.2f} s"


def test_a_page_that_took_too_long_is_there_the_next_time(tmp_path: Path):
    """It was refused again and again: the index was ordered only after an answer."""
    tables = Tables(files.local(tmp_path / "files"), tmp_path / "tables", seconds=0.01)
    ident, _ = tables.make("405221", ["番号", "住所"], lines)
    question = Question(sort=(("住所", False),), limit=50, offset=100_000)
    with pytest.raises(Unavailable), tables.open("405221", ident) as table:
        list(table.select(question))
    tables.indexer.wait()
    with tables.open("405221", ident, 60) as table:
        assert table.indexed == {"c1"}
        assert len(list(table.select(question))) == 50


def walked(table: Table, sort: tuple[tuple[str, bool], ...], limit: int) -> list[int]:
    """The numbers of all rows, page after page behind the last row of the one before."""
    found: list[int] = []
    while page := list(
        table.select(Question(columns=("番号",), sort=sort, limit=limit, after=found[-1] if found else 0))
    ):
        found += [row[0] for row in page]
    return found


@pytest.mark.parametrize("columns", [[], ["c0"], ["c0", "c1"]], ids=["no index", "one index", "two indexes"])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("second", [None, False, True])
def test_whoever_walks_by_cursor_meets_each_row_once_in_its_order(
    tmp_path: Path, columns: list[str], first: bool, second: bool | None
):
    cells = [("3", "い"), ("", "あ"), ("1", ""), ("3", ""), ("", ""), ("2", "い"), ("3", "い"), ("1", "あ"), ("", "い")]
    build(tmp_path / "t.sqlite", ["番号", "住所"], lambda: iter(cells * 3))
    indexes._make(tmp_path / "t.sqlite", tmp_path / "i.sqlite", columns)
    sort = (("番号", first),) + ((("住所", second),) if second is not None else ())
    with open_table(tmp_path / "i.sqlite", 120) as table:
        whole = [row[0] for row in table.select(Question(columns=("番号",), sort=sort, limit=100))]
        assert len(whole) == 27 and walked(table, sort, 4) == whole and walked(table, sort, 1) == whole


@pytest.mark.parametrize("down", [False, True])
def test_a_page_behind_a_cursor_costs_a_page_once_its_index_is_there(tmp_path: Path, down: bool):
    tables = Tables(files.local(tmp_path / "files"), tmp_path / "tables", seconds=60)
    ident, _ = tables.make("405221", ["番号", "住所"], lines)
    question = Question(sort=(("住所", down),), limit=50, after=ROWS // 2)
    costs: list[int] = []
    for _ in range(2):
        with tables.open("405221", ident) as table:
            costs.append(0)
            table.connection.set_progress_handler(lambda: costs.append(costs.pop() + 1), 100)
            assert len(list(table.select(question))) == 50
        tables.indexer.wait()
    assert costs[1] * 50 < costs[0], f"hundreds of steps: {costs[0]} without the index, {costs[1]} with it"
