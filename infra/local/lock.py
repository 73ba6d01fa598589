"""Write the locks: every package that pyproject.toml leads to, with version and hashes.

    make lock                  keep what is locked, add what is missing
    make lock UPGRADE=1        take the newest that pyproject.toml allows

`requirements.lock` is the whole (`make test`); `requirements-run.lock` is what `make run` needs; the images take
`infra/docker/<service>.lock` and share what stands in `common.lock`. The smaller ones are cut from the whole, so a package has
one version everywhere.
No index address is written: the locks work from whatever index the machine is set up to use.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from infra.local import cloud

ROOT = Path(__file__).parents[2]
WHOLE = "requirements.lock"


def locks() -> dict[str, list[str]]:
    """Each lock's file name and the dependency groups it holds beside the common dependencies."""
    groups = sorted(tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"])
    run = [group for group in groups if group != "dev"]
    images = {"common": []} | {name: [name] for name in cloud.ISSUERS} | {"gateway": ["gateway", "sample"]}
    return {WHOLE: groups, "requirements-run.lock": run} | {f"infra/docker/{n}.lock": g for n, g in images.items()}


def compile_lock(name: str, groups: list[str], *, upgrade: bool) -> None:
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--quiet", "--universal"]
    command += ["--python-version", "3.11", "--generate-hashes", "--no-emit-index-url", "--no-emit-find-links"]
    command += ["--fork-strategy", "fewest", "--custom-compile-command", "make lock", "--output-file", name]
    command += [part for group in groups for part in ("--group", group)]
    command += ["--upgrade"] if upgrade and name == WHOLE else []
    command += ["--constraints", WHOLE] if name != WHOLE else []
    subprocess.run(command, cwd=ROOT, check=True)


def main() -> None:
    for name, groups in locks().items():
        print(f"  {name}: {', '.join(groups)}", flush=True)
        compile_lock(name, groups, upgrade=bool(os.environ.get("UPGRADE")))


if __name__ == "__main__":
    main()
