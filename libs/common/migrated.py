"""A process begins when its store has the tables its code knows: in a rolling update it may be started before `migrate` has ended.

Newer tables are fine (migrations only add), so code that is put back starts at once. A store that does not answer is nobody's to wait
for here: every role goes on and says so itself.
"""

import signal
import sys
import time
from pathlib import Path

from sqlalchemy import Engine, inspect, text

from libs.common import log
from libs.common.db import make_engine
from libs.common.settings import Settings

_log = log.get(__name__)
_HERE = Path(__file__).parent
LOOK_EVERY = 1.0
SAY_EVERY = 10.0
"""Seconds."""


def wait(settings: Settings, service: str, package: str) -> None:
    """Return when the tables are there. SIGTERM ends the process meanwhile: it has begun nothing yet."""
    # The first process of a container ignores what it has no answer for.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    engine = make_engine(settings.database_url_of(service))
    said = -SAY_EVERY
    try:
        while missing := _missing(engine, package):
            if time.monotonic() - said >= SAY_EVERY:
                said = time.monotonic()
                _log.warning("waiting_for_migrate", service=service, missing=", ".join(missing))
            time.sleep(LOOK_EVERY)
    except Exception as error:
        _log.warning("tables_not_looked_at", service=service, error=type(error).__name__)
    finally:
        engine.dispose()


def folders(package: str) -> list[Path]:
    """Where the migrations of every service's base lie, and those of the service of `package`."""
    return [_HERE / "migrations", _HERE.parents[1].joinpath(*package.split("."), "migrations")]


def newest(package: str) -> list[str]:
    """The last migration in each of the folders, as this code knows them. They are numbered files."""
    return [max(_numbers(folder)) for folder in folders(package)]


def _numbers(folder: Path) -> list[str]:
    return ["_".join(file.stem.split("_")[:2]) for file in folder.glob("*_[0-9][0-9][0-9][0-9]_*.py")]


def later(engine: Engine, package: str) -> list[str]:
    """Migrations of a later release that the store has, and this code has all of its own: whoever put an earlier release back
    changes nothing. Empty before the first migration, and where something of ours is missing yet."""
    known = {number for folder in folders(package) for number in _numbers(folder)}
    done = _done(engine)
    return [] if _lacking(done, package) else sorted(set(done) - known)


def _missing(engine: Engine, package: str) -> list[str]:
    return _lacking(_done(engine), package)


def _lacking(done: list[str], package: str) -> list[str]:
    return [wanted for wanted in newest(package) if not any(_is_at(version, wanted) for version in done)]


def _done(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return []
        return list(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())


def _is_at(version: str, wanted: str) -> bool:
    return version.split("_")[0] == wanted.split("_")[0] and version >= wanted
