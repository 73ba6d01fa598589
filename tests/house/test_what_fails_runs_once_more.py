"""`make test` gives a few failing tests a second time, alone, and says so; what fails always has failed."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BY_CHANCE = """
from pathlib import Path
def test_by_chance():
    seen = Path(__file__).with_suffix(".seen")
    before = seen.exists()
    seen.touch()
    assert before
"""
ALWAYS = "def test_always():\n    assert False\n"
FOUR = "import pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_four(n):\n    assert False\n"


@pytest.fixture
def folder() -> Iterator[Path]:
    """In the checkout: pytest names a test by its place below the root."""
    (ROOT / "var").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "var") as made:
        yield Path(made)


def run(folder: Path, text: str) -> tuple[int, str]:
    """Exit code, and what was printed, of the test command on one file."""
    file = folder / "test_it.py"
    file.write_text(text)
    # Servers that nobody asks: none are started for this.
    named = {"TEST_AMQP_URL": "amqp://127.0.0.1:9", "TEST_DATABASE_URL": "postgresql://127.0.0.1:9/x"}
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "FAILED_TESTS"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "infra.local.test", "-n", "0", "-p", "no:cacheprovider", "--noconftest", str(file)],
        cwd=ROOT,
        env=environment | named,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def test_what_passes_at_the_second_time_is_named_and_the_run_ends_well(folder: Path) -> None:
    code, printed = run(folder, BY_CHANCE)
    assert code == 0, printed
    assert "1 failed" in printed and "PASSED ONLY AT THE SECOND TIME" in printed and "test_by_chance" in printed


def test_what_fails_always_has_failed(folder: Path) -> None:
    code, printed = run(folder, ALWAYS)
    assert code == 1 and "Once more" in printed and "SECOND TIME" not in printed


def test_where_more_than_a_few_fail_nothing_runs_again(folder: Path) -> None:
    code, printed = run(folder, FOUR)
    assert code == 1 and "4 failed" in printed and "Once more" not in printed
