"""Deciding alone, or by 起案 and 決裁; by itself, for many at once, and by spreadsheet."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Invalid, Refusal, say
from libs.common.web import Link
from services.eapply.api.desk.queue import wanted_of
from services.eapply.api.desk.shared import CASE, DESK, RECEIVED, REVIEWER, do
from services.eapply.api.shell import Form, Texts, base, changing, form, now_of, reading, render, site, spoken
from services.eapply.db import ApplicationRow
from services.eapply.domain.states import Outcome, State
from services.eapply.use_cases import approve, assign, cases, review, roundtrip

router = APIRouter()
SHEET = say("表計算でまとめて決める")
MOST = 100
_LINES = TypeAdapter(Annotated[list[roundtrip.Line], Field(max_length=roundtrip.MAX_LINES)])


def _decision(sent: Form) -> review.Decision:
    return review.Decision(sent.get("outcome"), sent.get("reason"), sent.get("remark"))


@router.post(f"{CASE}/decide", include_in_schema=False)
def decide(request: Request, application_id: str, actor: Actor = access.staff(REVIEWER), sent: Form = form) -> Response:
    def step(session: Session) -> None:
        version, now = sent.number("version"), now_of(request)
        review.decide(session, actor, application_id, version, _decision(sent), now, site=site(request))

    return do(request, actor, application_id, sent, step)


@router.post(f"{CASE}/propose", include_in_schema=False)
def propose(
    request: Request, application_id: str, actor: Actor = access.staff(REVIEWER), sent: Form = form
) -> Response:
    def step(session: Session) -> None:
        version, now = sent.number("version"), now_of(request)
        approve.propose(session, actor, application_id, version, _decision(sent), now, site=site(request))

    return do(request, actor, application_id, sent, step)


@router.post(f"{CASE}/approve", include_in_schema=False)
def approve_proposal(
    request: Request, application_id: str, actor: Actor = access.staff(REVIEWER), sent: Form = form
) -> Response:
    def step(session: Session) -> None:
        approve.approve(session, actor, application_id, sent.number("version"), now_of(request), site=site(request))

    return do(request, actor, application_id, sent, step)


@router.post(f"{CASE}/send-back", include_in_schema=False)
def send_back(
    request: Request, application_id: str, actor: Actor = access.staff(REVIEWER), sent: Form = form
) -> Response:
    def step(session: Session) -> None:
        version, now = sent.number("version"), now_of(request)
        approve.send_back(session, actor, application_id, version, sent.get("comment"), now, site=site(request))

    return do(request, actor, application_id, sent, step)


@router.post(f"{CASE}/recall", include_in_schema=False)
def recall(request: Request, application_id: str, actor: Actor = access.staff(REVIEWER), sent: Form = form) -> Response:
    def step(session: Session) -> None:
        approve.recall(session, actor, application_id, sent.number("version"), now_of(request))

    return do(request, actor, application_id, sent, step)


# ---- many at once

Step = Callable[[Session, str, int], ApplicationRow]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one case; `problem` is empty where it was done. `proposed`: nothing is decided, a second person was asked."""

    id: str
    number: str
    problem: str
    proposed: bool = False


@router.post(f"{DESK}/bulk", include_in_schema=False)
def bulk(request: Request, actor: Actor = access.staff(REVIEWER), sent: Form = form) -> Response:
    """One step for every case that was ticked, each in a transaction of its own: one that cannot be done stops no other."""
    picked = [found for each in sent.all("pick")[:MOST] if (found := re.fullmatch(r"([^:]+):([0-9]{1,9})", each))]
    step = _step(request, actor, sent)
    return _results(request, [_one(request, actor, step, each[1], int(each[2])) for each in picked])


def _step(request: Request, actor: Actor, sent: Form) -> Step:
    now, here = now_of(request), site(request)
    granted = review.Decision(Outcome.APPROVED, "", sent.get("remark"))

    def conclude(session: Session, case_id: str, version: int) -> ApplicationRow:
        second = cases.definition_of(session, cases.load(session, case_id)).handling.second_person
        step = approve.propose if second else review.decide
        return step(session, actor, case_id, version, granted, now, site=here)

    steps: dict[str, Step] = {
        "take": lambda session, case_id, version: review.take(session, actor, case_id, version, now),
        "assign": lambda session, case_id, version: assign.assign(
            session, actor, case_id, version, sent.get("to"), now, site=here
        ),
        "grant": conclude,
        "approve": lambda session, case_id, version: approve.approve(session, actor, case_id, version, now, site=here),
    }
    if sent.get("act") not in steps:
        raise Invalid(say("まとめて行う操作を選んでください。"))
    return steps[sent.get("act")]


