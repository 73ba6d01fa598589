"""docs/rolling.md: a run writes the rows of what it replaced and leaves those of the others."""

from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from libs.common.clock import JST
from tests.unbroken.fleet import __main__ as fleet


def run(service: str, requests: int, day: int) -> str:
    replaced = fleet.Replaced(service, "api", 2, 30.0, requests, [], 5.0)
    outcome = fleet.Outcome(["reset"], [replaced], [], [], Counter())
    return fleet.page(outcome, datetime(2026, 11, day, 4, 27, tzinfo=JST), ["tenants", service], "make rolling")


def test_a_row_stays_until_the_same_role_is_replaced_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "PAGE", tmp_path / "rolling.md")
    for service, requests, day in (("ebid", 10, 1), ("backup", 20, 2), ("ebid", 30, 3)):
        fleet.PAGE.write_text(run(service, requests, day), "utf-8")
    rows = [line.split(" | ")[:6] for line in fleet.PAGE.read_text("utf-8").splitlines() if " api | 2026" in line]
    assert rows == [
        ["| ebid api", "2026-11-03 04:27", "2", "30", "5.0", "30"],
        ["| backup api", "2026-11-02 04:27", "2", "30", "5.0", "20"],
    ]
