"""A service that does what it is told, for tests of the gateway: echoes, streams, hangs, resets, counts.

    python -m gateway.tests.fake_upstream PORT FOLDER

It also plays the registry: `/internal/tenants/snapshot` is FOLDER/snapshot.json, read at each request. Every request
it gets is one line in FOLDER/seen.jsonl, written when its body has ended or broken.
"""

import asyncio
import hashlib
import json
import sys
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs

import uvicorn
from starlette.staticfiles import StaticFiles

FOLDER = Path()
hanging = 0


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    path = scope["path"]
    if path == "/internal/tenants/snapshot":
        return await snapshot(scope, send)
    if path.startswith("/internal/"):
        return await openapi(path, send)
    if (FOLDER / "sick").exists() and await sickness((FOLDER / "sick").read_text(), scope, receive, send):
        return
    query = {k: v[0] for k, v in parse_qs(scope["query_string"].decode()).items()}
    match query.get("do"):
        case "hang":
            await hang(scope, receive)
        case "reset":
            scope["extensions"]["test.transport"].abort()
        case "note-and-reset":
            note({"path": path, "method": scope["method"]})
            scope["extensions"]["test.transport"].abort()
        case "close-in-middle":
            await close_in_middle(scope, send)
        case "stream":
            await stream(int(query["bytes"]), send, int(query.get("until", query["bytes"])))
            if "until" in query:
                await stop(scope, receive, query.get("then", "cut"))
        case "early":
            await answer(send, 409, b"early")
        case "weak":
            challenge = b'Bearer error="insufficient_user_authentication", acr_values="two-factor"'
            await answer(send, 401, b"{}", [(b"www-authenticate", challenge)])
        case "events":
            await events(scope, receive, send)
        case "file":
            await file(scope, receive, send)
        case "unchanged":
            await unchanged(scope)
        case "named":
            await named(scope, send, query)
        case "trickle":
            await trickle(scope, receive, send)
        case _:
            await echo(scope, receive, send, query)


async def sickness(kind, scope, receive, send):
    """What is wrong with this replica, whatever it is asked; whether that was its answer."""
    if kind == "slow":
        await asyncio.sleep(0.25)
        return False
    note({"path": scope["path"], "method": scope["method"], "sick": kind})
    if kind == "hang":
        await hang(scope, receive)
    elif kind == "reset":
        scope["extensions"]["test.transport"].abort()
    else:
        await answer(send, int(kind), b"{}")
    return True


async def snapshot(scope, send):
    file = FOLDER / "snapshot.json"
    if not file.exists():
        return await answer(send, 503, b"")
    body = file.read_bytes()
    etag = f'"{hashlib.sha256(body).hexdigest()}"'.encode()
    headers = dict(scope["headers"])
    if not headers.get(b"authorization", b"").startswith(b"Bearer "):
        return await answer(send, 401, b"")
    if headers.get(b"if-none-match") == etag:
        return await answer(send, 304, b"", [(b"etag", etag)])
    await answer(send, 200, body, [(b"etag", etag)])


async def openapi(path, send):
    if not path.endswith("/openapi.json"):
        note({"path": path, "method": "?"})  # nobody but services may ask for these
    file = FOLDER / f"openapi-{path.split('/')[2]}.json"
    await answer(send, 200 if file.exists() else 404, file.read_bytes() if file.exists() else b"{}")


async def echo(scope, receive, send, query):
    size, sha, whole = 0, hashlib.sha256(), False
    while not whole:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        size += len(message.get("body", b""))
        sha.update(message.get("body", b""))
        whole = not message.get("more_body")
        if "slowly" in query:
            await asyncio.sleep(float(query["slowly"]))
    said = {
        "method": scope["method"],
        "path": scope["path"],
        "raw": scope["raw_path"].decode(),
        "query": scope["query_string"].decode(),
        "headers": [[k.decode("latin-1"), v.decode("latin-1")] for k, v in scope["headers"]],
        "size": size,
        "sha256": sha.hexdigest(),
        "whole": whole,
    }
    note(said)
    extra = [(b"set-cookie", c.encode()) for c in query.get("cookies", "").split("|") if c]
    if "open" in query:  # what a service says to open an answer to other sites
        extra += [tuple(part.encode() for part in pair.split("=", 1)) for pair in query["open"].split("|")]
    if "cache" in query:
        extra.append((b"cache-control", query["cache"].encode()))
    extra += [(b"content-security-policy", b"default-src *"), (b"x-powered-by", b"tests"), (b"connection", b"x-hop")]
    extra.append((b"x-hop", b"1"))
    await answer(send, int(query.get("status", 200)), json.dumps(said).encode(), extra)


