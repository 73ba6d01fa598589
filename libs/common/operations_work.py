"""The rest of what the operator's page needs of a service: its processes, work that got stuck, and how it is begun again.

Work is of two kinds, one shape: `jobs` that were given up, and `mails` that were refused or may not have arrived. No text and no address
of a notice is given out: who was to get it is known to the service that sent it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session

from libs.common import instances, jobs, notices
from libs.common.actor import Actor
from libs.common.service import Service

Kind = Literal["jobs", "mails"]


@dataclass(frozen=True, slots=True)
class _Stuck:
    """`shown`: name in the answer → attribute of the row."""

    found: Callable[[Session], Sequence[Any]]
    again: Callable[[Session, str, datetime], None]
    shown: dict[str, str]


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


_KINDS: dict[Kind, _Stuck] = {
    "jobs": _Stuck(
        jobs.dead,
        jobs.redrive,
        {"kind": "job_kind", **_same("id", "tenant", "attempts", "added_at", "finished_at", "error")},
    ),
    "mails": _Stuck(
        notices.troubled, notices.resend, _same("id", "tenant", "template", "at", "mail", "mail_at", "server_said")
    ),
}


_INSTANCE = ("role", "host", "release", "settings", "started_at", "seen_at")


def work_router(watching: Any) -> APIRouter:
    """`watching` is the access dependency of the one process that may ask."""
    router = APIRouter()

    @router.get("/instances")
    def running(request: Request, _actor: Actor = watching) -> list[dict[str, Any]]:
        """The processes of this service that were heard of lately, each with its release and the fingerprint of its settings."""
        service: Service = request.app.state.service
        with service.database.reading() as session:
            found = instances.present(session, service.clock.now())
        return [{name: getattr(row, name) for name in _INSTANCE} for row in found]

    @router.get("/certificates")
    def certificates(request: Request, _actor: Actor = watching) -> list[dict[str, str]]:
        """Certificates that this service signs with: `name`, `ends`. It says so in `extras["certificates"]`, a function."""
        service: Service = request.app.state.service
        known: Callable[[], list[tuple[str, datetime]]] = service.extras.get("certificates", list)
        return [{"name": name, "ends": ends.isoformat()} for name, ends in known()]

    @router.get("/stuck/{kind}")
    def stuck(request: Request, kind: Kind, _actor: Actor = watching) -> list[dict[str, Any]]:
        """What got stuck, with the last error or the mail server's words; a hundred at most."""
        service: Service = request.app.state.service
        one = _KINDS[kind]
        with service.database.reading() as session:
            return [{name: getattr(row, key) for name, key in one.shown.items()} for row in one.found(session)]

    @router.post("/stuck/{kind}/{ident}/again")
    def again(request: Request, kind: Kind, ident: str, _actor: Actor = watching) -> dict[str, str]:
        """Begin it again, because a person decided so. 404 for an unknown one, 409 for one that is not stuck."""
        service: Service = request.app.state.service
        with service.database.transaction() as session:
            _KINDS[kind].again(session, ident, service.clock.now())
        return {"status": "pending"}

    return router
