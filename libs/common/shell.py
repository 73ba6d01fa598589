"""What the pages of every service ask of a request: the service, the time, the room of the path's municipality, its name for the
head of the page, a sentence in the reader's language."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session
from starlette.requests import Request

from libs.common import room
from libs.common.actor import Actor
from libs.common.errors import Sentence, TooLarge
from libs.common.files import Store
from libs.common.service import Service
from libs.common.web import Pages, own_logo


class Texts(dict[str, str]):
    """A mapping for templates in which everything that is missing is an empty text."""

    def __missing__(self, key: str) -> str:
        return ""


def service_of(request: Request) -> Service:
    return request.app.state.service


def pages_of(request: Request) -> Pages:
    return service_of(request).extras["pages"]


def store_of(request: Request) -> Store:
    return service_of(request).extras["files"]


def now_of(request: Request) -> datetime:
    return service_of(request).clock.now()


# ---- the room of the path's municipality ------------------------------------------------------------------------------


@contextmanager
def changing(request: Request, actor: Actor) -> Iterator[Session]:
    """A transaction in the room of the path's municipality. Forbidden while the room is not in use."""
    with service_of(request).database.transaction(tenant=actor.tenant) as session:
        room.check_open(session)
        remember_place(request, session)
        yield session


@contextmanager
def reading(request: Request, actor: Actor) -> Iterator[Session]:
    """The same for reading only."""
    with service_of(request).database.reading(tenant=actor.tenant) as session:
        room.check_open(session)
        remember_place(request, session)
        yield session


def remember_place(request: Request, session: Session) -> None:
    """The municipality's name and picture for the head of the page."""
    row = session.get(room.RoomRow, session.info["tenant"])
    code = request.path_params.get("code", "")
    request.state.place_name = (row.name if row else None) or code
    request.state.place_logo = own_logo(f"/t/{code}/", row.logo if row else None)


def logo(request: Request) -> str:
    """The municipality's picture for the head of the page; "" for none."""
    return getattr(request.state, "place_logo", "")


# ---- words ------------------------------------------------------------------------------------------------------------


def spoken(request: Request, text: str) -> str:
    """A sentence of ours in the reader's language. Texts of people and of definitions stay as they are."""
    return pages_of(request).spoken(request, text)


def spoken_all(request: Request, words: Mapping[Any, str]) -> dict[Any, str]:
    return {key: spoken(request, text) for key, text in words.items()}


# ---- what comes in ----------------------------------------------------------------------------------------------------

Message = MutableMapping[str, Any]


class BodyLimit:
    """Stops a request whose body is longer than `limit` bytes while it arrives, with TooLarge and the sentence that `refusal` makes
    of the limit in megabytes. The cloud's own services may send more."""

    def __init__(self, app: Callable[..., Awaitable[None]], limit: int, refusal: Callable[[int], Sentence]) -> None:
        self._app, self._limit, self._refusal = app, limit, refusal

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Any) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/internal/"):
            await self._app(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                raise TooLarge(self._refusal(self._limit // (1024 * 1024)))
            return message

        await self._app(scope, counted, send)
