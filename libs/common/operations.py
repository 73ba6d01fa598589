"""What the operator's page needs of each service: ages, dead letters, and the two things to do about them.

Served under `/internal/<service>/`, for the one process that shows the operator's pages; who and why is kept on the row.
"""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from libs.common import access, ages, inbox, jobs
from libs.common.actor import Actor
from libs.common.operations_bus import bus_router
from libs.common.operations_work import work_router
from libs.common.room import switches
from libs.common.service import Service


class Resolution(BaseModel):
    by: str = Field(max_length=200)
    because: str = Field(min_length=1, max_length=2000)


def operations_router(watcher: str) -> APIRouter:
    """`watcher` is the issuer that may ask."""
    router = APIRouter()
    watching = access.service(watcher)

    @router.get("/queues")
    def queues(request: Request, _actor: Actor = watching) -> dict[str, Any]:
        """Ages in seconds of what waits longest (null: nothing waits), and events and jobs by state."""
        service: Service = request.app.state.service
        now = service.clock.now()
        with service.database.reading() as session:
            return {
                "service": service.name,
                "outbox_age": ages.age(session, "outbox", now),
                "inbox_age": ages.age(session, "inbox", now),
                "jobs_age": ages.age(session, "jobs", now),
                "inbox": inbox.counts(session),
                "jobs": jobs.counts(session),
            }

    @router.get("/switches")
    def declared(request: Request, _actor: Actor = watching) -> list[dict[str, str]]:
        """Functions that can be switched off for a tenant: `name`, `title`, and what each `says` in a sentence."""
        service: Service = request.app.state.service
        return [{"name": s.name, "title": s.title, "says": s.says} for s in switches.declared(service.name)]

    @router.get("/dead-letters")
    def dead_letters(request: Request, _actor: Actor = watching) -> list[dict[str, Any]]:
        """Events that could not be applied, dead ones first, with what they hold up."""
        service: Service = request.app.state.service
        with service.database.reading() as session:
            return [
                {
                    "event_id": row.event_id,
                    "type": row.type,
                    "subject": row.subject,
                    "tenant": row.tenant,
                    "status": row.status,
                    "attempts": row.attempts,
                    "next_at": row.next_at,
                    "received_at": row.received_at,
                    "error": row.error,
                    "waiting_behind": inbox.waiting_behind(session, row),
                    "envelope": row.envelope,
                }
                for row in inbox.troubled(session)
            ]

    @router.post("/dead-letters/{event_id}/redrive")
    def redrive(request: Request, event_id: str, body: Resolution, _actor: Actor = watching) -> dict[str, str]:
        service: Service = request.app.state.service
        with service.database.transaction() as session:
            inbox.redrive(session, event_id, by=body.by, because=body.because, now=service.clock.now())
        return {"status": "pending"}

    @router.post("/dead-letters/{event_id}/skip")
    def skip(request: Request, event_id: str, body: Resolution, _actor: Actor = watching) -> dict[str, str]:
        service: Service = request.app.state.service
        with service.database.transaction() as session:
            inbox.skip(session, event_id, by=body.by, because=body.because, now=service.clock.now())
        return {"status": "skipped"}

    router.include_router(work_router(watching))
    router.include_router(bus_router(watching))
    return router
