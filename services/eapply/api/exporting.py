"""The answers of a 年度 in the columns of another system: fetched by a manager at the desk, or by a program with a key of the
municipality."""

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from libs.common import access, audit, csvout
from libs.common.actor import Actor
from services.eapply.api.desk.queue import shift_jis
from services.eapply.api.desk.shared import DESK, MANAGER, year_of
from services.eapply.api.programs import API
from services.eapply.api.shell import changing, now_of, reading
from services.eapply.use_cases import exports, procedures

router = APIRouter()
SCOPE = "eapply.export"
Charset = Literal["utf-8", "shift_jis"]


@router.get(f"{DESK}/procedures/{{procedure_id}}/export", include_in_schema=False)
def export(
    request: Request,
    procedure_id: str,
    year: str = "",
    charset: Charset = "utf-8",
    actor: Actor = access.staff(MANAGER),
) -> Response:
    return _written(request, actor, procedure_id, year_of(request, year), charset)


@router.get(
    f"{API}/procedures/{{key}}/export",
    tags=["programs"],
    summary="The answers of a fiscal year as CSV, in the procedure's columns (a municipality's key of `eapply.export`)",
)
def export_by_program(
    request: Request, key: str, year: str = "", charset: Charset = "utf-8", actor: Actor = access.machine(SCOPE)
) -> Response:
    """`year`: 2026 is April 2026 to March 2027; this one where none is named. In Shift_JIS a file of which letters had to be replaced
    comes as a ZIP with the list of them. No マイナンバー is ever in it."""
    with reading(request, actor) as session:
        procedure_id = procedures.find(session, key).id
    return _written(request, actor, procedure_id, year_of(request, year), charset)


def _written(request: Request, actor: Actor, procedure_id: str, year: int, charset: Charset) -> Response:
    """Who took the answers of so many people along is kept before they leave."""
    with changing(request, actor) as session:
        row, definition = procedures.published(session, procedure_id)
        header, data = exports.header(definition), list(exports.rows(session, row.id, year))
        told = {"year": year, "applications": len(data)}
        audit.record(session, actor, "eapply.answers.export", row.key, detail=told, now=now_of(request))
    name = f"{definition.title}_{year}年度"
    if charset == "shift_jis":
        return shift_jis(name, iter(data), header)
    headers = {"Content-Disposition": csvout.attachment(f"{name}.csv")}
    pieces = csvout.rows(data, header=header)
    return StreamingResponse(pieces, media_type=csvout.CONTENT_TYPES["utf-8"], headers=headers)
