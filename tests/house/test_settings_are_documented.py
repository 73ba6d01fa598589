"""Every setting a process understands stands in docs/operators.md, and nothing stands there that nobody reads."""

import importlib
import re
from pathlib import Path

from services.__main__ import DEPLOYABLES

PAGE = (Path(__file__).parents[2] / "docs" / "operators.md").read_text("utf-8")
MODULES = ["libs.common.settings", "gateway.settings", *(f"{each.package}.settings" for each in DEPLOYABLES)]
STARTERS = {"APPS_HOST", "APPS_PORT", "WORK_METRICS_PORT", "DRAIN_SECONDS"}
"""Read by libs/common/roles.py and leaving.py, not by a settings class."""


def known(module: str) -> set[str]:
    return {name.upper() for name in importlib.import_module(module).Settings.model_fields}


def documented() -> dict[str, set[str]]:
    """Heading of the page → settings in the table under it that have a meaning."""
    sections = re.split(r"^#{2,3} (.+)$", PAGE, flags=re.M)[1:]
    return {
        heading: set(re.findall(r"^\| `([A-Z_]+)` \| \S", text, re.M))
        for heading, text in zip(sections[::2], sections[1::2], strict=True)
    }


def test_every_setting_is_documented_with_its_meaning() -> None:
    missing = set().union(*map(known, MODULES)) - set().union(*documented().values())
    assert not missing, f"docs/operators.md says nothing of {sorted(missing)}"


def test_every_service_has_its_own_table() -> None:
    common, page = known("libs.common.settings"), documented()
    missing = {
        each.name: sorted(absent)
        for each in DEPLOYABLES
        if (absent := known(f"{each.package}.settings") - common - page.get(each.name, set()))
    }
    assert not missing, f"docs/operators.md has a table per service, under its name; these lack: {missing}"


def test_no_setting_is_documented_that_nobody_reads() -> None:
    assert set().union(*documented().values()) - set().union(*map(known, MODULES)) - STARTERS == set()


def test_every_setting_has_a_description_in_the_code() -> None:
    silent = [
        f"{module}.{name}"
        for module in MODULES
        for name, field in importlib.import_module(module).Settings.model_fields.items()
        if not field.description
    ]
    assert not silent
