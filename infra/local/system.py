"""What the operating system offers: a browser, fonts, and apt where it may be used. Standard library only."""

import os
import shutil
import subprocess
from pathlib import Path

_BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_NO_START = "/usr/sbin/policy-rc.d"


def chromium() -> Path | None:
    """The browser for the journeys: CHROMIUM, else the system's, else the one Playwright fetched."""
    named = os.environ.get("CHROMIUM")
    candidates = [named] if named else [shutil.which(name) for name in _BROWSERS]
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    candidates += [] if named else [str(path) for path in sorted(cache.glob("chromium-*/chrome-linux*/chrome"))]
    return next((Path(path) for path in candidates if path and os.access(path, os.X_OK)), None)


def has_japanese_font() -> bool:
    if shutil.which("fc-list"):
        listed = subprocess.run(["fc-list", ":lang=ja", "family"], check=False, capture_output=True, text=True)
        return bool(listed.stdout.strip())
    return any(Path("/usr/share/fonts").rglob("*CJK*"))


def has_letter_fonts() -> bool:
    """IPAmj Mincho and IPAex Gothic, where the system keeps fonts or in the user's own folder."""
    folders = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".local" / "share" / "fonts"]
    return all(
        any(found for folder in folders for found in folder.rglob(name)) for name in ("ipamjm.ttf", "ipaexg.ttf")
    )


def can_install() -> bool:
    """Debian or Ubuntu, and root, or sudo that needs no password. Never asks for one."""
    if not shutil.which("apt-get"):
        return False
    if os.getuid() == 0:
        return True
    return bool(shutil.which("sudo")) and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0


def install(packages: list[str], log: Path) -> bool:
    """Install Debian packages; whether that worked. Servers among them are not started: only private nodes are used."""
    log.parent.mkdir(parents=True, exist_ok=True)
    script = f"""
        made=
        if [ ! -e {_NO_START} ]; then printf '#!/bin/sh\\nexit 101\\n' > {_NO_START}; chmod 755 {_NO_START}; made=1; fi
        trap '[ -z "$made" ] || rm -f {_NO_START}' EXIT
        export DEBIAN_FRONTEND=noninteractive
        apt-get install -y --no-install-recommends "$@" ||
            {{ apt-get update && apt-get install -y --no-install-recommends "$@"; }}
    """
    become = [] if os.getuid() == 0 else ["sudo", "-n"]
    with log.open("ab") as output:
        command = [*become, "sh", "-c", script, "install", *packages]
        return subprocess.run(command, check=False, stdout=output, stderr=subprocess.STDOUT).returncode == 0
