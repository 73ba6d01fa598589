"""The import contracts find what they forbid: each is shown a violation in a copy of the code. (That the code keeps them
is `make lint`'s part.)"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = Path(sys.executable).parent / "lint-imports"

VIOLATIONS = [
    ("Services do not know each other", "services/eapply/events.py", "import services.tenants.domain"),
    ("libs knows no service and no gateway", "libs/common/outbox.py", "import services.eapply.events"),
    ("The gateway knows prefixes, no service", "gateway/routes.py", "import services.tenants.domain"),
    ("Services do not know the gateway", "services/tenants/events.py", "import gateway.routes"),
    ("The rules are plain Python", "services/tenants/domain/planted.py", "import sqlalchemy"),
    ("The rules are plain Python", "services/eapply/domain/planted.py", "import libs.common.db"),
    ("Errors and the calendar are plain Python", "libs/common/errors.py", "import fastapi"),
    ("Imports point one way in a service", "services/eapply/domain/planted.py", "import services.eapply.db"),
    ("Imports point one way in a service", "services/tenants/db/planted.py", "import services.tenants.use_cases"),
    ("HTTP stays at the edge", "services/eapply/use_cases/planted.py", "from fastapi import Request"),
    ("nameko lives in libs/common/run.py alone", "services/tenants/events.py", "import nameko"),
    ("The broker's library lives in libs/common/bus and run.py", "libs/common/relay.py", "import kombu"),
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The code without its tests, with the contracts."""
    for name in ("libs", "services", "gateway", "infra"):
        skipped = shutil.ignore_patterns("tests", "static", "templates", "data", "__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=skipped)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def broken_contracts(root: Path) -> dict[str, bool]:
    """Each contract's name, and whether it is broken."""
    command = [str(LINT), "--no-logo", "--no-cache"]
    done = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True, env={"PYTHONPATH": str(root)})
    lines = [line.split(" (")[0].rsplit(" ", 1) for line in done.stdout.splitlines()]
    return {words[0]: words[1] == "BROKEN" for words in lines if words[-1] in ("KEPT", "BROKEN")}


@pytest.mark.parametrize(("contract", "path", "line"), VIOLATIONS)
def test_a_planted_violation_is_found(copy: Path, contract: str, path: str, line: str) -> None:
    file = copy / path
    file.write_text((file.read_text() if file.exists() else "") + f"\n{line}\n")
    broken = broken_contracts(copy)
    assert contract in broken, broken
    assert broken[contract]


def test_every_contract_has_a_planted_violation(copy: Path) -> None:
    assert set(broken_contracts(copy)) == {contract for contract, _, _ in VIOLATIONS}


def test_no_module_hides_from_the_contracts() -> None:
    """A folder without __init__.py is not seen by import-linter. Migrations are loaded by their path, not imported."""
    files = [path for name in ("libs", "services", "gateway") for path in (ROOT / name).rglob("*.py")]
    assert files
    hidden = {path.parent.relative_to(ROOT).as_posix() for path in files if not (path.parent / "__init__.py").exists()}
    assert {folder for folder in hidden if not folder.endswith(("/migrations", "/alembic"))} == set()
