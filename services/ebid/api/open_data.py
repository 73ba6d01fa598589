"""OCDS feed and records, the log: for programs, journalists and losers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.errors import NotFound, say
from services.ebid.api.shell import now_of, office, reading, service_of
from services.ebid.use_cases import journal, log, publishing

router = APIRouter()
OCDS = "/t/{code}/ebid/ocds"
STATIC = Path(__file__).parents[1] / "static"
EXTENSION = Path(__file__).parents[1] / "data" / "ocds" / "extension"
EXTENSION_FILES = ("extension.json", "release-schema.json")
SCRIPTS = ("ebid-form.js", "ebid-seal.js", "ebid-limits.js", "ebid-trustee.js", "ebid-breakdown.js")


@router.get(f"{OCDS}/releases", summary="OCDS 1.1.5 release package, page by page")
def releases(request: Request, cursor: str = "", actor: Actor = access.public()) -> Response:
    """`links.next` always stands there: asked again later, it goes on where this page ended and skips nothing."""
    position = publishing.position_of(cursor)
    with reading(request, actor) as session:
        found = publishing.releases_after(session, position)
        document = _package(request, "releases", [each.document for each in found], "releases")
    last = found[-1].position if found else position
    address = f"{_site(request)}/ocds/releases"
    document["extensions"].append(publishing.PAGES)
    document["links"] = {"next": f"{address}?cursor={publishing.cursor_of(last)}"}
    return JSONResponse(document)


@router.get(f"{OCDS}/records/{{ocid}}", summary="OCDS 1.1.5 record package of one contracting process")
def record(request: Request, ocid: str, actor: Actor = access.public()) -> Response:
    with reading(request, actor) as session:
        found = publishing.record(session, ocid)
        return JSONResponse(_package(request, "records", [found], f"records/{ocid}"))


@router.get(f"{OCDS}/releases.jsonl", summary="All releases, one JSON object per line")
def bulk(request: Request, actor: Actor = access.public()) -> Response:
    with reading(request, actor):
        pass
    headers = {"Content-Disposition": csvout.attachment("releases.jsonl")}
    lines = (f"{document}\n" for document in _documents(request, actor))
    return StreamingResponse(lines, media_type="application/x-ndjson", headers=headers)


@router.get(f"{OCDS}/releases.json", summary="All releases as one OCDS 1.1.5 release package")
def whole_package(request: Request, actor: Actor = access.public()) -> Response:
    """Sent while it is read: the service never holds the package."""
    with reading(request, actor):
        around = json.dumps(_package(request, "releases", [], "releases.json"), ensure_ascii=False)
    headers = {"Content-Disposition": csvout.attachment("releases.json")}
    return StreamingResponse(_joined(around, request, actor), media_type="application/json", headers=headers)


def _joined(around: str, request: Request, actor: Actor) -> Iterator[str]:
    before, empty, after = around.rpartition('"releases": []')
    yield f"{before}{empty[:-1]}"
    comma = ""
    for document in _documents(request, actor):
        yield f"{comma}{document}"
        comma = ","
    yield f"]{after}"


def _documents(request: Request, actor: Actor) -> Iterator[str]:
    """A short transaction per page: neither memory nor locks grow with the length of the feed."""
    position, database = 0, service_of(request).database
    while True:
        with database.reading(tenant=actor.tenant) as session:
            page = [(each.position, each.document) for each in publishing.releases_after(session, position)]
        yield from (json.dumps(document, ensure_ascii=False) for _, document in page)
        if len(page) < publishing.PAGE:
            return
        position = page[-1][0]


def _package(request: Request, kind: str, content: list[dict[str, Any]], path: str) -> dict[str, Any]:
    uri = f"{_site(request)}/ocds/{path}"
    public_url = office(request).public_url
    return publishing.package(kind, content, uri, request.state.place_name, public_url, now_of(request))


def _site(request: Request) -> str:
    return office(request).site(request.path_params["code"])


@router.get("/ebid/ocds/extension/{name}", summary="Our extension of OCDS: limits, 技術点 and 評価値")
def extension(request: Request, name: str, actor: Actor = access.public()) -> Response:
    if name not in EXTENSION_FILES:
        raise NotFound(say("このファイルはありません。"))
    return FileResponse(EXTENSION / name, media_type="application/json")


@router.get("/t/{code}/ebid/events.json", summary="Trustees' keys and 指名停止 of a municipality, as the log has them")
def events(request: Request, actor: Actor = access.public()) -> Response:
    with reading(request, actor) as session:
        return JSONResponse(journal.of_municipality(session, office(request)))


# ---- the log of all municipalities


@router.get(
    "/ebid/log/key",
    summary="The log's name and public key (hex); those before, with the receipts by which each promised the next",
)
def key(request: Request, actor: Actor = access.public()) -> Response:
    signers = office(request).signers
    with service_of(request).database.reading() as session:
        keys = log.keys(session, signers)
    changed = {"first": keys.first, "changes": keys.changes} if keys.changes else {}
    return JSONResponse({"origin": signers.origin, "key": keys.present, **changed})


@router.get("/ebid/log/checkpoint", summary="The newest signed checkpoint (C2SP tlog-checkpoint)")
def checkpoint(request: Request, size: int | None = None, actor: Actor = access.public()) -> Response:
    with service_of(request).database.reading() as session:
        found = log.newest(session) if size is None else log.checkpoint(session, size)
    return PlainTextResponse(found.note)


@router.get("/ebid/log/inclusion", summary="Proof (RFC 9162) that a leaf stands in a checkpoint's tree")
def inclusion(request: Request, index: int, size: int, actor: Actor = access.public()) -> Response:
    with service_of(request).database.reading() as session:
        log.checkpoint(session, size)  # proofs for trees that were signed only
        return JSONResponse({"leaf": log.leaf_hash_at(session, index), "proof": log.inclusion(session, index, size)})


@router.get("/ebid/log/consistency", summary="Proof (RFC 9162) that one checkpoint's tree continues another's")
def consistency(request: Request, old: int, new: int, actor: Actor = access.public()) -> Response:
    with service_of(request).database.reading() as session:
        log.checkpoint(session, old)
        log.checkpoint(session, new)
        return JSONResponse({"proof": log.consistency(session, old, new)})


# ---- what runs in the bidder's own hands


@router.get("/ebid/static/{name}", include_in_schema=False)
def script(request: Request, name: str, actor: Actor = access.public()) -> Response:
    if name not in SCRIPTS:
        raise NotFound(say("このファイルはありません。"))
    return FileResponse(STATIC / name, media_type="text/javascript", headers={"Cache-Control": "no-cache"})
