"""Set up what is missing, and nothing else: the virtual environment, its packages, and what a target needs of the system.

    python3 -m infra.local.set_up run       what `make run` needs (BUS=rabbitmq and DB=postgresql need more)
    python3 -m infra.local.set_up test      what `make test` needs

Standard library only: it runs before the virtual environment exists. Repeating it is quick: packages are compared by the
lock's hash, the rest by looking.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from infra.local import nodes, system

ROOT = Path(__file__).parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOG = ROOT / "var" / "log" / "set-up.log"
LOCKS = {"run": "requirements-run.lock", "test": "requirements.lock"}


class SetUpFailed(Exception):
    """Something is missing that set-up may not or cannot bring. The message says what, and how to get it."""


@dataclass(frozen=True)
class Need:
    """Something of the system: `found` looks, `packages` are Debian's names, `instead` is what else would do."""

    what: str
    found: Callable[[], bool]
    packages: tuple[str, ...]
    instead: str = ""
    optional: bool = False


RABBITMQ = Need(
    "RabbitMQ's server",
    nodes.has_rabbitmq,
    ("rabbitmq-server",),
    instead="name a broker of yours: AMQP_URL=amqp://user:password@host:5672//",
)
POSTGRESQL = Need(
    "PostgreSQL's server",
    nodes.has_postgresql,
    ("postgresql",),
    instead="name a server of yours, as administrator: DATABASE_URL=postgresql://user:password@host:5432/postgres",
)
CHROMIUM = Need(
    "Chromium",
    lambda: system.chromium() is not None,
    ("chromium",),
    instead="name a Chrome or Chromium of yours: CHROMIUM=/path/to/chrome",
)
HEADLESS_SHELL = Need(
    "Chromium's headless shell",
    lambda: shutil.which("chromium-headless-shell") is not None,
    ("chromium-headless-shell",),
    instead="let the tests in a browser take three times as long",
    optional=True,
)
RESTIC = Need(
    "restic",
    lambda: shutil.which(os.environ.get("RESTIC", "restic")) is not None,
    ("restic",),
    instead="name a restic of yours: RESTIC=/path/to/restic",
)
STRACE = Need(
    "strace",
    lambda: shutil.which("strace") is not None,
    ("strace",),
    instead="it shows that a backup is on the disk before it is acknowledged",
)
FONTS = Need("Japanese fonts", system.has_japanese_font, ("fonts-noto-cjk",), optional=True)
LETTER_FONTS = Need("the fonts of letters as PDF", system.has_letter_fonts, ("fonts-ipamj-mincho", "fonts-ipaexfont"))
PROMTOOL = Need("promtool", lambda: shutil.which("promtool") is not None, ("prometheus",), optional=True)
PDFTOPPM = Need("pdftoppm", lambda: shutil.which("pdftoppm") is not None, ("poppler-utils",))


def needs(target: str, environment: dict[str, str]) -> list[Need]:
    """What `target` needs of the system, given what the environment already names."""
    if target == "run":
        wanted = [RABBITMQ] if environment.get("BUS") == "rabbitmq" and not environment.get("AMQP_URL") else []
        postgresql = environment.get("DB") == "postgresql" and not environment.get("DATABASE_URL")
        return [*wanted, *([POSTGRESQL] if postgresql else []), replace(LETTER_FONTS, optional=True)]
    broker = environment.get("TEST_AMQP_URL") or environment.get("AMQP_URL")
    database = environment.get("TEST_DATABASE_URL") or environment.get("DATABASE_URL")
    return [
        *([] if broker else [RABBITMQ]),
        *([] if database else [POSTGRESQL]),
        CHROMIUM,
        *([] if environment.get("CHROMIUM") else [HEADLESS_SHELL]),
        RESTIC,
        STRACE,
        FONTS,
        LETTER_FONTS,
        PDFTOPPM,
    ]


def make_virtual_environment(venv: Path = VENV) -> None:
    """`.venv` with the Python that runs this. A broken one (its Python gone or too old) is made again."""
    python = venv / "bin" / "python"
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    if python.exists() and subprocess.run([python, "-c", check], check=False, capture_output=True).returncode == 0:
        return
    say("making the virtual environment .venv")
    shutil.rmtree(venv, ignore_errors=True)
    made = run_logged([sys.executable, "-m", "venv", str(venv)])
    if made and shutil.which("uv"):
        made = run_logged(["uv", "venv", "--seed", "--python", sys.executable, str(venv)])
    if made and system.can_install():
        # Debian keeps ensurepip apart from Python.
        version = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        system.install([version], LOG)
        made = run_logged([sys.executable, "-m", "venv", "--clear", str(venv)])
    if made:
        raise SetUpFailed(
            f"{sys.executable} cannot make a virtual environment.\n"
            "  Debian, Ubuntu: sudo apt-get install python3-venv\n"
            f"  The reason is at the end of {shown(LOG)}."
        )


