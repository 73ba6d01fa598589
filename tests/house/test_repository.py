"""What must hold of the repository itself: nothing in it belongs to one machine, and what people may type is explained."""

import re
import subprocess
from pathlib import Path

import pytest

from infra.local.lock import WHOLE, locks

ROOT = Path(__file__).parents[2]
NO_TEXT = {".png", ".jpg", ".jpeg", ".heic", ".ico", ".woff2", ".zip", ".pdf", ".mo", ".sqlite"}


def tracked() -> list[Path]:
    """Every text file that git would take, committed or new; without this one, which holds what it looks for."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [
        path for path in paths if path.is_file() and path.suffix not in NO_TEXT and path.name != Path(__file__).name
    ]


HOME = re.compile(r"(?<![\w.$}/])/(?:work|root|home/(?!somebody|kyodo|app)\w+|Users/\w+)/")
"""An absolute path that only one machine has. (`/home/somebody` is how tests write one.)"""

INDEX = re.compile(
    r"(?:^|\s)(?:--(?:extra-)?index-url|--find-links|--trusted-host|-i)[\s=]+\S+|"
    r"https?://(?:registry|files|mirrors?|packages|index|deb|nexus|artifactory)\.[\w-]+\.\w+|https?://[\w.-]+/simple\b",
    re.MULTILINE,
)
"""An address from which packages come: that is for the machine's own configuration to say."""


def lines_with(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    found = []
    for path in files:
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path.name}:{number}: {line.strip()[:120]}")
    return found


@pytest.mark.parametrize(
    ("pattern", "planted"),
    [
        (HOME, "data = '/root/project/data.csv'"),
        (HOME, "open('/Users/taro/x')"),
        (HOME, "see /home/taro/notes.txt"),
        (INDEX, "--index-url https://packages.example/simple"),
        (INDEX, "resolved: https://registry.example.org/htmx"),
        (INDEX, "deb https://mirror.example.jp/debian"),
    ],
)
def test_nothing_belongs_to_one_machine(pattern: re.Pattern[str], planted: str, tmp_path: Path) -> None:
    plant = tmp_path / "planted.py"
    plant.write_text(f"# first line\n{planted}\n")
    assert lines_with(pattern, [plant]), "the check does not see what was planted"
    assert lines_with(pattern, tracked()) == []


def test_a_path_of_the_system_is_no_path_of_one_machine(tmp_path: Path) -> None:
    plant = tmp_path / "planted.py"
    plant.write_text("PROGRAMS = '/usr/lib/postgresql'\nurl = '/t/402036/home/x/'\npath = 'https://host/work/x'\n")
    assert lines_with(HOME, [plant]) == []


def test_no_lock_but_ours() -> None:
    assert [path.name for path in tracked() if path.name in ("uv.lock", "poetry.lock", "Pipfile.lock")] == []


def test_every_locked_package_has_a_version_and_a_hash() -> None:
    for lock in (*ROOT.glob("requirements*.lock"), *(ROOT / "infra" / "docker").glob("*.lock")):
        entries = re.split(r"\n(?=\S)", "\n" + "\n".join(li for li in lock.read_text().splitlines() if li[:1] != "#"))
        packages = [entry for entry in entries if entry.strip()]
        assert len(packages) > 50, lock.name
        bad = [entry.split("\n")[0] for entry in packages if "==" not in entry or "--hash=sha256:" not in entry]
        assert bad == [], lock.name


def versions(lock: Path) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==([^\s;\\]+)", lock.read_text(), re.MULTILINE)
    return {name.lower(): version for name, version in found}


@pytest.mark.parametrize("name", [name for name in locks() if name != WHOLE])
def test_a_package_has_one_version_in_all_locks(name: str) -> None:
    whole, part = versions(ROOT / "requirements.lock"), versions(ROOT / name)
    assert part
    assert {package: version for package, version in part.items() if whole.get(package) != version} == {}


def test_every_dependency_of_pyproject_is_locked() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"].values()
    asked = [
        *project["project"]["dependencies"],
        *(item for group in groups for item in group if isinstance(item, str)),
    ]
    names = {re.split(r"[\[=<>~!; ]", item)[0].lower().replace("_", "-") for item in asked}
    assert names - set(versions(ROOT / "requirements.lock")) == set(), "run `make lock`"


def make_targets() -> dict[str, str]:
    """Each target of the Makefile with its explanation, or an empty text."""
    found = re.findall(r"^([a-z][a-z-]*):(?!=)[^#\n]*(?:## (.*))?$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return {name: text for name, text in found}


def test_make_help_explains_every_target() -> None:
    targets = {name: text for name, text in make_targets().items() if not name.endswith("-here")}
    assert {"run", "test", "lint", "bench", "help"} <= set(targets)
    assert [name for name, text in targets.items() if not text] == []
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert [name for name in targets if f"make {name} " not in shown.stdout] == []


def test_the_readme_begins_with_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    assert "make run" in readme
    assert "make test" in readme


def test_links_between_documents_lead_somewhere() -> None:
    pages = [path for path in tracked() if path.suffix == ".md"]
    link = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
    links = [(page, target) for page in pages for target in link.findall(page.read_text())]
    assert links
    missing = [f"{page.relative_to(ROOT)} → {target}" for page, target in links if not (page.parent / target).exists()]
    assert missing == []


def test_the_build_server_runs_what_people_run() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    commands = [line for line in script.read_text().splitlines() if line and not line.startswith("#")]
    assert commands[-1] == "exec make test"
