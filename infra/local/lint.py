"""Style, types and the boundaries of the modules. All checks run, each says what it found; exit code 1 if any did.

python -m infra.local.lint
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent

CHECKS = {
    "style": ["ruff", "check", "--quiet", "."],
    "format": ["ruff", "format", "--check", "--quiet", "."],
    "boundaries": ["lint-imports", "--no-logo"],
    "types": ["basedpyright", "--level", "error"],
}
"""In order of speed: the cheap answers come first."""
HINTS = {
    "style": "`make format` mends much of it",
    "format": "`make format` writes it the way everybody's is written",
    "boundaries": "each broken contract's comment in pyproject.toml says where the code belongs instead",
}


def run(name: str, command: list[str]) -> bool:
    started = time.monotonic()
    done = subprocess.run(
        [str(TOOLS / command[0]), *command[1:]], cwd=ROOT, check=False, capture_output=True, text=True
    )
    good = done.returncode == 0
    print(f"  {'ok  ' if good else 'FAIL'} {name} ({time.monotonic() - started:.1f} s)", flush=True)
    if not good:
        print((done.stdout + done.stderr).rstrip())
        print(f"  → {HINTS[name]}\n" if name in HINTS else "", flush=True)
    return good


def main() -> int:
    results = [run(name, command) for name, command in CHECKS.items()]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
