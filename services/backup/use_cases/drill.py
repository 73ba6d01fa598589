"""A restore that is tried, so that nobody has to believe in it: planned, carried out, kept as signed evidence.

With a deposited password: a real `restic restore` of the latest snapshot into an empty folder, every file counted and
hashed. Without: every object of the repository is read again and compared with its SHA-256, and the structure is looked
at. The evidence says which of the two it was; a failed one can never become a passed one.
"""

import hashlib
import os
import shutil
import subprocess
import time
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit, jobs, log, outbox, room
from libs.common.actor import Actor
from libs.common.errors import Conflict, say
from libs.common.ids import new_id
from libs.common.jobs import Job
from libs.common.service import Service
from services.backup import contents, vault
from services.backup.db import DrillRow, ObjectRow, RepositoryRow
from services.backup.db import objects as objects_db
from services.backup.db import repositories as db
from services.backup.domain import problems
from services.backup.domain.layout import place_of
from services.backup.events import DrillFinished
from services.backup.settings import held, settings_of
from services.backup.sites import Site, sha256_of
from services.backup.sites.folder import FileReader
from services.backup.use_cases import evidence as signed
from services.backup.use_cases.alerts import clear_alert, raise_alert
from services.backup.use_cases.sites import key_of, state_of

KIND = "backup.drill"
EVERY = timedelta(days=30)
PATIENCE = 6 * 3600
"""Seconds a restore may take."""
_log = log.get(__name__)


@dataclass
class Result:
    """What a drill found. `manifest` is the SHA-256 over path and SHA-256 of every restored file, sorted."""

    passed: bool = False
    files: int = 0
    bytes: int = 0
    manifest: str = ""
    problems: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


TRYING = room.switches.declare(
    "backup",
    "drills",
    "復元訓練",
    "預かったデータを、月に一度、実際に復元して確かめます。預かりと取り出しは、止めても続きます。",
)


# ---- asking ---------------------------------------------------------------------------------------------------------


def ask(session: Session, actor: Actor, repository_id: str, now: datetime) -> DrillRow:
    """Have a drill done soon. Conflict while one is running; Forbidden where operators switched drills off."""
    room.switches.check(session, TRYING)
    repository = db.by_id(session, repository_id)
    running = select(DrillRow.id).where(DrillRow.repository_id == repository_id, DrillRow.state == "running")
    if session.scalar(running.limit(1)) is not None:
        raise Conflict(say("復元訓練は、もう始まっています。終わるまでお待ちください。"), code="drill-running")
    kind = "restore" if repository.sealed_password else "structure"
    row = DrillRow(
        id=new_id(), repository_id=repository_id, kind=kind, asked_at=now, asked_by=actor.subject, state="running"
    )
    session.add(row)
    _job(session, row)
    return row


def end_broken_off(service: Service, tenant: str) -> int:
    """A drill whose process died in every attempt is a failed one: else it ran for ever, and no other could begin.

    Returns how many ended.
    """
    with service.database.transaction(tenant=tenant) as session:
        running = list(session.scalars(select(DrillRow).where(DrillRow.state == "running")))
        dead = [row for row in running if jobs.find(session, _job(session, row)).status == "dead"]
    for row in dead:
        _clear_away(service, row.id)
        _finish(service, tenant, row, Result(problems=[problems.BROKEN_OFF]), None, 0.0)
    return len(dead)


def _job(session: Session, row: DrillRow) -> str:
    """The drill's job, added if it is not there."""
    return jobs.add(session, KIND, {"drill": row.id}, key=row.id, now=row.asked_at)


def plan(session: Session, now: datetime) -> int:
    """Ask for a drill of every repository that has data and was not tried for a month. Returns how many."""
    planned = 0
    if not room.switches.on(session, TRYING):
        return planned
    for repository in db.repositories(session):
        latest = db.drills(session, repository.id, 1)
        due = not latest or (latest[0].state != "running" and now - latest[0].asked_at > EVERY)
        if repository.last_point_at is not None and due:
            ask(session, Actor(kind="service", subject="backup", tenant=repository.tenant_id), repository.id, now)
            planned += 1
    return planned


