"""Known weaknesses of what is installed: `make audit`. A package that could not be looked up counts as a failure, not as good.

    python -m infra.local.audit [lock]       0: every package was looked up and none is weak; 1: one is; 2: something was skipped

pip-audit asks the advisories of PyPI. Where these cannot be reached it says "No known vulnerabilities found" and skips every
package; what `make audit` says then is that nothing was shown. Without a network there is `floors()`: versions below which
a weakness is known, and packages that are not to be used at all; `make test` holds the lock against them.
"""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements-run.lock"
PIP_AUDIT = "pip-audit==2.9.0"
"""In an environment of its own (uv keeps it)."""

FLOORS = {
    "aiohttp": ("3.12.14", "CVE-2025-53643: requests smuggled in trailers"),
    "cryptography": ("44.0.1", "CVE-2024-12797: OpenSSL in the wheels"),
    "h11": ("0.16.0", "CVE-2025-43859: chunked bodies read leniently"),
    "jinja2": ("3.1.6", "CVE-2025-27516: the sandbox left by |attr"),
    "pillow": ("11.3.0", "CVE-2025-48379: a heap overflow in DDS"),
    "pyjwt": ("2.10.1", "CVE-2024-53861: issuers compared in part"),
    "python-multipart": ("0.0.18", "CVE-2024-53981: boundaries that never end"),
    "starlette": ("0.49.1", "CVE-2025-62727: ranges in quadratic time"),
    "werkzeug": ("3.0.6", "CVE-2024-49767: forms without limit"),
}
"""Package → the first version without the weakness named."""

UNWANTED = {
    "python-jose": "takes algorithms=None; years without releases",
    "pycrypto": "given up in 2013",
    "jwt": "another package under a name that is easily mistaken for PyJWT",
}


@dataclass(frozen=True)
class Report:
    """What an audit showed. `asked`: packages of the lock; `skipped`: name → why it could not be looked up."""

    asked: int
    weak: dict[str, list[str]]
    skipped: dict[str, str]

    @property
    def code(self) -> int:
        return 1 if self.weak else 2 if self.skipped else 0


def locked(text: str) -> dict[str, str]:
    """Name → version of a lock's packages."""
    found = re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==([^\s;\\]+)", text, re.MULTILINE)
    return {name.lower().replace("_", "-"): version for name, version in found}


def read(answer: dict[str, Any], packages: dict[str, str]) -> Report:
    """pip-audit's JSON against the lock: who is not in it at all was skipped as well."""
    told = {each["name"].lower().replace("_", "-"): each for each in answer["dependencies"]}
    skipped = {name: each["skip_reason"] for name, each in told.items() if "skip_reason" in each}
    skipped |= {name: "pip-audit says nothing of it" for name in packages if name not in told}
    weak = {name: [each["id"] for each in one["vulns"]] for name, one in told.items() if one.get("vulns")}
    return Report(len(packages), weak, skipped)


def floors(packages: dict[str, str]) -> list[str]:
    """What the lock has that is known to be weak or unwanted, as sentences."""
    found = [f"{name}: {why}" for name, why in UNWANTED.items() if name in packages]
    for name, (floor, why) in FLOORS.items():
        if name in packages and _numbers(packages[name]) < _numbers(floor):
            found.append(f"{name} {packages[name]} is below {floor}: {why}")
    return found


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0]))


def audit(lock: Path) -> Report:
    """Ask for every package of `lock`. Raises RuntimeError when pip-audit itself does not answer."""
    command = [sys.executable, "-m", "uv", "tool", "run", "--quiet", "--from", PIP_AUDIT, "pip-audit"]
    command += [
        "--requirement",
        str(lock),
        "--disable-pip",
        "--no-deps",
        "--format",
        "json",
        "--progress-spinner",
        "off",
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        raise RuntimeError(f"pip-audit did not answer: {done.stderr.strip()[-500:]}") from error
    return read(answer, locked(lock.read_text("utf-8")))


def main(arguments: list[str]) -> int:
    lock = Path(arguments[0]) if arguments else LOCK
    known = floors(locked(lock.read_text("utf-8")))
    try:
        report = audit(lock)
    except RuntimeError as error:
        print(f"{error}\nNothing was shown.", file=sys.stderr)
        return 2
    for line in [*known, *(f"{name}: {', '.join(ids)}" for name, ids in report.weak.items())]:
        print(line)
    for name, why in report.skipped.items():
        print(f"skipped {name}: {why}", file=sys.stderr)
    looked = report.asked - len(report.skipped)
    print(f"{looked} of {report.asked} packages looked up, {len(report.weak)} weak, {len(report.skipped)} skipped")
    return 1 if known else report.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
