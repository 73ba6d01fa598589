"""`/portal/{code}/past/`: the applications of the years before, from the system used until then. A file is shown before it is taken."""

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import Response

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.errors import Refusal, say
from services.tenants.api import inputs, view
from services.tenants.db import past as db
from services.tenants.use_cases import past

router = APIRouter(prefix="/portal/{code}/past", include_in_schema=False)

Text = Annotated[str, Form()]
SHOWN = 100
"""So many lines of the register are on the page; the CSV has all."""
CHANNELS: dict[str, str] = {"online": say("オンライン"), "paper": say("紙")}


@router.get("/")
def show(
    request: Request, code: str, q: Annotated[str, Query()] = "", actor: Actor = access.staff("portal.admin")
) -> Response:
    return _page(request, actor, words=q.strip()[:100])


@router.post("/")
def preview(
    request: Request,
    code: str,
    file: Annotated[UploadFile | None, File()] = None,
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    """What the file would bring, or each of its lines that is wrong. Nothing is kept."""
    try:
        text = inputs.text_of(file) if file else ""
        with view.service_of(request).database.reading(tenant=actor.tenant) as session:
            found = past.read(session, text, view.now_of(request))
        return _page(request, actor, found=found, text=text, file_name=(file and file.filename) or "")
    except Refusal as refusal:
        return _page(request, actor, refusal=refusal)


@router.post("/take")
def take(
    request: Request, code: str, text: Text = "", file_name: Text = "", actor: Actor = access.staff("portal.admin")
) -> Response:
    """The file that was shown, now for real. It is judged anew: somebody may have taken it in between."""
    try:
        plain = text.replace("\r\n", "\n")
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            past.take(session, actor, plain, file_name, view.now_of(request))
    except Refusal as refusal:
        return _page(request, actor, refusal=refusal)
    return view.see_other(f"/portal/{code}/past/")


@router.post("/{import_id}/remove")
def remove(request: Request, code: str, import_id: str, actor: Actor = access.staff("portal.admin")) -> Response:
    with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
        past.take_back(session, actor, import_id, view.now_of(request))
    return view.see_other(f"/portal/{code}/past/")


@router.get("/register.csv")
def register(request: Request, code: str, actor: Actor = access.staff("portal.admin")) -> Response:
    """The whole register, in the form in which it can be taken in."""
    with view.service_of(request).database.reading(tenant=actor.tenant) as session:
        rows = [
            [r.number, r.procedure, r.received_on, CHANNELS[r.channel], r.outcome, r.decided_on or ""]
            for r in db.search(session, "", past.MAX_REGISTER)
        ]
    headers = {"Content-Disposition": csvout.attachment("過去の申請.csv"), "Cache-Control": "no-store"}
    body = b"".join(csvout.rows(rows, header=[*past.REGISTER, "結果", "結果の日"]))
    return Response(body, headers=headers, media_type="text/csv; charset=utf-8")


def _page(
    request: Request,
    actor: Actor,
    *,
    words: str = "",
    found: past.File | None = None,
    text: str = "",
    file_name: str = "",
    refusal: Refusal | None = None,
) -> Response:
    town, reader = view.municipality_of(request, actor), view.reader_of(request)
    with view.service_of(request).database.reading(tenant=actor.tenant) as session:
        taken = db.imports(session)
        rows = db.search(session, words, SHOWN)
    lines: list[Any] = refusal.details.get("lines", []) if refusal else []
    return view.portal_page(
        request,
        "portal/past.html",
        town,
        f"/portal/{town.code}/usage/",
        status_code=refusal.status if refusal else 200,
        address=f"/portal/{town.code}/past/",
        errors={"file": reader(refusal.message)} if refusal else {},
        lines=[(line["line"], reader(line["sentence"])) for line in lines],
        found=found,
        text=text,
        file_name=file_name,
        taken=taken,
        words=words,
        rows=rows,
        channels=CHANNELS,
        most=SHOWN,
    )