# ---- carrying out ---------------------------------------------------------------------------------------------------


def carry_out(service: Service, tenant: str, drill_id: str, job: Job | None = None) -> None:
    """Do the drill and keep its evidence. The second site is tried first: that is where help would come from."""
    with service.database.reading(tenant=tenant) as session:
        row = db.drill(session, drill_id)
        if row.state != "running":
            return
        repository = db.by_id(session, row.repository_id)
        objects = [o for o in objects_db.live_and_kept(session, repository.id) if o.deleted_at is None]
    places = held(service)
    copied = all(o.copied_at is not None for o in objects)
    site = places.second if places.second.up and copied else places.first
    begun = time.monotonic()
    by_restic = row.kind == "restore"
    result = _restore(service, row.id, repository, objects, site) if by_restic else _read_again(objects, site, job)
    _finish(service, tenant, row, result, site, time.monotonic() - begun)


def _read_again(objects: list[ObjectRow], site: Site, job: Job | None) -> Result:
    """Structure without the key: a config, a key, a snapshot, an index, and every byte as its name promises."""
    result = Result()
    kinds = {o.type for o in objects}
    result.problems += [
        problems.missing(kind) for kind in ("config", "keys", "snapshots", "index") if kind not in kinds
    ]
    manifest = hashlib.sha256()
    for number, row in enumerate(sorted(objects, key=lambda o: (o.type, o.name))):
        state, size = state_of(site, row)
        if state != "ok":
            result.problems.append(problems.unreadable(f"{row.type}/{row.name[:12]}"))
        result.files, result.bytes = result.files + 1, result.bytes + size
        manifest.update(f"{row.type}/{row.name}\n".encode())
        if job is not None:
            job.progress(number + 1, len(objects), "保管した中身を読み直しています")
    result.manifest = manifest.hexdigest()
    result.passed = not result.problems
    return result


def _restore(
    service: Service, drill_id: str, repository: RepositoryRow, objects: list[ObjectRow], site: Site
) -> Result:
    """restic itself, on restic's own folder layout made of links to the site's files, into an empty folder.

    It is the snapshot that arrived last, whatever time is written in it.
    """
    snapshot = max((o for o in objects if o.type == "snapshots"), key=lambda o: o.arrived_at, default=None)
    if snapshot is None:
        return Result(problems=[problems.NO_SNAPSHOT])
    settings = settings_of(service)
    try:
        password = vault.open_sealed(held(service).vault_key, repository)
    except vault.SealedOtherwise:
        return Result(problems=[problems.WRONG_PASSWORD])
    _clear_away(service, drill_id)
    folder, target = site.workspace(_name(drill_id)), settings.sandbox_dir() / _name(drill_id)
    target.mkdir(parents=True, mode=0o700)
    try:
        result = Result()
        for row in objects:
            try:
                site.lay_out(key_of(row), folder / place_of(row.type, row.name))
            except FileNotFoundError:
                result.problems.append(problems.missing(f"{row.type}/{row.name[:12]}"))
        _run_restic(settings.backup_restic, folder, target, password, snapshot.name, result)
        _measure(target, result)
        _count(target, result)
        result.passed = not result.problems
        return result
    finally:
        _clear_away(service, drill_id)


def _name(drill_id: str) -> str:
    return f"drill-{drill_id}"


def _clear_away(service: Service, drill_id: str) -> None:
    """What was restored is readable for everybody who can read the disk: also what a killed process left goes."""
    places = (site.workspace(_name(drill_id)) for site in held(service).sites)
    for folder in (*places, settings_of(service).sandbox_dir() / _name(drill_id)):
        shutil.rmtree(folder, ignore_errors=True)


def _run_restic(program: str, folder: Path, target: Path, password: str, snapshot: str, result: Result) -> None:
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(target),
        "RESTIC_PASSWORD": password,
        "RESTIC_REPOSITORY": str(folder),
    }
    common = [program, "--no-lock", "--no-cache"]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 (our own program, no shell, arguments of ours)
            [*common, *arguments], env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    done = run("restore", snapshot, "--target", str(target / "data"))
    if "wrong password" in done.stderr:
        result.problems.append(problems.WRONG_PASSWORD)
    elif done.returncode != 0:
        result.problems.append(problems.ended_early(done.returncode))
    result.facts |= {"snapshot": snapshot, "restic": run("version").stdout.strip()}


