"""The National Tax Agency's published file of 法人番号, taken in by the operator: all of them (全件) or what changed (差分)."""

import codecs
import csv
import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from libs.common.errors import Invalid
from libs.common.service import Service
from services.ebid.db import CorporateNumberRow
from services.ebid.domain import corporate
from services.ebid.domain.corporate import Entry
from services.ebid.use_cases import verifying

PORTION = 2000
"""Lines kept in one transaction."""
_PROBE = 1 << 20


@dataclass
class Taken:
    """`kept` numbers made or changed, `gone` numbers taken back, `older` lines that say less than what is known, `refused` lines,
    `agreed` registrations that were verified by it."""

    kept: int = 0
    gone: int = 0
    older: int = 0
    refused: int = 0
    agreed: int = 0


def take_in(service: Service, path: Path, say: Callable[[str], None]) -> Taken:
    """Read the CSV, or the ZIP as it is published, once from its beginning to its end. A refused line is named and the others count.

    May be repeated, and be interrupted: a line that is not newer than what is known changes nothing.
    """
    taken = Taken()
    with _opened(path) as lines:
        entries = _entries(lines, taken, say)
        while portion := list(islice(entries, PORTION)):
            with service.database.transaction() as session:
                _keep(session, portion, taken)
    after = None
    while after != "":
        with service.database.transaction() as session:
            after, agreed = verifying.match_all(session, after or "", PORTION, service.clock.now())
            taken.agreed += agreed
    return taken


@contextmanager
def _opened(path: Path) -> Iterator[Iterator[list[str]]]:
    """The lines of the file's cells. UTF-8 or Shift_JIS, which the agency offers both."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as probe, path.open("rb") as raw:
            yield _cells(probe, raw)
        return
    with zipfile.ZipFile(path) as archive:
        names = [each for each in archive.namelist() if each.lower().endswith(".csv")]
        if len(names) != 1:
            raise Invalid(f"ZIPの中のCSVは1つのはずですが、{len(names)}個あります。", code="archive")
        with archive.open(names[0]) as probe, archive.open(names[0]) as raw:
            yield _cells(probe, raw)


def _cells(probe: IO[bytes], raw: IO[bytes]) -> Iterator[list[str]]:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(probe.read(_PROBE))
        encoding = "utf-8-sig"
    except UnicodeDecodeError:
        encoding = "cp932"
    return csv.reader(io.TextIOWrapper(raw, encoding, errors="replace", newline=""))


def _entries(lines: Iterator[list[str]], taken: Taken, say: Callable[[str], None]) -> Iterator[Entry]:
    for number, cells in enumerate(lines, start=1):
        try:
            entry = corporate.read(cells)
        except Invalid as refusal:
            taken.refused += 1
            say(f"{number}行目：{refusal.message}（{'、'.join(cells[1:2])[:30]}）")
            continue
        if entry is not None:
            yield entry


def _keep(session: Session, portion: list[Entry], taken: Taken) -> None:
    """The last line of a number counts, and only if it is newer than what is known."""
    last = {each.number: each for each in portion}
    found = select(CorporateNumberRow.number, CorporateNumberRow.updated_on)
    known = {number: day for number, day in session.execute(found.where(CorporateNumberRow.number.in_(last)))}
    wanted = [each for each in last.values() if each.number not in known or each.updated_on >= known[each.number]]
    taken.older += len(portion) - len(wanted)
    gone = [each.number for each in wanted if each.deleted]
    session.execute(delete(CorporateNumberRow).where(CorporateNumberRow.number.in_(gone)))
    taken.gone += sum(number in known for number in gone)
    rows = [
        {"number": each.number, "name": each.name, "prefecture": each.prefecture, "address": each.address,
         "closed_on": each.closed_on, "updated_on": each.updated_on}
        for each in wanted if not each.deleted
    ]  # fmt: skip
    if rows:
        insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        statement = insert(CorporateNumberRow)
        changed = {name: statement.excluded[name] for name in rows[0] if name != "number"}
        session.execute(statement.on_conflict_do_update(index_elements=["number"], set_=changed), rows)
    taken.kept += len(rows)
