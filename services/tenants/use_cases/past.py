"""Applications of past years from the system a municipality used until it joined: a file is read whole, every wrong line named, and
shown before it is taken; then all of it is taken or nothing.

Two forms, told apart by their headings (in any order; other columns, as names of applicants, are not read):
    受付番号, 手続, 受付日, 方法, 結果, 結果の日     one application a line; the last two may be empty or absent
    年度, 手続, 方法, 件数                           only how many there were
What this cloud counted itself is never mixed with it: no line may be of a day on which the municipality's e-application here was open.
"""

import csv
import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.clock import fiscal_year, local_date
from libs.common.errors import Invalid, Refusal, say
from services.tenants.db import past as db
from services.tenants.db import subscriptions as subscriptions_db
from services.tenants.db.past import PastImportRow
from services.tenants.domain import tables
from services.tenants.domain.history import believed
from services.tenants.domain.indicators import year_of
from services.tenants.use_cases.import_history import BadLine, refuse_lines

SERVICE = "eapply"
FIRST_YEAR = 1990
MAX_LINES = 30_000
MAX_REGISTER = 2_000_000
"""Lines of the whole register of one municipality."""
Kind = Literal["register", "counts"]
REGISTER, COUNTS = ("受付番号", "手続", "受付日", "方法"), ("年度", "手続", "方法", "件数")
CHANNELS = {
    **dict.fromkeys(("オンライン", "電子", "電子申請", "online"), "online"),
    **dict.fromkeys(("紙", "窓口", "郵送", "paper"), "paper"),
}
"""What a line calls the way → the channel."""
Key = tuple[int, str, str]
"""Fiscal year, procedure, channel."""


@dataclass(slots=True)
class File:
    """What one file says. `totals`: applications by fiscal year, procedure and channel; `lines`: those of a register."""

    kind: Kind
    totals: Counter[Key] = field(default_factory=Counter)
    lines: list[dict[str, object]] = field(default_factory=list)

    @property
    def applications(self) -> int:
        return self.totals.total()

    def by_year(self) -> list[tuple[int, int, int]]:
        """(fiscal year, online, paper), the oldest first."""
        found: dict[int, Counter[str]] = {}
        for (year, _, channel), count in self.totals.items():
            found.setdefault(year, Counter())[channel] += count
        return [(year, counts["online"], counts["paper"]) for year, counts in sorted(found.items())]


def read(session: Session, text: str, now: datetime) -> File:
    """The file, against what is known already. Raises Invalid with `lines` naming each wrong one. The session is the tenant's."""
    kind, cells = _kind(text)
    began = _began(session)
    end = min(began, local_date(now)) if began else local_date(now)
    found, bad = File(kind), list[BadLine]()
    known = {(t.fiscal_year, t.procedure, t.channel): t.kind for t in db.totals(session, session.info["tenant"])}
    take = _register_line if kind == "register" else _counts_line
    for line, row in cells:
        try:
            take(found, row, end, known)
        except Refusal as refused:
            bad.append(BadLine(line, refused.message))
    bad += _brought_before(session, found, cells)
    refuse_lines(bad)
    if not found.totals:
        raise Invalid(say("取り込む行がありません。"), fields={"file": say("取り込む行がありません。")})
    return found


def take(session: Session, actor: Actor, text: str, file_name: str, now: datetime) -> PastImportRow:
    """Read it again and keep all of it. The session is the tenant's."""
    found = read(session, text, now)
    row = PastImportRow(
        kind=found.kind,
        file_name=file_name[-200:],
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        applications=found.applications,
        taken_by=actor.subject,
        taken_at=now,
    )
    totals = [
        {"fiscal_year": year, "procedure": procedure, "channel": channel, "applications": count}
        for (year, procedure, channel), count in found.totals.items()
    ]
    db.add(session, row, found.lines, totals)
    detail = {"applications": found.applications, "sha256": row.sha256}
    audit.record(session, actor, "past.taken", row.id, row.file_name, detail, now=now)
    return row


def take_back(session: Session, actor: Actor, import_id: str, now: datetime) -> None:
    """Remove what one file brought: a better one can be taken in its place. The session is the tenant's."""
    row = db.find_import(session, import_id)
    detail = {"applications": row.applications, "sha256": row.sha256}
    audit.record(session, actor, "past.taken-back", row.id, row.file_name, detail, now=now)
    db.remove(session, import_id)


# ---- the file -------------------------------------------------------------------------------------------------------


def _kind(text: str) -> tuple[Kind, list[tables.Line]]:
    """Its form, and its lines as a spreadsheet numbers them, without empty ones."""
    try:
        headings, cells = tables.read(text, _plain, strict=True)
    except csv.Error as error:
        raise Invalid(say('CSVとして読めません。引用符（"）の数を確かめてください。'), code="bad-csv") from error
    if len(cells) > MAX_LINES:
        sentence = say("一度に取り込めるのは%(count)s行までです。分けて取り込んでください。", count=f"{MAX_LINES:,}")
        raise Invalid(sentence, code="too-many-lines")
    if cells and set(REGISTER) <= set(headings):
        return "register", cells
    if cells and set(COUNTS) <= set(headings):
        return "counts", cells
    sentence = say(
        "見出しの行に「%(register)s」か「%(counts)s」が必要です。",
        register="、".join(REGISTER),
        counts="、".join(COUNTS),
    )
    raise Invalid(sentence, code="bad-header", fields={"file": sentence})


