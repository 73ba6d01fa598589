"""Whoever is told to use a tool finds it there, with its SHA-256 and what it needs."""

import hashlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.common.db import Database
from libs.common.testing.database import open_database
from services.ebid.tests.people import Town, visible
from services.ebid.verify import build


@pytest.fixture
def database(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One store is enough: nothing of it depends on the store."""
    yield from open_database("sqlite", "ebid", "services.ebid", tmp_path, tmp_path_factory)


def test_what_is_saved_is_what_the_page_names_and_says_what_it_needs(town: Town, tmp_path: Path):
    page = town.guest().get("/ebid/tools").text
    for name in build.TOOLS:
        saved = town.guest().get(f"/ebid/{name}.pyz", page=False)
        digest = hashlib.sha256(saved.content).hexdigest()
        assert digest == saved.headers["X-Sha256"] and digest in page
        assert f'href="/ebid/{name}.pyz"' in page and f"ebid-{name}.pyz" in saved.headers["Content-Disposition"]
    words = visible(page)
    assert "入札書や見積書に封をする" in words and "道具で封をした見積書を出す" in words
    assert "Python 3.11以降" in words and all(each in words for each in build.NEEDS["seal"])
    (tmp_path / "ebid-seal.pyz").write_bytes(town.guest().get("/ebid/seal.pyz", page=False).content)
    alone = [sys.executable, "-I", "-S", "ebid-seal.pyz", "trustee", "new", "key.json"]
    done = subprocess.run(alone, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "pip install" in done.stderr and build.NEEDS["seal"][0] in done.stderr
    assert "Traceback" not in done.stderr


def test_every_page_that_speaks_of_a_tool_links_to_it(town: Town):
    tender = town.publish()
    company = town.company(1)
    speaking = [
        company.get(f"tenders/{tender}/bid").text,
        town.trustee("trustee-1").get("desk/trustees").text,
        town.guest().get("/ebid/").text,
    ]
    company.bid(tender, 9_000_000)
    town.close()
    speaking.append(town.trustee("trustee-1").get(f"desk/trustees/{tender}").text)
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    town.conclude(tender)
    speaking.append(town.guest().get(f"tenders/{tender}/").text)
    assert all("道具" in visible(page) and 'href="/ebid/tools' in page for page in speaking)
    anchors = {each for page in speaking for each in re.findall(r'href="/ebid/tools#(\w+)"', page)}
    assert anchors and all(f'id="{each}"' in town.guest().get("/ebid/tools").text for each in anchors)


def test_the_packages_named_are_those_of_this_repository():
    project = tomllib.loads((build.ROOT / "pyproject.toml").read_text("utf-8"))
    known = [*project["project"]["dependencies"], *project["dependency-groups"]["ebid"]]
    assert set(build.NEEDS["seal"]) <= set(known)
