"""Catalogues read from elsewhere: each data set there becomes one here, described the same, its files staying where they are.

Told twice it is one; what says the same is not published anew; what a person has changed here stays as they wrote it. What is gone
there is withdrawn here, but only after the whole catalogue was read, and never most of it at once without a person. A killed run
begins again and finds what it has done; two runs of one catalogue never work at the same time.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from libs.common import audit, fetch, jobs, leases, room
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, Refusal
from libs.common.ids import new_id
from libs.common.service import Service
from services.opendata.db import DatasetRow, ResourceRow, datasets
from services.opendata.db.gathering import HarvestRow, due_harvests, harvest, harvests
from services.opendata.domain.describe import Description, tags_of
from services.opendata.domain.gathering import (
    EVERY,
    KINDS,
    Found,
    FoundFile,
    disappears_too_much,
    from_lines,
    from_package,
    license_of,
    next_time,
)
from services.opendata.domain.vocabulary import proposed_theme
from services.opendata.reading.table_of_bytes import table_of_bytes
from services.opendata.settings import catalogue_of, settings_of
from services.opendata.use_cases import programs, withdraw
from services.opendata.use_cases.publish import new_dataset, tell
from services.opendata.use_cases.rdf import data_sets
from services.opendata.use_cases.schedules import check_address

HARVEST = "opendata.harvest"
PAGE, MOST_PAGES, MOST = 100, 300, 20_000


@dataclass(frozen=True, slots=True)
class Limits:
    """`answer`: bytes and seconds that one answer may take; `whole`: that all of them may take together."""

    answer: tuple[int, float] = (50_000_000, 60.0)
    whole: tuple[int, float] = (1_000_000_000, 3_600.0)


LIMITS = Limits()
ALONE = 2 * LIMITS.whole[1]
"""Seconds for which one run of a catalogue keeps others away, should it never say that it ended."""
FIELDS = ("title", "notes", "license", "theme", "frequency", "tags")
"""What the source says of a data set, and a person may say better."""
COUNTED = ("found", "new", "changed", "same", "gone", "refused")
GONE = "収集元の目録からなくなりました。"


def begin(
    service: Service, session: Session, actor: Actor, kind: str, url: str, every: str, now: datetime
) -> HarvestRow:
    """Read a catalogue from now on. Invalid for an address that may not be asked."""
    if kind not in KINDS or every not in EVERY:
        raise Invalid("直していただくところがあります。", fields={"kind": "種類と間隔を一覧から選んでください。"})
    url = check_address(service, url)
    if any(each.url == url for each in harvests(session)):
        sentence = "この目録は、もう登録してあります。"
        raise Invalid(sentence, fields={"url": sentence})
    row = HarvestRow(id=new_id(), kind=kind, url=url, every=every, next_at=now, last_at=None, state="",
                     message="", counts={}, created_by=actor.subject)  # fmt: skip
    session.add(row)
    audit.record(session, actor, "harvest.begun", row.id, detail={"kind": kind}, now=now)
    order(session, row.id, now, by_hand=True)
    return row


def stop(session: Session, actor: Actor, harvest_id: str, now: datetime) -> None:
    """What was harvested stays."""
    session.delete(harvest(session, harvest_id, lock=True))
    audit.record(session, actor, "harvest.ended", harvest_id, now=now)


def order(session: Session, harvest_id: str, now: datetime, *, by_hand: bool = False) -> None:
    """`by_hand`: a person asked for it, and has read why the last run stopped."""
    told = {"harvest": harvest_id, "by_hand": by_hand}
    jobs.add(session, HARVEST, told, key=f"{harvest_id}:{by_hand}:{int(now.timestamp()) // 60}", now=now)


def order_due(session: Session, now: datetime) -> int:
    rows = due_harvests(session, now)
    for row in rows:
        row.next_at = now + next_time(row.every, 0)
        order(session, row.id, now)
    return len(rows)


def run(service: Service, tenant: str, harvest_id: str, now: datetime, job: jobs.Job) -> dict[str, int]:
    """Read the whole catalogue and publish what is new or different. Nothing, where nobody wants it any more or another run is at it."""
    counts: dict[str, int] = {name: 0 for name in COUNTED}
    with service.database.transaction(tenant=tenant) as session:
        room.check_open(session)
        try:
            row = harvest(session, harvest_id, lock=True)
        except NotFound:
            return counts  # stopped before its turn came
        if not leases.take_lease(session, f"harvest:{harvest_id}", job.id, ALONE, now):
            return counts
        # Whoever orders a run after being told that most of it is missing has agreed to that.
        agreed = bool(row.counts.get("missing") and job.payload.get("by_hand"))
        row.state, known = "running", _known(session, row)
    try:
        seen = _take_all(service, tenant, row, known, counts, now, job)
        gone = {guid: ident for guid, (ident, sum_) in known.items() if guid not in seen and sum_}
        there = sum(bool(sum_) for _, sum_ in known.values())
        if not agreed and (why := disappears_too_much(there, len(gone))):
            counts["missing"] = len(gone)
            raise Invalid(why, code="too-much-gone")
        _withdraw(service, tenant, gone, counts, now)
    except Refusal as refusal:
        _note(service, tenant, row.id, job, "failed", str(refusal.message), counts, now)
    except jobs.LeaseLost:
        raise  # another process has it: what it says counts
    except Exception:
        sentence = (
            "思いがけないことが起き、途中で止まりました。もう一度集めても止まるときは、運用者に知らせてください。"
        )
        _note(service, tenant, row.id, job, "failed", sentence, counts, now)
        raise
    else:
        _note(service, tenant, row.id, job, "done", "", counts, now)
    catalogue_of(service).look_again()
    return counts


def _known(session: Session, row: HarvestRow) -> dict[str, tuple[str, str]]:
    """guid → (id, sum) of what this source gave before. What was gone has no sum: when it comes back it is published again.

    What the same catalogue gave before it was stopped is known, too: begun anew it brings nothing twice.
    """
    found: dict[str, tuple[str, str]] = {}
    present = {each.id for each in harvests(session)}
    for dataset in datasets.listed(session):
        told = dataset.about.get("harvest", {})
        left = told.get("from") == row.url and told.get("source") not in present
        if told.get("source") == row.id or (left and told["guid"] not in found):
            gone = dataset.state == "withdrawn" and dataset.reason == GONE
            found[told["guid"]] = (dataset.id, "" if gone else told["sum"])
    return found


def _note(
    service: Service, tenant: str, harvest_id: str, job: jobs.Job, state: str, message: str, counts: dict[str, int], now: datetime
) -> None:  # fmt: skip
    with service.database.transaction(tenant=tenant) as session:
        leases.give_back(session, f"harvest:{harvest_id}", job.id)
        row = session.get(HarvestRow, (tenant, harvest_id), with_for_update=True)
        if row is not None:
            row.state, row.message, row.counts, row.last_at = state, message, counts, now
            row.next_at = now + next_time(row.every, 1 if state == "failed" else 0)


def _take_all(
    service: Service, tenant: str, row: HarvestRow, known: dict[str, tuple[str, str]], counts: dict[str, int], now: datetime,
    job: jobs.Job,
) -> set[str]:  # fmt: skip
    seen: set[str] = set()
    for found in READ[row.kind](Source(service, LIMITS).get, row.url):
        if found.guid in seen:
            continue
        seen.add(found.guid)
        counts["found"] += 1
        if counts["found"] > MOST:
            raise Invalid(f"データセットが{MOST:,}件より多いため、やめました。アドレスで範囲を絞ってください。")
        ident, before = known.get(found.guid, ("", ""))
        counts[_take_one(service, tenant, row, found, ident, before, now)] += 1
        job.progress(counts["found"], max(counts["found"] + 1, len(known)), found.title)
    return seen


def _take_one(
    service: Service, tenant: str, source: HarvestRow, found: Found, ident: str, before: str, now: datetime
) -> str:
    """One data set, in a transaction of its own: new, changed, same or refused."""
    if before == found.sum:
        return "same"
    actor = Actor("service", "opendata", "収集", tenant, tenant)
    try:
        with service.database.transaction(tenant=tenant) as session:
            dataset = datasets.by_id(session, ident, lock=True) if ident else _create(session, actor, found, now)
            if dataset.state == "withdrawn" and dataset.reason != GONE:
                return "same"  # a person withdrew it: it stays withdrawn
            _describe(dataset, source, found)
            _replace_files(session, dataset, found.files, now)
            tell(session, actor, dataset, "dataset.harvested", now)
    except Invalid:
        return "refused"
    return "changed" if ident else "new"


def _create(session: Session, actor: Actor, found: Found, now: datetime) -> DatasetRow:
    row = new_dataset(session, actor, Description(found.title), now)
    session.flush()
    return row


def _describe(row: DatasetRow, source: HarvestRow, found: Found) -> None:
    """As the source says, but for what a person has changed here since the source last said it."""
    says = {name: getattr(found, name) for name in FIELDS} | {"tags": list(tags_of(found.tags))}
    said = row.about.get("harvest", {}).get("said")
    for name, value in says.items():
        if said is None or getattr(row, name) == said.get(name):
            setattr(row, name, value)
    row.about = (
        row.about
        | {"harvest": {"source": source.id, "from": source.url, "guid": found.guid, "sum": found.sum, "said": says}}
        | ({"url": found.page} if found.page else {})
    )


def _replace_files(session: Session, dataset: DatasetRow, files: tuple[FoundFile, ...], now: datetime) -> None:
    """Files keep their id as long as their address stays."""
    present = {row.url: row for row in datasets.resources(session, dataset.id)}
    for url in set(present) - {each.url for each in files}:
        programs.remove_file(session, present[url])
    for position, each in enumerate({each.url: each for each in files}.values()):
        row = present.get(each.url)
        if row is None:
            row = ResourceRow(id=new_id(), dataset_id=dataset.id, url=each.url, version=0, about={}, created_at=now)
            session.add(row)
        row.position, row.name, row.format, row.description = (
            position,
            each.name or dataset.title,
            each.format,
            each.description,
        )
        row.modified_at = now
    session.flush()


def _withdraw(service: Service, tenant: str, gone: dict[str, str], counts: dict[str, int], now: datetime) -> None:
    actor = Actor("service", "opendata", "収集", tenant, tenant)
    for ident in gone.values():
        with service.database.transaction(tenant=tenant) as session:
            if datasets.by_id(session, ident).state == "published":
                withdraw.withdraw(session, actor, ident, GONE, now)
                counts["gone"] += 1


# ---- reading catalogues


class Source:
    """Somebody's server, asked once and again until the catalogue is read; one that never comes to its end is left."""

    def __init__(self, service: Service, limits: Limits) -> None:
        self._allowed = fetch.allow_list(settings_of(service).fetch_allowed)
        self._limits, (self._bytes, self._seconds) = limits, limits.whole

    def get(self, url: str) -> fetch.Fetched:
        """Unavailable where it takes too long, TooLarge, Invalid where it answers anything but 200."""
        if self._seconds <= 0 or self._bytes <= 0:
            raise _endless()
        limit, seconds = self._limits.answer
        started = time.monotonic()
        found = fetch.get(url, limit=limit, seconds=min(seconds, self._seconds), allowed=self._allowed)
        self._seconds -= time.monotonic() - started
        self._bytes -= len(found.body)
        if found.status != 200:
            raise Invalid(f"相手のサーバーの答えが正しくありません（状態{found.status}）。アドレスをお確かめください。")
        return found


