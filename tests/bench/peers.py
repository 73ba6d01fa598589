"""The programs that ours are measured beside, from a newer Debian than this one, in a folder of their own: nothing is installed.

    python -m tests.bench.peers                 brings restic, restic-rest-server and rclone to var/peers

apt is told of one more suite by a configuration that only this run sees; the address is that of the system's own Debian
sources. Other systems: install the programs in any way, and name them (RESTIC_CURRENT, REST_SERVER).
"""

import os
import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "var" / "peers"
PROGRAMS = FOLDER / "root" / "usr" / "bin"
PACKAGES = ("restic", "restic-rest-server", "rclone")
SUITE = "sid"


def found(name: str) -> str | None:
    """The program if it was brought."""
    path = PROGRAMS / name
    return str(path) if path.exists() else None


def debian_address() -> str | None:
    """Where this machine gets Debian from, None where it does not."""
    sources = Path("/etc/apt")
    for path in (
        *sources.glob("sources.list.d/*.sources"),
        *sources.glob("sources.list.d/*.list"),
        sources / "sources.list",
    ):
        match = re.search(r"^(?:URIs:|deb(?: \[[^\]]*\])?)\s+(\S+/debian/?)(?:\s|$)", _text(path), re.MULTILINE)
        if match:
            return match[1]
    return None


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def bring() -> None:
    """Download and unpack. SystemExit with a sentence where it cannot be done."""
    address = debian_address()
    if address is None:
        sys.exit("This machine has no Debian sources: install restic, rest-server and rclone yourself and name them.")
    for name in ("state/lists/partial", "cache/archives/partial", "etc/parts", "packages"):
        (FOLDER / name).mkdir(parents=True, exist_ok=True)
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (FOLDER / "etc" / "sources.list").write_text(f"deb [signed-by={keyring}] {address} {SUITE} main\n")
    told = {"Dir::State": "state", "Dir::Cache": "cache", "Dir::Etc::sourcelist": "etc/sources.list",
            "Dir::Etc::sourceparts": "etc/parts"}  # fmt: skip
    (FOLDER / "apt.conf").write_text("".join(f'{name} "{FOLDER / place}";\n' for name, place in told.items()))
    environment = {**os.environ, "APT_CONFIG": str(FOLDER / "apt.conf")}
    packages = FOLDER / "packages"
    for command in (["apt-get", "update", "-q"], ["apt-get", "download", "-q", *PACKAGES]):
        subprocess.run(command, cwd=packages, env=environment, check=True)
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), str(FOLDER / "root")], check=True)


if __name__ == "__main__":
    bring()
    print("\n".join(str(path) for path in sorted(PROGRAMS.iterdir())))
