"""`/opendata/api/3/action/<action>` (and `/api/action/…`): parameters in, action, envelope out."""

import json
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import UploadFile

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Conflict, Forbidden, Invalid, NotFound, Refusal
from services.opendata.api import shell
from services.opendata.api.ckan import (
    datastore,
    directory,
    dump,
    people,
    read,
    revise,
    rows,
    search,
    views,
    vocabularies,
    write,
)
from services.opendata.api.ckan.call import Bad, Call, Given, Refused, Written, actions, written

router = APIRouter(tags=["ckan"])
router.include_router(dump.router)
MODULES = (datastore, directory, people, read, revise, rows, search, views, vocabularies, write)
"""Importing them fills `actions`."""
OPEN = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-cache"}


async def _given(request: Request) -> tuple[Given, UploadFile | None] | Bad:
    """Parameters of a GET from the address, of a POST from its body: JSON, a form whose only key is JSON, or a form."""
    if request.method == "GET":
        return _from_pairs(request.query_params.multi_items()), None
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type in ("multipart/form-data", "application/x-www-form-urlencoded"):
        form = (await request.form()).multi_items()
        upload = next((value for name, value in form if name == "upload" and isinstance(value, UploadFile)), None)
        pairs = [(name, value) for name, value in form if isinstance(value, str)]
        if len(pairs) == 1 and not pairs[0][1] and pairs[0][0].lstrip().startswith("{"):
            return _from_json(pairs[0][0].encode()), None
        if len(pairs) == 1 and pairs[0][0].lstrip().startswith("{"):  # the JSON had a "=" in it
            return _from_json("=".join(pairs[0]).encode()), None
        return _from_pairs(pairs), upload
    body = await request.body()
    found = _from_json(body) if body.strip() else {}
    return found if isinstance(found, Bad) else (found, None)


def _from_json(body: bytes) -> Any:
    try:
        found = json.loads(body)
        if b"\\ud" in body.lower():
            json.dumps(found, ensure_ascii=False).encode()  # half a character is none: nothing could keep or send it
    except (ValueError, RecursionError) as error:
        return Bad(
            f"JSON Error: Error decoding JSON data. Error: {error!r} JSON data extracted from the request: {body[:80]!r}"
        )
    return (
        found
        if isinstance(found, dict)
        else Bad(f"Request data JSON decoded to {found!r:.100} but it needs to be a dictionary.")
    )


def _from_pairs(pairs: list[tuple[str, str]]) -> Given:
    """A parameter that is repeated becomes a list."""
    found: Given = {}
    for name, value in pairs:
        if name not in found:
            found[name] = value
        else:
            found[name] = [*(found[name] if isinstance(found[name], list) else [found[name]]), value]
    return found


@router.get("/opendata/api/3", summary="The version of the interface")
@router.get("/opendata/api/2", include_in_schema=False)
@router.get("/opendata/api/1", include_in_schema=False)
def version(request: Request, actor: Actor = access.public()) -> Response:
    """Each number answers with itself: clients ask from the highest they know downwards."""
    return JSONResponse({"version": int(request.url.path[-1])}, headers=OPEN)


COMPLETIONS: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "dataset": ("package_autocomplete", "incomplete", lambda found: {"ResultSet": {"Result": found}}),
    "tag": ("tag_autocomplete", "incomplete", lambda found: {"ResultSet": {"Result": [{"Name": name} for name in found]}}),
    "format": ("format_autocomplete", "incomplete",
               lambda found: {"ResultSet": {"Result": [{"Format": name} for name in found]}}),
    "group": ("group_autocomplete", "q", lambda found: found),
    "organization": ("organization_autocomplete", "q", lambda found: found),
    "user": ("user_autocomplete", "q", lambda found: found),
}  # fmt: skip
"""What is completed → the action, the parameter with what was typed, and how the names found stand in the answer."""


@router.get("/opendata/api/util/{kind}/autocomplete", summary="Names for what somebody types (CKAN's forms)")
@router.get("/opendata/api/2/util/{kind}/autocomplete", include_in_schema=False)
def complete(request: Request, kind: str, actor: Actor = access.public()) -> Response:
    """Nothing is found for nothing."""
    if kind not in COMPLETIONS:
        raise NotFound("このページは見つかりません。", code="not-found")
    return _completed(request, kind, actor)


