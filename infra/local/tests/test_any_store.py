"""What no store changes is tested on SQLite in every run and on PostgreSQL in the long one: never in neither, never in both."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MARKED = "libs/common/tests/test_notices.py"


@pytest.mark.parametrize(("run", "stores"), [("not slow", {"sqlite"}), ("slow", {"postgresql"})])
def test_a_marked_file_is_on_one_store_in_each_run(run: str, stores: set[str]) -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", run, MARKED]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    assert set(re.findall(r"\[(sqlite|postgresql)\b", found)) == stores, found
