"""The watch over the logs of a cloud under test: a planted error is found, what is normal is not."""

import json
from pathlib import Path

from tests.conftest import faults_in


def line(level: str, event: str, **more: str) -> str:
    return json.dumps({"process": "apps", "level": level, "event": event, **more}) + "\n"


def test_an_error_in_a_log_is_found(tmp_path: Path) -> None:
    normal = line("info", "request") + "a program's own words\n" + line("warning", "the registry does not answer")
    (tmp_path / "apps.log").write_text(normal)
    assert faults_in(tmp_path) == []
    (tmp_path / "work.log").write_text(line("warning", "job_failed", exception="ValueError: timestamp"))
    (tmp_path / "apps.log").write_text(normal + line("error", "Exception in ASGI application"))
    assert ["Exception in ASGI" in found or "timestamp" in found for found in faults_in(tmp_path)] == [True, True]
