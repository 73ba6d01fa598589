"""Municipalities from a table as a CSV, the whole nation at once if need be: all lines or none, each wrong one named.

Columns: `code` (five or six digits), `name`, `kana`; `region`, `longitude`, `latitude` may be empty. Those already in the register
are left as they are: sent twice it is taken once.
"""

import math
from datetime import datetime

from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import Invalid, Refusal, say
from services.tenants.db import registry as db
from services.tenants.domain import tables
from services.tenants.domain.codes import read_code
from services.tenants.domain.municipality import Municipality, kind_of, tenants_by_code
from services.tenants.use_cases.import_history import BadLine, refuse_lines

NEEDED = ("code", "name", "kana")
MAX_LINES = 5_000


def import_municipalities(session: Session, actor: Actor, text: str, now: datetime) -> tuple[int, int]:
    """(how many are new, how many were there already). The session is the prefecture's."""
    known = set(tenants_by_code(db.states(session)))
    rows = _rows(text)
    new: dict[str, Municipality] = {}
    bad: list[BadLine] = []
    for line, row in rows:
        try:
            state = _state(row, now)
            if state.code in new:
                raise Invalid(say("団体コード「%(code)s」が、2回出てきます。", code=state.code))
            if state.code not in known:
                new[state.code] = state
        except Refusal as refused:
            bad.append(BadLine(line, refused.message))
    refuse_lines(bad)
    for state in new.values():
        db.add_state(session, state)
    if new:
        db.bump_version(session)
        audit.record(session, actor, "municipalities.imported", "registry", detail={"lines": len(new)}, now=now)
    return len(new), len(rows) - len(new)


def _rows(text: str) -> list[tables.Line]:
    headings, rows = tables.read(text)
    if not set(NEEDED) <= set(headings):
        raise Invalid(say("見出しの行に %(columns)s が必要です。", columns=", ".join(NEEDED)), code="bad-header")
    if len(rows) > MAX_LINES:
        sentence = say("一度に取り込めるのは%(count)s行までです。分けて取り込んでください。", count=f"{MAX_LINES:,}")
        raise Invalid(sentence, code="too-many-lines")
    return rows


def _state(row: dict[str, str], now: datetime) -> Municipality:
    code, name, kana = read_code(row["code"]), row["name"], row["kana"]
    if not name or not kana:
        raise Invalid(say("名前とよみがなを入力してください。"))
    for text, column, most in ((name, "name", 40), (kana, "kana", 80), (row.get("region", ""), "region", 40)):
        if len(text) > most:
            raise Invalid(say("%(column)s は%(most)s文字までで入力してください。", column=column, most=most))
    kind = kind_of(name)
    if kind == "都道府県":
        raise Invalid(say("「%(name)s」は都道府県です。市町村だけを取り込みます。", name=name))
    return Municipality(
        code, code, name, kana, kind, row.get("region", ""), None, None, now,
        longitude=_degrees(row.get("longitude", ""), 180), latitude=_degrees(row.get("latitude", ""), 90),
    )  # fmt: skip


def _degrees(text: str, most: int) -> float | None:
    if not text:
        return None
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not -most <= found <= most:  # neither is "nan"
        raise Invalid(say("緯度や経度の「%(text)s」が数として読めません。", text=text))
    return found
