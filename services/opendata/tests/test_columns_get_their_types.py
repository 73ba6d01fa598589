"""A column is numbers or days only while every cell of it is; what only looks like it stays text, and loses nothing."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.opendata.datastore.build import SAMPLE, SHAPES, build, fits

LOOKS = st.text(alphabet="0123456789-+.eE:TZ \n１２", max_size=12)
CELLS = st.one_of(LOOKS, st.integers().map(str), st.floats(allow_nan=False).map(str), st.dates().map(str), st.just(""))


def _built(path: Path, cells: list[str | None]) -> tuple[str, list[object]]:
    built = build(path, ["列"], lambda: [[cell] for cell in cells])
    with sqlite3.connect(path) as connection:
        stored = [value for (value,) in connection.execute("SELECT c0 FROM data ORDER BY _id")]
    return built.columns[0].type, stored


@given(cells=st.lists(CELLS, max_size=30), leading=st.sampled_from([name for name, _ in SHAPES]))
def test_a_late_cell_that_does_not_fit_makes_the_column_wider(cells: list[str], leading: str, tmp_path_factory):
    """Cells behind the sample are judged together, and as each by itself would be."""
    first = {"int": "1", "numeric": "1.5", "date": "2026-11-26", "timestamp": "2026-11-26T10:00"}[leading]
    path = tmp_path_factory.mktemp("table") / "t.sqlite"
    type_, stored = _built(path, [first] * SAMPLE + cells)
    said = [cell for cell in cells if cell]
    if type_ != "text":
        assert all(fits(type_, cell) for cell in said)
    if all(fits(leading, cell) for cell in said):
        assert type_ == leading
    if type_ == "text":
        assert stored[SAMPLE:] == [cell or None for cell in cells]


@pytest.mark.parametrize("cell", ["１２", "1\n2", "007", "1,000", "+1", " 1"])
def test_what_only_looks_like_a_number_stays_as_it_is(tmp_path: Path, cell: str):
    assert _built(tmp_path / "t.sqlite", ["1"] * SAMPLE + [cell]) == ("text", ["1"] * SAMPLE + [cell])


def test_empty_cells_are_nothing(tmp_path: Path):
    assert _built(tmp_path / "t.sqlite", ["1", "", None, "2"]) == ("int", [1, None, None, 2])
