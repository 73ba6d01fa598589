"""The archives of rooms over HTTP, from service to service: what a room wrote is fetched, what one shall take in is brought.

    carried.router("eapply", WATCHER, FORMAT, limit=MAX_ARCHIVE)       # one of the routers of the service's app

What is brought is looked at before anybody asks the room to take it in: its form, its version, every sum.
"""

import tempfile
from collections.abc import AsyncIterator, Iterator
from functools import cache, partial

import anyio.from_thread
from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, say
from libs.common.files import ZIP, Store
from libs.common.ranges import resumable
from libs.common.room import table
from libs.common.room.archive import Format, Reader
from libs.common.service import Service

NAMED = 20
"""So many wrong members are named; the rest are counted."""


@cache
def router(name: str, reader: str, form: Format, *, limit: int) -> APIRouter:
    """`reader` is the service that may fetch and bring; `limit` is of one archive, in bytes. The tenant is the token's."""
    routes = APIRouter(prefix=f"/internal/{name}/archives", include_in_schema=False)

    @routes.get("/{file}")
    def fetch(request: Request, file: str, actor: Actor = access.service(reader)) -> Response:
        """What the room wrote (`<service>.room.exported.v1` names the file), or a part of it: once told of it does not change."""
        headers = {"Cache-Control": "no-store"}
        return resumable(
            request, _store(request), _tenant_of(actor), file, mark=file, media_type="application/zip", headers=headers
        )

    @routes.put("/{file}")
    async def bring(request: Request, file: str, actor: Actor = access.service(reader)) -> Response:
        """Keep what an `import` request will name. Brought again it is the same file.

        Conflict where there is a room already; Invalid, every wrong member named, for what the room could not take in.
        """
        content = _pieces(request.stream())
        await run_in_threadpool(_keep, request.app.state.service, _tenant_of(actor), file, content, form, limit)
        return Response(status_code=204)

    return routes


def _keep(service: Service, tenant: str, file: str, content: Iterator[bytes], form: Format, limit: int) -> None:
    with service.database.reading() as session:
        if table.state_of(session, tenant) not in (None, "deleted"):
            raise Conflict(
                f"この自治体は、{form.called}をもう使っています。空の部屋にだけ取り込めます。", code="room-not-empty"
            )
    store: Store = service.extras["files"]
    store.put(tenant, content, limit=limit, allowed=ZIP, file_id=file)
    try:
        _check(store, tenant, file, form)
    except Invalid:
        store.delete(tenant, file)
        raise


def _check(store: Store, tenant: str, file: str, form: Format) -> None:
    with tempfile.TemporaryFile() as target:
        with store.open(tenant, file) as opened:
            for chunk in opened.chunks:
                target.write(chunk)
        target.seek(0)
        wrong = Reader(target, form, tenant).wrong()
    if wrong:
        more = f"、ほか{len(wrong) - NAMED}件" if len(wrong) > NAMED else ""
        raise Invalid(
            f"{form.called}の書き出しファイルの中身が、目録と合いません（{'、'.join(wrong[:NAMED])}{more}）。",
            code="bad-archive",
        )


def _pieces(stream: AsyncIterator[bytes]) -> Iterator[bytes]:
    """The body as it arrives, for a thread: nothing waits in memory."""
    while (piece := anyio.from_thread.run(partial(anext, stream, None))) is not None:
        yield piece


def _tenant_of(actor: Actor) -> str:
    if actor.tenant is None:
        raise NotFound(say("このファイルは見つかりません。"))
    return actor.tenant


def _store(request: Request) -> Store:
    return request.app.state.service.extras["files"]
