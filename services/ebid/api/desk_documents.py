"""Papers of a tender at the officials' desk: 設計書・図面 before the publication, 内訳書 after the opening."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, say
from services.ebid.api.desk import OFFICER, TENDER, show
from services.ebid.api.shell import (
    Form,
    base,
    changing,
    form,
    now_of,
    reading,
    store_of,
    to,
)
from services.ebid.use_cases import (
    breakdowns,
    documents,
    tenders,
)

router = APIRouter()


@router.post(f"{TENDER}/documents", include_in_schema=False)
def add_document(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    upload = sent.uploads.get("document")
    if upload is None:
        return show(request, actor, tender_id, {}, {"document": say("ファイルを選んでください。")}, 422)
    try:
        stored = documents.keep(store_of(request), actor.tenant or "", upload.file)
    except Invalid as refusal:
        return show(request, actor, tender_id, {}, {"document": refusal.message}, 422)
    name = upload.filename or ""
    findings = documents.scanned(store_of(request), actor.tenant or "", stored, name)
    with changing(request, actor) as session:
        documents.attach(session, actor, tender_id, sent.number("version"), stored, name, now_of(request), findings)
    return to(f"{base(request)}/desk/tenders/{tender_id}#papers")


@router.post(f"{TENDER}/documents/{{file_id}}/remove", include_in_schema=False)
def remove_document(
    request: Request, tender_id: str, file_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form
) -> Response:
    with changing(request, actor) as session:
        documents.remove(session, actor, tender_id, sent.number("version"), file_id, now_of(request))
    return to(f"{base(request)}/desk/tenders/{tender_id}#papers")


@router.get(f"{TENDER}/breakdowns/{{company_id}}", summary="A bidder's 内訳書, after the opening", tags=["desk"])
def breakdown(request: Request, tender_id: str, company_id: str, actor: Actor = access.staff(OFFICER)) -> Response:
    with reading(request, actor) as session:
        row = tenders.load(session, tender_id)
        found = [each for each in breakdowns.of_round(session, row, 1) if each.company_id == company_id]
        if not found:
            raise NotFound(say("この会社の内訳書はありません。"))
        content = breakdowns.content_of(found[0])
    ending = "xlsx" if content.startswith(b"PK") else "json"
    headers = {
        "Content-Disposition": csvout.attachment(f"{row.number}-内訳書.{ending}"),
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, media_type="application/octet-stream", headers=headers)
