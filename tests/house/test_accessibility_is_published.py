"""docs/accessibility.md and /accessibility have one source, and it claims nothing without a test or a reader."""

import re
from collections.abc import Iterator

import pytest

from services.tenants import accessibility
from tests.browser import record


@pytest.fixture
def another_source(tmp_path, monkeypatch) -> Iterator:
    accessibility.record.cache_clear()
    planted = tmp_path / "accessibility.toml"
    monkeypatch.setattr(accessibility, "SOURCE", planted)
    yield lambda change: planted.write_text(change(_SOURCE), "utf-8")
    accessibility.record.cache_clear()


_SOURCE = accessibility.SOURCE.read_text("utf-8")


def test_the_page_for_developers_is_what_the_record_makes() -> None:
    assert accessibility.PAGE.read_text("utf-8") == accessibility.document(), "run `make accessibility-table`"


def test_every_criterion_of_a_and_aa_is_there_with_its_english_name_and_note() -> None:
    found = accessibility.record().criteria
    assert [each.level for each in found].count("A") == 25 and [each.level for each in found].count("AA") == 13
    assert all(each.name_en and bool(each.note) == bool(each.note_en) for each in found)


def test_conformance_is_not_claimed_while_something_waits_for_people() -> None:
    record = accessibility.record()
    assert record.conformant == (record.count("partly") == 0)
    assert ("**準拠**" in accessibility.document()) == record.conformant


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('result = "tested"', 'result = "good"', 1),
        lambda text: text.split("[[criteria]]", 2)[0] + "[[criteria]]" + text.split("[[criteria]]", 2)[2],
        lambda text: re.sub(r'(result = "tested"\n)tests = \[.*?\n\]', r"\1tests = []", text, count=1, flags=re.S),
    ],
    ids=["an unknown result", "a criterion is missing", "no test shows it"],
)
def test_a_record_that_claims_too_much_is_refused(another_source, change) -> None:
    another_source(change)
    with pytest.raises(ValueError):
        accessibility.record()


def test_the_record_of_pages_counts_what_was_seen_kind_by_kind() -> None:
    """Made-up lines, as the walk writes them: one kind with faults and a place the keyboard does not leave, one without."""
    seen = {"walk": "test_pages", "began": "2026-11-26T01:02:03+00:00", "kind": "/status/", "language": "ja"}
    clean = seen | {"wrong": 0, "told": 0, "stops": 9, "trap": False} | dict.fromkeys(record.COLUMNS, 0)
    bad = clean | {"kind": "/t/*/", "axe": 2, "reflow": 1, "trap": True, "wrong": 3, "told": 2}
    page = record.table([clean, bad, clean | {"language": "en"}])
    assert "2種類のページを3回見て、違反のあった回は1回です" in page
    assert "| `/status/` | 2026-11-26 | 2 | 0 | 0 | 0 | 0 | 0 | 9 | — |" in page
    assert "| `/t/*/` | 2026-11-26 | 1 | 2 | 0 | 1 | 0 | 0 | × | 2/3 |" in page


def test_a_walk_that_is_done_again_counts_once_and_the_others_stay() -> None:
    before = [
        {"walk": walk, "began": "2026-11-26", "kind": kind} for walk, kind in (("a", "/"), ("b", "/b"), ("a", "/x"))
    ]
    again = [{"walk": "a", "began": "2026-11-27", "kind": "/"}]
    assert record.newest([*before, *again]) == [before[1], *again]
    assert record.newest(before) == before


def test_faults_are_told_apart_by_what_they_are() -> None:
    faults = ["320px: button-name: Buttons must have text — button", "320px: color-contrast: Low — p", "320px: wider than the screen: x",
              "320px: too small to press: a", "lang is ''"]  # fmt: skip
    found = {column: [fault for fault in faults if test(fault)] for column, test in record.COLUMNS.items()}
    assert [len(each) for each in found.values()] == [1] * 5, found
