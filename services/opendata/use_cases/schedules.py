"""Files that renew themselves: fetched from an address or a drop folder, read like a clerk's, published when nothing speaks against it."""

import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy.orm import Session

from libs.common import audit, fetch, jobs, room
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, Refusal
from libs.common.files import StoredFile
from libs.common.service import Service
from services.opendata.db import DraftRow, VersionRow, datasets
from services.opendata.db.gathering import ScheduleRow, due_schedules, schedule
from services.opendata.domain.describe import Description
from services.opendata.domain.gathering import EVERY, differs_too_much, next_time
from services.opendata.settings import catalogue_of, files_of, settings_of
from services.opendata.use_cases import drafts
from services.opendata.use_cases.publish import Choice, publish

FETCH = "opendata.fetch"
SECONDS = 300.0
FOLDER = "folder:"
QUIET = 2.0
"""Seconds for which a dropped file must have stayed as it is."""
US = "opendata"
"""Who fetches, in records and drafts."""
_NAME = re.compile(r"[^/\\\x00]{1,200}")


class Same(Exception):
    """What is there is what was there."""


def begin(
    service: Service, session: Session, actor: Actor, resource_id: str, url: str, every: str, now: datetime
) -> ScheduleRow:
    """Renew a file from now on. Invalid for an address that may not be asked, whatever it says later."""
    datasets.resource(session, resource_id)
    if every not in EVERY:
        raise Invalid("更新の間隔を選んでください。", fields={"every": "更新の間隔を一覧から選んでください。"})
    url = check_address(service, url)
    row = schedule(session, resource_id, lock=True)
    if row is None:
        row = ScheduleRow(resource_id=resource_id, failures=0, known={}, state="", message="", last_at=None)
        session.add(row)
    row.url, row.every, row.next_at, row.created_by, row.known = url, every, now, actor.subject, {}
    audit.record(session, actor, "schedule.begun", resource_id, detail={"every": every}, now=now)
    jobs.add(session, FETCH, {"resource": resource_id}, now=now)
    return row


def check_address(service: Service, url: str) -> str:
    """The address as it will be asked. The connection itself is checked again each time (libs/common/fetch)."""
    url = url.strip()
    if url.startswith(FOLDER):
        _in_folder(service, "000000", url)
        return url
    try:
        return str(fetch.checked_url(url, fetch.Limits(), fetch.allow_list(settings_of(service).fetch_allowed)))
    except Refusal as refusal:
        raise Invalid(str(refusal.message), fields={"url": str(refusal.message)}) from refusal


def stop(session: Session, actor: Actor, resource_id: str, now: datetime) -> None:
    row = schedule(session, resource_id, lock=True)
    if row is not None:
        session.delete(row)
        audit.record(session, actor, "schedule.ended", resource_id, now=now)


def order(session: Session, resource_id: str, now: datetime) -> None:
    """Fetch as soon as a worker is free; asked twice in a minute it is done once."""
    jobs.add(session, FETCH, {"resource": resource_id}, key=f"{resource_id}:{int(now.timestamp()) // 60}", now=now)


def order_due(session: Session, now: datetime) -> int:
    """Put what is due on the list of jobs."""
    rows = due_schedules(session, now)
    for row in rows:
        row.next_at = now + next_time(row.every, row.failures)
        order(session, row.resource_id, now)
    return len(rows)


# ---- one fetch


def renew(service: Service, tenant: str, resource_id: str, now: datetime) -> str:
    """Fetch, read, publish: the new state. Repeating is safe."""
    with service.database.reading(tenant=tenant) as session:
        row = schedule(session, resource_id)
        if row is None:
            return ""
        room.check_open(session)
    try:
        stored, known = _fetch(service, tenant, row)
        state, message = _take_in(service, tenant, row, stored, now)
    except Same:
        # What a person has not looked at yet waits on, however often the same file is found.
        waits = row.state == "waiting" and _waiting(service, tenant, resource_id)
        state, message, known = ("waiting", row.message, row.known) if waits else ("same", "", row.known)
    except Refusal as refusal:
        state, message, known = "failed", str(refusal.message), row.known
    _note(service, tenant, resource_id, state, message, known, now)
    catalogue_of(service).look_again()
    return state


def _waiting(service: Service, tenant: str, resource_id: str) -> bool:
    with service.database.reading(tenant=tenant) as session:
        return bool(_fetched(session, resource_id))


def _fetched(session: Session, resource_id: str) -> list[DraftRow]:
    """What was fetched for this file and nobody has published or thrown away."""
    return [
        each for each in datasets.drafts(session)
        if (each.resource_id, each.created_by) == (resource_id, US) and each.state in ("read", "unreadable")
    ]  # fmt: skip


def _note(
    service: Service, tenant: str, resource_id: str, state: str, message: str, known: dict[str, Any], now: datetime
) -> None:
    with service.database.transaction(tenant=tenant) as session:
        row = schedule(session, resource_id, lock=True)
        if row is not None:
            row.state, row.message, row.known, row.last_at = state, message, known, now
            row.failures = row.failures + 1 if state == "failed" else 0
            row.next_at = now + next_time(row.every, row.failures)


def _fetch(service: Service, tenant: str, row: ScheduleRow) -> tuple[StoredFile, dict[str, Any]]:
    """The bytes, kept, and what to ask by next time. Same where nothing has changed."""
    if row.url.startswith(FOLDER):
        with _open_dropped(service, tenant, row.url) as file:
            stored, known = _keep(service, tenant, file), {}
    else:
        stored, known = _fetch_address(service, tenant, row)
    if stored.sha256 == row.known.get("sha256"):
        files_of(service).delete(tenant, stored.id)
        raise Same
    return stored, known | {"sha256": stored.sha256}


