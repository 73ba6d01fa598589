"""A page that says "this test shows it" names a test that is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    "docs/failures.md",
    "docs/security.md",
    "docs/threats.md",
    "docs/accessibility.md",
    "docs/security-rules.md",
    "docs/chaos.md",
    "docs/gateway-faults.md",
    "docs/sign-in-providers.md",
    "docs/decisions/0001-invariants.md",
    "services/ebid/PROOFS.md",
    "services/backup/FAULTS.md",
]
NAMED = re.compile(r"`((?:tests|libs|services|gateway|infra)/[\w/.-]+\.py)(?:::(\w+))?`")
FOLDER = re.compile(r"`((?:tests|libs|services|gateway|infra)/[\w/.-]+/)`")


def named(page: str) -> list[tuple[str, str]]:
    """(file, function or "") that the text names."""
    return [(path, function) for path, function in NAMED.findall(page)]


def missing(page: str) -> list[str]:
    absent = [name for name in FOLDER.findall(page) if not (ROOT / name).is_dir()]
    for path, function in named(page):
        if not (ROOT / path).is_file():
            absent.append(path)
        elif function and function not in _functions(ROOT / path):
            absent.append(f"{path}::{function}")
    return absent


def _functions(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_a_page_names_is_there(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert named(text), "the page names no test at all"
    assert missing(text) == []


def test_a_name_that_is_not_there_is_found() -> None:
    here = "tests/house/test_named_tests_exist.py"
    assert missing(f"`{here}::test_a_name_that_is_not_there_is_found`") == []
    assert missing(f"`{here}::test_invented` `tests/nowhere/test_x.py::test_y` `libs/nothing/`") == [
        "libs/nothing/",
        f"{here}::test_invented",
        "tests/nowhere/test_x.py",
    ]
