"""Parts of a stored object, as HTTP asks for them: a download that broke off is taken up where it was (RFC 9110, 13.1.5 and 14)."""

import re
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from libs.common.files import Store

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` up to, not including, `end`. `partial`: the client asked for a part (206)."""

    start: int
    end: int
    partial: bool


def span_of(header: str, size: int) -> Span | None:
    """What a Range header asks of `size` bytes, clipped to them; None: nothing of it exists (416). RFC 9110, 14.1.2.

    Of nothing there is no part: an empty object is given whole, as Go's server and so rest-server does (restic always
    sends a range).
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or match[0] == "bytes=-" or size == 0:
        return Span(0, size, False)
    first, last = match[1], match[2]
    if not first:
        start = max(0, size - int(last))
        return Span(start, size, True) if int(last) else None
    start, end = int(first), min(size, int(last) + 1) if last else size
    return Span(start, end, True) if start < size and start < end else None


def resumable(
    request: Request, store: Store, tenant: str, file_id: str, *, mark: str, media_type: str, headers: dict[str, str]
) -> Response:
    """A stored file that never changes, or the one part of it that is asked for. `mark` is its strong ETag, without quotes.

    NotFound for a file that is not there. Several ranges at once are answered with the whole, as the standard allows.
    """
    etag = f'"{mark}"'
    headers = headers | {"ETag": etag, "Accept-Ranges": "bytes"}
    place = store.place(tenant, file_id) if "x-accel-offered" in request.headers else None
    if place is not None:  # the gateway has it sent by nginx (OFFLOAD), which does the same
        return Response(headers=headers | {"X-Accel-Redirect": place}, media_type=media_type)
    with store.open(tenant, file_id, (0, 0)) as opened:
        size = opened.size
    unchanged = request.headers.get("if-range", etag) == etag
    span = span_of(request.headers.get("range", "") if unchanged and request.method == "GET" else "", size)
    if span is None:
        return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{size}"})
    headers["Content-Length"] = str(span.end - span.start)
    if span.partial:
        headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{size}"
    if request.method == "HEAD":
        return Response(headers=headers, media_type=media_type)
    content = store.stream(tenant, file_id, (span.start, span.end)).chunks
    return StreamingResponse(content, 206 if span.partial else 200, headers, media_type)