def _endless() -> Invalid:
    return Invalid(
        "目録が終わらないか、大きすぎるため、途中でやめました。アドレスで範囲を絞ってください。", code="endless"
    )


Get = Callable[[str], fetch.Fetched]


def _from_ckan(get: Get, url: str) -> Iterator[Found]:
    """Page by page, in an order that stays. Two equal pages are an error: the site does not page."""
    site = re.sub(r"/api(/3)?(/action)?/?$", "", url.rstrip("/"))
    before: list[Any] = []
    start = 0
    for _ in range(MOST_PAGES):
        query = urlencode({"rows": PAGE, "start": start, "sort": "id asc"})
        results = _results(get(f"{site}/api/3/action/package_search?{query}"))
        ids = [each.get("id") for each in results]
        if not results:
            return
        if ids == before:
            raise Invalid("相手のサイトが、同じページをくり返し答えました。時間をおいてお試しください。")
        before, start = ids, start + len(ids)  # a site may give fewer on a page than it was asked for
        yield from filter(None, map(from_package, results))
    raise _endless()


def _results(answer: fetch.Fetched) -> list[dict[str, Any]]:
    try:
        told = json.loads(answer.body)
        results = told["result"]["results"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Invalid("CKANのサイトの答えではありません。サイトの先頭のアドレスを入力してください。") from error
    return [each for each in results if isinstance(each, dict)]


def _from_csv(get: Get, url: str) -> Iterator[Found]:
    table = table_of_bytes(get(url).body, "catalogue.csv")
    try:
        yield from from_lines(table.columns, (row.cells for row in table.rows()))
    except ValueError as error:
        raise Invalid(str(error)) from error


def _from_dcat(get: Get, url: str) -> Iterator[Found]:
    seen: set[str] = set()
    following: str | None = url
    while following and following not in seen:
        if len(seen) >= MOST_PAGES:
            raise _endless()  # what is not read yet must not count as gone
        seen.add(following)
        answer = get(following)
        found, following = data_sets(answer.body, answer.media_type, following)
        yield from (each for each in map(_translated, found) if each)


def _translated(told: dict[str, Any]) -> Found | None:
    if len(told["title"]) < 2:
        return None
    files = tuple(FoundFile(each["url"], each["name"], each["format"]) for each in told["files"])
    return Found(told["guid"], told["title"], told["notes"], license_of(told["license"]), told["theme"] or proposed_theme(told["title"]),
                 told["frequency"], tuple(told["tags"]), told["page"], files)  # fmt: skip


READ = {"ckan": _from_ckan, "dcat": _from_dcat, "csv": _from_csv}