def _one(request: Request, actor: Actor, step: Step, case_id: str, version: int) -> Result:
    try:
        with changing(request, actor) as session:
            before = cases.load(session, case_id).state
            row = step(session, case_id, version)
            return Result(case_id, row.receipt_number, "", _proposed(before, row))
    except Refusal as refusal:
        problem = spoken(request, next(iter(getattr(refusal, "fields", {}).values()), refusal.message))
    with reading(request, actor) as session:
        row = session.scalar(select(ApplicationRow).where(ApplicationRow.id == case_id))
        return Result(case_id, row.receipt_number, problem) if row else Result("", "", problem)


def _proposed(before: str, row: ApplicationRow) -> bool:
    return before != row.state == State.AWAITING_APPROVAL


def _results(request: Request, results: list[Result]) -> Response:
    crumbs = (Link(RECEIVED, f"{base(request)}/desk/"), Link(say("まとめて行った結果"), "", True))
    return render(
        request, "desk/bulk.html", desk=True, crumbs=crumbs, title=say("まとめて行った結果"), results=results,
        done=sum(not each.problem for each in results), proposed=sum(each.proposed for each in results),
    )  # fmt: skip


# ---- by spreadsheet


@router.get(f"{DESK}/sheet.csv", include_in_schema=False)
def sheet_csv(request: Request, actor: Actor = access.staff(REVIEWER)) -> Response:
    wanted, now = wanted_of(request.query_params), now_of(request)
    with reading(request, actor) as session:
        lines = list(roundtrip.outgoing(session, actor, wanted, now))
    headers = {"Content-Disposition": csvout.attachment(f"審査中の申請_{local_date(now):%Y%m%d}.csv")}
    pieces = csvout.rows(lines, header=roundtrip.HEADER)
    return StreamingResponse(pieces, media_type=csvout.CONTENT_TYPES["utf-8"], headers=headers)


@router.get(f"{DESK}/sheet", include_in_schema=False)
def sheet_page(request: Request, actor: Actor = access.staff(REVIEWER)) -> Response:
    with reading(request, actor):
        pass
    return _sheet(request, {})


@router.post(f"{DESK}/sheet", include_in_schema=False)
def sheet_sent(request: Request, actor: Actor = access.staff(REVIEWER), sent: Form = form) -> Response:
    """The file comes back: shows what would happen, and decides nothing yet."""
    with reading(request, actor):
        pass
    try:
        lines = roundtrip.read(_upload(sent))
    except Invalid as refusal:
        return _sheet(request, refusal.fields, status_code=422)
    with reading(request, actor) as session:
        planned = roundtrip.plan(session, actor, lines, now_of(request))
    good = [asdict(each.line) for each in planned if not each.problem]
    shown = [(each, spoken(request, each.problem)) for each in planned]
    return _sheet(request, {}, planned=shown, good=good, lines=json.dumps(good, ensure_ascii=False))


@router.post(f"{DESK}/sheet/carry-out", include_in_schema=False)
def sheet_carried_out(request: Request, actor: Actor = access.staff(REVIEWER), sent: Form = form) -> Response:
    """Decide what the preview showed, line by line; each is checked again."""
    return _results(request, [_decided(request, actor, line) for line in _lines(sent.get("lines"))])


def _decided(request: Request, actor: Actor, line: roundtrip.Line) -> Result:
    try:
        with changing(request, actor) as session:
            row = roundtrip.carry_out(session, actor, line, now_of(request), site=site(request))
        return Result(row.id, row.receipt_number, "", _proposed(State.IN_REVIEW, row))
    except Refusal as refusal:
        problem = next(iter(getattr(refusal, "fields", {}).values()), refusal.message)
        return Result("", line.receipt_number, spoken(request, problem))


def _upload(sent: Form) -> bytes:
    file = next((file for name, file in sent.uploads if name == "file"), None)
    if file is None:
        sentence = say("CSVファイルを選んでください。")
        raise Invalid(sentence, fields={"file": sentence})
    return file.file.read(roundtrip.MAX_BYTES + 1)


def _lines(text: str) -> list[roundtrip.Line]:
    """The lines that the preview's form carries."""
    try:
        return _LINES.validate_json(text, strict=True)
    except ValidationError as error:
        raise Invalid(say("もう一度、CSVファイルを選ぶところからお願いします。"), code="stale-form") from error


def _sheet(request: Request, errors: dict[str, str], status_code: int = 200, **context: Any) -> Response:
    crumbs = (Link(RECEIVED, f"{base(request)}/desk/"), Link(SHEET, "", True))
    return render(
        request, "desk/sheet.html", desk=True, crumbs=crumbs, title=SHEET, errors=Texts(errors),
        query=request.url.query, status_code=status_code, **({"planned": [], "good": []} | context),
    )  # fmt: skip
