"""The service in a process of its own, to be killed and traced: `python -m services.backup.tests.serve_alone PORT FOLDER`.

The folder's database was made before. A request says by its header `x-key` (restic: as its password) which key it has, and by
`x-die` at which step of an upload the process shall be killed.
"""

import base64
import json
import os
import signal
import stat
import sys
from pathlib import Path
from typing import Any

import uvicorn
from sqlalchemy import event

from libs.common import keys
from libs.common.actor import Actor
from libs.common.db import Database
from libs.common.inner_token import TokenSigner, TokenVerifier
from libs.common.server import Protocol
from libs.common.service import Service
from services.backup.api import create_app
from services.backup.settings import Settings, furnish

armed = ""
"""The step before which the process dies; "commit" and "folder" are of the upload once its file has been linked."""
linked = False


def die_if(step: str) -> None:
    if armed == step:
        os.kill(os.getpid(), signal.SIGKILL)


def watch_system_calls() -> None:
    write, fsync, link = os.write, os.fsync, os.link

    def watched_write(fd: int, data: Any) -> int:
        done = write(fd, bytes(data)[: len(data) // 2 or 1]) if armed == "write" else write(fd, data)
        die_if("write")  # half of it is there
        return done

    def watched_fsync(fd: int) -> None:
        die_if("fsync folder" if stat.S_ISDIR(os.fstat(fd).st_mode) and linked else "fsync file")
        fsync(fd)

    def watched_link(*arguments: Any) -> None:
        global linked
        die_if("link")
        try:
            link(*arguments)
        finally:
            linked = True  # also where the same content lies there already

    os.write, os.fsync, os.link = watched_write, watched_fsync, watched_link  # type: ignore[assignment]


def password(authorization: str) -> str:
    return base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")[2]


class Door:
    """Takes the key's number from the header and makes the inner token, as the gateway does."""

    def __init__(self, app: Any, signer: TokenSigner, tenant: str) -> None:
        self._app, self._signer, self._tenant = app, signer, tenant

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        global armed, linked
        if scope["type"] == "http":
            said = {n: v.decode() for n, v in scope["headers"]}
            number = said.get(b"x-key") or password(said.get(b"authorization", "Basic "))
            armed, linked = said.get(b"x-die", ""), False
            actor = Actor("machine", number, tenant=self._tenant, code=self._tenant, roles=frozenset({"backup.full"}))
            token = self._signer.sign(actor, "backup")
            scope["headers"] = [(b"authorization", f"Bearer {token}".encode()), *scope["headers"]]
        await self._app(scope, receive, self._watched(send))

    @staticmethod
    def _watched(send: Any) -> Any:
        async def watched(message: Any) -> None:
            die_if("reply")
            await send(message)

        return watched


def watched_service(folder: Path) -> Service:
    """The service of `folder`, in a process that dies before the step that is `armed`."""
    service = Service(
        name="backup",
        settings=Settings(data_dir=folder / "data", keys_dir=folder / "keys"),
        database=Database(told(folder)["database"], "backup"),
        verifier=TokenVerifier(keys.public_keys(folder / "keys"), "backup"),
        signer=TokenSigner("backup", keys.private_key(folder / "keys", "backup")),
    )
    furnish(service)
    watch_system_calls()
    event.listen(service.database.engine, "commit", lambda _: linked and die_if("commit"))
    return service


def told(folder: Path) -> dict[str, str]:
    return json.loads((folder / "alone.json").read_text())


def main(port: int, folder: Path) -> None:
    signer = TokenSigner("gateway", keys.private_key(folder / "keys", "gateway"))
    app = Door(create_app(watched_service(folder)), signer, told(folder)["tenant"])
    uvicorn.run(app, http=Protocol, port=port, log_config=None, access_log=False)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