def _measure(target: Path, result: Result) -> None:
    """Count and hash what came back. Names of files stay in here: only their hash becomes evidence."""
    manifest = hashlib.sha256()
    root = target / "data"
    for path in sorted(p for p in root.rglob("*") if p.is_file() and not p.is_symlink()):
        with FileReader(os.open(path, os.O_RDONLY)) as reader:
            digest, size = sha256_of(reader)
        manifest.update(os.fsencode(path.relative_to(root)) + b"\0" + bytes.fromhex(digest))
        result.files, result.bytes = result.files + 1, result.bytes + size
    result.manifest = manifest.hexdigest()


def _count(target: Path, result: Result) -> None:
    """Rows of restored databases, members of restored archives; what is broken makes the drill fail."""
    found = contents.count(target / "data")
    result.problems += found.broken
    if found.databases or found.archives:
        counted = asdict(found)
        del counted["broken"]
        result.facts["contents"] = counted


def _finish(service: Service, tenant: str, row: DrillRow, result: Result, site: Site | None, seconds: float) -> None:
    """Evidence, event, alert and the page's date, together."""
    now = service.clock.now()
    with service.database.transaction(tenant=tenant) as session:
        drill = db.drill(session, row.id)
        if drill.state != "running":
            return
        repository = db.by_id(session, row.repository_id, lock=True)
        age = (now - repository.last_point_at).total_seconds() if repository.last_point_at else None
        evidence = _evidence(tenant, repository, drill, result, site, seconds, age, now)
        evidence["previous_sha256"] = _previous(session, drill)
        drill.state, drill.finished_at = "passed" if result.passed else "failed", now
        drill.evidence, drill.signature = evidence, signed.sign(service, evidence)
        if result.passed:
            repository.last_proven_at = now
            clear_alert(session, repository, "drill", now)
        else:
            raise_alert(session, repository, "drill", now)
        _tell(session, drill, result, seconds, age, now)
        actor = Actor(kind="service", subject=service.name, tenant=tenant)
        detail = {"state": drill.state, "sha256": signed.fingerprint(evidence)}
        audit.record(session, actor, "backup.drill.finished", repository.id, detail=detail, now=now)


def _evidence(
    tenant: str,
    repository: RepositoryRow,
    drill: DrillRow,
    result: Result,
    site: Site | None,
    seconds: float,
    age: float | None,
    now: datetime,
) -> dict[str, Any]:
    return {
        "format": "kyodo-backup-drill",
        "version": 1,
        "tenant": tenant,
        "repository": repository.id,
        "repository_name": repository.name,
        "drill": drill.id,
        "kind": drill.kind,
        "passed": result.passed,
        "site": site.name if site else None,
        "asked_at": drill.asked_at.isoformat(),
        "finished_at": now.isoformat(),
        "seconds": round(seconds, 3),
        "recovery_point_age_seconds": None if age is None else round(age, 3),
        "files": result.files,
        "bytes": result.bytes,
        "manifest_sha256": result.manifest,
        "problems": result.problems[:50],
        **result.facts,
    }


def _previous(session: Session, drill: DrillRow) -> str | None:
    """SHA-256 of the repository's evidence before this: none can be taken out or put in later unnoticed."""
    before = db.latest_evidence(session, drill.repository_id)
    return signed.fingerprint(before) if before else None


def _tell(session: Session, drill: DrillRow, result: Result, seconds: float, age: float | None, now: datetime) -> None:
    event = DrillFinished(
        repository_id=drill.repository_id,
        drill_id=drill.id,
        kind=drill.kind,  # type: ignore[arg-type]
        passed=result.passed,
        files=result.files,
        bytes=result.bytes,
        seconds=round(seconds, 3),
        age_seconds=age,
        finished_at=now,
        evidence=drill.evidence,
        signature=drill.signature,
    )
    outbox.add(session, event, subject=drill.repository_id, now=now)
