"""A pytest plugin of `make test`: notes which tests failed, in the file that FAILED_TESTS names, one a line."""

import os
from pathlib import Path

import pytest


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Called in the run's own process also for what a worker ran."""
    named = os.environ.get("FAILED_TESTS")
    if named and report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        with Path(named).open("a", encoding="utf-8") as file:
            file.write(report.nodeid + "\n")


def failed_in(file: Path) -> list[str]:
    """Each test once, in the order of failing."""
    return list(dict.fromkeys(file.read_text(encoding="utf-8").splitlines())) if file.exists() else []
