"""Decisions by spreadsheet: the cases under examination go out as CSV, come back with outcome and reason, are checked
line by line, and then decided one by one - each by the same rules as on its own page."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import csvout
from libs.common.actor import Actor
from libs.common.clock import JST
from libs.common.errors import Invalid, Refusal, say
from services.eapply.db import ApplicationRow
from services.eapply.domain import mynumber, receipt, states
from services.eapply.domain.states import Outcome, State
from services.eapply.forms.definition import Procedure
from services.eapply.use_cases import approve, cases, procedures, queue, review, who

HEADER = [
    "受付番号",
    "版（変えないでください）",
    "手続き",
    "申請した方",
    "届いた日時",
    "結果に書ける言葉",
    "結果",
    "理由",
    "申請した方へのお知らせ",
]
NUMBER, VERSION, OUTCOME, REASON, REMARK = (HEADER[column] for column in (0, 1, 6, 7, 8))
MAX_LINES = 500
MAX_BYTES = 2 * 1024 * 1024


def outgoing(session: Session, actor: Actor, wanted: queue.Filter, now: datetime) -> Iterator[list[Any]]:
    """A line for each case under examination that matches, its outcome left open."""
    known = {row.id: row.title for row in procedures.all_procedures(session)}
    for row in queue.every(session, actor, wanted, now):
        if row.state == State.IN_REVIEW:
            arrived = row.arrived_at.astimezone(JST).strftime("%Y-%m-%d %H:%M:%S")
            yield [
                row.receipt_number,
                row.version,
                known.get(row.procedure_id, ""),
                row.applicant_name,
                arrived,
                _words(cases.definition_of(session, row)),
                "",
                "",
                "",
            ]


@dataclass(frozen=True, slots=True)
class Line:
    """What somebody wrote for one case. `number` counts the lines of the file, 1 is the header."""

    number: int
    receipt_number: str
    version: int
    outcome: str
    reason: str
    remark: str


def read(content: bytes) -> list[Line]:
    """The lines of the file in which an outcome is written. Raises Invalid, saying where it cannot be read."""
    if len(content) > MAX_BYTES:
        raise _unreadable(say("ファイルが大きすぎます。2MBまでにしてください。"))
    rows = _rows(_text(content))
    header = next(rows, (1, []))[1]
    missing = [name for name in (NUMBER, VERSION, OUTCOME, REASON, REMARK) if name not in header]
    if missing:
        sentence = say(
            "列が足りません：%(names)s。保存したCSVの見出しを変えずに使ってください。", names="、".join(missing)
        )
        raise _unreadable(sentence)
    lines = [_line(number, dict(zip(header, cells, strict=False))) for number, cells in rows if cells]
    written = [line for line in lines if line.outcome]
    if not written:
        raise _unreadable(
            say("「結果」を書いた行がありません。決める申請の行に結果を書いて、CSVのまま保存してください。")
        )
    if len(written) > MAX_LINES:
        raise _unreadable(say("一度に決められるのは%(most)s件までです。ファイルを分けてください。", most=MAX_LINES))
    return written


def _text(content: bytes) -> str:
    for charset in ("utf-8-sig", "cp932"):
        try:
            return content.decode(charset)
        except UnicodeDecodeError:
            continue
    raise _unreadable(say("文字を読めませんでした。UTF-8かShift_JISのCSVで保存してください。"))


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            mynumber.refuse_in_line(reader.line_num, cells)
            yield reader.line_num, [csvout.original(cell).strip() for cell in cells]
    except csv.Error as error:
        line = reader.line_num
        raise _unreadable(say('%(line)s行目の引用符（"）がそろっていません。', line=line)) from error


def _line(number: int, cells: dict[str, str]) -> Line:
    version = cells.get(VERSION, "")
    return Line(
        number,
        cells.get(NUMBER, ""),
        int(version) if version.isascii() and version.isdigit() and len(version) < 10 else -1,
        cells.get(OUTCOME, ""),
        cells.get(REASON, ""),
        cells.get(REMARK, ""),
    )


def _unreadable(sentence: str) -> Invalid:
    return Invalid(sentence, fields={"file": sentence}, code="unreadable-csv")


@dataclass(frozen=True, slots=True)
class Planned:
    """What a line would do, or why it would do nothing (`problem`). `proposes`: it would put the decision before a second
    person, not make it."""

    line: Line
    row: ApplicationRow | None
    decision: review.Decision | None
    word: str
    problem: str
    proposes: bool = False


def plan(session: Session, actor: Actor, lines: list[Line], now: datetime) -> list[Planned]:
    """What would happen, before it does. Of a case that stands there more than once no line is followed: which is meant?"""
    planned = [_planned(session, actor, line, now) for line in lines]
    of_case: dict[str, list[int]] = defaultdict(list)
    for each in planned:
        if each.row is not None:
            of_case[each.row.id].append(each.line.number)
    return [_told_apart(each, of_case[each.row.id]) if each.row is not None else each for each in planned]


def _told_apart(each: Planned, numbers: list[int]) -> Planned:
    if len(numbers) < 2:
        return each
    sentence = say(
        "同じ受付番号に結果を書いた行が、いくつもあります（%(lines)s行目）。1行だけにしてください。",
        lines="、".join(map(str, numbers)),
    )
    return replace(each, decision=None, problem=sentence)


def _planned(session: Session, actor: Actor, line: Line, now: datetime) -> Planned:
    row = None
    try:
        row, procedure = _case(session, line)
        who.refuse_own(session, actor, row)
        decision = review.checked(
            procedure, review.Decision(_outcome(procedure, line.outcome), line.reason, line.remark)
        )
        if row.version != line.version or row.state != State.IN_REVIEW:
            raise cases.changed_meanwhile(session, row)
        review.refuse_unready(session, row, decision.outcome, now)
    except Refusal as refusal:
        return Planned(
            line, row, None, line.outcome, next(iter(getattr(refusal, "fields", {}).values()), refusal.message)
        )
    second = procedure.handling.second_person
    return Planned(line, row, decision, getattr(procedure.outcomes, decision.outcome), "", second)


def _case(session: Session, line: Line) -> tuple[ApplicationRow, Procedure]:
    number = receipt.read_receipt_number(line.receipt_number)
    row = session.scalar(select(ApplicationRow).where(ApplicationRow.receipt_number == number))
    if row is None:
        raise Invalid(say("この受付番号の申請は見つかりません。"))
    return row, cases.definition_of(session, row)


def _outcome(procedure: Procedure, word: str) -> str:
    """The outcome by the procedure's own word (認定, 却下) or the common one (承認, 不承認). Raises Invalid."""
    for outcome in Outcome:
        if word in (getattr(procedure.outcomes, outcome), states.OUTCOME_WORDS[outcome]):
            return outcome
    raise Invalid(say("結果は、%(words)sのどれかを書いてください。", words=_words(procedure)))


def _words(procedure: Procedure) -> str:
    """The procedure's own words, as somebody writes them into the spreadsheet."""
    return "、".join(getattr(procedure.outcomes, outcome) for outcome in Outcome)


def carry_out(session: Session, actor: Actor, line: Line, now: datetime, *, site: str) -> ApplicationRow:
    """Decide one case as its line says, or propose it where a second person approves."""
    row, procedure = _case(session, line)
    decision = review.Decision(_outcome(procedure, line.outcome), line.reason, line.remark)
    step = approve.propose if procedure.handling.second_person else review.decide
    return step(session, actor, row.id, line.version, decision, now, site=site)