def _register_line(found: File, row: dict[str, str], end: date, known: dict[Key, str]) -> None:
    number, procedure = _text(row, "受付番号", 60), _text(row, "手続", 100)
    received, channel = _day(row["受付日"], "受付日"), _channel(row["方法"])
    if received is None:
        raise Invalid(say("受付日が空です。"))
    _before(received, end)
    decided = _day(row.get("結果の日", ""), "結果の日")
    if decided is not None and decided < received:
        raise Invalid(say("結果の日が、受付日より前です。"))
    key = (fiscal_year(received), procedure, channel)
    if known.get(key) == "counts":
        raise _known(key)
    line = {"number": number, "procedure": procedure, "received_on": received, "channel": channel}
    found.lines.append({**line, "outcome": _short(row.get("結果", ""), "結果", 40), "decided_on": decided})
    found.totals[key] += 1


def _counts_line(found: File, row: dict[str, str], end: date, known: dict[Key, str]) -> None:
    procedure, channel = _text(row, "手続", 100), _channel(row["方法"])
    year, count = year_of(row["年度"]), _whole(row["件数"], "件数")
    if year is None or not FIRST_YEAR <= year <= 2999:
        sentence = say("年度「%(text)s」が読めません。平成30年度 か 2018 のように入力してください。", text=row["年度"])
        raise Invalid(sentence)
    _before(date(year, 4, 1), end)
    key = (year, procedure, channel)
    if key in known:
        raise _known(key)
    if key in found.totals:
        raise Invalid(say("同じ年度、手続、方法の行が、前にもあります。"))
    found.totals[key] = count


def _brought_before(session: Session, found: File, cells: list[tuple[int, dict[str, str]]]) -> Iterator[BadLine]:
    """Lines whose number is in the file already, or was taken in before."""
    known = db.known_numbers(session, [str(line["number"]) for line in found.lines])
    seen: set[str] = set()
    for line, row in cells if found.kind == "register" else ():
        number = _plain(row["受付番号"])
        if number in seen:
            yield BadLine(line, say("受付番号「%(number)s」が、2回出てきます。", number=number))
        elif number in known:
            yield BadLine(line, say("受付番号「%(number)s」は、もう取り込んであります。", number=number))
        seen.add(number)


def _began(session: Session) -> date | None:
    """The first day on which this cloud counted the municipality's applications itself."""
    own = believed(subscriptions_db.intervals(session, session.info["tenant"], SERVICE))
    return min((i.valid_from for i in own if i.kind == "joined"), default=None)


# ---- cells ----------------------------------------------------------------------------------------------------------


def _plain(text: str | None) -> str:
    return unicodedata.normalize("NFKC", text or "").strip()


def _text(row: dict[str, str], name: str, most: int) -> str:
    text = _plain(row[name])
    if not text or len(text) > most:
        raise Invalid(say("「%(name)s」は、1文字から%(most)s文字までで入力してください。", name=name, most=most))
    return text


def _short(text: str, name: str, most: int) -> str:
    if len(text) > most:
        raise Invalid(say("「%(name)s」は、%(most)s文字までで入力してください。", name=name, most=most))
    return text


def _channel(text: str) -> str:
    channel = CHANNELS.get(_plain(text).lower())
    if channel is None:
        raise Invalid(say("方法「%(text)s」は読めません。「オンライン」か「紙」と入力してください。", text=text))
    return channel


def _whole(text: str, name: str) -> int:
    digits = _plain(text).replace(",", "")
    if not re.fullmatch(r"[0-9]{1,9}", digits):
        raise Invalid(say("%(name)s「%(text)s」が数として読めません。", name=name, text=text))
    return int(digits)


def _day(text: str, name: str) -> date | None:
    plain = _plain(text)
    if not plain:
        return None
    found = _DAY.fullmatch(plain)
    year = year_of(f"{found[1]}年") if found else None
    try:
        return date(year, int(found[2]), int(found[3])) if found and year else _raise()
    except ValueError:
        sentence = say(
            "%(column)s の「%(text)s」が日付として読めません。2018-09-01 のように入力してください。",
            column=name,
            text=text,
        )
        raise Invalid(sentence) from None


_DAY = re.compile(r"(.+?)[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?(?:[ T].*)?")
"""Year, month and day as systems write them: 2018-09-01, 2018/9/1 10:20, 平成30年9月1日."""


def _raise() -> Any:
    raise ValueError


def _before(day: date, end: date) -> None:
    if day >= end:
        raise Invalid(
            say("%(day)s からは、このクラウドが数えます。それより前の申請だけを入れてください。", day=end.isoformat())
        )
    if day.year < FIRST_YEAR:
        raise Invalid(say("%(year)s年より前の日です。", year=FIRST_YEAR))


def _known(key: Key) -> Invalid:
    return Invalid(say("%(year)s年度の「%(procedure)s」は、もう取り込んであります。", year=key[0], procedure=key[1]))
