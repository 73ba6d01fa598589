"""A Service of a cluster chooses a replica for each connection, not for each request."""

import asyncio
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway import snapshot
from gateway.snapshot import Snapshots
from libs.common.clock import SystemClock
from libs.common.inner_token import TokenSigner

DOCUMENT = json.dumps({"version": "1", "prefecture": None, "tenants": [], "members": {}}).encode()


def test_the_door_opens_although_the_first_replica_of_the_registry_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "EVERY", 0.01)
    asyncio.run(asked_until_it_answers(tmp_path / "kept.json"))


async def asked_until_it_answers(kept: Path) -> None:
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        status, body = ("503 broken", b"") if connections == 1 else ("200 OK", DOCUMENT)
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        signer = TokenSigner("gateway", Ed25519PrivateKey.generate())
        snapshots = Snapshots(f"http://127.0.0.1:{port}", signer, SystemClock(), kept)
        asked = asyncio.create_task(snapshots.keep_new())
        while connections < 2 or not snapshots.known:  # noqa: ASYNC110 (nobody tells when it is)
            await asyncio.sleep(0.01)
        asked.cancel()
