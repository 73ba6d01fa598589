"""`make mutants`: is each test that services/backup/FAULTS.md names red when its fault is in the product?

    python -m tests.unbroken.mutants [WORDS]     only mutants whose sentence has these words

Each mutant of `services/backup/tests/mutants.py` is planted in a copy of this checkout, its tests run there on SQLite, and it is taken
back. Before, all of them must be green without any. Writes docs/backup-mutants.md, where a row stands until its mutant is
planted again; ends with 1 when a test stayed green.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue

from services.backup.tests.mutants import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
FAULTS = ROOT / "services" / "backup" / "FAULTS.md"
PAGE = ROOT / "docs" / "backup-mutants.md"
LANES = 2
"""Copies in which tests run side by side."""
LONGEST = 150
"""Seconds that a test may take; with some faults one waits for ever, and is red."""
_NAMED = re.compile(r"`([\w/.-]+\.py)::(\w+)`")
_RED = re.compile(r"^(?:FAILED|ERROR) \S+?::(?:\w+::)?(\w+)(?:\[.*?\])?(?: - (.*))?$", re.MULTILINE)

HEAD = """# Each test of the backup's faults can turn red

Written by `make mutants`, not by hand. For every test that [FAULTS.md](../services/backup/FAULTS.md) names, the fault of its row is planted
in a copy of the product (`services/backup/tests/mutants.py`); then the test must fail. Without a fault they pass: the command
runs them first, as `make test` and `make slow` do. On SQLite.

{mutants} faults, {tests} tests that must turn red, {green} that stayed green. A row stands until its fault is planted again.
The rows of 2026-11-28 before 12:10 were planted in parts, without that first run.

| row of FAULTS.md | fault planted | where | red tests, and what they said first | when (UTC), at which commit |
|---|---|---|---|---|
"""
GREEN = "**stayed green**"


class NotPlanted(Exception):
    """The mutant's text is not once in its file any more."""


def path_of(mutant: Mutant) -> str:
    """Relative to the root."""
    return mutant.file[1:] if mutant.file.startswith("/") else f"services/backup/{mutant.file}"


def planted(text: str, mutant: Mutant) -> str:
    """The file's text with the fault. NotPlanted if the place is not found, or not one place."""
    if text.count(mutant.text) != 1:
        raise NotPlanted(f"{path_of(mutant)}: «{mutant.what}» is there {text.count(mutant.text)} times")
    return text.replace(mutant.text, mutant.instead)


def function_of(test: str) -> str:
    return test.partition("[")[0]


def files_of_tests() -> dict[str, str]:
    """Function → file, of every test that FAULTS.md names."""
    return {function: path for path, function in _NAMED.findall(FAULTS.read_text("utf-8"))}


def rows_of(mutant: Mutant) -> list[str]:
    """Which rows of FAULTS.md name one of its tests; for those of the second table, what goes wrong elsewhere."""
    wanted = {function_of(test) for test in mutant.red}
    rows = []
    for line in FAULTS.read_text("utf-8").splitlines():
        if line.startswith("| ") and wanted & {function for _, function in _NAMED.findall(line)}:
            rows.append(re.sub(r"^(\d+)\..*", r"\1", line[2:].split(" | ")[0]))
    return rows


@dataclass
class Seen:
    """Function → the first line of what it said, of the tests that failed; `trouble`: pytest could not run them."""

    red: dict[str, str]
    trouble: str = ""


def run(copy: Path, tests: Sequence[str], environment: Mapping[str, str]) -> Seen:
    files = files_of_tests()
    names = [f"{files[function_of(test)]}::{test}" for test in tests]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--tb=no",
        "-rfE",
        "-p",
        "no:cacheprovider",
        f"--timeout={LONGEST}",
    ]
    done = subprocess.run([*command, *names], cwd=copy, env=environment, capture_output=True, text=True)
    trouble = "" if done.returncode in (0, 1) else f"pytest ended with {done.returncode}: {done.stdout[-500:]}"
    return Seen({name: said for name, said in reversed(_RED.findall(done.stdout))}, trouble)


