"""Run the measurements of tests/bench: each is a module with `main(arguments) -> exit code` that prints figures and goals.

make bench                     all
make bench BENCH=events        one of them
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def available() -> list[str]:
    """Modules of tests/bench that can be run by themselves."""
    files = sorted((ROOT / "tests" / "bench").glob("*.py"))
    return [file.stem for file in files if '__name__ == "__main__"' in file.read_text()]


def main(names: list[str]) -> int:
    unknown = set(names) - set(available())
    if unknown:
        print(
            f"no such measurement: {', '.join(sorted(unknown))}; there are: {', '.join(available())}", file=sys.stderr
        )
        return 2
    codes = []
    for name in names or available():
        print(f"\n== {name}", flush=True)
        codes.append(subprocess.run([sys.executable, "-m", f"tests.bench.{name}"], cwd=ROOT, check=False).returncode)
    return max(codes, default=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
