"""Style, script, icons: read once, named by their content, sent compressed.

`static_url("kyodo.css")` is `/static/<hash>/kyodo.css`; the answer may be kept for a year, because another content has
another name. An address with an old hash still answers with today's file (a page made by an older replica must not lose
its look), but is not kept.
"""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

FOLDER = Path(__file__).parent / "static"
PREFIX = "/static/"
KEEP = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
COMPRESSED = ("text/", "image/svg+xml", "application/json")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent. `digest` names the content; `packed` is None where gzip does not help."""

    content: bytes
    packed: bytes | None
    kind: str
    digest: str

    @classmethod
    def of(cls, name: str, content: bytes) -> "Asset":
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        packed = gzip.compress(content, mtime=0) if kind.startswith(COMPRESSED) else None
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        return cls(content, packed, kind, hashlib.sha256(content).hexdigest()[:16])


def stylesheet(folder: Path = FOLDER) -> bytes:
    """The parts in `css/`, in the order of their names, as one file: one request, and a part stays readable."""
    return b"\n".join(part.read_bytes() for part in sorted((folder / "css").glob("*.css")))


@cache
def assets() -> dict[str, Asset]:
    """Name (`kyodo.css`, `icons.svg`, …) → file."""
    found = {path.name: Asset.of(path.name, path.read_bytes()) for path in sorted(FOLDER.glob("*.*")) if path.is_file()}
    found["kyodo.css"] = Asset.of("kyodo.css", stylesheet())
    return found


def static_url(name: str) -> str:
    """The address of `name` for use in a page. A name that does not exist is a fault of the template: KeyError."""
    return f"{PREFIX}{assets()[name].digest}/{name}"


def static_app() -> ASGIApp:
    """An ASGI app to mount at `/static`: `app.mount("/static", static_app())`."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await answer(Request(scope))(scope, receive, send)

    return serve


def answer(request: Request) -> Response:
    """200, 304, 404 or 405 for one request; the last two parts of the path are hash and name."""
    if request.method not in {"GET", "HEAD"}:
        return PlainTextResponse("", 405, {"allow": "GET, HEAD"})
    *_, digest, name = ["", "", *request.scope["path"].split("/")]
    asset = assets().get(name)
    if asset is None:
        return PlainTextResponse("", 404, {"cache-control": ASK_AGAIN})
    headers = {
        "cache-control": KEEP if digest == asset.digest else ASK_AGAIN,
        "etag": f'"{asset.digest}"',
        "vary": "Accept-Encoding",
        "x-content-type-options": "nosniff",
    }
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    content = asset.content
    if asset.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["content-encoding"] = asset.packed, "gzip"
    return Response(content, headers=headers, media_type=asset.kind)
