"""Every test that services/backup/FAULTS.md names has a fault that must turn it red, and has been seen red (`make mutants`)."""

import pytest

from services.backup.tests.mutants import MUTANTS, Mutant
from tests.unbroken.mutants import (
    GREEN,
    PAGE,
    ROOT,
    NotPlanted,
    Seen,
    files_of_tests,
    function_of,
    path_of,
    planted,
    row,
    rows_before,
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.what)
def test_its_place_is_there_once(mutant: Mutant) -> None:
    text = (ROOT / path_of(mutant)).read_text("utf-8")
    assert planted(text, mutant) != text


def test_every_test_that_the_page_of_faults_names_has_one() -> None:
    assert {function_of(test) for mutant in MUTANTS for test in mutant.red} == set(files_of_tests())


def test_each_was_planted_and_every_test_was_red() -> None:
    assert set(rows_before()) == {mutant.what for mutant in MUTANTS}, "run `make mutants WORDS=…` for the new ones"
    assert GREEN not in PAGE.read_text("utf-8")


def test_a_place_that_is_gone_and_a_test_that_stayed_green_are_seen() -> None:
    first, *_ = MUTANTS
    for text in ("", first.text * 2):
        with pytest.raises(NotPlanted):
            planted(text, first)
    red, *_ = first.red
    seen = row(first, Seen({function_of(red): "AssertionError: 1 == 2"}), "now")
    assert "1 == 2" in seen and seen.count(GREEN) == len(first.red) - 1 > 0