def install_packages(lock: Path, venv: Path = VENV) -> None:
    """The packages of `lock`, each checked against its hash. Skipped while the lock is the one installed last."""
    if is_installed(lock, venv):
        return
    total = sum(1 for line in lock.read_text().splitlines() if "==" in line and not line.lstrip().startswith("#"))
    say(f"installing {total} packages with verified hashes (a minute or two the first time)")
    command = [str(venv / "bin" / "python"), "-m", "pip", "install", "--require-hashes", "--no-deps"]
    command += ["--progress-bar", "off", "--disable-pip-version-check", "-r", str(lock)]
    if run_logged(command, progress=lambda line: line.startswith("Collecting "), total=total):
        raise SetUpFailed(
            "The Python packages could not be installed. Usually the package index cannot be reached:\n"
            "  behind a proxy set HTTPS_PROXY; with an index of your own set PIP_INDEX_URL.\n"
            f"  The reason is at the end of {shown(LOG)}."
        )
    stamp(lock, venv).write_text(digest(lock))


def is_installed(lock: Path, venv: Path) -> bool:
    """The whole lock holds every smaller one, so its stamp counts for them too."""
    candidates = {lock, lock.with_name(LOCKS["test"])}
    return any(
        path.exists() and stamp(path, venv).exists() and stamp(path, venv).read_text() == digest(path)
        for path in candidates
    )


def stamp(lock: Path, venv: Path) -> Path:
    return venv / f".installed-{lock.name}"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def provide(needed: list[Need]) -> None:
    """Install what is missing where that is allowed (Debian or Ubuntu, as root or with sudo that asks nothing)."""
    missing = [need for need in needed if not need.found()]
    if missing and system.can_install():
        required = [package for need in missing if not need.optional for package in need.packages]
        # What a distribution does not have must not keep the rest away.
        for packages in filter(None, (required, *(list(need.packages) for need in missing if need.optional))):
            say(f"installing {', '.join(packages)} with apt")
            system.install(packages, LOG)
        missing = [need for need in missing if not need.found()]
    if CHROMIUM in missing and fetch_chromium():
        missing.remove(CHROMIUM)
    for need in missing:
        if need.optional:
            say(f"missing, going on without: {need.what} ({advice(need)})")
    required = [need for need in missing if not need.optional]
    if required:
        raise SetUpFailed("\n".join(f"{need.what} is missing.\n  {advice(need)}" for need in required))


def fetch_chromium() -> bool:
    """Without apt: the build that Playwright brings, into the user's own cache."""
    say("fetching a Chromium with Playwright")
    return run_logged([str(PYTHON), "-m", "playwright", "install", "chromium"]) == 0 and CHROMIUM.found()


def advice(need: Need) -> str:
    lines = [f"Debian, Ubuntu: sudo apt-get install {' '.join(need.packages)}"]
    if need.instead:
        lines.append(f"or {need.instead}")
    return "\n  ".join(lines)


def run_logged(command: list[str], progress: Callable[[str], bool] = lambda line: False, total: int = 0) -> int:
    """Run with all output in the log; lines that `progress` recognises are counted on the screen. Returns the exit code."""
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with LOG.open("a") as log:
        log.write(f"\n$ {' '.join(command)}\n")
        log.flush()
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        count = 0
        for line in child.stdout or ():
            log.write(line)
            if progress(line):
                count += 1
                show_count(count, total)
        if count and sys.stdout.isatty():
            print()
        return child.wait()


def show_count(count: int, total: int) -> None:
    if sys.stdout.isatty():
        print(f"\r    {count}/{total}", end="", flush=True)
    elif count % 20 == 0:
        print(f"    {count}/{total}", flush=True)


def say(text: str) -> None:
    print(f"  {text}", flush=True)


def shown(path: Path) -> str:
    return os.path.relpath(path, ROOT)


def main(target: str) -> int:
    if target not in LOCKS:
        print(__doc__, file=sys.stderr)
        return 2
    started = time.monotonic()
    try:
        make_virtual_environment()
        install_packages(ROOT / LOCKS[target])
        provide(needs(target, dict(os.environ)))
    except SetUpFailed as failure:
        print(f"\nSet-up stopped. {failure}", file=sys.stderr)
        return 1
    seconds = time.monotonic() - started
    print(f"  set-up complete{f' after {seconds:.0f} s' if seconds > 2 else ''}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) == 2 else ""))
