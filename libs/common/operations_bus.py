"""What the operator's page needs of the broker: events that a service could not even keep, and those that nobody reads yet.

On the embedded bus there are none. Who asked is logged by id; the reason stays with the caller, who keeps the operator's record.
"""

from dataclasses import asdict
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from libs.common import log
from libs.common.actor import Actor
from libs.common.bus import letters
from libs.common.errors import Conflict, say
from libs.common.service import Service

_log = log.get(__name__)

Kind = Literal["dead", "unrouted"]
_LIST = {"dead": letters.dead_letters, "unrouted": letters.unrouted}
_REDRIVE = {"dead": letters.redrive_dead, "unrouted": letters.redrive_unrouted}


class LetterOrder(BaseModel):
    """Which letters: all of the queue, or the copies of one event."""

    by: str = Field(max_length=200)
    because: str = Field(min_length=1, max_length=2000)
    event_id: str | None = Field(None, max_length=200)


def bus_router(watching: Any) -> APIRouter:
    """`watching` is the access dependency of the one process that may ask."""
    router = APIRouter()

    @router.get("/letters")
    def letter_counts(request: Request, _actor: Actor = watching) -> dict[str, int]:
        """Messages in the dead and the unrouted queue of this service. 503 when the broker is away."""
        service: Service = request.app.state.service
        if service.settings.bus == "embedded":
            return {"dead": 0, "unrouted": 0}
        return letters.counts(service.settings.amqp_url, service.name)

    @router.get("/letters/{kind}")
    def letters_of(request: Request, kind: Kind, _actor: Actor = watching) -> list[dict[str, Any]]:
        """The oldest hundred, each with where it came from and its first characters."""
        service: Service = request.app.state.service
        if service.settings.bus == "embedded":
            return []
        return [asdict(letter) for letter in _LIST[kind](service.settings.amqp_url, service.name)]

    @router.post("/letters/{kind}/redrive")
    def redrive_letters(request: Request, kind: Kind, body: LetterOrder, _actor: Actor = watching) -> dict[str, int]:
        """Put them back to where they were to be read."""
        service = _on_a_broker(request)
        count = _REDRIVE[kind](service.settings.amqp_url, service.name, body.event_id)
        _log.info("letters_redriven", kind=kind, by=body.by, count=count)
        return {"redriven": count}

    @router.post("/letters/dead/discard")
    def discard_letters(request: Request, body: LetterOrder, _actor: Actor = watching) -> dict[str, int]:
        """Throw them away for good."""
        service = _on_a_broker(request)
        count = letters.discard_dead(service.settings.amqp_url, service.name, body.event_id)
        _log.info("letters_discarded", by=body.by, count=count)
        return {"discarded": count}

    return router


def _on_a_broker(request: Request) -> Service:
    service: Service = request.app.state.service
    if service.settings.bus == "embedded":
        raise Conflict(say("この環境は仲介サーバーを使っていないため、届け直すものはありません。"))
    return service