@router.get("/opendata/api/util/resource/format_autocomplete", include_in_schema=False)
@router.get("/opendata/api/2/util/resource/format_autocomplete", include_in_schema=False)
def complete_format(request: Request, actor: Actor = access.public()) -> Response:
    return _completed(request, "format", actor)


def _completed(request: Request, kind: str, actor: Actor) -> Response:
    action, typed, shown = COMPLETIONS[kind]
    asked = _from_pairs(request.query_params.multi_items())
    asked["q"] = asked.pop(typed, "")
    try:
        found = actions.all[action](Call(request, actor, asked, None, action)) if asked["q"] else []
    except Refused as refused:
        return Response(written(refused.error), refused.status, OPEN, "application/json;charset=utf-8")
    return Response(written(shown(found)), 200, OPEN, "application/json;charset=utf-8")


@router.get("/opendata/api/3/action/{action}", summary="Read (CKAN Action API)")
@router.get("/opendata/api/action/{action}", include_in_schema=False)
@router.post("/opendata/api/3/action/{action}", summary="Read or write (CKAN Action API)")
@router.post("/opendata/api/action/{action}", include_in_schema=False)
def act(request: Request, action: str, told: Any = Depends(_given), actor: Actor = access.public()) -> Response:
    try:
        return _act(request, action, told, actor)
    except Bad as bad:
        return _bare(str(bad))


def _act(request: Request, action: str, told: Any, actor: Actor) -> Response:
    function = actions.all.get(action)
    if function is None:
        raise Bad(f"Action name not known: {action}")
    if isinstance(told, Bad):
        raise told
    if isinstance(told, dict):
        told = (told, None)
    given, upload = told
    if request.method == "GET" and action in actions.writing:
        raise Bad("JSON Error: Invalid request. Please use POST method for your request")
    callback = given.pop("callback", None) if request.method == "GET" else None
    help_ = f"{shell.site(request)}/api/3/action/help_show?name={action}"
    # A page of anybody's that asks by <script> must not speak with its reader's rights: with a callback nobody is known.
    who = Actor("guest", "guest") if callback else actor
    try:
        status, text = 200, _enveloped(help_, function(Call(request, who, given, upload, action)))
    except Refused as refused:
        status, text = refused.status, written({"help": help_, "success": False, "error": refused.error})
    except Refusal as refusal:
        status, error = _translated(refusal)
        text = written({"help": help_, "success": False, "error": error})
    if isinstance(callback, str) and callback.isidentifier():
        return Response(
            f"{callback}({text.decode()});",
            status,
            {**OPEN, "X-Content-Type-Options": "nosniff"},
            "application/javascript",
        )
    return Response(text, status, OPEN, "application/json;charset=utf-8")


def _enveloped(help_: str, result: Any) -> bytes:
    if isinstance(result, Written):
        return written({"help": help_, "success": True, "result": None})[: -len(b"null}")] + result.json + b"}"
    return written({"help": help_, "success": True, "result": result})


def _translated(refusal: Refusal) -> tuple[int, dict[str, Any]]:
    message = str(refusal.message)
    match refusal:
        case NotFound():
            return 404, {"message": message, "__type": "Not Found Error"}
        case Forbidden():
            return 403, {"message": f"Access denied: {message}", "__type": "Authorization Error"}
        case Invalid() if refusal.code == "search-query":
            return 400, {"message": message, "__type": "Search Query Error"}
        case Invalid():
            fields = {name: [str(text)] for name, text in (refusal.fields or {"message": message}).items()}
            return 409, {**fields, "__type": "Validation Error"}
        case Conflict() if refusal.code == "name-taken":
            return 409, {"name": ["That URL is already in use."], "__type": "Validation Error"}
        case Conflict():
            return 409, {"message": [message], "__type": "Validation Error"}
    return refusal.status, {"message": message, "__type": "Internal Server Error"}


def _bare(message: str) -> Response:
    return Response(
        json.dumps(f"Bad request: {message}", ensure_ascii=False), 400, OPEN, "application/json;charset=utf-8"
    )
