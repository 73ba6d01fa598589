"""The desk's queue: page and CSV."""

import io
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.clock import JST, local_date
from libs.common.errors import Invalid
from services.eapply.api.desk.shared import DESK, MANAGER, RECEIVED, REVIEWER
from services.eapply.api.shell import (
    Form,
    Texts,
    base,
    changing,
    form,
    now_of,
    reading,
    render,
    service_of,
    spoken_all,
    to,
)
from services.eapply.domain import mynumber, states
from services.eapply.domain.states import State
from services.eapply.use_cases import assign, cases, procedures, queue, searches

router = APIRouter()


@router.get(f"{DESK}/", summary="The queue", tags=["desk"])
def queue_page(request: Request, actor: Actor = access.staff(REVIEWER)) -> Response:
    return _page(request, actor, wanted_of(request.query_params), {})


def _page(
    request: Request, actor: Actor, wanted: queue.Filter, errors: dict[str, str], status_code: int = 200, name: str = ""
) -> Response:
    """`name`, `errors`: of a search that was to be kept."""
    now = now_of(request)
    with reading(request, actor) as session:
        me = assign.member(session, actor.subject)
        page = queue.page(session, actor, wanted, now)
        seen = cases.seen_many(session, page.rows, now)
        known = procedures.all_procedures(session)
        counts = queue.counts(session, actor, now)
        members = assign.members(session, now)
        saved = searches.saved(session, actor)
    if assign.is_stale(me, actor, now):
        with changing(request, actor) as session:
            assign.remember(session, actor, now)
    return render(
        request, "desk/queue.html", desk=True, title=RECEIVED, seen=seen, next=page.next, wanted=wanted, counts=counts,
        tabs=spoken_all(request, queue.TABS), procedures=known, states=spoken_all(request, states.WORDS),
        now=now, members=members, saved=[(row, urlencode(row.query), searches.may_forget(actor, row)) for row in saved],
        section=me.section if me else "", section_is_set=bool(me and me.section_by), may_place=MANAGER in actor.roles,
        errors=Texts(errors), search_name=name, status_code=status_code,
    )  # fmt: skip


@router.post(f"{DESK}/searches", include_in_schema=False)
def save_search(request: Request, actor: Actor = access.staff(REVIEWER), sent: Form = form) -> Response:
    query = {key: sent.get(key) for key in searches.KEPT}
    try:
        with changing(request, actor) as session:
            row = searches.save(session, actor, sent.get("name"), query, sent.get("shared") == "yes", now_of(request))
    except Invalid as refusal:
        errors = {"search-name": refusal.message}
        return _page(request, actor, wanted_of(query), errors, 422, sent.get("name"))
    return to(f"{base(request)}/desk/?{urlencode(row.query)}")


@router.post(f"{DESK}/searches/{{search_id}}/forget", include_in_schema=False)
def forget_search(request: Request, search_id: str, actor: Actor = access.staff(REVIEWER)) -> Response:
    with changing(request, actor) as session:
        searches.forget(session, actor, search_id, now_of(request))
    return to(f"{base(request)}/desk/")


@router.post(f"{DESK}/me", include_in_schema=False)
def name_section(request: Request, actor: Actor = access.staff(REVIEWER), sent: Form = form) -> Response:
    """Say which section one belongs to: its 照会 and 合議 come to the bundle of their own."""
    with changing(request, actor) as session:
        assign.remember(session, actor, now_of(request), section=sent.get("section"))
    return to(f"{base(request)}/desk/")


@router.get(f"{DESK}/queue.csv", summary="The queue as CSV", tags=["desk"])
def queue_csv(request: Request, charset: str = "utf-8", actor: Actor = access.staff(REVIEWER)) -> Response:
    wanted, now = wanted_of(request.query_params), now_of(request)
    with reading(request, actor):
        pass
    name = f"申請一覧_{local_date(now):%Y%m%d}"
    data = _csv_rows(request, actor, wanted, now)
    if charset == "shift_jis":
        return shift_jis(name, data, _CSV_HEADER)
    headers = {"Content-Disposition": csvout.attachment(f"{name}.csv")}
    return StreamingResponse(
        csvout.rows(data, header=_CSV_HEADER), media_type=csvout.CONTENT_TYPES["utf-8"], headers=headers
    )


_CSV_HEADER = ["受付番号", "手続き", "申請した方", "届いた日時", "状態", "結果", "見通しの日", "担当", "経路"]


def shift_jis(name: str, data: Iterator[list[Any]], header: list[str]) -> Response:
    """A CSV file; where characters had to be replaced, a ZIP of it and of the list that says which and where."""
    replaced = csvout.Replaced()
    pieces = csvout.rows(data, header=header, charset="shift_jis", replaced=replaced)
    with tempfile.SpooledTemporaryFile(max_size=4 * 1024 * 1024) as content:
        content.writelines(pieces)
        content.seek(0)
        if not replaced.characters:
            headers = {"Content-Disposition": csvout.attachment(f"{name}.csv")}
            return Response(content.read(), media_type=csvout.CONTENT_TYPES["shift_jis"], headers=headers)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}.csv", content.read())
            archive.writestr("置き換えた文字.txt", "\r\n".join(replaced.lines()).encode("utf-8-sig"))
    headers = {"Content-Disposition": csvout.attachment(f"{name}.zip")}
    return Response(packed.getvalue(), media_type="application/zip", headers=headers)


def _csv_rows(request: Request, actor: Actor, wanted: queue.Filter, now: Any) -> Iterator[list[Any]]:
    with service_of(request).database.reading(tenant=actor.tenant) as session:
        known = {row.id: row.title for row in procedures.all_procedures(session)}
        for row in queue.every(session, actor, wanted, now):
            due = row.due_on if row.due_on != cases.NO_DUE_DAY else ""
            yield [
                row.receipt_number,
                known.get(row.procedure_id, ""),
                row.applicant_name,
                row.arrived_at.astimezone(JST).strftime("%Y-%m-%d %H:%M:%S"),
                states.WORDS[State(row.state)],
                (row.decision or {}).get("word", ""),
                due,
                row.assignee_name or "",
                "オンライン" if row.channel == "online" else "紙",
            ]


def wanted_of(query: Mapping[str, str]) -> queue.Filter:
    """What is asked of the queue. Raises Invalid where a 個人番号 is looked for: no search leads to one."""
    mynumber.refuse_in(query.get("q", ""))
    return queue.Filter(
        tab=query.get("tab", "all"),
        words=query.get("q", "")[:100],
        procedure_id=query.get("procedure", ""),
        state=query.get("state", ""),
        assignee=query.get("assignee", "")[:200],
        order="arrived" if query.get("order") == "arrived" else "due",
        after=query.get("after", "")[:300],
    )
