"""Our own medicine: which repository holds the cloud itself, a key of its own for it, when the next copy is due.

A person makes the repository that `BACKUP_OWN` names, like any other. The rest happens by itself: a password, deposited so that
drills restore; an append-only key in the name of that person, renewed before it ends; a copy every night. That no copy arrives is
told of by the repository's own alert and, where there is not even a repository, by a figure (`age`).
"""

import secrets
from datetime import datetime, timedelta
from pathlib import Path

from libs.common import keys
from libs.common.actor import Actor
from libs.common.clock import JST
from libs.common.errors import NotFound
from libs.common.service import Service
from services.backup.db import RepositoryRow, SiteRow
from services.backup.db import repositories as db
from services.backup.domain import script
from services.backup.domain.modes import scope_of
from services.backup.settings import Settings, held, settings_of
from services.backup.use_cases import deposit, repositories
from services.backup.use_cases.allowance import tenant_of

NIGHT = range(1, 5)
"""Hours of the day, in Japan, in which nobody waits for anything else."""
SETTLED = timedelta(minutes=10)
"""The first copy waits for that after the repository was made, not for the night."""
DAY, LATE = timedelta(hours=12), timedelta(hours=25)
RENEW = timedelta(days=30)
_MADE_BY_ITSELF = "# made by itself; its key ends "
_ACTOR = Actor(kind="service", subject="backup")


def is_due(last: datetime | None, made: datetime, now: datetime) -> bool:
    """Once a night; a cloud that was off at night makes up for it."""
    if last is None:
        return now - made >= SETTLED
    return now - last >= LATE or (now - last >= DAY and now.astimezone(JST).hour in NIGHT)


def repository(service: Service) -> RepositoryRow | None:
    """The cloud's own repository; None where it, or the room it shall be in, is not there (yet)."""
    settings = settings_of(service)
    if not settings.backup_own:
        return None
    code, name = settings.backup_own.split("/")
    try:
        with service.database.reading() as session:
            tenant = tenant_of(session, code)
    except NotFound:
        return None
    with service.database.reading(tenant=tenant) as session:
        row = db.by_name(session, name)
        return row if row is not None and row.disposed_at is None else None


def age(service: Service) -> float:
    """Seconds since the cloud last arrived in its own repository; since its beginning if it never did."""
    row = repository(service)
    since = row and (row.last_point_at or row.created_at)
    if since is None:
        with service.database.reading() as session:
            since = session.get_one(SiteRow, "first").made_at
    return (service.clock.now() - since).total_seconds()


def credentials(service: Service, row: RepositoryRow, path: Path) -> dict[str, str]:
    """What restic is told, from the file `path`. Made where there is none, with another key where its own ends soon; a file that
    somebody wrote by hand is left as it is."""
    told = path.read_text("utf-8") if path.exists() else ""
    ends = _end_of_key(told)
    if not told or (ends is not None and ends - service.clock.now() < RENEW):
        told = _renewed(service, row, path, told)
    return environment(told)


def environment(text: str) -> dict[str, str]:
    """NAME=value lines, as systemd reads them from an environment file."""
    lines = (line.strip() for line in text.splitlines())
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def _end_of_key(told: str) -> datetime | None:
    first = told.partition("\n")[0]
    return datetime.fromisoformat(first.removeprefix(_MADE_BY_ITSELF)) if first.startswith(_MADE_BY_ITSELF) else None


def _renewed(service: Service, row: RepositoryRow, path: Path, told: str) -> str:
    """The password stays: with another one nothing of before could be opened. The earlier key goes on until its end."""
    now = service.clock.now()
    password = environment(told).get("RESTIC_PASSWORD") or secrets.token_urlsafe(24)
    token = held(service).tokens.make(
        row.tenant_id, "共同クラウド自身", scope_of("append"), repositories.LONGEST_KEY, row.created_by
    )
    with service.database.transaction(tenant=row.tenant_id) as session:
        repositories.add_key(session, _ACTOR, row.id, token, "append", "共同クラウド自身", now)
        deposit.deposit(session, _ACTOR, held(service).vault_key, row.id, password, now)
    text = _text(settings_of(service), row, token.secret, token.expires_at, password)
    path.parent.mkdir(parents=True, exist_ok=True)
    keys.written_beside(path, text.encode()).replace(path)
    return text


def _text(settings: Settings, row: RepositoryRow, secret: str, ends: datetime, password: str) -> str:
    assert settings.backup_own is not None
    place = script.Place(settings.public_url, *settings.backup_own.split("/"))
    cache = settings.data_dir / "backup" / "own-cache"
    return (
        f"{_MADE_BY_ITSELF}{ends.isoformat()}\n"
        "# Without RESTIC_PASSWORD nobody brings the cloud back: write it down, and keep it in another place.\n"
        f"RESTIC_REPOSITORY={place.address(secret)}\nRESTIC_PASSWORD={password}\nRESTIC_CACHE_DIR={cache.absolute()}\n"
    )
