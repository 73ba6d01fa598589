"""ebid-verify is one file that runs without network and libraries; and no single value of a bundle can be changed unnoticed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.ebid.tests.test_verify_names_what_was_changed import change_amount, published, receipt
from services.ebid.verify import build
from services.ebid.verify.check import check

FREE = {
    "rounds.*.timestamp": "checked with the authority's certificate, not here",
    "rounds.*.opened_at": "the core algorithm does not use it; 和歌山県's does, and then the draw changes",
    "rounds.*.beacon": "only the verifiable lottery uses it",
}


def scalars(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all single values."""
    parts = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for name, part in parts:
        yield from scalars(part, (*path, name))
    if not isinstance(document, dict | list):
        yield path


def other(value: Any) -> Any:
    """Another value of the same kind: a digit or a letter exchanged."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int):
        return value + 1
    return value[:-1] + ("1" if value[-1:] != "1" else "2") if value else "1"


def kinds() -> dict[str, tuple[Any, ...]]:
    """One path of every kind of value in a bundle: places in lists do not count, but the winner's and the loser's bid do."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in scalars(published()):
        found[".".join("*" if isinstance(step, int) else str(step) for step in path)] = path
    return found


def test_the_values_that_decide_nothing_exist() -> None:
    assert set(FREE) < set(kinds())


@pytest.mark.parametrize("kind", [kind for kind in kinds() if kind not in FREE])
def test_no_single_value_can_be_changed_unnoticed(kind: str) -> None:
    changed: Any = published()
    path = kinds()[kind]
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = other(place[path[-1]])
    assert check(changed, [receipt("a")]).problems, path


def run_file(tmp_path: Path, *arguments: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "ebid-verify.pyz"
    file.write_bytes(build.archive())
    # -I: neither this folder nor the environment's packages are seen; -S: no site-packages at all
    command = [python, "-I", "-S", str(file), *arguments]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)


def test_one_file_checks_without_network_and_without_libraries(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text(json.dumps(published()))
    (tmp_path / "receipt.json").write_text(json.dumps(receipt()))
    done = run_file(tmp_path, "bundle.json", "receipt.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "問題は見つかりませんでした" in done.stdout and "あなたの入札" in done.stdout
    changed = published()
    change_amount(changed)
    (tmp_path / "bundle.json").write_text(json.dumps(changed))
    done = run_file(tmp_path, "bundle.json", "--json")
    assert done.returncode == 1
    assert "bid-opened-wrong" in {problem["code"] for problem in json.loads(done.stdout)["problems"]}
    (tmp_path / "bundle.json").write_text("{")
    assert run_file(tmp_path, "bundle.json").returncode == 2
    assert run_file(tmp_path, "nothing.json").returncode == 2


def test_a_bundle_newer_than_the_tool_is_not_judged_and_it_is_said_where_the_new_tool_is(tmp_path: Path) -> None:
    """Whoever saved the verifier years ago must not read of a fault where the rules have become richer."""
    newer = {**published(), "format": "kyodo-ebid-bundle/3"}
    newer["rounds"] = [{"of": "another shape"}]
    (tmp_path / "bundle.json").write_text(json.dumps(newer))
    done = run_file(tmp_path, "bundle.json")
    assert done.returncode == 2, done.stdout
    assert "何も確かめていません" in done.stdout and "/ebid/tools" in done.stdout
    assert "発注者に説明を求めて" not in done.stdout
    coded = json.loads(run_file(tmp_path, "bundle.json", "--json").stdout)
    assert [problem["code"] for problem in coded["problems"]] == ["format-version"]


def test_a_bundle_of_the_first_format_is_still_checked() -> None:
    """Made by the code of then: a draw among three of whom the first was refused, and a 辞退届 that no closing list has. What a
    verifier of today would judge otherwise needs another number of the format."""
    kept = json.loads((Path(__file__).parent / "vectors" / "bundle-1-with-receipts.json").read_text("utf-8"))
    report = check(kept["bundle"], kept["receipts"], deep=True)
    assert report.codes() == set(), report.problems
    assert any("辞退届を載せる前の締切" in line for line in report.taken)
    kept["bundle"]["rounds"][0]["declined"] = []
    assert check(kept["bundle"], kept["receipts"]).codes() == {"my-decline-missing"}, (
        "only its sender's receipt shows it"
    )


def test_the_file_is_the_same_bytes_wherever_it_is_built() -> None:
    first = {tool: build.archive(tool) for tool in build.TOOLS}
    build.archive.cache_clear()
    assert {tool: build.archive(tool) for tool in build.TOOLS} == first
    names = build.names()
    assert "services/ebid/verify/check.py" in names and not any(
        "tests" in name or "envelope.py" in name for name in names
    )
