"""An audit that could not look something up has not shown anything, and says so."""

import pytest

from infra.local import audit

OFFLINE = {
    "dependencies": [
        {"name": "jinja2", "skip_reason": "Dependency not found on PyPI and could not be audited: jinja2 (3.1.2)"}
    ],
    "fixes": [],
}
"""What pip-audit 2.9.0 answered where the advisories could not be reached; beside it stood "No known vulnerabilities found"."""


def test_what_was_skipped_is_not_good() -> None:
    report = audit.read(OFFLINE, {"jinja2": "3.1.2"})
    assert (report.code, report.weak, list(report.skipped)) == (2, {}, ["jinja2"])


def test_a_package_the_answer_does_not_name_is_not_good() -> None:
    good = {"name": "jinja2", "version": "3.1.6", "vulns": []}
    assert audit.read({"dependencies": [good]}, {"jinja2": "3.1.6"}).code == 0
    assert audit.read({"dependencies": [good]}, {"jinja2": "3.1.6", "h11": "0.16.0"}).skipped == {
        "h11": "pip-audit says nothing of it"
    }


def test_a_weakness_is_told() -> None:
    weak = {"name": "Jinja2", "version": "3.1.2", "vulns": [{"id": "PYSEC-2024-1", "fix_versions": ["3.1.3"]}]}
    report = audit.read({"dependencies": [weak]}, {"jinja2": "3.1.2"})
    assert (report.code, report.weak) == (1, {"jinja2": ["PYSEC-2024-1"]})


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-run.lock"])
def test_no_locked_package_is_below_a_version_known_to_be_weak(lock: str) -> None:
    packages = audit.locked((audit.ROOT / lock).read_text("utf-8"))
    assert len(set(audit.FLOORS) & set(packages)) > 5, "the list speaks of packages that we do not use"
    assert audit.floors(packages) == []
    assert len(audit.floors(packages | {"h11": "0.14.0", "python-jose": "3.5.0"})) == 2, "the list sees what is planted"