def copied(folder: Path) -> Path:
    """The checkout as it lies here, with what is not committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if not (ROOT / name).exists():  # removed, which is not committed yet
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    return folder


def tried(copy: Path, mutant: Mutant, environment: Mapping[str, str]) -> Seen:
    """What its tests said with the fault in `copy`, which is afterwards as it was."""
    path = copy / path_of(mutant)
    before, at = path.read_text("utf-8"), path.stat()
    path.write_text(planted(before, mutant), "utf-8")
    try:
        return run(copy, mutant.red, environment)
    finally:
        path.write_text(before, "utf-8")
        os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))  # its compiled form is that of before


def still_green(mutant: Mutant, seen: Seen) -> list[str]:
    return [test for test in mutant.red if function_of(test) not in seen.red]


def all_tried(mutants: list[Mutant], lanes: list[Path], environment: Mapping[str, str]) -> list[Seen]:
    """One after another in each lane; said as they come."""
    free: SimpleQueue[Path] = SimpleQueue()
    for lane in lanes:
        free.put(lane)
    # A file's compiled form is believed by its time and size: of a planted one none may be kept.
    without_traces = {**environment, "PYTHONDONTWRITEBYTECODE": "1"}

    def try_one(mutant: Mutant) -> Seen:
        copy = free.get()
        try:
            seen = tried(copy, mutant, without_traces)
        finally:
            free.put(copy)
        green = still_green(mutant, seen)
        print(f"  {'GREEN ' + ', '.join(green) if green else 'red'}: {mutant.what} {seen.trouble}", flush=True)
        return seen

    with ThreadPoolExecutor(len(lanes)) as pool:
        return list(pool.map(try_one, mutants))


def row(mutant: Mutant, seen: Seen, when: str) -> str:
    said = [
        f"`{test}`: {_cell(seen.red[name]) if (name := function_of(test)) in seen.red else GREEN}"
        for test in mutant.red
    ]
    return f"| {', '.join(rows_of(mutant))} | {mutant.what} | `{path_of(mutant)}` | {'<br>'.join(said)} | {when} |"


def rows_before() -> dict[str, str]:
    """What was planted → its row, as the page has them."""
    text = PAGE.read_text("utf-8") if PAGE.exists() else ""
    return {line.split(" | ")[1]: line for line in text.partition("|---")[2].splitlines() if line.startswith("| ")}


def page(rows: Mapping[str, str]) -> str:
    """In the order of the list; a mutant that is gone has no row."""
    shown = [rows[mutant.what] for mutant in MUTANTS if mutant.what in rows]
    tests = {function_of(test) for mutant in MUTANTS for test in mutant.red}
    green = sum(line.count(GREEN) for line in shown)
    return HEAD.format(mutants=len(MUTANTS), tests=len(tests), green=green) + "\n".join(shown) + "\n"


def _cell(said: str) -> str:
    """Short, and without what would end a cell of the table or is another each time."""
    said = re.sub(r"/\S+/|kyodo_\w+|127\.0\.0\.1:\d+", "…", said or "—")
    return re.sub(r"([|`<>*_])", r"\\\1", said[:120])


def _commit() -> str:
    command = ["git", "rev-parse", "--short=8", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def main(words: str) -> int:
    mutants = [mutant for mutant in MUTANTS if words in mutant.what]
    for mutant in mutants:
        planted((ROOT / path_of(mutant)).read_text("utf-8"), mutant)  # before hours of work
    with tempfile.TemporaryDirectory(prefix="kyodo-mutants-") as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TEST_")}
        environment |= {"COLUMNS": "300", "PYTHONPYCACHEPREFIX": str(folder / "pyc"), "TMPDIR": str(folder / "tmp")}
        lanes = [copied(folder / f"lane{lane}") for lane in range(LANES)]  # the checkout may change meanwhile
        before = run(lanes[0], sorted({test for mutant in mutants for test in mutant.red}), environment)
        if before.red or before.trouble:
            print(f"Red without any fault: {before.red} {before.trouble}")
            return 1
        results = all_tried(mutants, lanes, environment)
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M}, {_commit()}"
    done = {mutant.what: row(mutant, seen, when) for mutant, seen in zip(mutants, results, strict=True)}
    PAGE.write_text(page(rows_before() | done), "utf-8")
    return int(any(still_green(mutant, seen) for mutant, seen in zip(mutants, results, strict=True)))


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
