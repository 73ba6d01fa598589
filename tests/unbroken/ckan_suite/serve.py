"""An open data service of one empty municipality that can be emptied again: `POST /again`. Prints nothing; ends with its process."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from libs.common.clock import SystemClock
from libs.common.testing.database import open_database
from libs.common.testing.service import Issuers, make_service
from services.opendata.settings import Settings, furnish
from services.opendata.tests.people import Town, open_room
from services.opendata.tests.serving import Door


class Folders:
    """What `open_database` asks of pytest: folders, by name."""

    def mktemp(self, name: str) -> Path:
        return Path(tempfile.mkdtemp(prefix=name))


class Fresh:
    """ASGI: the municipality of now. Its predecessor's files lie until the process ends."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory, self._keep = factory, []
        self._door = self._made()

    def _made(self) -> Door:
        folder, issuers = self._factory.mktemp("town"), Issuers("opendata", "tenants")
        opened = open_database("sqlite", "opendata", "services.opendata", folder, self._factory)
        self._keep = [*self._keep[-1:], opened]
        settings = Settings(data_dir=folder, keys_dir=folder / "keys", cloud_name="共同クラウド")
        service = make_service("opendata", next(opened), folder, settings=settings, issuers=issuers)
        service.clock = SystemClock()
        furnish(service)
        open_room(service, "405221", "大木町")
        return Door(Town(service, issuers, "405221"))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == "/again":
            self._door = self._made()
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})
            return
        await self._door(scope, receive, send)


if __name__ == "__main__":
    uvicorn.run(Fresh(Folders()), port=int(sys.argv[1]), log_level="error", lifespan="off")  # pyright: ignore