def _fetch_address(service: Service, tenant: str, row: ScheduleRow) -> tuple[StoredFile, dict[str, Any]]:
    settings = settings_of(service)
    limits = fetch.Limits(limit=settings.opendata_file_limit, seconds=SECONDS)
    asked = {"If-None-Match": row.known.get("etag"), "If-Modified-Since": row.known.get("last_modified")}
    headers = {name: value for name, value in asked.items() if value}
    allowed = fetch.allow_list(settings.fetch_allowed)
    with fetch.stream(row.url, limits=limits, headers=headers, allowed=allowed) as (answer, pieces):
        if answer.status_code == 304:
            raise Same
        if answer.status_code != 200:
            raise Invalid(
                f"相手のサーバーの答えが正しくありません（状態{answer.status_code}）。アドレスをお確かめください。"
            )
        stored = files_of(service).put(tenant, pieces, limit=settings.opendata_file_limit)
        return stored, {"etag": answer.headers.get("etag"), "last_modified": answer.headers.get("last-modified")}


def _keep(service: Service, tenant: str, file: BinaryIO) -> StoredFile:
    return files_of(service).put(tenant, file, limit=settings_of(service).opendata_file_limit)


def _in_folder(service: Service, tenant: str, url: str) -> Path:
    """The place of a dropped file: never outside the municipality's own folder."""
    name, folder = url.removeprefix(FOLDER), settings_of(service).opendata_drop_folder
    if folder is None:
        raise Invalid(
            "受け渡しのフォルダーは、この共同クラウドでは使えません。",
            fields={"url": "「https://」から入力してください。"},
        )
    if not _NAME.fullmatch(name) or name in (".", ".."):
        raise Invalid(
            "ファイルの名前が正しくありません。",
            fields={"url": "「folder:」のあとに、ファイルの名前だけを入力してください。"},
        )
    return Path(folder) / tenant / name


def _open_dropped(service: Service, tenant: str, url: str) -> BinaryIO:
    place = _in_folder(service, tenant, url)
    if place.is_symlink() or not place.is_file():
        raise NotFound("受け渡しのフォルダーに、このファイルがありません。")
    if not _is_whole(place):
        raise Conflict("ファイルは、まだ書き込みの途中のようです。書き終わってから、もう一度取り込みます。")
    return place.open("rb")


def _is_whole(place: Path) -> bool:
    """Whether nobody writes to the file: half of it would be published as the newest data."""
    before = place.stat()
    time.sleep(max(0.0, min(QUIET, before.st_mtime + QUIET - time.time())))
    after = place.stat()
    return (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)


def _take_in(service: Service, tenant: str, row: ScheduleRow, stored: StoredFile, now: datetime) -> tuple[str, str]:
    """(state, message): published, or waiting for a clerk with the reason."""
    actor = Actor("service", US, "自動更新", tenant, tenant, frozenset())
    with service.database.transaction(tenant=tenant) as session:
        resource = datasets.resource(session, row.resource_id)
        for older in _fetched(session, resource.id):
            drafts.discard(
                session, older.id
            )  # only the newest waits: a page that changes each hour leaves no heap of files
        sent = drafts.Sent(_filename(row.url), resource.dataset_id, resource.id)
        draft = drafts.begin(session, actor, sent, stored, now)
        before = datasets.version(session, resource.id, resource.version) if resource.version else None
    drafts.read_now(service, tenant, draft.id)
    with service.database.transaction(tenant=tenant) as session:
        draft = datasets.draft(session, draft.id, lock=True)
        why = _why_not(draft, before)
        if why:
            return "waiting", why
        return _publish(session, actor, draft, before, now)


def _publish(
    session: Session, actor: Actor, draft: DraftRow, before: VersionRow | None, now: datetime
) -> tuple[str, str]:
    dataset = datasets.by_id(session, str(draft.dataset_id))
    if dataset.state != "published":
        return "waiting", "データセットを公開していません。"
    wish = Description(dataset.title, dataset.notes, dataset.theme, dataset.license, dataset.frequency, tuple(dataset.tags),
                       kind=dataset.kind)  # fmt: skip
    there = draft.report.get("repaired") is not None
    repaired = there and (before is None or before.repaired or bool(draft.report.get("acting")))
    try:
        publish(session, actor, draft.id, wish, Choice(repaired, seen=before.number if before else 0), now)
    except Conflict as refusal:
        return "waiting", str(refusal.message)
    return "published", ""


def _why_not(draft: DraftRow, before: VersionRow | None) -> str:
    if draft.state != "read":
        return draft.report.get("reason", "読み取れませんでした。")
    if draft.report.get("personal"):
        return draft.report["personal"][0]["message"]
    if before is None or not before.columns:
        return ""
    told = draft.report["repaired" if before.repaired and draft.report.get("repaired") else "original"]
    names = [{"columns": [column["name"] for column in each], "rows": rows}
             for each, rows in ((before.columns, before.rows), (told["columns"], told["rows"]))]  # fmt: skip
    return differs_too_much(*names)


def _filename(url: str) -> str:
    name = url.removeprefix(FOLDER).split("?")[0].rstrip("/").rpartition("/")[2]
    return name if "." in name else f"{name or 'data'}.csv"
