"""Populations from a table of 住民基本台帳 as a CSV: all of it or none, and every line that is wrong is named.

Columns are found by their headings: 団体コード, and 人口 (or 計, 総数). Lines of other prefectures, of wards of a designated city
and of the prefecture itself are left out: the national table can be taken as it is.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Invalid, Refusal, say
from services.tenants.db import registry as registry_db
from services.tenants.db import sharing as db
from services.tenants.domain import texts
from services.tenants.domain.codes import read_code
from services.tenants.domain.municipality import Municipality, tenants_by_code
from services.tenants.use_cases.import_history import BadLine, refuse_lines

CODE_HEADINGS = ("団体コード", "市区町村コード", "code")
NUMBER_HEADINGS = ("人口", "計", "総数", "人口(計)", "総人口", "population")
MOST = 40_000_000
MOST_SOURCE = 200
"""Letters: it stands below tables and on the 見積書."""


@dataclass(frozen=True, slots=True)
class Table:
    """What one table says: tenant → people; how many lines were of others."""

    populations: dict[str, int]
    left_out: int


def import_table(session: Session, actor: Actor, text: str, as_of: date, source: str, now: datetime) -> Table:
    """Record the table. Raises Invalid with `lines` and records nothing if one is wrong. The session is the prefecture's."""
    need = say("出典を入力してください。住民が読む資料にも載ります。")
    source = texts.kept(source, "source", most=MOST_SOURCE, need=need)
    if as_of > local_date(now):
        sentence = say("いつの人口かは、今日までの日にしてください。")
        raise Invalid(sentence, fields={"as_of": sentence})
    found = read(text, registry_db.states(session))
    if not found.populations:
        raise Invalid(say("この都道府県の市町村の行がありません。"), fields={"file": say("市町村の行がありません。")})
    db.add_populations(session, found.populations, as_of, source, now)
    detail = {"as_of": as_of.isoformat(), "lines": len(found.populations)}
    audit.record(session, actor, "populations.imported", "populations", source, detail, now=now)
    return found


def read(text: str, states: list[Municipality]) -> Table:
    """The table against the register. Raises Invalid naming each wrong line."""
    prefecture = next(state.tenant_id[:2] for state in states if not state.counted)
    tenants = tenants_by_code(states)
    found: dict[str, int] = {}
    bad: list[BadLine] = []
    left_out = 0
    for line, code, number in _cells(text):
        try:
            tenant = _tenant(code, tenants, prefecture)
            if tenant is None:
                left_out += 1
            elif tenant in found:
                raise Invalid(say("団体コード「%(code)s」が、2回出てきます。", code=code))
            else:
                found[tenant] = _people(number)
        except Refusal as refused:
            bad.append(BadLine(line, refused.message))
    refuse_lines(bad)
    return Table(found, left_out)


def _cells(text: str) -> Iterator[tuple[int, str, str]]:
    """(line, code, number) below the line that has both headings."""
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    for line, row in enumerate(rows, start=1):
        names = [re.sub(r"\s", "", unicodedata.normalize("NFKC", cell)) for cell in row]
        code, number = _place(names, CODE_HEADINGS), _place(names, NUMBER_HEADINGS)
        if code is not None and number is not None:
            yield from _below(rows, line, code, number)
            return
    raise Invalid(
        say("見出しの行に「団体コード」と「人口」（または「計」）が必要です。"),
        fields={"file": say("見出しの行が見つかりません。")},
        code="bad-header",
    )


def _below(rows: Iterator[list[str]], line: int, code: int, number: int) -> Iterator[tuple[int, str, str]]:
    for at, row in enumerate(rows, start=line + 1):
        if any(cell.strip() for cell in row):
            yield at, *(row[place].strip() if place < len(row) else "" for place in (code, number))  # type: ignore[misc]


def _place(names: list[str], wanted: tuple[str, ...]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)


def _tenant(typed: str, tenants: dict[str, str], prefecture: str) -> str | None:
    """The municipality of a line; None for a line that speaks of somebody else."""
    code = read_code(typed)
    tenant = tenants.get(code)
    if tenant is not None:
        return tenant if tenant[2:5] != "000" else None
    if (
        code[:2] != prefecture or code[2] == "1"
    ):  # the third digit 1: cities designated by law and their wards (JIS X 0402)
        return None
    raise Invalid(say("団体コード「%(code)s」の市町村は台帳にありません。", code=code))


def _people(text: str) -> int:
    digits = unicodedata.normalize("NFKC", text).replace(",", "").strip()
    if not re.fullmatch(r"[0-9]{1,8}", digits) or not 0 < int(digits) <= MOST:
        raise Invalid(say("人口「%(text)s」が数として読めません。", text=text))
    return int(digits)
