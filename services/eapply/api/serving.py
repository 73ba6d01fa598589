"""Handing out stored files: under our own type and name, as a download, never run in the browser."""

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from libs.common import csvout
from libs.common.actor import Actor
from services.eapply.api.shell import service_of, store_of
from services.eapply.db import AttachmentRow, NoticeDocumentRow
from services.eapply.use_cases import scanning


def download(request: Request, actor: Actor, attachment: AttachmentRow) -> Response:
    """The file, streamed. The caller has checked that this actor may read it.

    Raises Conflict while a configured scanner has not looked at it."""
    scanning.refuse_unscanned(attachment, service_of(request).extras.get("scanner"))
    return _streamed(request, actor, attachment.id, attachment.name, attachment.media_type)


def notice(request: Request, actor: Actor, document: NoticeDocumentRow) -> Response:
    """The signed notice as a PDF."""
    return _streamed(request, actor, document.file_id or "", f"{document.number}.pdf", "application/pdf")


def _streamed(request: Request, actor: Actor, file_id: str, name: str, media_type: str) -> Response:
    tenant = actor.tenant or ""
    place = store_of(request).place(tenant, file_id) if "x-accel-offered" in request.headers else None
    if place is not None:  # the gateway has it sent by nginx (OFFLOAD)
        return Response(headers=_headers(name) | {"X-Accel-Redirect": place}, media_type=media_type)
    file = store_of(request).stream(tenant, file_id)
    headers = _headers(name) | {"Content-Length": str(file.size)}
    return StreamingResponse(file.chunks, media_type=media_type, headers=headers)


def _headers(name: str) -> dict[str, str]:
    return {
        "Content-Disposition": csvout.attachment(name),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "no-store",
    }
