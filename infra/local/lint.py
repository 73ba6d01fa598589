"""Style, types and the boundaries of the modules. All checks run, each says what it found; exit code 1 if any did.

python -m infra.local.lint
"""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
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


def run(name: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Seconds and what was said."""
    command = CHECKS[name]
    started = time.monotonic()
    done = subprocess.run(
        [str(TOOLS / command[0]), *command[1:]], cwd=ROOT, check=False, capture_output=True, text=True
    )
    return time.monotonic() - started, done


def tell(name: str, seconds: float, done: subprocess.CompletedProcess[str]) -> bool:
    good = done.returncode == 0
    print(f"  {'ok  ' if good else 'FAIL'} {name} ({seconds:.1f} s)", flush=True)
    if not good:
        print((done.stdout + done.stderr).rstrip())
        print(f"  → {HINTS[name]}\n" if name in HINTS else "", flush=True)
    return good


def main() -> int:
    with ThreadPoolExecutor() as checks:  # side by side: the slowest uses one processor
        results = [tell(name, *answer) for name, answer in zip(CHECKS, checks.map(run, CHECKS), strict=True)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
