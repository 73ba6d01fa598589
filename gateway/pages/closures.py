"""`/door/closures/`: maintenance and read-only; `/door/`: how the door stands now."""

import time
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from gateway import db
from gateway.pages.common import see
from gateway.pages.door import door_page
from gateway.parts import Parts, parts_of
from gateway.use_cases import closures as use_cases
from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid, say

router = APIRouter(prefix="/door", include_in_schema=False)


@router.get("/closures/")
def show(request: Request, actor: Actor = access.operator()) -> Response:
    return _page(request)


@router.post("/closures/")
def close(
    request: Request,
    tenant: Annotated[str, Form()] = "",
    service: Annotated[str, Form()] = "",
    mode: Annotated[str, Form()] = "",
    sentence: Annotated[str, Form()] = "",
    hours: Annotated[str, Form()] = "",
    actor: Actor = access.operator(),
) -> Response:
    """Takes effect at every gateway within seconds."""
    parts = parts_of(request)
    typed = {"tenant": tenant, "service": service, "mode": mode, "sentence": sentence, "hours": hours}
    try:
        with parts.service.database.transaction(parts.home) as session:
            use_cases.close(
                session,
                actor,
                tenant=_known_tenant(parts, tenant),
                service=service if service in parts.settings.services else None,
                mode=mode,
                sentence=sentence,
                hours=_hours(hours),
                now=parts.clock.now(),
            )
    except Invalid as refusal:
        return _page(request, typed=typed, errors=refusal.fields, status=422)
    return see("/door/closures/")


@router.post("/closures/{ident}/end")
def end(request: Request, ident: str, actor: Actor = access.operator()) -> Response:
    parts = parts_of(request)
    with parts.service.database.transaction(parts.home) as session:
        use_cases.end(session, actor, ident, parts.clock.now())
    return see("/door/closures/")


def _known_tenant(parts: Parts, code: str) -> str | None:
    """Raises Invalid for one that is not there: a slip must not close the whole cloud."""
    if not code:
        return None
    tenant = parts.snapshots.current.by_code.get(code)
    if tenant is None:
        raise Invalid(say("この自治体は見つかりません。"), fields={"tenant": say("番号をお確かめください。")})
    return tenant.id


def _hours(text: str) -> float | None:
    try:
        return float(text) if text.strip() else None
    except ValueError:
        raise Invalid(
            say("時間は数で入力してください。"), fields={"hours": say("時間は数で入力してください。")}
        ) from None


def _page(
    request: Request, *, typed: dict[str, str] | None = None, errors: dict[str, str] | None = None, status: int = 200
) -> Response:
    parts, now = parts_of(request), parts_of(request).clock.now()
    snapshot = parts.snapshots.current
    with parts.service.database.reading() as session:
        rows = db.closures(session, now)
    return door_page(
        request,
        "door/closures.html",
        "/door/closures/",
        status=status,
        rows=rows,
        names={tenant.id: tenant.name for tenant in snapshot.by_id.values()},
        labels={name: snapshot.labels.get(name, name) for name in parts.settings.services},
        tenants=sorted((tenant.code, tenant.name) for tenant in snapshot.by_code.values()),
        typed={"tenant": "", "service": "", "mode": "read-only", "sentence": "", "hours": "", **(typed or {})},
        errors=errors or {},
    )


@router.get("/")
def load(request: Request, actor: Actor = access.operator()) -> Response:
    """Services that rest, people who wait, requests of today. Each gateway shows its own."""
    parts = parts_of(request)
    fairness, snapshot = parts.fairness, parts.snapshots.current
    now = time.monotonic()
    services: list[dict[str, Any]] = [
        {
            "name": snapshot.labels.get(name, name),
            "resting": max(0, round(breaker.open_until - now)) if breaker.open_until else None,
            "opened": breaker.opened,
            "waiting": fairness.waiting(name),
        }
        for name, breaker in fairness.breakers.items()
    ]
    counted = fairness.quotas.today()
    tenants = {f"tenant:{tenant.id}": tenant.name for tenant in snapshot.by_id.values()}
    counts = sorted(((tenants[key], n) for key, n in counted.items() if key in tenants), key=lambda one: -one[1])
    return door_page(request, "door/load.html", "/door/", services=services, counts=counts[:20])
