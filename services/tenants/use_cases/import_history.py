"""Participation of past years, from a CSV: all of it or none, and every line that is wrong is named.

Columns: `code` (団体コード, five or six digits), `service` (key or name), `from`, `until` (ISO dates; until may be empty).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from libs.common import jobs
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Invalid, Refusal, say
from services.tenants.db import registry as registry_db
from services.tenants.db import subscriptions as db
from services.tenants.domain import catalogue, tables
from services.tenants.domain.codes import read_code
from services.tenants.domain.history import believed
from services.tenants.domain.municipality import Municipality, tenants_by_code
from services.tenants.domain.subscriptions import Interval, check_disjoint
from services.tenants.use_cases import subscribe

PROVIDE = "tenants.provide-room"
"""The job of a municipality: `service` and `by` (who imported) in its payload."""
COLUMNS = ("code", "service", "from", "until")
MAX_LINES = 20_000


@dataclass(frozen=True, slots=True)
class BadLine:
    """`line` counts as a spreadsheet does: 1 is the header."""

    line: int
    sentence: str


def import_history(session: Session, text: str, origin: str, now: datetime) -> list[Interval]:
    """Record every line of `text`. Raises Invalid with `lines=[{line, sentence}]` and records nothing if one is wrong."""
    states = registry_db.states(session)
    present = list(believed(db.intervals(session)))
    found, bad = _read(text, states, now)
    bad += _overlaps(found, present)
    refuse_lines(bad)
    db.add_intervals(session, [interval for _, interval in found], origin)
    registry_db.bump_version(session)
    return [interval for _, interval in found]


def in_use(found: list[Interval], today: date) -> list[Interval]:
    """Those that go on or begin later, of services that keep a room here: each must get one."""
    rooms = {service.key for service in catalogue.SERVICES if service.delivery == "room" and service.opened}
    return [i for i in found if i.service in rooms and (i.valid_until is None or i.valid_until > today)]


def provide_rooms(session: Session, actor: Actor, found: list[Interval], now: datetime) -> int:
    """Let a room be prepared for each use that was imported and goes on; how many. Kept with the import, in its transaction."""
    wanted = in_use(found, local_date(now))
    for interval in wanted:
        subscribe.want_room(session, actor, interval.tenant_id, interval.service, now)
        payload = {"service": interval.service, "by": actor.subject}
        jobs.add(session, PROVIDE, payload, tenant=interval.tenant_id, now=now)
    return len(wanted)


def refuse_lines(bad: list[BadLine]) -> None:
    """Raises Invalid with `lines=[{line, sentence}]` if there are any: nothing is imported then."""
    if not bad:
        return
    bad = sorted(bad, key=lambda b: b.line)
    raise Invalid(
        say(
            "%(count)s行に直すところがあります。まだ何も取り込んでいません。%(line)s行目：%(sentence)s",
            count=len(bad),
            line=bad[0].line,
            sentence=bad[0].sentence,
        ),
        code="bad-lines",
        lines=[{"line": b.line, "sentence": b.sentence} for b in bad],
    )


def _read(text: str, states: list[Municipality], now: datetime) -> tuple[list[tuple[int, Interval]], list[BadLine]]:
    headings, rows = tables.read(text)
    if not rows or not set(COLUMNS) <= set(headings):
        raise Invalid(say("見出しの行に %(columns)s が必要です。", columns=", ".join(COLUMNS)), code="bad-header")
    if len(rows) > MAX_LINES:
        sentence = say("一度に取り込めるのは%(count)s行までです。分けて取り込んでください。", count=f"{MAX_LINES:,}")
        raise Invalid(sentence, code="too-many-lines")
    found: list[tuple[int, Interval]] = []
    bad: list[BadLine] = []
    tenants = tenants_by_code(states)
    for line, row in rows:
        try:
            found.append((line, _interval(row, tenants, now)))
        except Refusal as refused:
            bad.append(BadLine(line, refused.message))
    return found, bad


def _interval(row: dict[str, str], tenants: dict[str, str], now: datetime) -> Interval:
    code = read_code(row["code"])
    tenant = tenants.get(code)
    if tenant is None:
        raise Invalid(say("団体コード「%(code)s」の市町村は台帳にありません。", code=code))
    service = _service(row["service"])
    start = _day(row["from"], "from")
    if start is None:
        raise Invalid(say("from（いつから）が空です。日付を入力してください。"))
    until = _day(row["until"], "until")
    if until is not None and until <= start:
        raise Invalid(say("until（いつまで）が from と同じか、それより前です。"))
    if start < date(service.since, 4, 1):
        raise Invalid(
            say(
                "「%(service)s」は%(since)s年度からです。%(start)s には始まっていません。",
                service=service.name,
                since=service.since,
                start=start.isoformat(),
            )
        )
    return Interval(tenant, service.key, "joined", start, until, now)


def _service(text: str) -> catalogue.CatalogueService:
    for service in catalogue.SERVICES:
        if text in (service.key, service.name, service.short):
            return service
    raise Invalid(say("サービス「%(text)s」は一覧にありません。", text=text))


def _day(text: str, column: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        sentence = say(
            "%(column)s の「%(text)s」が日付として読めません。2018-09-01 のように入力してください。",
            column=column,
            text=text,
        )
        raise Invalid(sentence) from None


def _overlaps(found: list[tuple[int, Interval]], present: list[Interval]) -> list[BadLine]:
    by_key: dict[tuple[str, str], list[Interval]] = {}
    for interval in present:
        by_key.setdefault((interval.tenant_id, interval.service), []).append(interval)
    bad = []
    for line, interval in found:
        known = by_key.setdefault((interval.tenant_id, interval.service), [])
        problem = _problem(lambda known=known, new=interval: check_disjoint([*known, new]))
        if problem:
            bad.append(BadLine(line, problem))
        else:
            known.append(interval)
    return bad


def _problem(check: Callable[[], None]) -> str | None:
    try:
        check()
    except Invalid as refused:
        return refused.message
    return None