async def hang(scope, receive):
    """Never answers; says how many wait at once, so that a test sees whether leavers are let go."""
    global hanging
    hanging += 1
    note({"hanging": hanging, "path": scope["path"]})
    while (await receive())["type"] != "http.disconnect":
        pass
    hanging -= 1
    note({"hanging": hanging, "path": scope["path"]})


async def close_in_middle(scope, send):
    note({"path": scope["path"], "method": scope["method"]})
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
    await send({"type": "http.response.body", "body": b"x" * 100, "more_body": True})
    await asyncio.sleep(0.05)
    scope["extensions"]["test.transport"].abort()


async def stream(total, send, until):
    """`total` bytes are promised, of which the first `until` come: numbers of eight digits, so that a lost or doubled piece shows."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(total).encode())]})
    sent = 0
    while sent < until:
        piece = numbered(sent, min(sent + 65536, until))
        sent += len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": sent < total})


@cache
def _numbers():
    """00000000 00000001 00000002 …, twice: 800 kB that are made once, for a service that answers a thousand times."""
    return b"".join(b"%08d" % number for number in range(99_991)) * 2


def numbered(start, end):
    """Bytes `start` to `end` of what is streamed."""
    period = len(_numbers()) // 2
    pieces = []
    while start < end:
        at = start % period
        size = min(end - start, period)
        pieces.append(_numbers()[at : at + size])
        start += size
    return b"".join(pieces)


async def stop(scope, receive, then):
    """In the middle of an answer: cut the line, or say nothing more until the reader has gone."""
    if then == "cut":
        await asyncio.sleep(0.05)
        return scope["extensions"]["test.transport"].abort()
    await hang(scope, receive)


async def trickle(scope, receive, send):
    """One byte, then silence until the reader has gone."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"1", "more_body": True})
    await hang(scope, receive)


async def events(scope, receive, send):
    """Server-sent events: one now, one when FOLDER/go is there, then silence until the reader has gone."""
    headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"id: 1\ndata: first\n\n", "more_body": True})
    note({"said": 1})
    while not (FOLDER / "go").exists():  # noqa: ASYNC110 (a test in another process makes the file)
        await asyncio.sleep(0.02)
    note({"said": 2, "last": dict(scope["headers"]).get(b"last-event-id", b"").decode()})
    await send({"type": "http.response.body", "body": b"id: 2\ndata: second\n\n", "more_body": True})
    await hang(scope, receive)


async def file(scope, receive, send):
    """FOLDER/files as a real file server gives it: ETag, If-None-Match, Range, If-Range, HEAD."""
    scope = {**scope, "path": "/" + scope["path"].rsplit("/", 1)[1], "root_path": ""}
    await StaticFiles(directory=FOLDER / "files")(scope, receive, send)


async def named(scope, send, query):
    """Names a file where the door offers that (or `always`), else sends it."""
    headers = [(b"content-disposition", b'attachment; filename="plan.pdf"')]
    if "always" in query or (b"x-accel-offered", b"1") in scope["headers"]:
        headers.append((b"x-accel-redirect", query["name"].encode()))
        headers.append((b"content-type", b"application/pdf"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        return await send({"type": "http.response.body", "body": b""})
    await answer(send, 200, b"streamed by the service", headers)


async def unchanged(scope):
    """304 with the length of what was not sent, as RFC 9110, 8.6 allows and object stores do; then nothing more comes, and the line breaks:
    who waits for those bytes gets none. (Who sends the next request on this line waits for that, and sends it again.)"""
    note({"unchanged": True})
    transport = scope["extensions"]["test.transport"]
    transport.write(b'HTTP/1.1 304 Not Modified\r\netag: "kept"\r\ncontent-length: 500\r\n\r\n')
    await asyncio.sleep(3)
    transport.abort()


async def answer(send, status, body, headers=()):
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def note(facts):
    with (FOLDER / "seen.jsonl").open("a") as file:
        file.write(json.dumps(facts) + "\n")


def with_transport():
    """A protocol that lets the app cut its connection."""
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    class Protocol(HttpToolsProtocol):
        def on_message_begin(self):
            super().on_message_begin()
            self.scope["extensions"] = {"test.transport": self.transport}

    return Protocol


if __name__ == "__main__":
    FOLDER = Path(sys.argv[2])
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        http=with_transport(),
        lifespan="off",
        log_level="critical",
        timeout_keep_alive=75,
    )
